#!/usr/bin/env bash
# Healthy: the server takes connections, and the extension answers. By TCP, too: the server that runs while the database
# is made listens on its socket only.
set -euo pipefail
value() { # variable default
  local file=$1_FILE
  if [ -n "${!file:-}" ]; then cat "${!file}"; else printf '%s' "${!1:-$2}"; fi
}
user=$(value POSTGRES_USER postgres)
pg_isready -q -h 127.0.0.1
psql -X -U "$user" -d "$(value POSTGRES_DB "$user")" -qAtc 'SELECT count(*) FROM trips.loads' > /dev/null
