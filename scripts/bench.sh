#!/usr/bin/env bash
# bench.sh compare | containers | wide | spark | hundred_million | questions | overhead | small | retract; BENCH_ROWS, BENCH_ROUNDS, BENCH_FILES change the sizes.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

make_run_dir
# What is measured is on the disk.
export TRIPS_TEST_DIR=$run
test_environment
cd "$root"
step "measuring with PostgreSQL $pg; the machine should do nothing else"
cargo run --quiet --release --package trips_bench -- "$@"
