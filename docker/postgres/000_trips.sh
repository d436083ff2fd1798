#!/usr/bin/env bash
# At the first start, before the scripts of users (000): the settings, the extensions, and roles for Spark and the
# console if there are passwords for them.
set -euo pipefail
export PGUSER=${POSTGRES_USER:-postgres} PGDATABASE=${POSTGRES_DB:-${POSTGRES_USER:-postgres}}

for name in SPARK_PASSWORD CONSOLE_PASSWORD; do
  file=${name}_FILE
  [ -n "${!file:-}" ] || continue
  if [ -n "${!name:-}" ]; then
    echo "error: $name and $file are both set: set one of them" >&2
    exit 1
  fi
  export "$name=$(cat "${!file}")"
done

# pg_cron needs to be preloaded before it can be created.
trips-settings.sh
pg_ctl -D "$PGDATA" -m fast -w restart
psql=(psql -v ON_ERROR_STOP=1 --no-psqlrc -q)
"${psql[@]}" -c 'CREATE EXTENSION pg_cron' -c 'CREATE EXTENSION trips_pipeline'
if [ -n "${SPARK_PASSWORD:-}" ]; then
  # By a variable of psql's, read from the environment: a command line is seen by others.
  "${psql[@]}" << 'SQL'
\getenv password SPARK_PASSWORD
CREATE ROLE spark LOGIN PASSWORD :'password';
SELECT trips.grant_loader('spark'), trips.grant_reader('spark');
-- Spark's JDBC writer looks at the columns of its table.
GRANT SELECT ON trips.stg_trip_data TO spark;
SQL
fi
if [ -n "${CONSOLE_PASSWORD:-}" ]; then
  "${psql[@]}" << 'SQL'
\getenv password CONSOLE_PASSWORD
CREATE ROLE console LOGIN PASSWORD :'password';
SELECT trips.grant_reader('console');
-- All running loads, and why staged rows wait.
GRANT pg_read_all_stats TO console;
GRANT SELECT ON trips.stg_trip_data TO console;
SQL
fi
