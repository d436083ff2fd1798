#!/usr/bin/env bash
# All tests: the pure crates', and the server's through a real client. Arguments go to cargo test.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

make_run_dir
mkdir -p "$run/tests" && chmod 755 "$run/tests"
export TRIPS_TEST_BIN TRIPS_TEST_RUN=$run/tests TRIPS_TEST_USER=$server_user TRIPS_TEST_PG=$pg
TRIPS_TEST_BIN=$(in_tree bindir)
cd "$root"
step "testing with PostgreSQL $pg"
cargo test --workspace --exclude trips_pipeline "$@"
