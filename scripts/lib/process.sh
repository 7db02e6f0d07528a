# shellcheck shell=bash
# Daemons known by a pid file, `PID START`: the start time tells our process from a later one with its number.

# process_start PIDFILE LOG COMMAND...: starts COMMAND in a session of its own, its output to LOG.
process_start() {
  local pidfile=$1 log=$2
  shift 2
  # Descriptors 3 (a caller's `$(...)`) and 9 (our lock) must not outlive this script in the daemon.
  setsid "$@" >"$log" 2>&1 </dev/null 3>&- 9>&- &
  printf '%s %s\n' "$!" "$(process_field "$!" 20)" >"$pidfile"
  disown "$!"
}

# process_field PID N: prints field N of /proc/PID/stat counted from the state, which is 1; nothing if it is gone.
process_field() {
  local stat fields
  { stat=$(<"/proc/$1/stat"); } 2>/dev/null || return 0
  read -ra fields <<<"${stat##*) }"
  printf '%s' "${fields[$2 - 1]}"
}

# process_pid PIDFILE: prints the pid if that very process is alive; fails otherwise.
process_pid() {
  local pid start state
  { read -r pid start <"$1"; } 2>/dev/null || return 1
  [[ -n "$pid" && "$(process_field "$pid" 20)" == "$start" ]] || return 1
  state=$(process_field "$pid" 1)
  [[ -n "$state" && "$state" != Z && "$state" != X ]] || return 1
  printf '%s' "$pid"
}

# process_state PIDFILE: prints running, paused or stopped.
process_state() {
  local pid
  pid=$(process_pid "$1") || { printf stopped; return; }
  if [[ "$(process_field "$pid" 1)" == [Tt] ]]; then printf paused; else printf running; fi
}

# process_signal PIDFILE SIGNAL: signals that very process; fails when it is gone.
process_signal() {
  local pid
  pid=$(process_pid "$1") && kill -s "$2" "$pid" 2>/dev/null
}

# process_gone PIDFILE SECONDS: waits until it has ended; fails after SECONDS.
process_gone() {
  local until=$(($(now_ms) + $2 * 1000))
  while process_pid "$1" >/dev/null; do
    (($(now_ms) < until)) || return 1
    sleep 0.05
  done
}

# process_stop PIDFILE SECONDS: TERM, KILL after SECONDS, then no pid file. A stopped one is woken to hear it.
process_stop() {
  if process_signal "$1" TERM; then
    process_signal "$1" CONT || true
    if ! process_gone "$1" "$2"; then
      say "process $(process_pid "$1" || true) did not end in $2 s: killed"
      process_signal "$1" KILL || true
      process_gone "$1" 10 || die "process of $1 cannot be killed"
    fi
  fi
  rm -f "$1"
}

# process_kill_all COMMAND...: kills those whose pids COMMAND prints, until it prints none: they may start others.
process_kill_all() {
  local pids until=$(($(now_ms) + 10000))
  while pids=$("$@" || true) && [[ -n "$pids" ]]; do
    # shellcheck disable=SC2086 # one word per process
    kill -KILL $pids 2>/dev/null || true
    (($(now_ms) < until)) || die "cannot kill processes ${pids//$'\n'/ }"
    sleep 0.01
  done
}
