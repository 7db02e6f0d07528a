# shellcheck shell=bash
# shellcheck disable=SC2154 # command is what scripts/cluster was called with
# Faults for tests. Without a lock on purpose for those that only signal: a test may fire them at any time.

# fault SERVICE DAEMON stop|start|pause|resume
fault() {
  local pidfile
  pidfile=$(daemon_pidfile "$2")
  case ${3:-} in
    stop)
      process_signal "$pidfile" KILL || die "no $2 runs"
      process_gone "$pidfile" 10 || die "$2 cannot be killed"
      ;;
    start) fault_start "$1" "$2" ;;
    pause) process_signal "$pidfile" STOP || die "no $2 runs" ;;
    resume) process_signal "$pidfile" CONT || die "no $2 runs" ;;
    *) refuse "$command takes stop, start, pause or resume" ;;
  esac
}

# fault_start SERVICE DAEMON: as it was before, and ready.
fault_start() {
  lock
  [[ -f "$(daemon_pidfile "$2")" ]] || die "no $2 was up: run scripts/cluster up $1"
  case $(daemon_state "$2") in
    running) say "$2: running already"; return ;;
    paused) die "$2 is paused: resume it" ;;
  esac
  "${1}_start_daemon" "$2"
  wait_ready "$1" "$2" || die "$2 did not come back"
}

broker() { fault kafka kafka "$@"; }
kdc() { fault kerberos kdc "$@"; }
namenode() { head_of hdfs namenode nn "$@"; }
resourcemanager() { head_of yarn resourcemanager rm "$@"; }

# head_of SERVICE DAEMON HOST [NUMBER] FAULT: of two, the first unless said otherwise.
head_of() {
  local service=$1 daemon=$2 host=$3 number=1
  shift 3
  hadoop_load
  case ${1:-} in
    1 | 2) number=$1; shift ;;
  esac
  [[ "$number" == 1 || -n "$hadoop_ha" ]] || die "there is one $daemon: run scripts/cluster up $service --ha"
  case ${1:-} in
    stop | start | pause | resume) fault "$service" "$daemon${number#1}" "$1" ;;
    cut | heal) "network_$1" "$host$number" ;;
    *) refuse "$command takes stop, start, pause, resume, cut or heal, of two behind 1 or 2" ;;
  esac
}

# datanode NUMBER FAULT
datanode() {
  numbered "${1:-}"
  fault hdfs "datanode$1" "${2:-}"
}

# node NUMBER FAULT: of its NodeManager, or of all that is on it.
node() {
  numbered "${1:-}"
  case ${2:-} in
    stop | start | pause | resume) fault yarn "nodemanager$1" "$2" ;;
    lose) yarn_kill "$1" ;;
    cut) network_cut "nm$1" ;;
    heal) network_heal "nm$1" ;;
    *) refuse "node takes stop, start, pause, resume, lose, cut or heal" ;;
  esac
}

numbered() { [[ "$1" == [12] ]] || refuse "$command is 1 or 2"; }
