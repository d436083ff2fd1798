#!/usr/bin/env bash
# Healthy: the server takes connections, and the extension answers. By TCP, too: the server that runs while the database
# is made listens on its socket only.
set -euo pipefail
user=$(trips-value.sh POSTGRES_USER postgres)
pg_isready -q -h 127.0.0.1
psql -X -U "$user" -d "$(trips-value.sh POSTGRES_DB "$user")" -qAtc 'SELECT count(*) FROM trips.loads' > /dev/null
