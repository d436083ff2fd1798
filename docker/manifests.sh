#!/usr/bin/env bash
# Takes out of a checkout what the layers of an image need that change seldom: the version of pgrx (pgrx),
# and all manifests with sources that do nothing (crates/).
set -euo pipefail
all=$1 out=$2

mkdir -p "$out/crates"
sed -n 's/^pgrx = "=\(.*\)"$/\1/p' "$all/Cargo.toml" > "$out/pgrx"

cd "$all"
find . -name Cargo.toml -not -path './fuzz/*' -exec cp --parents {} "$out/crates" \;
cp --parents Cargo.lock trips_pipeline.control scripts/lib.sh scripts/setup.sh scripts/package.sh "$out/crates"
cd "$out/crates"
find . -mindepth 2 -name Cargo.toml | while read -r manifest; do
  crate=$(dirname "$manifest")
  mkdir -p "$crate/src"
  echo '//! Nothing yet.' | tee "$crate/src/lib.rs" > "$crate/src/main.rs"
  echo 'fn main() {}' >> "$crate/src/main.rs"
  # Libraries and tests in other directories.
  sed -n 's/^path = "\([^"]*\.rs\)"$/\1/p' "$manifest" | while read -r path; do
    mkdir -p "$crate/$(dirname "$path")"
    [ -f "$crate/$path" ] || touch "$crate/$path"
  done
done
mkdir -p src && echo 'pgrx::pg_module_magic!(name, version);' > src/lib.rs
