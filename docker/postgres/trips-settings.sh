#!/usr/bin/env bash
# Writes the settings of the image into $PGDATA/trips.conf, which postgresql.conf includes from then on. ALTER SYSTEM and
# `postgres -c` override them. A file that is there stays as it is. For a data directory of another image, run this once in
# the container and restart it.
#
# TRIPS_TUNE=off leaves memory as PostgreSQL has it. TRIPS_TUNE_MEMORY (as 4GB or 512MB) is used instead of the memory that
# the container may use.
set -euo pipefail

conf=$PGDATA/trips.conf
database=$(trips-value.sh POSTGRES_DB "$(trips-value.sh POSTGRES_USER postgres)")

megabytes() { # 4GB, 512MB, 4g, 512m
  local number=${1%%[!0-9]*} unit
  unit=$(tr '[:lower:]' '[:upper:]' <<< "${1#"${1%%[!0-9]*}"}")
  [ -n "$number" ] || unit=none
  case $unit in
    G | GB) echo $((number * 1024)) ;;
    M | MB) echo "$number" ;;
    *) echo "error: TRIPS_TUNE_MEMORY=$1 is not a size: write it as 4GB or 512MB" >&2; exit 1 ;;
  esac
}

# The limit of the container (cgroup 2, cgroup 1), at most what the machine has.
memory() {
  local least limit file
  if [ -n "${TRIPS_TUNE_MEMORY:-}" ]; then megabytes "$TRIPS_TUNE_MEMORY"; return; fi
  least=$(($(sed -n 's/^MemTotal: *\([0-9]*\) kB$/\1/p' /proc/meminfo) / 1024))
  for file in /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes; do
    limit=$(cat "$file" 2> /dev/null || true)
    case $limit in '' | *[!0-9]* | ???????????????????*) continue ;; esac
    if [ $((limit / 1048576)) -lt "$least" ]; then least=$((limit / 1048576)); fi
  done
  echo "$least"
}

within() { # least value most
  local value=$2
  if [ "$value" -lt "$1" ]; then value=$1; fi
  if [ "$value" -gt "$3" ]; then value=$3; fi
  echo "$value"
}

tuned() {
  local all
  all=$(memory)
  cat << CONF

# For $all MB of memory.
shared_buffers = $(within 32 $((all / 4)) 65536)MB
effective_cache_size = $(within 64 $((all * 3 / 4)) 1048576)MB
maintenance_work_mem = $(within 32 $((all / 16)) 2048)MB
work_mem = $(within 4 $((all / 400)) 256)MB
# Loads write much at once: fewer checkpoints.
min_wal_size = 512MB
max_wal_size = 4GB
checkpoint_completion_target = 0.9
CONF
}

if [ ! -e "$conf" ]; then
  # Whole, or not at all: an error in it ends this before the file has its name.
  {
    cat << CONF
# Written by the image of trips_pipeline at its first start.
shared_preload_libraries = 'pg_cron,trips_pipeline'
cron.database_name = '${database//\'/\'\'}'
cron.use_background_workers = on
max_worker_processes = 32
trips.data_directories = '/data'
CONF
    if [ "${TRIPS_TUNE:-on}" != off ]; then tuned; fi
  } > "$conf.new"
  mv "$conf.new" "$conf"
fi
grep -q "^include_if_exists = 'trips.conf'" "$PGDATA/postgresql.conf" ||
  printf "\ninclude_if_exists = 'trips.conf'\n" >> "$PGDATA/postgresql.conf"
