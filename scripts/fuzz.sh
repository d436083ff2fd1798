#!/usr/bin/env bash
# Searches for inputs that violate a property of crates/trips_testkit: FUZZ_SECONDS (60) for each target, from
# its seeds and from what earlier searches kept in fuzz/corpus. With arguments: these targets alone.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

seconds=${FUZZ_SECONDS:-60}
targets=("$@")
if [ ${#targets[@]} = 0 ]; then
  for path in "$root"/fuzz/seeds/*/; do targets+=("$(basename "$path")"); done
fi

command -v c++ > /dev/null || fail "a C++ compiler is missing (Debian's package g++): libFuzzer needs one"
need_tool cargo-fuzz 0.13.2

cd "$root"
# No sanitizer: there is no unsafe code to watch, and without one a target runs several times as often.
# FUZZ_SANITIZER=address takes one all the same, by flags that the compiler calls unstable.
sanitizer=${FUZZ_SANITIZER:-none}
[ "$sanitizer" = none ] || export RUSTC_BOOTSTRAP=1
export CARGO_TARGET_DIR=$root/target/fuzz
mkdir -p "$root/target"
step "building the fuzz targets"
cargo fuzz build --sanitizer "$sanitizer" 2> "$root/target/fuzz-build.log" ||
  { cat "$root/target/fuzz-build.log"; fail "the build failed"; }

for target in "${targets[@]}"; do
  step "$target: $seconds seconds"
  log=$root/target/fuzz-$target.log
  mkdir -p "fuzz/corpus/$target"
  cargo fuzz run --sanitizer "$sanitizer" "$target" "fuzz/corpus/$target" "fuzz/seeds/$target" -- \
    -max_total_time="$seconds" -max_len=2048 -timeout=20 -rss_limit_mb=2048 -dict=fuzz/trips.dict \
    -print_final_stats=1 > "$log" 2>&1 ||
    { grep -v '^#' "$log" | tail -n 60; fail "$target: a property is violated; $log has the output"; }
  grep -E 'DONE +cov' "$log" | sed -E 's/^#([0-9]+)\s+DONE\s+/\1 runs, /; s/ (lim|exec|rss):.*//'
done
