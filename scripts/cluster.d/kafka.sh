# shellcheck shell=bash
# The service kafka of scripts/cluster: one KRaft broker from Maven artifacts, on loopback, and on the cluster's network
# when it has one: there 127.0.0.1 is the node itself.
# Reads CLUSTER_DIR, CLUSTER_LIB, CLUSTER_TIMEOUT_S, KAFKA_VERSION and PORT (empty, or what --port said).

# What a broker of this machine is run with: two cores and little memory to share with the tests.
KAFKA_FLAGS=(
  -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:+IgnoreUnrecognizedVMOptions
  -XX:-UsePerfData -Xshare:auto -Xlog:cds=off -Xlog:cds+dynamic=off -Djava.net.preferIPv4Stack=true
)
KAFKA_TOOLS=(
  kafka-topics=org.apache.kafka.tools.TopicCommand
  kafka-configs=kafka.admin.ConfigCommand
  kafka-console-producer=org.apache.kafka.tools.ConsoleProducer
  kafka-console-consumer=org.apache.kafka.tools.consumer.ConsoleConsumer
  kafka-consumer-groups=org.apache.kafka.tools.consumer.group.ConsumerGroupCommand
  kafka-get-offsets=org.apache.kafka.tools.GetOffsetShell
  kafka-delete-records=org.apache.kafka.tools.DeleteRecordsCommand
)
# shellcheck disable=SC2034 # read by its name
kafka_daemons=(kafka)
KAFKA_PID=$CLUSTER_DIR/run/kafka.pid
KAFKA_ENV=$CLUSTER_DIR/run/kafka.env

# Where the broker listens and what it is, as the last start wrote it down; empty before.
kafka_load() {
  kafka_port='' kafka_sasl_port='' kafka_controller_port='' kafka_nodes='' kafka_nodes_port='' kafka_archive=''
  kafka_jdk=''
  # shellcheck disable=SC1090 # written by kafka_save below
  [[ ! -r "$KAFKA_ENV" ]] || . "$KAFKA_ENV"
  kafka_lib=$CLUSTER_LIB/kafka-$KAFKA_VERSION
  kafka_home=$CLUSTER_DIR/kafka-$KAFKA_VERSION
}

kafka_save() {
  local name
  for name in KAFKA_VERSION kafka_{port,sasl_port,controller_port,nodes,nodes_port,archive,jdk}; do
    printf '%s=%q\n' "$name" "${!name}"
  done >"$KAFKA_ENV"
}

kafka_log() {
  kafka_load
  printf '%s' "$kafka_home/broker.log"
}

kafka_describe() {
  kafka_load
  printf '127.0.0.1:%s  version %s  pid %s  log %s' \
    "$kafka_port" "$KAFKA_VERSION" "$(process_pid "$KAFKA_PID" || printf -- -)" "$(kafka_log)"
}

kafka_exports() {
  kafka_load
  printf 'export SPINDLE_KAFKA=127.0.0.1:%s\n' "$kafka_port"
  printf 'export SPINDLE_KAFKA_SASL=127.0.0.1:%s\n' "$kafka_sasl_port"
  [[ -z "$kafka_nodes" ]] || printf 'export SPINDLE_KAFKA_NODES=%s:%s\n' "$kafka_nodes" "$kafka_nodes_port"
}

# A broker that was up before the network listens only on loopback.
kafka_check_nodes() {
  kafka_load
  network_load
  [[ -z "$network_number" || -n "$kafka_nodes" || "$(daemon_state kafka)" == stopped ]] ||
    say "kafka: jobs on YARN cannot reach it until it is started again: scripts/cluster broker stop, then start"
}

# kafka_install JDK: the jars, once for all clusters of this checkout. They appear under their name when complete.
kafka_install() {
  kafka_load
  mkdir -p "$kafka_lib"
  (
    flock 8
    [[ -d "$kafka_lib/lib" ]] || kafka_fetch "$1"
  ) 8>"$kafka_lib/lock"
}

kafka_fetch() {
  need mvn "it fetches Kafka (Debian: apt-get install maven)"
  say "kafka: fetching $KAFKA_VERSION (45 MB, once)"
  rm -rf "$kafka_lib/lib.part"
  JAVA_HOME=$1 mvn -B -q -ntp -Dstyle.color=never -f "$SCRIPTS/cluster.d/kafka.pom.xml" \
    -Dkafka.version="$KAFKA_VERSION" -Dmaven.artifact.threads=16 \
    dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$kafka_lib/lib.part" \
    >"$kafka_lib/install.log" 2>&1 || {
    grep -m 1 ERROR "$kafka_lib/install.log" >&2 || true
    die "cannot fetch Kafka $KAFKA_VERSION by Maven; all it said is in $kafka_lib/install.log"
  }
  mv "$kafka_lib/lib.part" "$kafka_lib/lib"
}

# Chooses the ports: what --port said, else those of a broker that was killed, else 9092, else any free one.
kafka_choose_ports() {
  if [[ -n "$PORT" && "$PORT" != 0 ]]; then
    port_free "$PORT" || die "port $PORT is taken: name another, or --port 0 for any free one"
    kafka_port=$PORT
  elif [[ "$PORT" == 0 ]]; then
    kafka_port=$(port_any)
  elif [[ -z "$kafka_port" ]] || ! port_free "$kafka_port"; then
    kafka_port=9092
    if ! port_free 9092; then
      kafka_port=$(port_any)
      say "kafka: port 9092 is taken, using $kafka_port"
    fi
  fi
  if [[ -z "$kafka_controller_port" ]] || ! port_free "$kafka_controller_port"; then
    kafka_controller_port=$(port_any)
  fi
  if [[ -z "$kafka_sasl_port" ]] || ! port_free "$kafka_sasl_port"; then
    kafka_sasl_port=$(port_any)
  fi
  # Two listeners of a broker need two ports, even on two addresses.
  [[ -n "$kafka_nodes_port" ]] || kafka_nodes_port=$(port_any)
  kafka_nodes=''
  network_load
  [[ -z "$network_number" ]] || kafka_nodes=$(network_name kafka1)
}

# kafka_configure JDK: fills in the settings and formats the data folder, which only an empty one needs.
kafka_configure() {
  mkdir -p "$kafka_home"
  sed -e "s|@PORT@|$kafka_port|g" -e "s|@SASL_PORT@|$kafka_sasl_port|g" \
    -e "s|@NODES@|${kafka_nodes:+,NODES://$kafka_nodes:$kafka_nodes_port}|g" \
    -e "s|@CONTROLLER_PORT@|$kafka_controller_port|g" -e "s|@DATA@|$kafka_home/data|g" \
    "$SCRIPTS/cluster.d/kafka.properties" >"$kafka_home/server.properties"
  [[ ! -f "$kafka_home/data/meta.properties" ]] || return 0
  "$1/bin/java" "${KAFKA_FLAGS[@]}" -Xmx128m \
    -Dlog4j2.configurationFile="$SCRIPTS/cluster.d/kafka-tools.log4j2.properties" -cp "$kafka_lib/lib/*" \
    kafka.tools.StorageTool format --cluster-id spindle-$RANDOM-$RANDOM --config "$kafka_home/server.properties" \
    >"$kafka_home/format.log" 2>&1 || die "cannot format $kafka_home/data: $(tail -n 3 "$kafka_home/format.log")"
}

kafka_start() {
  kafka_load
  kafka_jdk=$1
  kafka_save
  kafka_start_daemon
}

# With the archive of loaded classes (start 0.8 s instead of 1.6 s); the first end makes it.
kafka_start_daemon() {
  local archive log
  kafka_load
  log=$(kafka_log)
  kafka_archive=$kafka_lib/java-$(java_version "$kafka_jdk").jsa
  kafka_choose_ports
  kafka_configure "$kafka_jdk"
  kafka_tools "$kafka_jdk"
  kafka_save
  rm -f "$kafka_home/new.jsa"
  archive=-XX:ArchiveClassesAtExit=$kafka_home/new.jsa
  [[ ! -r "$kafka_archive" ]] || archive=-XX:SharedArchiveFile=$kafka_archive
  [[ ! -f "$log" ]] || mv -f "$log" "$log.1"
  process_start "$KAFKA_PID" "$log" "$kafka_jdk/bin/java" "${KAFKA_FLAGS[@]}" "$archive" \
    -Xms256m -Xmx"${KAFKA_HEAP:-512m}" -Dlog4j2.configurationFile="$SCRIPTS/cluster.d/kafka.log4j2.properties" \
    -cp "$kafka_lib/lib/*" kafka.Kafka "$kafka_home/server.properties"
}

# Up = its log says so and a request is answered.
kafka_ready() {
  kafka_load
  grep -q 'Kafka Server started' "$(kafka_log)" && kafka_answers
}

# Sends ApiVersions v0 (size 10, key 18, version 0, correlation 1, no client id), expects correlation 1 back:
# https://kafka.apache.org/protocol#The_Messages_ApiVersions
kafka_answers() {
  local answer
  # shellcheck disable=SC2016 # expanded by the inner bash
  answer=$(timeout 2 bash -c '
    exec 5<>"/dev/tcp/127.0.0.1/$1"
    printf "\0\0\0\12\0\22\0\0\0\0\0\1\377\377" >&5
    head -c 8 <&5 | od -An -tx1' - "$kafka_port" 2>/dev/null) || return 1
  [[ "$answer" == *'00 00 00 01' ]]
}

kafka_stop() {
  kafka_load
  process_stop "$KAFKA_PID" 30
  [[ ! -s "$kafka_home/new.jsa" ]] || mv -f "$kafka_home/new.jsa" "$kafka_archive"
  rm -f "$KAFKA_ENV"
}

# kafka_tools JDK: the commands of Kafka's distribution; the jars bring none.
kafka_tools() {
  local tool
  mkdir -p "$CLUSTER_DIR/bin"
  for tool in "${KAFKA_TOOLS[@]}"; do
    kafka_tool "$1" "${tool#*=}" >"$CLUSTER_DIR/bin/${tool%%=*}"
    chmod +x "$CLUSTER_DIR/bin/${tool%%=*}"
  done
}

# kafka_tool JDK CLASS: prints a command that asks this broker unless it is told another.
kafka_tool() {
  cat <<EOF
#!/usr/bin/env bash
# Written by scripts/cluster up.
options=() server=(--bootstrap-server 127.0.0.1:$kafka_port)
[[ " \$*" != *' --bootstrap-'* ]] || server=()
[[ ! -r $(printf %q "$kafka_archive") ]] || options=(-XX:SharedArchiveFile=$(printf %q "$kafka_archive"))
exec $(printf '%q ' "$1/bin/java" "${KAFKA_FLAGS[@]}")-Xmx256m "\${options[@]}" \\
  -Dlog4j2.configurationFile=$(printf %q "$SCRIPTS/cluster.d/kafka-tools.log4j2.properties") \\
  -cp $(printf %q "$kafka_lib/lib")'/*' $2 "\${server[@]}" "\$@"
EOF
}
