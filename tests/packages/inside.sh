#!/usr/bin/env bash
# Inside a clean Debian, in namespaces of its own (clean_root.sh): installs and uses what lies in /packages.
#   inside.sh deb NN       the package, with Debian's PostgreSQL NN
#   inside.sh foreign NN   the package, with the programs of PostgreSQL NN in /servers/pgNN: this Debian does not have it
#   inside.sh archive NN   the binary archive, with Debian's PostgreSQL NN; and its removal
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
kind=$1 number=$2

fail() { printf 'error: %s\n' "$*" >&2; exit 1; }
timed() {
  local begin=${EPOCHREALTIME/./}
  "$@"
  printf '   %s: %d ms\n' "$*" $(((${EPOCHREALTIME/./} - begin) / 1000))
}
check() { # what expected found
  [ "$2" = "$3" ] || fail "$1: expected $2, found $3"
  printf 'ok: %s\n' "$1"
}

no_compiler() {
  for program in cc gcc clang cargo rustc make; do
    if command -v $program; then fail "this system has $program"; fi
  done
}
quietly() { "$@" > /tmp/log 2>&1 || { tail -n 20 /tmp/log; fail "$*"; }; }
apt_install() { quietly apt-get install -y -q --no-install-recommends "$@"; }

# Debian's server, on its socket only.
debian_server() {
  bin=/usr/lib/postgresql/$number/bin socket=/var/run/postgresql
  [ -d "/etc/postgresql/$number/main" ] || quietly pg_createcluster "$number" main
  pg_conftool "$number" main set listen_addresses ''
  quietly pg_ctlcluster "$number" main start
}
# A server that is not Debian's. It gets links to the files of the package.
foreign_server() {
  local config data=/var/lib/foreign
  # One of the Python packages has several versions.
  while read -r config; do
    if [[ $("$config" --version) == "PostgreSQL $number."* ]]; then break; fi
  done < <(find "/servers/pg$number" -path '*/bin/pg_config')
  bin=$("$config" --bindir) socket=$data
  ln -s "/usr/lib/postgresql/$number/lib/trips_pipeline.so" "$("$config" --pkglibdir)/"
  ln -s "/usr/share/postgresql/$number/extension/trips_pipeline"* "$("$config" --sharedir)/extension/"
  id postgres > /dev/null 2>&1 || useradd postgres
  install -d -o postgres "$data"
  quietly as_postgres "$bin/initdb" -D "$data/pg" --encoding=UTF8 --locale=C.UTF-8
  quietly as_postgres "$bin/pg_ctl" -D "$data/pg" -w -l "$data/log" -o "-c listen_addresses= -k $data" start
}
as_postgres() { runuser -u postgres -- "$@"; }
sql() { as_postgres env PGHOST="$socket" "$bin/psql" -X -v ON_ERROR_STOP=1 -qAt -d trips -c "$1"; }

use_it() { # sample
  as_postgres env PGHOST="$socket" "$bin/createdb" --encoding=UTF8 --template=template0 trips
  timed sql 'CREATE EXTENSION trips_pipeline'
  timed sql "SELECT state, rows_read, rows_inserted, rows_duplicate, rows_staged FROM trips.ingest('$1')" > /tmp/loaded
  cat /tmp/loaded
  check "the sample is loaded" 'loaded|3014|3000|6|8' "$(head -n 1 /tmp/loaded)"
  check "it is known" 'skipped' "$(sql "SELECT state FROM trips.ingest('$1')" 2> /dev/null)"
  check "trips.verify()" '' "$(sql 'SELECT check_name FROM trips.verify() WHERE NOT passed')"
  check "the version" "$VERSION" "$(sql "SELECT extversion FROM pg_extension WHERE extname = 'trips_pipeline'")"
  check "averages" 50 "$(sql 'SELECT count(*) FROM trips.weekly_avg()')"
}
use_tools() { # directory
  check "trips_reader" "$VERSION" "$("$1/trips_reader" version)"
  check "trips_reader splits the sample" 1 "$("$1/trips_reader" split "$2" | grep -c '"splits"')"
  # There is no server where it looks: it runs, and says so.
  if "$1/trips_watch" 'host=/nowhere dbname=trips user=postgres' > /tmp/watch 2>&1; then fail "trips_watch found a server"; fi
  check "trips_watch runs" 1 "$(grep -c '^trips_watch: error: ' /tmp/watch)"
  check "trips_watch has its version" "trips_watch $VERSION" "$("$1/trips_watch" --version)"
  check "trips_console has its version" "trips_console $VERSION" "$("$1/trips_console" --version)"
}

sample=/usr/share/doc/postgresql-$number-trips-pipeline/examples/trips_sample.csv
no_compiler
quietly apt-get update -q
case $kind in
  deb)
    timed apt_install "/packages/postgresql-$number-trips-pipeline_"*.deb /packages/trips-pipeline-tools_*.deb
    no_compiler
    debian_server
    use_it "$sample"
    use_tools /usr/bin "$sample"
    # The packages take their files with them, and the server goes on without.
    quietly apt-get remove -y "postgresql-$number-trips-pipeline" trips-pipeline-tools
    check "nothing is left" '' "$(find "/usr/lib/postgresql/$number" /usr/share/postgresql /usr/bin -name 'trips*')"
    check "the server runs" 1 "$(sql 'SELECT 1')" ;;
  foreign)
    quietly dpkg --install --force-depends "/packages/postgresql-$number-trips-pipeline_"*.deb
    foreign_server
    use_it "$sample" ;;
  archive)
    apt_install "postgresql-$number"
    tar -C /opt -xzf /packages/trips_pipeline-*-linux-*.tar.gz
    cd /opt/trips_pipeline-*
    ./install.sh > /tmp/said
    check "install.sh names the server" 1 "$(grep -c "installing into PostgreSQL $number\." /tmp/said)"
    check "install.sh names the next step" 1 "$(grep -c 'CREATE EXTENSION trips_pipeline;' /tmp/said)"
    debian_server
    chmod a+r trips_sample.csv
    use_it "$PWD/trips_sample.csv"
    use_tools "$PWD/bin" "$PWD/trips_sample.csv"
    ./install.sh uninstall > /dev/null
    check "nothing is left" '' "$(find "/usr/lib/postgresql/$number" /usr/share/postgresql -name 'trips*')" ;;
esac
