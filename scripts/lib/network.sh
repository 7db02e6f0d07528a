# shellcheck shell=bash
# Hosts of a cluster on one machine: each a network namespace with its own name, address and cable, so that a node can
# be cut off for real and every daemon has its standard port.
#
#     this machine, kafka1: spindle-N 198.19.N.1 --- switch: br0 --- nn1 198.19.N.2, rm1 .3, nn2 .4, rm2 .5, nm1 .11, nm2 .12
#
# N is the first one free; 198.18.0.0/15 is set aside for test networks (RFC 2544), N is the third number of it. Why so:
# - A namespace has no name of its own (`ip netns` would leave mounts behind) but a process that holds it. Bridge and
#   cables are inside too, so that all of it, spindle-N included, is gone with these processes, however they end; and
#   a firewall of this machine (Docker's drops what bridges forward) does not see what nodes tell each other.
# - Names are HOST.cluster-N, in /etc/hosts: everything on this machine resolves them (JVMs, containers, tests,
#   `spindle`), and no two clusters share one. Lines are marked with spindle-N, which is how stale ones are known.
# - Nodes reach each other and this machine at its name kafka1, nothing else; other machines have no way to them.
# Reads CLUSTER_DIR.

#        host  last number of its address
NETWORK_HOSTS=(
  "nn1   2"
  "rm1   3"
  "nn2   4"
  "rm2   5"
  "nm1   11"
  "nm2   12"
)
NETWORK_ENV=$CLUSTER_DIR/run/network.env
NETWORK_NUMBER=$CLUSTER_DIR/network
HOSTS_FILE=/etc/hosts

network_pidfile() { printf '%s' "$CLUSTER_DIR/run/network-$1.pid"; }

# Sets network_number, empty when there is no network.
network_load() {
  network_number=''
  # shellcheck disable=SC1090 # written by network_up below
  [[ ! -r "$NETWORK_ENV" ]] || . "$NETWORK_ENV"
}

# network_name HOST, network_address HOST: prints it. This machine itself is the host kafka1.
network_name() { printf '%s.cluster-%s' "$1" "$network_number"; }

network_address() {
  local row host octet last=1
  for row in "${NETWORK_HOSTS[@]}"; do
    read -r host octet <<<"$row"
    [[ "$host" != "$1" ]] || last=$octet
  done
  printf '198.19.%s.%s' "$network_number" "$last"
}

network_hosts() { printf '%s\n' "${NETWORK_HOSTS[@]}" | cut -d' ' -f1; }

# network_up: makes it unless it is there.
network_up() {
  local host gone='' all
  network_load
  all=" switch $(network_hosts | tr '\n' ' ')"
  for host in $all; do process_pid "$(network_pidfile "$host")" >/dev/null || gone+=" $host"; done
  [[ -n "$gone" ]] || return 0
  [[ "$gone " == "$all" ]] || die "the network of this cluster is damaged:$gone gone; run scripts/cluster down first"
  # After a restart of the machine: only what was written down is left.
  network_down
  [[ "$(id -u)" == 0 ]] || die "HDFS and YARN run on hosts of their own, network namespaces, which only root can make"
  need ip "it comes with iproute2 (Debian: apt-get install iproute2)"
  need unshare "it comes with util-linux"
  need nsenter "it comes with util-linux"
  (network_make) || { network_down; exit 1; }
  network_load
}

network_make() {
  local host
  network_hold switch
  network_claim
  printf 'network_number=%s\n' "$network_number" >"$NETWORK_ENV"
  for host in $(network_hosts); do network_hold "$host"; done
  network_cables
  network_lines
}

# network_hold HOST: a process that keeps a namespace with that name alive.
network_hold() {
  local pidfile until pid
  pidfile=$(network_pidfile "$1")
  # shellcheck disable=SC2016 # expanded by the inner bash
  process_start "$pidfile" "$pidfile.log" unshare -n -u \
    bash -c 'printf "%s\n" "$1" >/proc/sys/kernel/hostname && exec sleep infinity' - "$(network_name "$1")"
  until=$(($(now_ms) + 10000))
  until pid=$(process_pid "$pidfile") && [[ "$(<"/proc/$pid/comm")" == sleep ]]; do
    [[ -n "$pid" ]] || die "cannot make a network namespace: $(cat "$pidfile.log")"
    (($(now_ms) < until)) || die "no network namespace after 10 s: $(cat "$pidfile.log")"
    sleep 0.01
  done
}

# Takes a number that no cluster has: the one of the last time, else the first that is free. Making the interface
# claims it; a network that the machine has in the same place is none of ours.
network_claim() {
  local number switch last=''
  switch=$(process_pid "$(network_pidfile switch)") || die "the switch's process is gone"
  [[ ! -r "$NETWORK_NUMBER" ]] || last=$(<"$NETWORK_NUMBER")
  for number in $last {1..254}; do
    [[ -z "$(ip -4 route show root "198.19.$number.0/24" 2>/dev/null)" ]] || continue
    ip link add "spindle-$number" type veth peer name uplink netns "$switch" \
      2>"$CLUSTER_DIR/run/network.log" || continue
    network_number=$number
    printf '%s\n' "$number" >"$NETWORK_NUMBER"
    return 0
  done
  die "cannot make an interface spindle-N: $(cat "$CLUSTER_DIR/run/network.log")"
}

network_cables() {
  local host pid
  ip -batch - <<EOI || die "cannot set up spindle-$network_number"
address add $(network_address kafka1)/24 dev spindle-$network_number
link set spindle-$network_number up
EOI
  {
    printf 'link add br0 type bridge\nlink set br0 up\nlink set uplink master br0 up\n'
    for host in $(network_hosts); do
      printf 'link add %s type veth peer name eth0 netns %s\n' "$host" "$(process_pid "$(network_pidfile "$host")")"
      printf 'link set %s master br0 up\n' "$host"
    done
  } | network_run switch ip -batch - || die "cannot connect the hosts of spindle-$network_number"
  for host in $(network_hosts); do
    network_run "$host" ip -batch - <<EOI || die "cannot set up $(network_name "$host")"
link set lo up
address add $(network_address "$host")/24 dev eth0
link set eth0 up
EOI
  done
}

# network_enter HOST: sets network_enter to the command before which another runs there; it execs, the pid stays.
network_enter() {
  local pid
  pid=$(process_pid "$(network_pidfile "$1")") || die "host $1 is not there: run scripts/cluster up"
  network_enter=(nsenter -t "$pid" -n -u)
}

network_run() {
  local -a network_enter
  network_enter "$1"
  shift
  "${network_enter[@]}" "$@"
}

# network_cut HOST, network_heal HOST: pulls its cable, plugs it in again.
network_cut() { network_run switch ip link set "$1" down; }
network_heal() { network_run switch ip link set "$1" up; }

# network_is_cut HOST
network_is_cut() { [[ "$(network_run switch ip -o link show "$1" 2>/dev/null)" != *[\<,]UP[,\>]* ]]; }

# network_processes HOST [PID...]: prints the pids of all that run there, but not those named.
network_processes() {
  local holder pid namespace
  holder=$(process_pid "$(network_pidfile "$1")") || return 0
  namespace=$(readlink "/proc/$holder/ns/net") || return 0
  shift
  # A process may end while it is looked at.
  for pid in $(find /proc -maxdepth 3 -path '/proc/[0-9]*/ns/net' -lname "${namespace/\[/\\[}" 2>/dev/null |
    cut -d/ -f3); do
    [[ " $holder $* " == *" $pid "* ]] || printf '%s\n' "$pid"
  done
}

# network_kill HOST [PID...]: kills all that run there, but not those named.
network_kill() { process_kill_all network_processes "$@"; }

# network_down: ends what still runs on the hosts, then the hosts, with which the interfaces go.
network_down() {
  local host
  network_load
  for host in $(network_hosts); do network_kill "$host"; done
  for host in $(network_hosts) switch; do
    process_signal "$(network_pidfile "$host")" KILL || true
  done
  for host in $(network_hosts) switch; do
    process_gone "$(network_pidfile "$host")" 10 || die "the process of $host cannot be killed"
    rm -f "$(network_pidfile "$host")" "$(network_pidfile "$host").log"
  done
  [[ -n "$network_number" ]] || return 0
  # The kernel takes a namespace apart some milliseconds later; the next `up` may want the number now.
  ip link delete "spindle-$network_number" 2>/dev/null || true
  network_lines
  rm -f "$NETWORK_ENV" "$CLUSTER_DIR/run/network.log"
}

# network_lines: brings our lines of the hosts file up to date: this cluster's, and none of networks that are gone.
network_lines() {
  local line host
  (
    flock 7
    cp -p "$HOSTS_FILE" "$HOSTS_FILE.spindle"
    {
      while IFS= read -r line || [[ -n "$line" ]]; do
        [[ "$line" =~ \#\ (spindle-[0-9]+)$ ]] || { printf '%s\n' "$line"; continue; }
        [[ "${BASH_REMATCH[1]}" != "spindle-$network_number" && -e /sys/class/net/${BASH_REMATCH[1]} ]] || continue
        printf '%s\n' "$line"
      done <"$HOSTS_FILE"
      if [[ -e /sys/class/net/spindle-$network_number ]]; then
        for host in kafka1 $(network_hosts); do
          printf '%s %s # spindle-%s\n' "$(network_address "$host")" "$(network_name "$host")" "$network_number"
        done
      fi
    } >"$HOSTS_FILE.spindle"
    # At once where it can be replaced, in place where it is a mount of a container's.
    mv -f "$HOSTS_FILE.spindle" "$HOSTS_FILE" 2>/dev/null ||
      { cat "$HOSTS_FILE.spindle" >"$HOSTS_FILE" && rm -f "$HOSTS_FILE.spindle"; }
  ) 7<"${HOSTS_FILE%/*}"
}
