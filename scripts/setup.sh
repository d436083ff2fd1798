#!/usr/bin/env bash
# Installs what is missing to build and test the extension: PostgreSQL, clang, cargo-pgrx. `setup.sh install` is for
# `make install`: the server is there already, and nothing is tested. `setup.sh programs` is for trips_watch and
# trips_reader alone.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

command -v cargo > /dev/null || fail "cargo is not there: install Rust first (https://rustup.rs)"

# Only Cargo.toml has the version.
pgrx=$(sed -n 's/^pgrx = "=\(.*\)"$/\1/p' "$root/Cargo.toml")
need_pgrx=no
[ "$(cargo pgrx --version 2> /dev/null)" = "cargo-pgrx $pgrx" ] || need_pgrx=yes

missing=()
want() { missing+=("$1"); }
if [ "${1:-}" = install ]; then
  headers=$("$pg_config" --includedir-server)
  if [ ! -f "$headers/postgres.h" ]; then
    case $headers in
      /usr/include/postgresql/*) want "postgresql-server-dev-$pg" ;;
      *) fail "the server headers of this PostgreSQL are missing: $headers/postgres.h" ;;
    esac
  fi
elif [ "${1:-}" != programs ] && [ -z "${PG_CONFIG:-}" ]; then
  [ -x "/usr/lib/postgresql/$pg/bin/postgres" ] || want "postgresql-$pg"
  [ -f "/usr/include/postgresql/$pg/server/postgres.h" ] || want "postgresql-server-dev-$pg"
  # For the tests of trips.schedule().
  [ -f "/usr/lib/postgresql/$pg/lib/pg_cron.so" ] || want "postgresql-$pg-cron"
fi
if [ "${1:-}" != install ]; then # for trips_watch
  [ -f /usr/include/postgresql/libpq-fe.h ] || want libpq-dev
  command -v pkg-config > /dev/null || want pkg-config
fi
if [ "${1:-}" = programs ]; then
  command -v cc > /dev/null || want build-essential
  if [ ${#missing[@]} -gt 0 ]; then install_debian_packages "${missing[@]}"; fi
  exit 0
fi
if ! command -v cc > /dev/null; then
  if [ "${1:-}" = install ]; then want gcc && want libc6-dev; else want build-essential; fi
fi
[ "${1:-}" = install ] || command -v c++ > /dev/null || want g++ # for libFuzzer
command -v clang > /dev/null || want clang
compgen -G '/usr/lib/llvm-*/lib/libclang*.so*' > /dev/null || want libclang-dev
if [ $need_pgrx = yes ]; then # it links OpenSSL
  [ -f /usr/include/openssl/ssl.h ] || want libssl-dev
fi

if [ ${#missing[@]} -gt 0 ]; then install_debian_packages "${missing[@]}"; fi

if [ $need_pgrx = yes ]; then
  step "installing cargo-pgrx $pgrx into .tools (takes some minutes, once)"
  if [ -d "$root/cargo-pgrx" ]; then # in a source archive, which has the crates, too
    cargo install --path "$root/cargo-pgrx" --offline --locked --quiet --root "$tools" --target-dir "$root/target/cargo-pgrx"
  else
    cargo install cargo-pgrx --version "$pgrx" --locked --quiet --root "$tools"
  fi
fi

# Written only when it says something new: cargo compiles pgrx again when it is younger.
config=$(printf '[configs]\npg%s = "%s"' "$pg" "$pg_config")
mkdir -p "$PGRX_HOME"
if [ "$config" != "$(cat "$PGRX_HOME/config.toml" 2> /dev/null)" ]; then
  printf '%s\n' "$config" > "$PGRX_HOME/config.toml"
fi
