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
# A value of docker/.env, unless the caller's environment has it.
setting() { # name default
  local value=${!1:-}
  [ -n "$value" ] || [ ! -f "$here/.env" ] || value=$(sed -n "s/^$1=//p" "$here/.env" | tail -n 1)
  printf '%s' "${value:-$2}"
}
project() { printf '%s' "${TRIPS_PROJECT:-$(setting COMPOSE_PROJECT_NAME trips)}"; }
# As compose takes it: a path that is not absolute begins beside compose.yml.
data_directory() {
  local directory
  directory=$(setting TRIPS_DATA ./data)
  case $directory in /*) ;; *) directory=$here/$directory ;; esac
  printf '%s' "$directory"
}
compose() { "${compose[@]}" -p "$(project)" -f "$here/compose.yml" --env-file "$here/.env" "$@"; }

secret() { od -An -N18 -tx1 /dev/urandom | tr -d ' \n'; }

# What only this machine knows. An existing file is left as it is. With the project's name in it, a plain
# `docker compose` in this directory means the same containers.
make_environment() {
  mkdir -p "$(data_directory)"
  if [ ! -f "$here/.env" ]; then
    step "making docker/.env, with passwords of its own"
    (
      umask 077
      printf '%s\n' "COMPOSE_PROJECT_NAME=${TRIPS_PROJECT:-trips}" "POSTGRES_PASSWORD=$(secret)" "SPARK_PASSWORD=$(secret)" "JUPYTER_TOKEN=$(secret)" > "$here/.env"
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

# A volume keeps the passwords of the .env with which it was made: those of the .env that is here now count. They
# come from the container's environment, by the socket, on no command line and in no log.
set_passwords() {
  psql -q << 'SQL'
SET log_statement = none;
SET log_min_duration_statement = -1;
SET log_min_error_statement = panic;
\getenv password POSTGRES_PASSWORD
ALTER ROLE postgres PASSWORD :'password';
SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = 'spark') AS has_spark \gset
\if :has_spark
\getenv password SPARK_PASSWORD
ALTER ROLE spark PASSWORD :'password';
\endif
SQL
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
  set_passwords
  step "healthy: postgres on 127.0.0.1:$(setting POSTGRES_PORT 5432), Spark on http://127.0.0.1:$(setting SPARK_UI_PORT 8100), Jupyter on http://127.0.0.1:$(setting JUPYTER_PORT 9999) (docker/.env has the token)"
}

psql() { compose exec -T postgres psql -X -v ON_ERROR_STOP=1 -P pager=off -U postgres -d trips "$@"; }

all() {
  local data
  up
  data=$(data_directory)
  [ -e "$data/trips.csv" ] || install -m 644 "$root/samples/trips_sample.csv" "$data/trips.csv"
  step "the sample into the history"
  psql -c "SELECT state, rows_read, rows_inserted, rows_duplicate, rows_staged FROM trips.ingest('/data/trips.csv')"
  step "its weekly averages"
  psql -c "SELECT * FROM trips.weekly_avg()"
}

submit() { compose exec -T spark /opt/trips/submit.sh "$@"; }

insert() {
  # The pattern is for the container.
  if [ $# = 0 ]; then set -- '/data/*.csv'; fi
  submit load.py "$@"
}

case ${1:-} in
  up | all) "$1" ;;
  insert) insert "${@:2}" ;;
  weekly-avg) submit analytics.py weekly-avg "${@:2}" ;;
  submit) submit "${@:2}" ;;
  down) make_environment && compose down "${@:2}" ;;
  logs) make_environment && compose logs "${@:2}" ;;
  psql) psql "${@:2}" ;;
  compose) make_environment && compose "${@:2}" ;;
  *) fail "usage: run.sh up | all | insert | weekly-avg | submit JOB | down | logs | psql | compose" ;;
esac
