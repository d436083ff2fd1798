#!/usr/bin/env bash
# Tests with a real Spark cluster on loopback, which it installs into .tools.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

"$root/scripts/spark.sh" setup
"$root/scripts/test.sh" --package trips_tests --test spark -- --include-ignored --test-threads=1 "$@"
