# Sourced: the image of PostgreSQL as users of the official one know it, without compose.
# shellcheck shell=bash disable=SC2154

alone=trips_alone_$$
remove_alone() { docker rm -f -v "$alone" > /dev/null 2>&1 || true; }
until_listens() { for _ in $(seq 240); do docker exec "$alone" pg_isready -q -h 127.0.0.1 && break; sleep 0.5; done; }
# Starts the image and waits until the extension answers, or the container ends.
start_alone() { # options of docker run, --, arguments of the image
  local options=()
  while [ $# -gt 0 ] && [ "$1" != -- ]; do options+=("$1"); shift; done
  [ $# = 0 ] || shift
  remove_alone
  docker run -d --name "$alone" "${options[@]}" "$TRIPS_IMAGES/postgres:pg17" "$@" > /dev/null
  until_alone
}
until_alone() {
  for _ in $(seq 240); do
    [ "$(docker inspect -f '{{.State.Health.Status}}' "$alone")" != healthy ] || return 0
    [ "$(docker inspect -f '{{.State.Running}}' "$alone")" = true ] || break
    sleep 0.5
  done
  docker logs "$alone" 2>&1 | tail -n 30
  fail "the image alone does not start"
}
ask() { docker exec "$alone" psql -X -U "${2:-postgres}" -d "${3:-trips}" -qAtc "$1" 2>&1; }

image_alone() {
  # Options alone, and memory: a quarter of what the container may use.
  start_alone -e POSTGRES_PASSWORD=x -e POSTGRES_DB=trips --memory 512m -- -c max_connections=47
  check "options alone" 47 "$(ask 'SHOW max_connections')"
  check "memory is that of the container" "128MB 384MB 32MB" \
    "$(ask 'SHOW shared_buffers') $(ask 'SHOW effective_cache_size') $(ask 'SHOW maintenance_work_mem')"
  # ALTER SYSTEM, also of what the image sets.
  ask "ALTER SYSTEM SET shared_buffers = '96MB'" > /dev/null
  ask "ALTER SYSTEM SET trips.data_directories = '/data,/srv'" > /dev/null
  docker restart "$alone" > /dev/null
  until_alone
  check "ALTER SYSTEM" "96MB /data,/srv pg_cron,trips_pipeline" \
    "$(ask 'SHOW shared_buffers') $(ask 'SHOW trips.data_directories') $(ask 'SHOW shared_preload_libraries')"
  check "the tools" "$version trips_watch $version" "$(docker exec "$alone" trips_reader version) $(docker exec "$alone" trips_watch --version)"

  # Files with secrets, a data directory of root's on the host, and an init script that uses the extension.
  local at=$scratch/alone
  mkdir -p "$at/data" "$at/secrets" "$at/init"
  printf secret-of-alone > "$at/secrets/password"
  chmod 600 "$at/secrets/password"
  printf fleet > "$at/secrets/database"
  printf owner > "$at/secrets/user"
  echo "CREATE ROLE etl LOGIN; SELECT trips.grant_loader('etl');" > "$at/init/init.sql"
  start_alone -e POSTGRES_PASSWORD_FILE=/run/secrets/password -e POSTGRES_DB_FILE=/run/secrets/database -e TRIPS_TUNE=off \
    -e POSTGRES_USER_FILE=/run/secrets/user -v "$at/secrets:/run/secrets:ro" -v "$at/data:/var/lib/postgresql/data" \
    -v "$at/init/init.sql:/docker-entrypoint-initdb.d/init.sql:ro"
  check "init.sql calls trips.grant_loader" t "$(ask "SELECT has_schema_privilege('etl', 'trips', 'USAGE')" owner fleet)"
  check "pg_cron is in the database of POSTGRES_DB_FILE" fleet "$(ask 'SHOW cron.database_name' owner fleet)"
  check "TRIPS_TUNE=off" 128MB "$(ask 'SHOW shared_buffers' owner fleet)"
  check "a data directory on the host" "postgres 700" "$(docker exec "$alone" stat -c '%U %a' /var/lib/postgresql/data)"
  check "POSTGRES_PASSWORD_FILE" "1 1" \
    "$(docker exec -e PGPASSWORD=secret-of-alone "$alone" psql -h "$(docker exec "$alone" hostname -i)" -U owner -d fleet -qAtc 'SELECT 1') $(
      docker exec -e PGPASSWORD=wrong "$alone" psql -h "$(docker exec "$alone" hostname -i)" -U owner -d fleet -qAtc 'SELECT 1' 2>&1 | grep -c 'password authentication failed')"
  check "docker inspect does not show it" 0 "$(docker inspect "$alone" | grep -c secret-of-alone || true)"

  # As docs/upgrade.md has it: the settings of a new image. What is set there shows that they are new.
  docker exec -u postgres "$alone" sh -c 'rm "$PGDATA/trips.conf" && TRIPS_TUNE_MEMORY=640MB TRIPS_TUNE=on trips-settings.sh'
  docker restart "$alone" > /dev/null
  until_alone
  check "settings are written again" "fleet 160MB" "$(ask 'SHOW cron.database_name' owner fleet) $(ask 'SHOW shared_buffers' owner fleet)"

  # A size that is none ends the start, with what to do.
  remove_alone
  check "a wrong size is refused" 1 \
    "$(docker run --rm --name "$alone" -e POSTGRES_PASSWORD=x -e TRIPS_TUNE_MEMORY=much "$TRIPS_IMAGES/postgres:pg17" 2>&1 | grep -c 'TRIPS_TUNE_MEMORY=much is not a size: write it as 4GB or 512MB')"
  remove_alone
  from_official
}

# As docs/upgrade.md has it: a data directory of the official image goes on with ours.
from_official() {
  local options=(-e POSTGRES_PASSWORD=x -e POSTGRES_DB=trips -v "${alone}_data:/var/lib/postgresql/data")
  docker run -d --name "$alone" "${options[@]}" "$POSTGRES_IMAGE" > /dev/null
  for _ in $(seq 240); do
    # The server that makes the database does not listen there.
    docker exec -e PGPASSWORD=x "$alone" psql -X -h 127.0.0.1 -U postgres -d trips -c 'CREATE TABLE mine ()' > /dev/null 2>&1 && break
    sleep 0.5
  done
  docker stop "$alone" > /dev/null
  remove_alone
  docker run -d --name "$alone" "${options[@]}" "$TRIPS_IMAGES/postgres:pg17" > /dev/null
  until_listens
  docker exec -u postgres "$alone" trips-settings.sh
  docker restart "$alone" > /dev/null
  until_listens
  docker exec -u postgres "$alone" psql -q -d trips -c 'CREATE EXTENSION pg_cron' -c 'CREATE EXTENSION trips_pipeline' > /dev/null
  until_alone
  check "from the official image to ours" "mine trips pg_cron,trips_pipeline" \
    "$(ask "SELECT 'mine'::regclass") $(ask 'SHOW cron.database_name') $(ask 'SHOW shared_preload_libraries')"
  remove_alone
  docker volume rm "${alone}_data" > /dev/null
}
