#!/usr/bin/env bash
# All tests: the pure crates', and the server's through a real client. Arguments go to cargo test.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

make_run_dir
test_environment
cd "$root"
step "testing with PostgreSQL $pg"
# --workspace would take them all, whatever packages are named.
packages=(--workspace --exclude trips_pipeline)
case " $* " in *' -p '* | *' --package '*) packages=() ;; esac
cargo test ${packages[@]+"${packages[@]}"} "$@"
