#!/bin/sh
# The official entrypoint, with the settings that the extension and pg_cron need. More may follow
# `postgres -c …`, or `-c …` alone: what comes last counts.
set -eu
case ${1:-} in -*) set -- postgres "$@" ;; esac
if [ "${1:-postgres}" = postgres ]; then
  [ $# = 0 ] || shift
  set -- postgres \
    -c shared_preload_libraries=pg_cron,trips_pipeline \
    -c cron.database_name="${POSTGRES_DB:-${POSTGRES_USER:-postgres}}" \
    -c cron.use_background_workers=on \
    -c max_worker_processes=32 \
    -c trips.data_directories=/data \
    "$@"
fi
exec docker-entrypoint.sh "$@"
