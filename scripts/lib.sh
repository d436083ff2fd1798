# Sourced by the other scripts: where things are, and how to run what.
# shellcheck shell=bash disable=SC2034

set -euo pipefail
umask 022

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# Which PostgreSQL: PG=18 PG_CONFIG=/path/to/pg_config make test
pg=${PG:-15}
pg_config=${PG_CONFIG:-/usr/lib/postgresql/$pg/bin/pg_config}

# What is installed for this project alone.
tools=$root/.tools
export PATH=$tools/bin:$PATH
export PGRX_HOME=$tools/pgrx/pg$pg

# What a build makes.
version=$(sed -n '/^\[workspace.package\]/,/^$/s/^version = "\(.*\)"$/\1/p' "$root/Cargo.toml")
package=$root/target/package/pg$pg

# Servers, their data and their sockets: outside the checkout, because PostgreSQL's user must be able
# to get there and a socket's path must be short.
run=${TRIPS_RUN_DIR:-/tmp}/trips_pipeline-$(id -u)-$(printf '%s' "$root" | cksum | cut -d ' ' -f 1)
tree=$run/pg$pg

step() { printf '\033[1m== %s\033[0m\n' "$*"; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }

# A program of cargo's in exactly this version, for this project alone.
need_tool() { # name version
  [ "$(cargo "${1#cargo-}" --version 2> /dev/null)" != "$1 $2" ] || return 0
  step "installing $1 $2 into .tools (takes some minutes, once)"
  cargo install "$1" --version "$2" --locked --quiet --root "$tools"
}

# PostgreSQL refuses to run as root: root runs it as the user that Debian's package makes.
server_user=$(id -un)
as_server() { clean_env "$@"; }
if [ "$(id -u)" = 0 ]; then
  server_user=postgres
  as_server() { (cd / && clean_env runuser -u "$server_user" -- "$@"); }
fi
# What a caller has set for its own servers and programs is not meant for ours.
clean_env() {
  env -u RUST_BACKTRACE -u PGHOST -u PGPORT -u PGUSER -u PGDATABASE -u PGOPTIONS -u PGDATA "$@"
}

# The run directory is ours, or nobody's.
make_run_dir() { make_own_dir "$run" TRIPS_RUN_DIR; }
make_own_dir() { # directory variable
  mkdir -p "$1"
  if [ -L "$1" ] || [ "$(stat -c %u "$1")" != "$(id -u)" ]; then
    fail "$1 belongs to somebody else; set $2 to a directory of your own"
  fi
  chmod 755 "$1"
}

# Clusters of tests are in memory where there is room: to make and remove so many files is most of their work on a disk.
# TRIPS_TEST_DIR names another directory.
test_dir() {
  local memory=/dev/shm name
  name=trips_pipeline-$(id -u)-$(printf '%s' "$run" | cksum | cut -d ' ' -f 1)
  if [ -n "${TRIPS_TEST_DIR:-}" ]; then
    printf '%s/%s' "$TRIPS_TEST_DIR" "$name"
  elif [ -w $memory ] && [ "$(df --output=avail $memory | tail -n 1)" -gt $((8 * 1024 * 1024)) ] &&
    ! findmnt --noheadings --output OPTIONS --target $memory | grep -qw noexec; then
    printf '%s/%s' $memory "$name"
  else
    printf '%s/tests' "$run"
  fi
}

# Installs packages of Debian's that are missing.
install_debian_packages() {
  command -v apt-get > /dev/null ||
    fail "missing: $* (names of Debian's packages); install them and try again"
  local as_root=()
  if [ "$(id -u)" != 0 ]; then
    command -v sudo > /dev/null || fail "missing: $*; install them as root and try again"
    as_root=(sudo)
  fi
  step "installing Debian packages: $*"
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$@" > /dev/null
}

# Makes an environment for programs in Python.
make_venv() {
  if "$1/bin/python" -c 'import pip' 2> /dev/null; then return; fi
  python3 -c 'import ensurepip, venv' 2> /dev/null || install_debian_packages python3-venv
  rm -rf "$1" && python3 -m venv "$1"
}

# Path of a directory of PostgreSQL's inside our tree of it.
in_tree() { printf '%s%s' "$tree" "$("$pg_config" "--$1")"; }

# Sets the variables of tests and benchmarks: the server, and the directory for their clusters.
test_environment() {
  TRIPS_TEST_BIN=$(in_tree bindir) TRIPS_TEST_RUN=$(test_dir)
  make_own_dir "$TRIPS_TEST_RUN" TRIPS_TEST_DIR
  export TRIPS_TEST_BIN TRIPS_TEST_TREE=$tree TRIPS_TEST_RUN
  export TRIPS_TEST_USER=$server_user TRIPS_TEST_PG=$pg
}

# Compiles the library without optimization across crates, in half the time. For tests on other PostgreSQL versions:
# `make test` has what is released.
quick_builds() { export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16; }

# The install script that a build has made.
install_script() {
  printf '%s%s/extension/trips_pipeline--%s.sql' "$package" "$("$pg_config" --sharedir)" "$version"
}
