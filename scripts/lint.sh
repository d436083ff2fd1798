#!/usr/bin/env bash
# What must be clean before a commit.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cd "$root"
step "rustfmt"
cargo fmt --all --check
cargo fmt --manifest-path fuzz/Cargo.toml --check
step "clippy"
cargo clippy --workspace --all-targets --no-default-features --features "pg$pg,object_store,parquet" --locked -- -D warnings
step "licences"
"$root/scripts/licences.sh" check
step "META.json and CHANGELOG.md"
"$root/scripts/release_files.sh"
step "rustdoc"
RUSTDOCFLAGS='-D warnings' cargo doc --quiet --no-deps --locked \
  --package trips_areas --package trips_core --package trips_datagen --package trips_h3 --package trips_libpq --package trips_memory --package trips_store --package trips_bucket --package trips_testkit --package trips_bench --package trips_tests
