#!/usr/bin/env bash
# Freezes the install script of this version, for its release: later versions are tested to be what
# an update from it gives.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

frozen=$root/sql/released/$(basename "$(install_script)")
[ ! -f "$frozen" ] || fail "version $version is frozen already"
mkdir -p "$(dirname "$frozen")"
cp "$(install_script)" "$frozen"
step "frozen: commit ${frozen#"$root"/}, tag the release, then raise the version in Cargo.toml"
