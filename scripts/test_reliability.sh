#!/usr/bin/env bash
# The long form of the tests that docs/benchmarks.md quotes; TRIPS_STRIKES, TRIPS_CANCELS,
# TRIPS_DISK_POINTS and TRIPS_BOUND_SETS change their sizes.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

make_run_dir
test_environment
cd "$root"
export TRIPS_STRIKES=${TRIPS_STRIKES:-300} TRIPS_CANCELS=${TRIPS_CANCELS:-100}
export TRIPS_DISK_POINTS=${TRIPS_DISK_POINTS:-40} TRIPS_SEARCH_SECONDS=${TRIPS_SEARCH_SECONDS:-3600} TRIPS_BOUND_SETS=${TRIPS_BOUND_SETS:-200} RUST_BACKTRACE=0
step "testing reliability with PostgreSQL $pg (an hour and some minutes)"
# One after the other: how fast a load ends after a cancel must not depend on the others.
cargo test --package trips_tests --test reliability -- --nocapture --test-threads=1
cargo test --package trips_tests --test server -- --nocapture bad_inputs pollution stress
"$root/scripts/pgspot.sh"
