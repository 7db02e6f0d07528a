# shellcheck shell=bash
# shellcheck disable=SC2154 # hadoop_load sets hadoop_kerberos
# A Kerberos realm for the services hdfs and yarn of scripts/cluster, by MIT's krb5 as Debian has it: a KDC on the host
# nn1, keytabs for their daemons and one for their first user, spindle, who has a ticket as well. Made anew at each start;
# nothing of it leaves CLUSTER_DIR and the cluster's network. Reads CLUSTER_DIR.

KERBEROS_REALM=SPINDLE.TEST
KERBEROS_HOME=$CLUSTER_DIR/kerberos
KERBEROS_USER=spindle

# kerberos_up: a realm, unless it runs.
kerberos_up() {
  local host password
  local -a hdfs=(hdfs) yarn=()
  [[ "$(daemon_state kdc)" == stopped ]] || return 0
  need krb5kdc "Debian: apt-get install krb5-kdc"
  need kadmin.local "Debian: apt-get install krb5-admin-server"
  need kinit "Debian: apt-get install krb5-user"
  rm -rf "$KERBEROS_HOME"
  mkdir -p "$KERBEROS_HOME/keytabs"
  chmod 700 "$KERBEROS_HOME"
  kerberos_configure
  for host in $(network_hosts); do
    hdfs+=("hdfs/$(network_name "$host")" "HTTP/$(network_name "$host")")
    yarn+=("yarn/$(network_name "$host")")
  done
  # Nobody needs it again: the database has its own copy, and is thrown away with the cluster.
  password=$(od -An -N16 -tx8 /dev/urandom | tr -d ' \n')
  {
    printf '%s\n%s\n' "$password" "$password" | kerberos_run kdb5_util create -s -r "$KERBEROS_REALM"
    {
      printf 'addprinc -randkey %s\n' "${hdfs[@]}" "${yarn[@]}" "$KERBEROS_USER"
      printf "ktadd -k $KERBEROS_HOME/keytabs/%s %s\n" hdfs "${hdfs[*]}" yarn "${yarn[*]}" \
        "$KERBEROS_USER" "$KERBEROS_USER"
    } | kerberos_run kadmin.local -r "$KERBEROS_REALM"
  } >"$KERBEROS_HOME/create.log" 2>&1 ||
    die "cannot make a Kerberos realm; all it said is in $KERBEROS_HOME/create.log"
  kerberos_start_daemon
  wait_ready kerberos kdc || die "the KDC did not start (log above)"
  kerberos_kinit "$KERBEROS_USER" "$KERBEROS_USER" || die "the KDC gives $KERBEROS_USER no ticket"
}

kerberos_start_daemon() {
  local -a network_enter
  network_enter nn1
  process_start "$(daemon_pidfile kdc)" "$(kerberos_log)" \
    env KRB5_CONFIG="$KERBEROS_HOME/krb5.conf" KRB5_KDC_PROFILE="$KERBEROS_HOME/kdc.conf" \
    "${network_enter[@]}" "$(command -v krb5kdc)" -n
}

# It is when it gives tickets.
kerberos_ready() { kerberos_kinit hdfs hdfs 2>>"$(kerberos_log)"; }

kerberos_log() { printf %s "$KERBEROS_HOME/kdc.log"; }

kerberos_configure() {
  # By TCP: no answer is then an error at once.
  cat >"$KERBEROS_HOME/krb5.conf" <<EOI
[libdefaults]
  default_realm = $KERBEROS_REALM
  dns_lookup_realm = false
  dns_lookup_kdc = false
  dns_canonicalize_hostname = false
  rdns = false
  udp_preference_limit = 1
  ticket_lifetime = 24h
  forwardable = true
[realms]
  $KERBEROS_REALM = {
    kdc = $(network_name nn1)
  }
EOI
  cat >"$KERBEROS_HOME/kdc.conf" <<EOI
[kdcdefaults]
  kdc_ports = 88
  kdc_tcp_ports = 88
[realms]
  $KERBEROS_REALM = {
    database_name = $KERBEROS_HOME/principal
    key_stash_file = $KERBEROS_HOME/stash
    acl_file = $KERBEROS_HOME/acl
    supported_enctypes = aes256-cts-hmac-sha1-96:normal
  }
EOI
}

kerberos_run() { KRB5_CONFIG=$KERBEROS_HOME/krb5.conf KRB5_KDC_PROFILE=$KERBEROS_HOME/kdc.conf "$@"; }

# kerberos_kinit KEYTAB PRINCIPAL: a ticket in the cache that kerberos_cache prints.
kerberos_kinit() {
  kerberos_run kinit -c "$(kerberos_cache "$2")" -k -t "$KERBEROS_HOME/keytabs/$1" "$2" >/dev/null
}

kerberos_cache() { printf 'FILE:%s' "$KERBEROS_HOME/$1.ticket"; }

kerberos_down() { process_stop "$(daemon_pidfile kdc)" 10; }

kerberos_exports() {
  printf 'export KRB5_CONFIG=%q KRB5CCNAME=%q\n' "$KERBEROS_HOME/krb5.conf" "$(kerberos_cache "$KERBEROS_USER")"
  # Who that is; what Java asks knows by the ticket.
  printf 'export HADOOP_USER_NAME=%s\n' "$KERBEROS_USER"
  printf 'export SPINDLE_PRINCIPAL=%s@%s SPINDLE_KEYTAB=%q\n' "$KERBEROS_USER" "$KERBEROS_REALM" \
    "$KERBEROS_HOME/keytabs/$KERBEROS_USER"
}
