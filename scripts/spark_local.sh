#!/usr/bin/env bash
# Spark without Docker: a private PostgreSQL and a real Spark cluster on loopback, a load, questions.
# spark_local.sh start | submit JOB [arguments] | stop
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

spark=$root/scripts/spark.sh
home=$run/spark$pg
environment=$run/spark$pg.env
bin=$(dirname "$(find "$tree" -name pg_ctl -path '*/bin/*' 2> /dev/null | head -n 1)")

stop() {
  rm -f "$environment"
  if [ ! -d "$home" ]; then return; fi
  "$spark" stop "$home/cluster"
  as_server "$bin/pg_ctl" stop -D "$home/data" -m fast > /dev/null 2>&1 || true
  rm -rf "$home"
}

start_server() {
  rm -rf "$home" && mkdir "$home" && chown "$server_user" "$home"
  as_server "$bin/initdb" -D "$home/data" --auth-local=peer --auth-host=scram-sha-256 \
    --encoding=UTF8 --locale=C.UTF-8 > /dev/null
  as_server tee -a "$home/data/postgresql.conf" > /dev/null << CONF
listen_addresses = '127.0.0.1'
port = $1
unix_socket_directories = '$home'
unix_socket_permissions = 0700
CONF
  as_server "$bin/pg_ctl" start -D "$home/data" -w -l "$home/log" > /dev/null ||
    { tail -n 20 "$home/log"; fail "the server did not start"; }
}

psql() { as_server env PSQLRC=/dev/null "$bin/psql" -X -q -v ON_ERROR_STOP=1 -P pager=off -h "$home" -p "$PGPORT" "$@"; }

start() {
  "$spark" setup
  make_run_dir
  stop
  PGPORT=$("$spark" port)
  export PGPORT PGHOST=127.0.0.1 PGDATABASE=trips PGUSER=spark
  PGPASSWORD=$(od -An -N18 -tx1 /dev/urandom | tr -d ' \n')
  export PGPASSWORD
  step "starting PostgreSQL on 127.0.0.1:$PGPORT"
  start_server "$PGPORT"
  psql -d postgres -c 'CREATE DATABASE trips'
  psql -d trips << SQL
CREATE EXTENSION trips_pipeline;
CREATE ROLE spark LOGIN PASSWORD '$PGPASSWORD';
SELECT trips.grant_loader('spark'), trips.grant_reader('spark') \g /dev/null
-- Spark's JDBC writer looks at the columns of its table.
GRANT SELECT ON trips.stg_trip_data TO spark;
SQL
  # For more jobs; nobody else may read it.
  (umask 077 && declare -px PGPORT PGHOST PGDATABASE PGUSER PGPASSWORD > "$environment")
  step "starting a Spark master and two workers of 1 GB"
  "$spark" start "$home/cluster"
  step "loading the sample with the cluster"
  "$spark" submit "$home/cluster" load.py "$root/samples/trips_sample.csv"
  step "its weekly averages, by the cluster"
  "$spark" submit "$home/cluster" analytics.py weekly-avg
  step "another job: scripts/spark_local.sh submit load.py FILE"
  step "Spark's page is $(cat "$home/cluster/ui"); make spark-stop ends all of it"
}

submit() {
  [ -f "$environment" ] || fail "nothing runs: make spark-local"
  # shellcheck source=/dev/null
  source "$environment"
  export PGPORT PGHOST PGDATABASE PGUSER PGPASSWORD
  "$spark" submit "$home/cluster" "$@"
}

case ${1:-} in
  start | stop) "$1" ;;
  submit) submit "${@:2}" ;;
  *) fail "usage: spark_local.sh start | submit JOB [arguments] | stop" ;;
esac
