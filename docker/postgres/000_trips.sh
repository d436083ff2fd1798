#!/usr/bin/env bash
# At the first start, before the scripts of users (000): the settings, the extensions, and a role for Spark if there is a
# password for it.
set -euo pipefail
export PGUSER=${POSTGRES_USER:-postgres} PGDATABASE=${POSTGRES_DB:-${POSTGRES_USER:-postgres}}

if [ -n "${SPARK_PASSWORD_FILE:-}" ]; then
  if [ -n "${SPARK_PASSWORD:-}" ]; then
    echo 'error: SPARK_PASSWORD and SPARK_PASSWORD_FILE are both set: set one of them' >&2
    exit 1
  fi
  SPARK_PASSWORD=$(cat "$SPARK_PASSWORD_FILE")
  export SPARK_PASSWORD
fi

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
