#!/usr/bin/env bash
# Freezes the install script of this version, for its release: later versions are tested to be what
# an update from it gives.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

frozen=$root/sql/released/$(basename "$(install_script)")
[ ! -f "$frozen" ] || fail "version $version is frozen already: raise the version in Cargo.toml (CONTRIBUTING.md, Versions)"
"$root/scripts/release_files.sh" release
mkdir -p "$(dirname "$frozen")"
cp "$(install_script)" "$frozen"
step "frozen: commit ${frozen#"$root"/}, then: git tag v$version && make deb dist test-packages"
