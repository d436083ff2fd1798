#!/usr/bin/env bash
# Tests the installed extension with pg_regress, in a database of its own on a running server. PGHOST, PGPORT, PGUSER and
# PGPASSWORD name a superuser of it.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

config=$("$root/scripts/install_files.sh" find)
regress=$(dirname "$("$config" --pgxs)")/../test/regress/pg_regress
[ -x "$regress" ] ||
  fail "$regress is missing: install PostgreSQL's development files (Debian: postgresql-server-dev-$("$config" --version | sed 's/^PostgreSQL \([0-9]*\).*/\1/'))"
out=$root/target/installcheck database=trips_installcheck
mkdir -p "$out"
drop() { "$("$config" --bindir)/dropdb" --if-exists "$database" > /dev/null 2>&1 || true; }
trap drop EXIT
# What pg_regress prints has the differences; the results stay below target.
"$regress" --inputdir="$root/tests/installcheck" --outputdir="$out" --bindir="$("$config" --bindir)" \
  --dbname="$database" --encoding=UTF8 --no-locale smoke ||
  { [ ! -f "$out/regression.diffs" ] || cat "$out/regression.diffs"; fail "the installed extension does not pass: see $out"; }
