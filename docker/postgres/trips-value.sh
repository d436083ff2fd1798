#!/usr/bin/env bash
# trips-value.sh NAME DEFAULT: prints the variable, or what is in the file that NAME_FILE names. The entrypoint does this
# for the server; a program of docker exec has the variables of the container.
set -euo pipefail
file=$1_FILE
if [ -n "${!file:-}" ]; then cat "${!file}"; else printf '%s' "${!1:-$2}"; fi
