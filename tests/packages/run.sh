#!/usr/bin/env bash
# The test of packages and archives: each is installed and used in a clean Debian 12 or 13, or Ubuntu 22.04 or 24.04,
# without a compiler. TESTS names some of: lint debs archive source_archive pgxn_archive. TRIPS_PACKAGES=here takes those of
# target/dist as they are.
source "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"

here=$root/tests/packages
dist=$root/target/dist
[ "$(id -u)" = 0 ] || fail "only root can make and enter clean systems: run it as root"
scratch=$(mktemp -d)
cleanup() { rm -rf "$scratch"; }
trap cleanup EXIT
passed=0
source "$here/clean_root.sh"
source "$here/sources.sh"

check() { # what expected found
  [ "$2" = "$3" ] || fail "$1: expected $2, found $3"
  step "ok: $1"
  passed=$((passed + 1))
}

if [ "${TRIPS_PACKAGES:-}" != here ]; then
  rm -rf "$dist"
  "$root/scripts/deb.sh"
  TRIPS_TREES=here "$root/scripts/dist.sh"
fi

lint() {
  command -v lintian > /dev/null || install_debian_packages lintian
  check "lintian says nothing of the packages" "" "$(lintian --allow-root --tag-display-limit 0 --fail-on none "$root"/target/deb/*.changes)"
  check "all files have their sums" "$(find "$dist" -type f ! -name SHA256SUMS | wc -l)" \
    "$(cd "$dist" && sha256sum --check SHA256SUMS | grep -c ': OK$')"
  check "the packages suggest pg_cron" "postgresql-15-cron, trips-pipeline-tools" \
    "$(dpkg-deb -f "$dist"/postgresql-15-trips-pipeline_*.deb Suggests)"
  check "they load with the C library of Ubuntu 22.04" 2.35 \
    "$(printf '%s\n' 2.35 "$(cat "$root/target/trees/glibc")" | sort -V | tail -n 1)"
}

debs() {
  local number
  in_clean_root bookworm deb 15
  in_clean_root trixie deb 17
  in_clean_root noble deb 16
  for number in 16 18; do
    "$root/scripts/new_pg.sh" "$number" > /dev/null
    in_clean_root bookworm foreign "$number"
  done
  in_clean_root trixie foreign 18
  in_clean_root jammy foreign 18
}

archive() {
  in_clean_root bookworm archive 15
  in_clean_root trixie archive 17
}

for test in ${TESTS:-lint debs archive source_archive pgxn_archive}; do "$test"; done
echo "$passed passed, 0 failed"
