#!/usr/bin/env bash
# Inside the build image: the extension's files as a tree from /, and the reader, both below the argument.
source "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"

# Cargo goes by times, and the sources that did nothing were built later than these were written.
find "$root" -name '*.rs' -not -path "$root/target/*" -exec touch {} +
"$root/scripts/package.sh"
(cd "$root" && cargo build --release --locked --package trips_reader)
mkdir -p "$1/postgres" "$1/reader"
cp -a "$package/." "$1/postgres/"
install -m 755 "$root/target/release/trips_reader" "$1/reader/"
