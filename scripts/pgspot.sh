#!/usr/bin/env bash
# pgspot looks for what an attacker could use in the scripts that a superuser runs: names without a
# schema, CREATE OR REPLACE, functions without a search_path. Nothing is suppressed but what is said
# below.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

venv=$tools/python
make_venv "$venv"
if ! "$venv/bin/python" -c 'import pgspot' 2> /dev/null; then
  step "installing pgspot into .tools"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check 'pgspot==0.9.4' 'pglast==7.21'
fi

# pgspot does not know of functions with a body of parsed statements (BEGIN ATOMIC … END) and ends at
# the first. PostgreSQL resolves their names once, when the script runs, under the script's
# search_path: so pgspot gets their statements as statements of the script, in the same lines, and the
# function with an empty body. The search_path there suppresses PS005 (a function without one), which
# is about bodies whose names are resolved when they run.
without_atomic() {
  sed -e "/^BEGIN ATOMIC\$/,/^END;\$/ {
    s/^BEGIN ATOMIC\$/SET search_path = pg_catalog, pg_temp AS '';/
    s/^END;\$//
  }" "$1"
}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
without_atomic "$(install_script)" > "$scratch/install.sql"

# A procedure that commits can have no search_path of its own (PostgreSQL refuses the COMMIT): it may go
# without, and pgspot still looks at every name in it.
without_path='trips.ingest_new(pattern text,INOUT loaded bigint,INOUT skipped bigint,INOUT failed bigint,feed text,region text,datasource text,on_change text)'
check() {
  step "pgspot: $1"
  if ! "$venv/bin/python" -m pgspot --proc-without-search-path "$without_path" "$scratch/$1"; then fail "pgspot has something to say about $1"; fi
}
check install.sql

# A step between versions runs where the schema is the extension's already, under a search_path that
# it must set itself: it is looked at behind an install script.
for step_script in "$root"/sql/trips_pipeline--*--*.sql; do
  [ -f "$step_script" ] || continue
  name=$(basename "$step_script")
  {
    cat "$scratch/install.sql"
    echo 'RESET search_path;'
    without_atomic "$step_script"
  } > "$scratch/$name"
  check "$name"
done

# It must be able to find something: the same script under a careless search_path.
sed 's/^SET LOCAL search_path.*/SET LOCAL search_path = public;/' "$scratch/install.sql" > "$scratch/careless.sql"
if "$venv/bin/python" -m pgspot --summary-only "$scratch/careless.sql" > /dev/null; then
  fail "pgspot finds nothing at all"
fi
