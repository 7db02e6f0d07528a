# shellcheck shell=bash
# shellcheck disable=SC2154 # hadoop_load sets hadoop_*
# The service yarn of scripts/cluster: a ResourceManager, or two that stand in for each other, and two NodeManagers;
# hadoop.sh has what it shares with hdfs, and what yarn_daemons are.
# Nothing of it outlives `down`: applications end with their cluster.

yarn_nodemanagers=(nodemanager1 nodemanager2)

yarn_install() { hadoop_install "$1"; }

# yarn_start JDK: those that do not run.
yarn_start() {
  local daemon
  hadoop_configure "$1"
  # The first start: what is there was left for people to read.
  [[ -d "$hadoop_home/resourcemanager/store" ]] || rm -rf "$hadoop_home"/nodemanager*/containers
  # ResourceManagers of two start as standbys.
  [[ -z "$hadoop_ha" ]] || : >"$CLUSTER_DIR/run/yarn.activate"
  for daemon in "${yarn_daemons[@]}"; do yarn_start_daemon "$daemon"; done
}

# yarn_start_daemon DAEMON
yarn_start_daemon() {
  hadoop_load
  case $1 in
    resourcemanager*)
      hadoop_start "$1" 256m ${hadoop_ha:+-D yarn.resourcemanager.ha.id="$(hadoop_host "$1")"}
      ;;
    nodemanager*)
      hadoop_start "$1" 256m -D yarn.nodemanager.hostname="$(network_name "nm${1#nodemanager}")" \
        -D yarn.nodemanager.local-dirs="$hadoop_home/$1/local" \
        -D yarn.nodemanager.log-dirs="$hadoop_home/$1/containers" \
        -D yarn.nodemanager.recovery.dir="$hadoop_home/$1/recovery"
      ;;
  esac
}

# yarn_role RESOURCEMANAGER: prints active, standby, or nothing.
yarn_role() {
  local answer
  answer=$(hadoop_get "$(hadoop_host "$1")" 8088 /ws/v1/cluster/info) || return 0
  answer=$(sed -n 's/.*"haState":"\(ACTIVE\|STANDBY\)".*/\1/p' <<<"$answer")
  printf '%s' "${answer,,}"
}

# yarn_ready DAEMON: a NodeManager is when the ResourceManager has taken it, the ResourceManager when it has taken all
# NodeManagers that run, and one that stands by at once.
yarn_ready() {
  local answer active
  hadoop_load
  case $1 in
    nodemanager*) grep -q 'Registered with ResourceManager as' "$(hadoop_log "$1")" ;;
    resourcemanager*)
      hadoop_activate yarn yarn rmadmin -transitionToActive rm1 || return 1
      [[ "$(yarn_role "$1")" != standby ]] || return 0
      answer=$(hadoop_get "$(hadoop_host "$1")" 8088 /ws/v1/cluster/metrics) || return 1
      active=$(sed -n 's/.*"activeNodes":\([0-9]*\).*/\1/p' <<<"$answer")
      ((${active:--1} >= $(hadoop_reachable "${yarn_nodemanagers[@]}")))
      ;;
  esac
}

# Containers live on without their NodeManager, so all that runs on the nodes goes, the DataNodes excepted.
yarn_stop() {
  local daemon number
  hadoop_load
  for daemon in "${yarn_daemons[@]}"; do process_signal "$(daemon_pidfile "$daemon")" KILL || true; done
  for number in 1 2; do yarn_kill "$number"; done
  process_kill_all yarn_containers
  for daemon in "${yarn_daemons[@]}"; do process_stop "$(daemon_pidfile "$daemon")" 10; done
  rm -rf "$hadoop_home"/resourcemanager/{store,labels} "$hadoop_home"/nodemanager*/{local,recovery,tmp}
}

# Should a host's own process have been killed, its containers are still known by the folders that they work in.
yarn_containers() {
  find /proc -maxdepth 2 -path '/proc/[0-9]*/cwd' -lname "$hadoop_home/nodemanager*" 2>/dev/null | cut -d/ -f3
}

# yarn_kill NUMBER: the NodeManager and the containers of that node.
yarn_kill() {
  local datanode
  datanode=$(process_pid "$(daemon_pidfile "datanode$1")" || true)
  # shellcheck disable=SC2086 # one word, or none
  network_kill "nm$1" $datanode
}

yarn_log() { hadoop_load; hadoop_log "$1"; }

yarn_describe() {
  local role=''
  hadoop_load
  case $1 in
    resourcemanager*)
      [[ -z "$hadoop_ha" ]] || role=$(yarn_role "$1") role="  ${role:-no answer}"
      hadoop_describe "$1" "http://$(network_name "$(hadoop_host "$1")"):8088$role"
      ;;
    *) hadoop_describe "$1" "http://$(network_name "nm${1#nodemanager}"):8042" ;;
  esac
}

yarn_exports() {
  hadoop_load
  printf 'export SPINDLE_YARN=http://%s:8088\n' "$(network_name rm1)"
}
