#!/usr/bin/env bash
# The project's own cluster: cluster.sh start | stop | psql [arguments]
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

home=$run/demo$pg
data=$home/data

# Where the tree has them, also when pg_config is not there any more.
bin=$(dirname "$(find "$tree" -name pg_ctl -path '*/bin/*' 2> /dev/null | head -n 1)")

is_running() { [ -d "$data" ] && as_server "$bin/pg_ctl" status -D "$data" > /dev/null 2>&1; }

start() {
  make_run_dir
  if [ ! -f "$data/PG_VERSION" ]; then
    step "making a cluster of the project's own in $home"
    rm -rf "$home" && mkdir "$home" && chown "$server_user" "$home" && chmod 700 "$home"
    # Peer: only the user that runs the server gets in, and only by the socket.
    as_server "$bin/initdb" -D "$data" --auth=peer --encoding=UTF8 --locale=C.UTF-8 > /dev/null
    as_server tee -a "$data/postgresql.conf" > /dev/null << CONF
listen_addresses = ''
unix_socket_directories = '$home'
unix_socket_permissions = 0700
CONF
  fi
  # A library that has been built anew needs new processes.
  if is_running && [ "$(in_tree pkglibdir)/trips_pipeline.so" -nt "$data/postmaster.pid" ]; then
    stop
  fi
  if ! is_running; then
    step "starting it (socket in $home)"
    as_server "$bin/pg_ctl" start -D "$data" -w -l "$home/log" > /dev/null ||
      { as_server tail -n 20 "$home/log"; fail "the server did not start"; }
  fi
}

stop() {
  if is_running; then
    step "stopping the cluster in $home"
    as_server "$bin/pg_ctl" stop -D "$data" -m fast > /dev/null
  fi
}

case ${1:-} in
  start) start ;;
  stop) stop ;;
  psql) shift && as_server env PSQLRC=/dev/null "$bin/psql" -X -h "$home" "$@" ;;
  *) fail "usage: cluster.sh start | stop | psql [arguments]" ;;
esac
