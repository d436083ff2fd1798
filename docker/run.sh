#!/usr/bin/env bash
# The environment in containers:
#
#   run.sh up          builds the images if they are not those of this commit, starts the containers, waits until they are
#                      healthy
#   run.sh all         up, and the sample in the history, and the averages
#   run.sh insert      the Spark load of /data/*.csv;  run.sh weekly-avg   the averages by Spark
#   run.sh psql        psql in the database;  run.sh watch   a live line for each load
#   run.sh down        removes the containers; the data stay;  run.sh down -v   removes the data, too
#   run.sh links       where everything is;  run.sh logs | compose ...
#
# Variables of the environment that `remembered` names are kept in docker/.env.
source "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"

here=$root/docker
usage="usage: run.sh up | all | insert | weekly-avg | submit JOB | psql | watch | links | down [-v] | logs | compose"
case ${1:-} in -h | --help | help) echo "$usage"; exit ;; esac
source "$here/environment.sh"
source "$here/build_images.sh"

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

# A volume keeps the passwords with which it was made: those of docker/secrets count. They come from the files in the
# container, by the socket, on no command line and in no log.
set_passwords() {
  psql -q << 'SQL'
SET log_statement = none;
SET log_min_duration_statement = -1;
SET log_min_error_statement = panic;
\set password `cat /run/secrets/postgres_password`
ALTER ROLE postgres PASSWORD :'password';
SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = 'spark') AS has_spark \gset
\if :has_spark
\set password `cat /run/secrets/spark_password`
ALTER ROLE spark PASSWORD :'password';
\endif
-- A volume that is older than the console does not have its role.
SELECT NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'console') AS needs_console \gset
\if :needs_console
CREATE ROLE console LOGIN;
GRANT pg_read_all_stats TO console;
\endif
SELECT trips.grant_reader('console') \g /dev/null
GRANT SELECT ON trips.stg_trip_data TO console;
\set password `cat /run/secrets/console_password`
ALTER ROLE console PASSWORD :'password';
SQL
}

# A port that another program has is named before anything starts.
check_ports() {
  local variable default service port
  while read -r variable default service; do
    [[ " $services " == *" $service "* ]] || continue
    port=$(setting "$variable" "$default")
    # Ours, when it runs already.
    [ -z "$(docker ps -q --filter "publish=$port" --filter "label=com.docker.compose.project=$(project)")" ] || continue
    if (exec 3<> "/dev/tcp/127.0.0.1/$port") 2> /dev/null; then
      fail "port $port of 127.0.0.1 is taken, and $service needs one: choose another, as $variable=$(((port + 10000) % 65536)) make up"
    fi
  done << 'PORTS'
POSTGRES_PORT 5432 postgres
CONSOLE_PORT 8432 console
SPARK_UI_PORT 8100 spark
JUPYTER_PORT 9999 jupyter
PORTS
}

up() {
  local log=$root/target/docker-up.log running
  make_environment
  check_ports
  # TRIPS_BUILD=no: the images are here already.
  [ "${TRIPS_BUILD:-yes}" = no ] || build_images
  step "starting the containers: $services"
  mkdir -p "$root/target"
  running=$(compose ps -q)
  # shellcheck disable=SC2086
  if ! profiles=$(setting COMPOSE_PROFILES notebooks) compose up -d --no-build $services > "$log" 2>&1; then
    tail -n 20 "$log"
    # What ran before goes on.
    [ -n "$running" ] || compose down > /dev/null 2>&1 || true
    fail "the containers do not start; nothing new is left running (if a port is taken: POSTGRES_PORT, CONSOLE_PORT, SPARK_UI_PORT and JUPYTER_PORT choose others)"
  fi
  wait_until_healthy
  set_passwords
}

# Where everything is.
links() {
  local port data
  port=$(setting POSTGRES_PORT 5432) data=$(data_directory)
  step "it runs"
  cat << TEXT
  psql         docker/run.sh psql
               psql "host=127.0.0.1 port=$port user=postgres dbname=trips"   (password: docker/secrets/postgres_password)
  load         $data is /data in the containers: SELECT * FROM trips.ingest('/data/trips.csv');
  inbox        SELECT trips.schedule('inbox', '* * * * *', '/data/inbox/*.csv');   then drop files into $data/inbox
  watch loads  docker/run.sh watch
  page         http://127.0.0.1:$(setting CONSOLE_PORT 8432)/?token=$(cat "$here/secrets/console_token")
TEXT
  case $services in
    *jupyter*) echo "  notebook     http://127.0.0.1:$(setting JUPYTER_PORT 9999)/lab/tree/trips.ipynb?token=$(cat "$here/secrets/jupyter_token")" ;;
  esac
  case $services in
    *spark*) echo "  Spark        http://127.0.0.1:$(setting SPARK_UI_PORT 8100)   (make spark-submit-insert loads $data/*.csv)" ;;
  esac
  echo "  stop         make down   (the data stay; docker/run.sh down -v removes them)"
}

# With a terminal for a person, without one for a program.
in_postgres() {
  local options=(-T)
  if [ -t 0 ] && [ -t 1 ]; then options=(); fi
  compose exec "${options[@]}" -u postgres postgres "$@"
}
psql() { in_postgres psql -X -v ON_ERROR_STOP=1 -P pager=off -U postgres -d trips "$@"; }

all() {
  local data
  up
  data=$(data_directory)
  [ -e "$data/trips.csv" ] || install -m 644 "$root/samples/trips_sample.csv" "$data/trips.csv"
  step "the sample into the history"
  psql -c "SELECT state, rows_read, rows_inserted, rows_duplicate, rows_staged FROM trips.ingest('/data/trips.csv')"
  step "the first of its weekly averages"
  psql -c "SELECT * FROM trips.weekly_avg() LIMIT 10"
  links
}

submit() { compose exec -T spark trips-secrets.sh /opt/trips/submit.sh "$@"; }

insert() {
  # The pattern is for the container.
  if [ $# = 0 ]; then set -- '/data/*.csv'; fi
  submit load.py "$@"
}

case ${1:-} in
  up) up && links ;;
  all) all ;;
  links) links ;;
  insert) insert "${@:2}" ;;
  weekly-avg) submit analytics.py weekly-avg "${@:2}" ;;
  submit) submit "${@:2}" ;;
  down) make_environment && compose down "${@:2}" ;;
  logs) make_environment && compose logs "${@:2}" ;;
  psql) psql "${@:2}" ;;
  watch) in_postgres trips_watch 'host=/var/run/postgresql user=postgres dbname=trips' ;;
  compose) make_environment && compose "${@:2}" ;;
  *) fail "$usage" ;;
esac
