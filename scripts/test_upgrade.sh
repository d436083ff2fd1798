#!/usr/bin/env bash
# Tests pg_upgrade from this PostgreSQL (PG, PG_CONFIG) to a newer one (PG_NEW, 18 unless it is set), which
# scripts/new_pg.sh installs.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

pg_new=${PG_NEW:-18}
pg_config_new=$("$root/scripts/new_pg.sh" "$pg_new")

PG=$pg_new PG_CONFIG=$pg_config_new "$root/scripts/setup.sh"
(quick_builds && PG=$pg_new PG_CONFIG=$pg_config_new "$root/scripts/build.sh")
TRIPS_TEST_BIN_NEW=$(tree=$run/pg$pg_new pg_config=$pg_config_new && in_tree bindir)
export TRIPS_TEST_BIN_NEW

"$root/scripts/setup.sh"
"$root/scripts/build.sh"
"$root/scripts/test.sh" --package trips_tests --test server upgrade -- --include-ignored
