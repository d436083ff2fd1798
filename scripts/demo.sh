#!/usr/bin/env bash
# From nothing to weekly averages: the sample file, in the project's own cluster.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cluster=$root/scripts/cluster.sh
"$cluster" start

# The server's user reads it there, wherever the checkout is.
sample=$run/trips_sample.csv
install -m 644 "$root/samples/trips_sample.csv" "$sample"

"$cluster" psql -d postgres -q -v ON_ERROR_STOP=1 \
  -c 'SET client_min_messages = warning' \
  -c 'DROP DATABASE IF EXISTS trips WITH (FORCE)' \
  -c 'CREATE DATABASE trips'

step "loading $(($(wc -l < "$sample") - 1)) lines of $sample, twice"
"$cluster" psql -d trips -v ON_ERROR_STOP=1 -v sample="$sample" -P pager=off -f - < "$root/scripts/demo.sql"
# Without a network, Node.js may be missing: the rest works without the page.
"$root/scripts/console.sh" start || step "there is no page: make console says why"
step "make psql opens this database, make stop ends the server and its page"
