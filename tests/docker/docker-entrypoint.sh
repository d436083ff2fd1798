#!/usr/bin/env bash
# A substitute for the entrypoint of the official image: starts as root, gives the data directory to postgres, and steps
# down; POSTGRES_PASSWORD, POSTGRES_USER, POSTGRES_DB (each also as …_FILE, but not both); *.sh and *.sql of
# /docker-entrypoint-initdb.d at the first start.
set -euo pipefail

file_value() { # variable default
  local file=$1_FILE value
  if [ -n "${!file:-}" ] && [ -n "${!1:-}" ]; then echo "error: both $1 and $file are set (but are exclusive)" >&2; exit 1; fi
  if [ -n "${!file:-}" ]; then value=$(cat "${!file}"); else value=${!1:-$2}; fi
  export "$1=$value"
  unset "$file"
}

if [ "${1:0:1}" = - ]; then set -- postgres "$@"; fi
[ "${1:-}" = postgres ] || exec "$@"
file_value POSTGRES_PASSWORD ''
file_value POSTGRES_USER postgres
file_value POSTGRES_DB "$POSTGRES_USER"
if [ "$(id -u)" = 0 ]; then
  mkdir -p "$PGDATA" && chmod 700 "$PGDATA"
  find "$PGDATA" ! -user postgres -exec chown postgres '{}' +
  exec setpriv --reuid postgres --regid postgres --init-groups "$0" "$@"
fi

if [ ! -s "$PGDATA/PG_VERSION" ]; then
  if [ -z "$POSTGRES_PASSWORD" ]; then
    echo 'error: POSTGRES_PASSWORD is not set' >&2
    exit 1
  fi
  initdb -D "$PGDATA" -U "$POSTGRES_USER" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") \
    --auth-local=trust --auth-host=scram-sha-256
  printf '\nhost all all all scram-sha-256\n' >> "$PGDATA/pg_hba.conf"
  printf "listen_addresses = '*'\n" >> "$PGDATA/postgresql.conf"
  pg_ctl -D "$PGDATA" -w start -o "$(printf '%q ' "${@:2}" -c listen_addresses=)"
  psql=(psql -v ON_ERROR_STOP=1 --no-psqlrc -U "$POSTGRES_USER")
  if [ "$POSTGRES_DB" != postgres ]; then
    "${psql[@]}" -d postgres -v db="$POSTGRES_DB" <<< 'CREATE DATABASE :"db";'
  fi
  for script in /docker-entrypoint-initdb.d/*; do
    case $script in
      *.sh) if [ -x "$script" ]; then "$script"; else . "$script"; fi ;;
      *.sql) "${psql[@]}" -d "$POSTGRES_DB" -f "$script" ;;
    esac
  done
  pg_ctl -D "$PGDATA" -m fast -w stop
fi
exec "$@"
