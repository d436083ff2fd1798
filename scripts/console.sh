#!/usr/bin/env bash
# The page of the demo's database, or of the one that PG_CONNECTION, PGHOST, PGSERVICE or PGDATABASE name:
# console.sh [OPTION]... | start | stop. Without start it serves until Ctrl-C; OPTIONs are those of trips_console.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

link=$run/console.link
pid=$run/console.pid

is_running() { [ -f "$pid" ] && [ "$(readlink "/proc/$(cat "$pid")/exe" 2> /dev/null)" = "$run/trips_console" ]; }

build() {
  # The page needs Node.js, which page.sh installs where it is missing.
  "$root/scripts/page.sh"
  step "building trips_console"
  (cd "$root" && cargo build --quiet --locked -p trips_console)
  program=$root/${CARGO_TARGET_DIR:-target}/debug/trips_console
}

# The demo's server lets in only the user that runs it, who may not reach this checkout.
install_program() {
  make_run_dir
  rm -f "$run/trips_console" && install -m 755 "$program" "$run/trips_console"
}
connection="host=$run/demo$pg dbname=trips user=$server_user"

# In the background; make stop ends it.
start() {
  build
  stop
  install_program
  rm -f "$link"
  as_server setsid "$run/trips_console" --port="${CONSOLE_PORT:-0}" --allow-actions "$connection" \
    > "$link" 2> "$run/console.log" < /dev/null &
  for _ in $(seq 100); do
    if [ -s "$link" ]; then break; fi
    sleep 0.1
  done
  [ -s "$link" ] || { cat "$run/console.log"; fail "trips_console did not start"; }
  # runuser is its parent.
  for process in /proc/[0-9]*; do
    if [ "$(readlink "$process/exe" 2> /dev/null)" = "$run/trips_console" ]; then basename "$process" > "$pid"; fi
  done
  step "the page: $(cat "$link")"
}

stop() {
  if is_running; then
    step "stopping the page"
    kill "$(cat "$pid")"
  fi
  rm -f "$pid" "$link"
}

case ${1:-} in
  start) start ;;
  stop) stop ;;
  *)
    build
    if [ -n "${PG_CONNECTION:-}" ]; then exec "$program" "$@" "$PG_CONNECTION"; fi
    if [ -n "${PGHOST:-}${PGSERVICE:-}${PGDATABASE:-}" ]; then exec "$program" "$@"; fi
    "$root/scripts/cluster.sh" start
    install_program
    step "open the link in a browser; Ctrl-C ends the page"
    as_server "$run/trips_console" --allow-actions "$@" "$connection"
    ;;
esac
