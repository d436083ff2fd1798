#!/usr/bin/env bash
# Tests of the console's page in Debian's Chromium, which it installs where it is missing. Arguments go to cargo test;
# `test_console.sh pictures` writes the pictures of docs/images anew instead.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

missing=()
command -v chromium > /dev/null || missing+=(chromium)
command -v chromedriver > /dev/null || missing+=(chromium-driver)
command -v setpriv > /dev/null || missing+=(util-linux)
if [ "${1:-}" = pictures ]; then command -v pngquant > /dev/null || missing+=(pngquant); fi
if [ ${#missing[@]} -gt 0 ]; then install_debian_packages "${missing[@]}"; fi
"$root/scripts/page.sh"

if [ "${1:-}" = pictures ]; then
  TRIPS_PICTURES=$(mktemp -d)
  export TRIPS_PICTURES
  trap 'rm -rf "$TRIPS_PICTURES"' EXIT
  "$root/scripts/test.sh" --package trips_console_tests -- --ignored pictures::
  step "making the pictures small"
  for picture in "$TRIPS_PICTURES"/*.png; do
    pngquant --force --strip --speed 1 --output "$root/docs/images/$(basename "$picture")" 128 "$picture"
  done
  du -cbh "$root"/docs/images/console-*.png | tail -n 1
  exit 0
fi
"$root/scripts/page.sh" test
# Browsers need more of the machine than tests of servers.
RUST_TEST_THREADS=${RUST_TEST_THREADS:-$(nproc)} "$root/scripts/test.sh" --package trips_console_tests "$@"
