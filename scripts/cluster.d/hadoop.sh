# shellcheck shell=bash
# What the services hdfs and yarn of scripts/cluster share: Hadoop from Maven artifacts, its settings, its JVMs, its
# commands. Each daemon is a process of its own on a host of the cluster's network (lib/network.sh).
# Reads CLUSTER_DIR, CLUSTER_LIB, HADOOP_VERSION, and what options said or nothing: HEARTBEAT_MS, HA, KERBEROS.

# As for Kafka; and what Hadoop looks into that JDKs from 17 hide (HADOOP-19310).
HADOOP_FLAGS=(
  -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:+IgnoreUnrecognizedVMOptions
  -XX:-UsePerfData -Xshare:auto -Xlog:cds=off -Xlog:cds+dynamic=off -Djava.net.preferIPv4Stack=true
)
for package in java.io java.lang java.lang.reflect java.math java.net java.text java.util java.util.concurrent \
  java.util.zip sun.security.util sun.security.x509; do
  HADOOP_FLAGS+=("--add-opens=java.base/$package=ALL-UNNAMED")
done
unset package

#        daemon           host  main class
HADOOP_DAEMONS=(
  "namenode         nn1   org.apache.hadoop.hdfs.server.namenode.NameNode"
  "namenode2        nn2   org.apache.hadoop.hdfs.server.namenode.NameNode"
  "datanode1        nm1   org.apache.hadoop.hdfs.server.datanode.DataNode"
  "datanode2        nm2   org.apache.hadoop.hdfs.server.datanode.DataNode"
  "resourcemanager  rm1   org.apache.hadoop.yarn.server.resourcemanager.ResourceManager"
  "resourcemanager2 rm2   org.apache.hadoop.yarn.server.resourcemanager.ResourceManager"
  "nodemanager1     nm1   org.apache.hadoop.yarn.server.nodemanager.NodeManager"
  "nodemanager2     nm2   org.apache.hadoop.yarn.server.nodemanager.NodeManager"
)
HADOOP_ENV=$CLUSTER_DIR/run/hadoop.env

# What the last start wrote down; the defaults before.
hadoop_load() {
  hadoop_jdk='' hadoop_heartbeat_ms=200 hadoop_ha='' hadoop_kerberos=''
  # shellcheck disable=SC1090 # written by hadoop_save below
  [[ ! -r "$HADOOP_ENV" ]] || . "$HADOOP_ENV"
  hadoop_lib=$CLUSTER_LIB/hadoop-$HADOOP_VERSION
  hadoop_home=$CLUSTER_DIR/hadoop-$HADOOP_VERSION
  hadoop_archive=''
  [[ -z "$hadoop_jdk" ]] || hadoop_archive=$hadoop_lib/java-$(java_version "$hadoop_jdk").jsa
  # shellcheck disable=SC2034 # scripts/cluster, hdfs.sh and yarn.sh read them
  hdfs_daemons=(namenode ${hadoop_ha:+namenode2} "${hdfs_datanodes[@]}") \
    yarn_daemons=(resourcemanager ${hadoop_ha:+resourcemanager2} "${yarn_nodemanagers[@]}")
  network_load
}

hadoop_save() {
  printf 'HADOOP_VERSION=%q hadoop_jdk=%q hadoop_heartbeat_ms=%q hadoop_ha=%q hadoop_kerberos=%q\n' \
    "$HADOOP_VERSION" "$hadoop_jdk" "$hadoop_heartbeat_ms" "$hadoop_ha" "$hadoop_kerberos" >"$HADOOP_ENV"
}

# Everything that depends on the version: Maven profiles, and jars that must go. Hadoop 2 comes with two versions of
# asm, and WebHDFS fails with the newer one.
hadoop_differences() {
  case $HADOOP_VERSION in
    2.*) hadoop_profiles='' hadoop_unwanted=asm-5.0.4.jar ;;
    3.[0-3].*) hadoop_profiles=timeline,activation hadoop_unwanted='' ;;
    *) hadoop_profiles=timeline hadoop_unwanted='' ;;
  esac
}

# hadoop_install JDK: the jars, once for all clusters of this checkout. They appear under their name when complete.
hadoop_install() {
  hadoop_load
  mkdir -p "$hadoop_lib"
  (
    flock 8
    [[ -d "$hadoop_lib/lib" ]] || hadoop_fetch "$1"
  ) 8>"$hadoop_lib/lock"
}

hadoop_fetch() {
  local part=$hadoop_lib/lib.part webapp
  need mvn "it fetches Hadoop (Debian: apt-get install maven)"
  say "hadoop: fetching $HADOOP_VERSION (at most 90 MB, once)"
  rm -rf "$part"
  hadoop_differences
  JAVA_HOME=$1 mvn -B -q -ntp -Dstyle.color=never -f "$SCRIPTS/cluster.d/hadoop.pom.xml" \
    -Dhadoop.version="$HADOOP_VERSION" ${hadoop_profiles:+-P "$hadoop_profiles"} -Dmaven.artifact.threads=16 \
    dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$part" \
    >"$hadoop_lib/install.log" 2>&1 || {
    grep -m 1 ERROR "$hadoop_lib/install.log" >&2 || true
    die "cannot fetch Hadoop $HADOOP_VERSION by Maven; all it said is in $hadoop_lib/install.log"
  }
  [[ -z "$hadoop_unwanted" ]] || rm -f "$part/$hadoop_unwanted"
  # Native code for other systems.
  rm -f "$part"/netty-*-{osx,windows}-*.jar
  # The jars lack HDFS's web pages, without which its daemons do not start. Empty ones do; JMX and WebHDFS are there.
  for webapp in hdfs datanode secondary static; do
    mkdir -p "$hadoop_lib/web/webapps/$webapp/WEB-INF"
    printf '<web-app/>\n' >"$hadoop_lib/web/webapps/$webapp/WEB-INF/web.xml"
  done
  mv "$part" "$hadoop_lib/lib"
}

# hadoop_configure JDK: settings, the keys that they name, and commands, for the network as it is.
hadoop_configure() {
  local template
  hadoop_load
  hadoop_jdk=$1
  hadoop_heartbeat_ms=${HEARTBEAT_MS:-$hadoop_heartbeat_ms}
  hadoop_ha=${HA:-$hadoop_ha}
  hadoop_kerberos=${KERBEROS:-$hadoop_kerberos}
  hadoop_save
  hadoop_load
  mkdir -p "$hadoop_home/conf"
  for template in "$SCRIPTS"/cluster.d/{core,hdfs,yarn}-site.xml "$SCRIPTS/cluster.d/capacity-scheduler.xml"; do
    sed -e "/@HA@/{${hadoop_ha:+r ${template/-site/-ha}}" -e 'd}' \
      -e "/@KERBEROS@/{${hadoop_kerberos:+r ${template/-site/-kerberos}}" -e 'd}' "$template" |
      sed -e "s|@FS@|$(hdfs_address)|g" -e "s|@HOME@|$hadoop_home|g" \
        -e "s|@NN1@|$(network_name nn1)|g" -e "s|@NN2@|$(network_name nn2)|g" \
        -e "s|@RM1@|$(network_name rm1)|g" -e "s|@RM2@|$(network_name rm2)|g" \
        -e "s|@REALM@|$KERBEROS_REALM|g" -e "s|@KEYTABS@|$KERBEROS_HOME/keytabs|g" \
        -e "s|@KRB5@|$KERBEROS_HOME/krb5.conf|g" \
        -e "s|@LIB@|$hadoop_lib/lib|g" -e "s|@HEARTBEAT_MS@|$hadoop_heartbeat_ms|g" \
        >"$hadoop_home/conf/${template##*/}"
  done
  cp "$SCRIPTS/cluster.d/hadoop.log4j.properties" "$hadoop_home/conf/log4j.properties"
  hadoop_commands
  # Whoever starts first needs its key.
  [[ -z "$hadoop_kerberos" ]] || kerberos_up
}

# hadoop_activate SERVICE COMMAND...: makes the first of a service's two heads active at the start of both by a command
# of Hadoop's; afterwards that is for people and tests to do. Fails until one is.
hadoop_activate() {
  local wanted=$CLUSTER_DIR/run/$1.activate service=$1 heads first
  shift
  [[ -f "$wanted" ]] || return 0
  heads=$(daemons "$service" | head -n 2)
  first=${heads%%$'\n'*}
  if [[ "$("${service}_role" "$first") $("${service}_role" "${heads#*$'\n'}")" != *active* ]]; then
    [[ "$("${service}_role" "$first")" == standby ]] || return 1
    "$CLUSTER_DIR/bin/$1" "${@:2}" >"$wanted.log" 2>&1 || return 1
  fi
  rm -f "$wanted" "$wanted.log"
}

hadoop_log() { printf '%s' "$hadoop_home/$1/$1.log"; }

# hadoop_row DAEMON: sets daemon_host, daemon_main.
hadoop_row() {
  local line daemon
  for line in "${HADOOP_DAEMONS[@]}"; do
    read -r daemon daemon_host daemon_main <<<"$line"
    [[ "$daemon" != "$1" ]] || return 0
  done
}

# hadoop_host DAEMON: prints its host, which is the id of a head among two as well.
hadoop_host() {
  local daemon_host daemon_main
  hadoop_row "$1"
  printf '%s' "$daemon_host"
}

# hadoop_start DAEMON HEAP [ARGUMENT...]: unless it runs. The environment is its own: containers inherit it. All start
# at once, so they look for each other five times a second.
hadoop_start() {
  local daemon=$1 heap=$2 daemon_host daemon_main log dir
  local -a network_enter classes
  shift 2
  process_pid "$(daemon_pidfile "$daemon")" >/dev/null && return
  hadoop_row "$daemon"
  log=$(hadoop_log "$daemon")
  dir=${log%/*}
  # What web servers unpack and a kill leaves behind.
  rm -rf "$dir/java"
  mkdir -p "$dir"/{java,tmp}
  [[ ! -f "$log" ]] || mv -f "$log" "$log.1"
  network_enter "$daemon_host"
  classes=(-XX:SharedArchiveFile="$hadoop_archive")
  [[ -r "$hadoop_archive" ]] || classes=(-XX:DumpLoadedClassList="$CLUSTER_DIR/run/$daemon.classes")
  process_start "$(daemon_pidfile "$daemon")" "$log" \
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME="$HOME" USER="$(id -un)" \
    LANG=C.UTF-8 JAVA_HOME="$hadoop_jdk" HADOOP_CONF_DIR="$hadoop_home/conf" \
    "${network_enter[@]}" "$hadoop_jdk/bin/java" "${HADOOP_FLAGS[@]}" "${classes[@]}" -Xmx"$heap" \
    -Djava.io.tmpdir="$dir/java" -Dhadoop.log.dir="$dir" -Dyarn.log.dir="$dir" -Dhadoop.home.dir="$hadoop_home" \
    ${hadoop_kerberos:+-Djava.security.krb5.conf="$KERBEROS_HOME/krb5.conf"} \
    -cp "$(hadoop_classpath)" "$daemon_main" -D hadoop.tmp.dir="$dir/tmp" \
    -D ipc.client.connect.retry.interval=200 -D ipc.client.connect.max.retries=50 "$@"
}

# The folders come last: an archive of classes is only good for a classpath that begins as the one it was made for.
hadoop_classpath() { printf '%s' "$hadoop_lib/lib/*:$hadoop_home/conf:$hadoop_lib/web"; }

# hadoop_reachable DAEMON...: prints how many of them run on hosts that are not cut off.
hadoop_reachable() {
  local daemon daemon_host count=0
  for daemon in "$@"; do
    hadoop_row "$daemon"
    [[ "$(daemon_state "$daemon")" != running ]] || network_is_cut "$daemon_host" || count=$((count + 1))
  done
  printf '%s' "$count"
}

# hadoop_describe DAEMON WHERE
hadoop_describe() {
  local daemon_host cut=''
  hadoop_row "$1"
  ! network_is_cut "$daemon_host" || cut='  CUT OFF'
  printf '%s  version %s  pid %s  log %s%s' \
    "$2" "$HADOOP_VERSION" "$(process_pid "$(daemon_pidfile "$1")" || printf -- -)" "$(hadoop_log "$1")" "$cut"
}

# hadoop_get HOST PORT PATH [METHOD]: prints what the web server there answers to it, within 2 s.
hadoop_get() {
  # shellcheck disable=SC2016 # expanded by the inner bash
  timeout 2 bash -c '
    exec 5<>"/dev/tcp/$1/$2"
    printf "%s %s HTTP/1.0\r\nHost: %s:%s\r\n\r\n" "$4" "$3" "$1" "$2" >&5
    cat <&5' - "$(network_address "$1")" "$2" "$3" "${4:-GET}" 2>/dev/null
}

# hadoop_down: after the daemons.
hadoop_down() {
  hadoop_load
  [[ -z "$hadoop_archive" || -r "$hadoop_archive" ]] || hadoop_make_archive
  rm -f "$HADOOP_ENV" "$CLUSTER_DIR"/run/{*.,}classes
}

# An archive of the classes that all daemons loaded in their first run: half the time to start, and memory that they
# share. One for all: it is made for the jars that all have in common. Only a run that came to its end tells enough,
# and a checkout of CI's does not live to see a second one.
hadoop_make_archive() {
  local daemon
  local -a lists=()
  [[ "${CI:-}" != true ]] && yarn_ready nodemanager1 2>/dev/null && hdfs_ready datanode1 2>/dev/null || return 0
  for daemon in $(daemons hdfs) $(daemons yarn); do
    lists+=("$CLUSTER_DIR/run/$daemon.classes")
    [[ -r "${lists[-1]}" ]] || return 0
  done
  sort -u "${lists[@]}" >"$CLUSTER_DIR/run/classes"
  say "hadoop: making an archive of its classes, once, for quicker starts"
  "$hadoop_jdk/bin/java" "${HADOOP_FLAGS[@]}" -Xshare:dump -XX:SharedClassListFile="$CLUSTER_DIR/run/classes" \
    -XX:SharedArchiveFile="$CLUSTER_DIR/run/new.jsa" -cp "$hadoop_lib/lib/*" >"$hadoop_lib/archive.log" 2>&1 || true
  mv -f "$CLUSTER_DIR/run/new.jsa" "$hadoop_archive" || say "hadoop: no archive; see $hadoop_lib/archive.log"
}

# The commands hadoop, hdfs and yarn; the jars bring none.
hadoop_commands() {
  local name
  mkdir -p "$CLUSTER_DIR/bin"
  for name in hadoop hdfs yarn; do
    cat >"$CLUSTER_DIR/bin/$name" <<EOI
#!/usr/bin/env bash
# Written by scripts/cluster up.
${hadoop_kerberos:+export KRB5_CONFIG=$(printf %q "$KERBEROS_HOME/krb5.conf")}
export JAVA_HOME=$(printf %q "$hadoop_jdk") HADOOP_CONF_DIR="\${HADOOP_CONF_DIR:-"$(printf %q "$hadoop_home/conf")"}"
HADOOP_LIB=$(printf %q "$hadoop_lib") HADOOP_ARCHIVE=$(printf %q "$hadoop_archive") \\
  exec $(printf %q "$SCRIPTS/cluster.d/hadoop-command") $name "\$@"
EOI
    chmod +x "$CLUSTER_DIR/bin/$name"
  done
}
