# Sourced by run.sh: docker compose, the variables of docker/.env, the secrets, and the services of the chosen profile.
# shellcheck shell=bash disable=SC2154,SC2034

command -v docker > /dev/null || fail "docker is missing: install it (Debian: apt-get install docker.io)"
docker info > /dev/null 2>&1 || fail "no Docker engine responds: start it, or run this as a user that may use it"
if docker compose version > /dev/null 2>&1; then
  compose=(docker compose)
elif command -v docker-compose > /dev/null; then
  compose=(docker-compose)
else
  fail "docker compose is missing: install it (Debian: apt-get install docker-compose), version 1.29 or later"
fi

# Kept for the next call, which another shell may make.
remembered="PG RUST_IMAGE POSTGRES_IMAGE DEBIAN_IMAGE POSTGRES_PORT CONSOLE_PORT SPARK_UI_PORT JUPYTER_PORT COMPOSE_PROFILES
  TRIPS_DATA TRIPS_NETWORK TRIPS_IMAGES TRIPS_TUNE TRIPS_TUNE_MEMORY"
# A value of docker/.env, unless the caller's environment has it.
setting() { # name default
  local value=${!1:-}
  [ -n "$value" ] || [ ! -f "$here/.env" ] || value=$(sed -n "s/^$1=//p" "$here/.env" | tail -n 1)
  printf '%s' "${value:-$2}"
}
remember() { # name value
  [ "$(sed -n "s/^$1=//p" "$here/.env" | tail -n 1)" != "$2" ] || return 0
  sed -i "/^$1=/d" "$here/.env"
  printf '%s=%s\n' "$1" "$2" >> "$here/.env"
}
project() { printf '%s' "${TRIPS_PROJECT:-$(setting COMPOSE_PROJECT_NAME trips)}"; }
# As compose takes it: a path that is not absolute begins beside compose.yml.
data_directory() {
  local directory
  directory=$(setting TRIPS_DATA ./data)
  case $directory in /*) ;; *) directory=$here/${directory#./} ;; esac
  printf '%s' "$directory"
}
# All services: only `up` starts those of the chosen profile alone.
compose() {
  COMPOSE_PROFILES=${profiles:-db,spark,notebooks} COMPOSE_PROJECT_NAME=$(project) \
    "${compose[@]}" -p "$(project)" -f "$here/compose.yml" --env-file "$here/.env" "$@"
}

secret() { od -An -N18 -tx1 /dev/urandom | tr -d ' \n'; }

# What only this machine knows. Existing secrets stay. With the project's name in .env, a plain `docker compose` in this
# directory means the same containers.
make_environment() {
  local name volume=/var/lib/postgresql/data
  mkdir -p "$(data_directory)/inbox"
  if [ ! -f "$here/.env" ]; then
    printf '%s\n' "COMPOSE_PROJECT_NAME=$(project)" "COMPOSE_PROFILES=notebooks" > "$here/.env"
  fi
  for name in $remembered; do
    if [ -n "${!name:-}" ]; then remember "$name" "${!name}"; fi
  done
  if [ "$(setting PG 17)" -ge 18 ]; then volume=/var/lib/postgresql; fi
  remember PGDATA_VOLUME "$volume"
  mkdir -p "$here/secrets"
  # The directory keeps others out. Users of the containers must be able to read the files.
  chmod 700 "$here/secrets"
  for name in postgres_password spark_password jupyter_token console_password console_token; do
    if [ ! -f "$here/secrets/$name" ]; then
      secret > "$here/secrets/$name"
      chmod 644 "$here/secrets/$name"
    fi
  done
}

case ,$(setting COMPOSE_PROFILES notebooks), in
  *,notebooks,*) services="postgres console spark spark-worker-1 spark-worker-2 jupyter" ;;
  *,spark,*) services="postgres console spark spark-worker-1 spark-worker-2" ;;
  *,db,*) services="postgres console" ;;
  *) fail "COMPOSE_PROFILES=$(setting COMPOSE_PROFILES notebooks) has none of db, spark and notebooks: set it to one of them" ;;
esac
