#!/usr/bin/env bash
# The environment in containers:
#
#   run.sh up          builds and starts it, and waits until it is healthy; makes docker/.env if it is not there
#   run.sh all         up, and the sample in the history, and the averages
#   run.sh insert      the Spark load of /data/*.csv;  run.sh weekly-avg   the averages by Spark
#   run.sh down        stops it and removes the containers; the data stay
#   run.sh logs | psql | compose ...
source "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"

here=$root/docker
command -v docker > /dev/null || fail "docker is missing"
if docker compose version > /dev/null 2>&1; then
  compose=(docker compose)
elif command -v docker-compose > /dev/null; then
  compose=(docker-compose)
else
  fail "docker compose, or docker-compose 1.29, is missing"
fi
compose() { "${compose[@]}" -p "${TRIPS_PROJECT:-trips}" -f "$here/compose.yml" --env-file "$here/.env" "$@"; }

secret() { od -An -N18 -tx1 /dev/urandom | tr -d ' \n'; }

# What only this machine knows. An existing file is left as it is.
make_environment() {
  mkdir -p "$here/data"
  if [ ! -f "$here/.env" ]; then
    step "making docker/.env, with passwords of its own"
    (
      umask 077
      printf '%s\n' "POSTGRES_PASSWORD=$(secret)" "SPARK_PASSWORD=$(secret)" "JUPYTER_TOKEN=$(secret)" > "$here/.env"
    )
  fi
}

services="postgres spark spark-worker-1 spark-worker-2 jupyter"

is_healthy() {
  local id
  id=$(compose ps -q "$1") && [ -n "$id" ] &&
    [ "$(docker inspect -f '{{.State.Health.Status}}' "$id")" = healthy ]
}

wait_until_healthy() {
  local service
  for service in $services; do
    for _ in $(seq 150); do
      if is_healthy "$service"; then continue 2; fi
      sleep 1
    done
    compose logs "$service" | tail -n 40
    fail "$service is not healthy"
  done
}

up() {
  make_environment
  # TRIPS_BUILD=no: the images are here already.
  if [ "${TRIPS_BUILD:-yes}" != no ]; then
    step "building the images (some minutes, once)"
    compose build
  fi
  step "starting the containers"
  compose up -d
  wait_until_healthy
  step "healthy: postgres on 127.0.0.1:${POSTGRES_PORT:-5432}, Spark on http://127.0.0.1:8100, Jupyter on http://127.0.0.1:9999 (docker/.env has the token)"
}

psql() { compose exec -T postgres psql -X -v ON_ERROR_STOP=1 -P pager=off -U postgres -d trips "$@"; }

all() {
  up
  [ -e "$here/data/trips.csv" ] || install -m 644 "$root/samples/trips_sample.csv" "$here/data/trips.csv"
  step "the sample into the history"
  psql -c "SELECT state, rows_read, rows_inserted, rows_duplicate, rows_staged FROM trips.ingest('/data/trips.csv')"
  step "its weekly averages"
  psql -c "SELECT * FROM trips.weekly_avg()"
}

submit() { compose exec -T spark /opt/trips/submit.sh "$@"; }

case ${1:-} in
  up | all) "$1" ;;
  insert) submit load.py "${@:2}" $([ $# -gt 1 ] || echo '/data/*.csv') ;;
  weekly-avg) submit analytics.py weekly-avg "${@:2}" ;;
  submit) submit "${@:2}" ;;
  down) make_environment && compose down "${@:2}" ;;
  logs) make_environment && compose logs "${@:2}" ;;
  psql) psql "${@:2}" ;;
  compose) make_environment && compose "${@:2}" ;;
  *) fail "usage: run.sh up | all | insert | weekly-avg | submit JOB | down | logs | psql | compose" ;;
esac
