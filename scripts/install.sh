#!/usr/bin/env bash
# Installs the extension into the system's PostgreSQL, as an administrator would.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

"$root/scripts/package.sh"
as_root=()
if [ ! -w "$("$pg_config" --pkglibdir)" ]; then as_root=(sudo); fi
"${as_root[@]}" install -m 644 "$package$("$pg_config" --sharedir)/extension/"* \
  "$("$pg_config" --sharedir)/extension/"
"${as_root[@]}" install -m 755 "$package$("$pg_config" --pkglibdir)/"*.so "$("$pg_config" --pkglibdir)/"
step "installed; in the database: CREATE EXTENSION trips_pipeline;"
