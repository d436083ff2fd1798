#!/usr/bin/env bash
# Writes docs/licences.md: every crate that is linked into the extension or a program, and its licence. With
# `check`, says whether the file is up to date instead.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

file=$root/docs/licences.md
cd "$root"

# For one kind of machine, whichever this one is. Crates that run in the compiler only are not linked.
crates() { # arguments of cargo tree
  cargo tree --locked "$@" \
    --edges normal,no-proc-macro --target x86_64-unknown-linux-gnu \
    --prefix none --format '{p} | {l}' |
    sed -E '/^$/d; s/ \(\*\)$//; s/ \(\/[^)]*\)//; s/^([^ ]+) v([^ ]+)/\1 | \2/' | LC_ALL=C sort -u
}
rows() {
  # Older crates write a stroke where SPDX has OR.
  sed -E 's/([A-Za-z0-9.]) ?\/ ?([A-Z])/\1 OR \2/g; s/^/| /; s/$/ |/'
}

table() {
  cat << 'TEXT'
# Licences

The crates that are linked into the extension, with their licences as their authors state them. Where
one says `OR`, any of them may be chosen; `AND` means all. `scripts/licences.sh` writes this file, `make lint` checks
it, and `make deny` checks the licences of everything that builds and tests need as well (`deny.toml`).

| crate | version | licence |
|---|---|---|
TEXT
  crates --package trips_pipeline --no-default-features --features "pg$pg,object_store,parquet" | rows
  cat << 'TEXT'

## Programs

The crates that are linked into `trips_console`, `trips_watch` and `trips_reader`.

| crate | version | licence |
|---|---|---|
TEXT
  crates --package trips_console --package trips_watch --package trips_reader | rows
  cat << 'TEXT'

The page that `trips_console` serves contains these packages of npm. `licences.txt` of the page has their texts.

| package | version | licence |
|---|---|---|
TEXT
  bundled
}

# What the page's build bundles, in the versions of its lock file.
bundled() {
  python3 - "$root/crates/trips_console/page" << 'PYTHON'
import json, pathlib, re, sys
page = pathlib.Path(sys.argv[1])
names = json.loads(re.search(r"BUNDLED = (\[.*?\])", (page / "build.mjs").read_text()).group(1))
packages = json.loads((page / "package-lock.json").read_text())["packages"]
for name in names:
    package = packages[f"node_modules/{name}"]
    print(f"| {name} | {package['version']} | {package['license']} |")
PYTHON
}

if [ "${1:-}" = check ]; then
  table | diff -u "$file" - || fail "docs/licences.md is not up to date: run scripts/licences.sh"
else
  table > "$file.new"
  mv "$file.new" "$file"
fi
