#!/usr/bin/env bash
# Shows how loads get on, live: those of the database that PG_CONNECTION, PGHOST, PGSERVICE or PGDATABASE name, otherwise
# those of the demo's.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cd "$root"
step "building trips_watch"
cargo build --quiet --locked -p trips_watch
program=${CARGO_TARGET_DIR:-target}/debug/trips_watch
if [ -n "${PG_CONNECTION:-}" ]; then exec "$program" "$PG_CONNECTION"; fi
if [ -n "${PGHOST:-}${PGSERVICE:-}${PGDATABASE:-}" ]; then exec "$program"; fi

# The demo's server lets in only the user that runs it, who may not reach this checkout.
"$root/scripts/cluster.sh" start
install -m 755 "$program" "$run/trips_watch"
as_server "$run/trips_watch" "host=$run/demo$pg dbname=trips user=$server_user"
