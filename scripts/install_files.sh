#!/usr/bin/env bash
# Copies the files of the extension into a PostgreSQL, or removes them. It needs no compiler and no checkout: binary
# archives have it as install.sh.
#
#   install_files.sh install [DIRECTORY]  installs DIRECTORY/pgNN/lib and DIRECTORY/pgNN/extension; by default, those
#                                         that lie beside it
#   install_files.sh uninstall            removes the files
#   install_files.sh find                 prints the pg_config of the server that is meant
#
# The server is that of PG_CONFIG, else that of the pg_config in PATH, else the newest of Debian's. PG chooses a version.
# DESTDIR comes before all paths.
set -euo pipefail
umask 022

supported="15 16 17 18"
debian=${TRIPS_DEBIAN_SERVERS:-/usr/lib/postgresql}

step() { printf '\033[1m== %s\033[0m\n' "$*"; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }

major() { "$1" --version 2> /dev/null | sed -n 's/^PostgreSQL \([0-9]*\).*/\1/p'; }
# A pg_config can be there without a server: libpq-dev has one.
has_server() { local bin; bin=$("$1" --bindir 2> /dev/null) && [ -x "$bin/postgres" ]; }
is_wanted() {
  local found
  found=$(major "$1")
  [ -n "$found" ] && has_server "$1" && [[ " ${PG:-$supported} " == *" $found "* ]]
}

find_server() {
  local candidate
  if [ -n "${PG_CONFIG:-}" ]; then
    [ -n "$(major "$PG_CONFIG")" ] || fail "PG_CONFIG=$PG_CONFIG is not a pg_config that runs: set it to the path of one"
    has_server "$PG_CONFIG" ||
      fail "PG_CONFIG=$PG_CONFIG belongs to no server: $("$PG_CONFIG" --bindir)/postgres is missing"
    is_wanted "$PG_CONFIG" || fail "PG_CONFIG=$PG_CONFIG is PostgreSQL $(major "$PG_CONFIG"), not ${PG:-one of $supported}"
    printf '%s\n' "$PG_CONFIG"
    return
  fi
  candidate=$(command -v pg_config || true)
  if [ -n "$candidate" ] && is_wanted "$candidate"; then
    # Debian's /usr/bin/pg_config answers for another one, which may change.
    if [ -x "$("$candidate" --bindir)/pg_config" ]; then candidate=$("$candidate" --bindir)/pg_config; fi
    printf '%s\n' "$candidate"
    return
  fi
  for candidate in $(printf '%s\n' "$debian"/*/bin/pg_config | sort -rV); do
    if is_wanted "$candidate"; then printf '%s\n' "$candidate"; return; fi
  done
  fail "no server of PostgreSQL ${PG:-$supported} is found: install one (Debian: apt-get install postgresql), or set PG_CONFIG to its pg_config"
}

# Sets pg_config, version, libraries and extensions.
choose_server() {
  pg_config=$(find_server)
  version=$("$pg_config" --version)
  libraries=${DESTDIR:-}$("$pg_config" --pkglibdir)
  extensions=${DESTDIR:-}$("$pg_config" --sharedir)/extension
  as_root=()
  local nearest=$libraries
  while [ ! -e "$nearest" ]; do nearest=$(dirname "$nearest"); done
  [ -w "$nearest" ] || as_root=(sudo)
  [ ${#as_root[@]} = 0 ] || command -v sudo > /dev/null || fail "no permission to write to $libraries: run this as root"
}

install_tree() { # directory with pgNN/lib and pgNN/extension
  choose_server
  local tree
  tree=${1:-$(dirname "${BASH_SOURCE[0]}")}/pg$(major "$pg_config")
  [ -f "$tree/lib/trips_pipeline.so" ] || fail "there are no files for $version in $tree"
  step "installing into $version ($("$pg_config" --bindir))"
  "${as_root[@]}" mkdir -p "$libraries" "$extensions"
  # Renamed, so that a running server keeps the library that it has open.
  "${as_root[@]}" install -m 755 "$tree/lib/trips_pipeline.so" "$libraries/trips_pipeline.so.new"
  "${as_root[@]}" mv "$libraries/trips_pipeline.so.new" "$libraries/trips_pipeline.so"
  "${as_root[@]}" install -m 644 "$tree/extension/"* "$extensions/"
  printf '   %s\n' "$libraries/trips_pipeline.so" "$extensions/trips_pipeline.control" \
    "$extensions/trips_pipeline--*.sql"
  next_steps "$(sed -n "s/^default_version = '\(.*\)'$/\1/p" "$tree/extension/trips_pipeline.control")"
}

# Debian's clusters of this version, as "port 5433 (main)".
clusters() {
  command -v pg_lsclusters > /dev/null || return 0
  pg_lsclusters -h 2> /dev/null | awk -v v="$(major "$pg_config")" '$1 == v { printf "%sport %s (%s)", n++ ? ", " : "", $3, $2 }'
}

next_steps() { # version
  local where
  where=$(clusters)
  cat << TEXT
trips_pipeline $1 is installed${where:+; clusters of this version: $where}. Next, as a superuser, in a database with the encoding UTF8:
   CREATE EXTENSION trips_pipeline;                    -- where an older version is: ALTER EXTENSION trips_pipeline UPDATE;
   SELECT * FROM trips.ingest('/path/of/a/file.csv');  -- a file that the server can read
Sessions that have used an older library keep it until they end. Restart the server if shared_preload_libraries has it.
TEXT
}

uninstall() {
  choose_server
  local files=()
  for file in "$libraries/trips_pipeline.so" "$extensions/trips_pipeline.control" "$extensions"/trips_pipeline--*.sql; do
    [ ! -e "$file" ] || files+=("$file")
  done
  if [ ${#files[@]} = 0 ]; then
    step "$version ($("$pg_config" --bindir)) does not have trips_pipeline: nothing is removed"
    return
  fi
  # dpkg's files are dpkg's.
  if command -v dpkg-query > /dev/null && owner=$(dpkg-query --search "$libraries/trips_pipeline.so" 2> /dev/null); then
    fail "the package ${owner%%:*} has these files: run apt-get remove ${owner%%:*}"
  fi
  "${as_root[@]}" rm -f "${files[@]}"
  step "removed from $version ($("$pg_config" --bindir)):"
  printf '   %s\n' "${files[@]}"
  cat << 'TEXT'
Databases that still have the extension cannot use it now. In each: DROP EXTENSION trips_pipeline (it drops the history, too).
Remove trips_pipeline from shared_preload_libraries before the next start of the server, or it does not start.
TEXT
}

case ${1:-install} in
  find) find_server ;;
  install) install_tree "${2:-}" ;;
  uninstall) uninstall ;;
  *) fail "usage: ${0##*/} [install [DIRECTORY] | uninstall | find]" ;;
esac
