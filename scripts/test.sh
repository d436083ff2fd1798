#!/usr/bin/env bash
# All tests: the pure crates', and the server's through a real client. Arguments go to cargo test; with
# a package among them, only that one is tested.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

make_run_dir
test_environment
cd "$root"
# The tests of the page need a browser: make test-console.
packages=(--workspace --exclude trips_pipeline --exclude trips_console_tests)
case " $* " in *' -p '* | *' --package'*) packages=() ;; esac
# Tests of servers wait more than they work.
export RUST_TEST_THREADS=${RUST_TEST_THREADS:-$((2 * $(nproc)))}
step "testing with PostgreSQL $pg"
cargo test ${packages[@]+"${packages[@]}"} "$@"
