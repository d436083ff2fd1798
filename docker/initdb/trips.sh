#!/usr/bin/env bash
# At the first start: the extensions, and a role for Spark if there is a password for it.
set -euo pipefail
psql=(psql -v ON_ERROR_STOP=1 --no-psqlrc -q -U "${POSTGRES_USER:-postgres}" -d "${POSTGRES_DB:-postgres}")
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
