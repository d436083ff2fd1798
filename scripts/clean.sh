#!/usr/bin/env bash
# Removes the private server, its data, and what was built.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

if [ -d "$run" ] && [ ! -L "$run" ] && [ "$(stat -c %u "$run")" = "$(id -u)" ]; then rm -rf "$run"; fi
rm -rf "$root/target"
