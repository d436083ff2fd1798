#!/usr/bin/env bash
# Removes the private server, its data, and what was built.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

for home in "$run"/spark*; do
  [ -d "$home" ] && PG=${home##*/spark} "$root/scripts/spark_local.sh" stop
done
for home in "$run"/demo*; do
  [ -d "$home" ] && PG=${home##*/demo} "$root/scripts/cluster.sh" stop
done
if [ -d "$run" ] && [ ! -L "$run" ] && [ "$(stat -c %u "$run")" = "$(id -u)" ]; then rm -rf "$run"; fi
rm -rf "$root/target"
