# shellcheck shell=bash
# shellcheck disable=SC2154 # hadoop_load sets hadoop_*
# The service hdfs of scripts/cluster: a NameNode and two DataNodes; hadoop.sh has what it shares with yarn.

hdfs_daemons=(namenode datanode1 datanode2)

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
  if [[ ! -d "$hadoop_home/namenode/name" ]]; then
    mkdir -p "$hadoop_home/namenode"
    cp -r "$hadoop_lib/name" "$hadoop_home/namenode/name"
  fi
  for daemon in "${hdfs_daemons[@]}"; do hdfs_start_daemon "$daemon"; done
}

# hdfs_start_daemon DAEMON
hdfs_start_daemon() {
  local host
  hadoop_load
  case $1 in
    namenode) hadoop_start "$1" 256m ;;
    datanode*)
      host=$(network_name "nm${1#datanode}")
      hadoop_start "$1" 192m -D dfs.datanode.data.dir="file://$hadoop_home/$1/data" -D dfs.datanode.hostname="$host" \
        -D dfs.datanode.address="$host:9866" -D dfs.datanode.http.address="$host:9864" \
        -D dfs.datanode.ipc.address="$host:9867"
      ;;
  esac
}

# hdfs_ready DAEMON: a DataNode is when the NameNode has taken it, the NameNode when it has left safe mode and has
# taken all DataNodes that run.
hdfs_ready() {
  local answer live
  hadoop_load
  case $1 in
    datanode*) grep -q 'successfully registered with NN' "$(hadoop_log "$1")" ;;
    namenode)
      answer=$(hadoop_get nn1 9870 '/jmx?qry=Hadoop:service=NameNode,name=FSNamesystemState') || return 1
      live=$(sed -n 's/.*"NumLiveDataNodes" : \([0-9]*\).*/\1/p' <<<"$answer")
      [[ "$answer" == *'"FSState" : "Operational"'* ]] && ((live >= $(hadoop_reachable "${hdfs_daemons[@]:1}"))) &&
        hdfs_folders
      ;;
  esac
}

# What a file system has before its first user comes.
hdfs_folders() {
  [[ ! -f "$hadoop_home/namenode/folders" ]] || return 0
  hdfs_folder /tmp 1777 && hdfs_folder "/user/$(id -un)" 755 && : >"$hadoop_home/namenode/folders"
}

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
  hadoop_load
  case $1 in
    namenode) hadoop_describe "$1" "hdfs://$(network_name nn1):8020 http://$(network_name nn1):9870" ;;
    *) hadoop_describe "$1" "http://$(network_name "nm${1#datanode}"):9864" ;;
  esac
}

hdfs_exports() {
  hadoop_load
  printf 'export SPINDLE_HDFS=hdfs://%s:8020\n' "$(network_name nn1)"
  printf 'export HADOOP_CONF_DIR=%q JAVA_HOME=%q\n' "$hadoop_home/conf" "$hadoop_jdk"
}
