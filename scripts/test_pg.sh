#!/usr/bin/env bash
# test_pg.sh 16 | 17 | 18 [arguments of cargo test]: builds the extension for this PostgreSQL, which it installs into
# .tools, and runs the tests that need a server. The test programs are the same for all versions.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

PG=$1
PG_CONFIG=$("$root/scripts/new_pg.sh" "$PG")
export PG PG_CONFIG
quick_builds
"$root/scripts/setup.sh"
"$root/scripts/build.sh"
"$root/scripts/test.sh" --package trips_tests --test server "${@:2}"
