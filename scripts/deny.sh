#!/usr/bin/env bash
# Checks all crates of Cargo.lock and fuzz/Cargo.lock against deny.toml: licences, sources, bans, and
# known vulnerabilities where the list of them is at hand. DENY_FETCH=1 fetches the list first.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

need_tool cargo-deny 0.20.2
cd "$root"

# Of the list of known vulnerabilities, cargo-deny keeps a copy here.
advisories=${CARGO_HOME:-$HOME/.cargo}/advisory-dbs
[ -z "${DENY_FETCH:-}" ] || cargo deny fetch db

for manifest in Cargo.toml fuzz/Cargo.toml; do
  deny() { cargo deny --manifest-path "$manifest" --locked --config "$root/deny.toml" "$@"; }
  step "$manifest: licences, bans, sources"
  deny check licenses bans sources
  if compgen -G "$advisories/*/" > /dev/null; then
    step "$manifest: advisories"
    deny --offline check advisories
  else
    step "$manifest: advisories NOT CHECKED: the list of them is not on this machine (DENY_FETCH=1 fetches it)"
  fi
done
