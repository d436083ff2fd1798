#!/usr/bin/env bash
# Packages the extension: the library, the control file, the install script of this version, the
# install scripts of the released versions, and the steps between versions (which cargo-pgrx adds).
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

mkdir -p "$root/target"
# In the environment, these would override what cargo-pgrx needs the linker to keep.
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS
# What an earlier build has left there is not in this one.
rm -rf "$package"
# TRIPS_FEATURES="parquet" builds without object stores; an empty one, without Parquet too.
features=()
[ -z "${TRIPS_FEATURES+set}" ] || features=(--no-default-features --features "pg$pg $TRIPS_FEATURES")
(cd "$root" && RUST_BACKTRACE=0 cargo pgrx package --pg-config "$pg_config" --out-dir "$package" "${features[@]}")

# A version that is released is what it was. (pgrx notes lines of lib.rs, which may move.)
for released in "$root"/sql/released/trips_pipeline--*.sql; do
  [ -f "$released" ] || continue
  packaged=$(dirname "$(install_script)")/$(basename "$released")
  if [ "$packaged" != "$(install_script)" ]; then
    cp "$released" "$packaged"
  elif ! diff <(grep -v '^-- src/' "$released") <(grep -v '^-- src/' "$packaged"); then
    fail "version $version is released: a change of sql/ needs a new version (see CONTRIBUTING.md)"
  fi
done
