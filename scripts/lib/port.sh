# shellcheck shell=bash
# Free TCP ports on loopback.

# port_free PORT: nobody answers there. (A connect, not a bind: bash has no bind, and servers set SO_REUSEADDR.)
port_free() { ! (exec 5<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# port_any: prints a free port below the range that the system gives to outgoing connections. A port inside it
# could be lost while its server is restarted: to any connection, even to a client's connection to itself.
port_any() {
  local first=20000 last port
  read -r last _ </proc/sys/net/ipv4/ip_local_port_range
  ((last > first + 1000)) || first=10000
  for _ in {1..100}; do
    port=$((first + (RANDOM * 32768 + RANDOM) % (last - first)))
    port_free "$port" && { printf '%s' "$port"; return; }
  done
  die "no free port from $first to $last in 100 tries"
}
