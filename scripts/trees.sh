#!/usr/bin/env bash
# What packages and archives are made from: target/trees/pgNN/lib and …/extension for each version of PG_VERSIONS, and
# target/trees/bin. The pg_config of a version is PG_CONFIG_NN, else Debian's, else new_pg.sh installs one.
# TRIPS_TREES=here takes those that are there.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

[ "${TRIPS_TREES:-}" != here ] || exit 0
trees=$root/target/trees
mkdir -p "$trees/bin"
for number in ${PG_VERSIONS:-15 16 17 18}; do
  config=PG_CONFIG_$number
  config=${!config:-/usr/lib/postgresql/$number/bin/pg_config}
  if [ ! -x "$config" ] || [ ! -f "$("$config" --includedir-server)/postgres.h" ]; then
    config=$("$root/scripts/new_pg.sh" "$number")
  fi
  step "building for $("$config" --version)"
  (
    export PG=$number PG_CONFIG=$config
    "$root/scripts/setup.sh" install
    "$root/scripts/package.sh" > "$root/target/package.log" 2>&1 ||
      { tail -n 40 "$root/target/package.log"; fail "the build failed: target/package.log has all of it"; }
    "$root/scripts/tree.sh" "$trees/pg$number"
  )
done

step "building trips_reader, trips_watch and trips_console"
"$root/scripts/page.sh"
"$root/scripts/setup.sh" programs
(cd "$root" && cargo build --quiet --release --locked --package trips_reader --package trips_watch --package trips_console)
for program in trips_reader trips_watch trips_console; do
  install -m 755 "$root/target/release/$program" "$trees/bin/"
done

# The oldest C library on which all of it loads.
needed=$(find "$trees" -type f \( -name '*.so' -o -path '*/bin/*' \) -exec objdump -T {} + |
  sed -n 's/.*(\{0,1\}GLIBC_\([0-9.]*\).*/\1/p' | sort -uV | tail -n 1)
printf '%s\n' "$needed" > "$trees/glibc"
step "built; it needs glibc $needed (Debian 12 has 2.36, Ubuntu 22.04 has 2.35)"
# 2.35 is that of the oldest system that the documents name.
if [ "$(printf '%s\n' 2.35 "$needed" | sort -V | tail -n 1)" != 2.35 ]; then
  step "this is too new for Debian 12 and Ubuntu 22.04: build packages for these on Debian 12"
fi
