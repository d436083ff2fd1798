#!/usr/bin/env bash
# Checks META.json and CHANGELOG.md: that both are of the version in Cargo.toml, and in the form that PGXN and
# keepachangelog.com describe. `release_files.sh release` also wants a section with a date for this version, and
# its names of files in the documents.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

meta=$(python3 -c '
import json, sys
meta = json.load(open(sys.argv[1]))
print(meta["version"], *(part["version"] for part in meta["provides"].values()))' "$root/META.json")
[ "$meta" = "$version $version" ] || fail "META.json has the versions $meta, Cargo.toml has $version: write $version to both places"

# The awk of Debian 12 does not know [0-9]{4}. The newest version first; in each, the six kinds of changes, in their order and once.
awk -v kinds='Added Changed Deprecated Removed Fixed Security' '
  BEGIN { n = split(kinds, list, " "); for (i = 1; i <= n; i++) order[list[i]] = i }
  function wrong(why) { print FILENAME ":" FNR ": " why > "/dev/stderr"; bad = 1 }
  /^## / {
    if (!seen++ && $0 != "## [Unreleased]") wrong("the first section must be [Unreleased]")
    else if (seen > 1 && $0 !~ /^## \[[0-9]+\.[0-9]+\.[0-9]+\] - [0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]$/) wrong("expected: ## [1.2.3] - 2026-01-31")
    last = 0
  }
  /^### / { if (!(($2) in order) || NF != 2) wrong("expected one of: " kinds); else if (order[$2] <= last) wrong($2 " is twice, or behind a later kind"); last = order[$2] }
  END { exit bad }' "$root/CHANGELOG.md" || fail "CHANGELOG.md does not have the form of keepachangelog.com"

if [ "${1:-}" = release ]; then
  grep -q "^## \[${version//./\\.}\] - " "$root/CHANGELOG.md" ||
    fail "CHANGELOG.md has no section of version $version: write ## [$version] - $(date +%F) below ## [Unreleased]"
  # Names of packages, archives and images, and what the watcher prints.
  others=$(cd "$root" && grep -noE '(trips[-_]pipeline[-_ ]|`)[0-9]+\.[0-9]+\.[0-9]+(-pg[0-9]+|-1_|-linux|,|`)' README.md docs/{install,upgrade,containers,loading}.md |
    grep -vF -e "pipeline_$version" -e "pipeline-$version" -e "pipeline $version" -e "\`$version" || true)
  [ -z "$others" ] || fail "documents name another version than $version:
$others"
fi
