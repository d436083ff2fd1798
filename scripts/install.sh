#!/usr/bin/env bash
# Builds the extension for the server that install_files.sh finds, and installs it there. `install.sh build` only builds.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

install_files=$root/scripts/install_files.sh
PG_CONFIG=$("$install_files" find)
PG=$("$PG_CONFIG" --version | sed 's/^PostgreSQL \([0-9]*\).*/\1/')
export PG PG_CONFIG
step "building for $("$PG_CONFIG" --version) ($("$PG_CONFIG" --bindir))"
"$root/scripts/setup.sh" install
mkdir -p "$root/target"
"$root/scripts/package.sh" > "$root/target/package.log" 2>&1 ||
  { tail -n 40 "$root/target/package.log"; fail "the build failed: target/package.log has all of it"; }
"$root/scripts/tree.sh" "$root/target/trees/pg$PG"
[ "${1:-}" = build ] || "$install_files" install "$root/target/trees"
