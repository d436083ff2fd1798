#!/usr/bin/env bash
# bench.sh compare | against | containers | wide | spark | hundred_million | questions | overhead | small | retract | console
# BENCH_ROWS, BENCH_ROUNDS, BENCH_FILES change the sizes. BENCH_BASE names the commit of `against`: by default the last release.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# Builds the extension of another commit, in a checkout of its own that stays.
build_base() {
  local checkout=$root/target/base
  git -C "$root" worktree prune
  if [ -e "$checkout" ]; then
    git -C "$checkout" checkout --quiet --detach "$1"
  else
    git -C "$root" worktree add --quiet --force --detach "$checkout" "$1"
  fi
  ln -sfn "$root/.tools" "$checkout/.tools"
  step "building commit $(git -C "$checkout" log -1 --format='%h %s')"
  "$checkout/scripts/build.sh"
  TRIPS_BASE_NAME=$(git -C "$checkout" describe --always --tags)
  TRIPS_BASE_BIN=$(bash -c 'source "$1/scripts/lib.sh" && in_tree bindir' - "$checkout")
  export TRIPS_BASE_NAME TRIPS_BASE_BIN
}

if [ "${1:-}" = against ]; then
  base=${BENCH_BASE:-$(git -C "$root" describe --tags --abbrev=0 2> /dev/null)} || true
  if [ -z "$base" ]; then
    echo "There is no release yet. BENCH_BASE=<commit> names another commit to compare with."
    exit 0
  fi
  build_base "$base"
fi
make_run_dir
# What is measured is on the disk.
export TRIPS_TEST_DIR=$run
test_environment
cd "$root"
step "measuring with PostgreSQL $pg; the machine should do nothing else"
cargo run --quiet --release --package trips_bench -- "$@"
