# shellcheck shell=bash
# shellcheck disable=SC2154 # hadoop_load sets hadoop_*
# The service hdfs of scripts/cluster: a NameNode, or two of a name service, and two DataNodes; hadoop.sh has what it
# shares with yarn, and what hdfs_daemons are.

hdfs_datanodes=(datanode1 datanode2)

# hdfs_install JDK: the jars, and an empty file system, made once: a new cluster copies it, and starts 2 s earlier.
hdfs_install() {
  hadoop_install "$1"
  (
    flock 8
    [[ -d "$hadoop_lib/name" ]] || hdfs_format "$1"
  ) 8>"$hadoop_lib/lock"
}

hdfs_format() {
  rm -rf "$hadoop_lib/name.part"
  "$1/bin/java" "${HADOOP_FLAGS[@]}" -Xmx128m -cp "$hadoop_lib/lib/*" org.apache.hadoop.hdfs.server.namenode.NameNode \
    -D fs.defaultFS=hdfs://127.0.0.1:8020 -D dfs.namenode.name.dir="file://$hadoop_lib/name.part" \
    -format -nonInteractive >"$hadoop_lib/format.log" 2>&1 ||
    die "cannot format a file system for Hadoop $HADOOP_VERSION; all it said is in $hadoop_lib/format.log"
  mv "$hadoop_lib/name.part" "$hadoop_lib/name"
}

# hdfs_start JDK: those that do not run.
hdfs_start() {
  local daemon
  hadoop_configure "$1"
  hdfs_empty
  # NameNodes of two start as standbys.
  [[ -z "$hadoop_ha" ]] || : >"$CLUSTER_DIR/run/hdfs.activate"
  for daemon in "${hdfs_daemons[@]}"; do hdfs_start_daemon "$daemon"; done
}

# Makes an empty file system, unless there is one.
hdfs_empty() {
  if [[ ! -d "$hadoop_home/namenode/name" ]]; then
    mkdir -p "$hadoop_home/namenode"
    cp -r "$hadoop_lib/name" "$hadoop_home/namenode/name"
    [[ -n "$hadoop_ha" ]] || return 0
    mkdir -p "$hadoop_home"/{namenode2,edits/current}
    cp -r "$hadoop_lib/name" "$hadoop_home/namenode2/name"
    cp "$hadoop_lib/name/current/VERSION" "$hadoop_home/edits/current"
  elif [[ -n "$hadoop_ha" && ! -d "$hadoop_home/edits" ]]; then
    die "the file system that is kept here is one NameNode's, not two's: run scripts/cluster down --purge first"
  elif [[ -z "$hadoop_ha" && -d "$hadoop_home/edits" ]]; then
    die "the file system that is kept here is two NameNodes': say --ha, or run scripts/cluster down --purge first"
  fi
}

# hdfs_start_daemon DAEMON
hdfs_start_daemon() {
  local host
  hadoop_load
  case $1 in
    namenode*)
      hadoop_start "$1" 256m -D dfs.namenode.name.dir="file://$hadoop_home/$1/name" \
        ${hadoop_ha:+-D dfs.ha.namenode.id="$(hadoop_host "$1")"}
      ;;
    datanode*)
      host=$(network_name "nm${1#datanode}")
      hadoop_start "$1" 192m -D dfs.datanode.data.dir="file://$hadoop_home/$1/data" -D dfs.datanode.hostname="$host" \
        -D dfs.datanode.address="$host:9866" -D dfs.datanode.http.address="$host:9864" \
        -D dfs.datanode.ipc.address="$host:9867"
      ;;
  esac
}

# What clients say.
hdfs_address() {
  if [[ -n "$hadoop_ha" ]]; then printf hdfs://spindle; else printf 'hdfs://%s:8020' "$(network_name nn1)"; fi
}

# hdfs_ready DAEMON: a DataNode is when a NameNode has taken it, a NameNode when it has left safe mode and has taken all
# DataNodes that run.
hdfs_ready() {
  local answer live
  hadoop_load
  case $1 in
    datanode*) grep -q 'successfully registered with NN' "$(hadoop_log "$1")" ;;
    namenode*)
      hadoop_activate hdfs hdfs haadmin -transitionToActive nn1 || return 1
      answer=$(hdfs_ask "$1" FSNamesystemState) || return 1
      live=$(sed -n 's/.*"NumLiveDataNodes" : \([0-9]*\).*/\1/p' <<<"$answer")
      [[ "$answer" == *'"FSState" : "Operational"'* ]] && ((live >= $(hadoop_reachable "${hdfs_datanodes[@]}"))) &&
        hdfs_folders
      ;;
  esac
}

# hdfs_ask NAMENODE BEAN: prints what it knows.
hdfs_ask() { hadoop_get "$(hadoop_host "$1")" 9870 "/jmx?qry=Hadoop:service=NameNode,name=$2"; }

# hdfs_role NAMENODE: prints active, standby, or nothing.
hdfs_role() {
  local answer
  answer=$(hdfs_ask "$1" NameNodeStatus) || return 0
  sed -n 's/.*"State" : "\(active\|standby\)".*/\1/p' <<<"$answer"
}

# What a file system has before its first user comes.
hdfs_folders() {
  [[ ! -f "$hadoop_home/namenode/folders" ]] || return 0
  if [[ -n "$hadoop_kerberos" ]]; then
    hdfs_do -mkdir -p /tmp "/user/$KERBEROS_USER" && hdfs_do -chmod 1777 /tmp &&
      hdfs_do -chown "$KERBEROS_USER" "/user/$KERBEROS_USER"
  else
    hdfs_folder /tmp 1777 && hdfs_folder "/user/$(id -un)" 755
  fi && : >"$hadoop_home/namenode/folders"
}

# By a JVM, where WebHDFS wants a ticket.
hdfs_do() { KRB5CCNAME=$(kerberos_cache hdfs) "$CLUSTER_DIR/bin/hdfs" dfs "$@"; }

hdfs_folder() {
  local answer
  answer=$(hadoop_get nn1 9870 "/webhdfs/v1$1?op=MKDIRS&permission=$2&user.name=$(id -un)" PUT) &&
    [[ "$answer" == *'"boolean":true'* ]]
}

hdfs_stop() {
  local daemon
  for daemon in "${hdfs_daemons[@]}"; do process_signal "$(daemon_pidfile "$daemon")" TERM || true; done
  for daemon in "${hdfs_daemons[@]}"; do process_stop "$(daemon_pidfile "$daemon")" 10; done
}

hdfs_log() { hadoop_load; hadoop_log "$1"; }

hdfs_describe() {
  local host role=''
  hadoop_load
  case $1 in
    namenode*)
      host=$(network_name "$(hadoop_host "$1")")
      [[ -z "$hadoop_ha" ]] || role=$(hdfs_role "$1") role="  ${role:-no answer}"
      hadoop_describe "$1" "hdfs://$host:8020 http://$host:9870$role"
      ;;
    *) hadoop_describe "$1" "http://$(network_name "nm${1#datanode}"):9864" ;;
  esac
}

hdfs_exports() {
  hadoop_load
  printf 'export SPINDLE_HDFS=%s\n' "$(hdfs_address)"
  printf 'export HADOOP_CONF_DIR=%q JAVA_HOME=%q\n' "$hadoop_home/conf" "$hadoop_jdk"
  [[ -z "$hadoop_kerberos" ]] || kerberos_exports
}
