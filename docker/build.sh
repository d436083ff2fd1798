#!/usr/bin/env bash
# Inside the build image: the extension's files as a tree from /, and the programs, both below the argument.
source "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"

# Cargo goes by times, and the sources that did nothing were built later than these were written.
find "$root" -name '*.rs' -not -path "$root/target/*" -exec touch {} +
"$root/scripts/package.sh"
(cd "$root" && cargo build --release --locked --package trips_reader --package trips_watch --package trips_console)
mkdir -p "$1/postgres" "$1/tools"
cp -a "$package/." "$1/postgres/"
strip --strip-unneeded "$1/postgres$("$pg_config" --pkglibdir)/trips_pipeline.so"
for program in trips_reader trips_watch trips_console; do
  install -s -m 755 "$root/target/release/$program" "$1/tools/"
done
