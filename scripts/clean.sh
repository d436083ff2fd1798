#!/usr/bin/env bash
# Removes the private server, its data, and what was built.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

for home in "$run"/spark*; do
  [ -d "$home" ] && PG=${home##*/spark} "$root/scripts/spark_local.sh" stop
done
"$root/scripts/console.sh" stop
for home in "$run"/demo*; do
  [ -d "$home" ] && PG=${home##*/demo} "$root/scripts/cluster.sh" stop
done
for directory in "$(test_dir)" "$run"; do
  if [ -d "$directory" ] && [ ! -L "$directory" ] && [ "$(stat -c %u "$directory")" = "$(id -u)" ]; then
    rm -rf "$directory"
  fi
done
rm -rf "$root/target" "$root/crates/trips_console/page/dist" "$root/crates/trips_console/page/node_modules"
