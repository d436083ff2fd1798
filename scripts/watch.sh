#!/usr/bin/env bash
# Shows how loads get on, live: those of the demo's database, or of the one that PG_CONNECTION names.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cd "$root"
cargo build --quiet -p trips_watch
if [ -n "${PG_CONNECTION:-}" ]; then exec target/debug/trips_watch "$PG_CONNECTION"; fi

# The demo's server lets in only the user that runs it, who may not reach this checkout.
"$root/scripts/cluster.sh" start
install -m 755 target/debug/trips_watch "$run/trips_watch"
as_server "$run/trips_watch" "host=$run/demo$pg dbname=trips user=$server_user"
