#!/usr/bin/env bash
# The test of `make install`, `make uninstall` and `make installcheck`: which server they find, what they say, what they
# write and remove. They write below a directory of the test, and check a server of the test.
source "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"

scratch=$(mktemp -d)
chmod 755 "$scratch"
data=$scratch/server
bin=$(in_tree bindir)
cleanup() {
  [ ! -f "$data/pg/postmaster.pid" ] || as_server "$bin/pg_ctl" stop -D "$data/pg" -m immediate > /dev/null 2>&1 || true
  rm -rf "$scratch"
}
trap cleanup EXIT
passed=0
check() { # what expected found
  [ "$2" = "$3" ] || fail "$1: expected '$2', found '$3'"
  step "ok: $1"
  passed=$((passed + 1))
}
install_files=$root/scripts/install_files.sh

# Servers that only have a name, where Debian has its own.
homes=$scratch/homes
make_server() { # directory version
  mkdir -p "$1/bin"
  printf '#!/bin/sh\ncase $1 in --version) echo PostgreSQL %s ;; --bindir) echo %s ;; esac\n' "$2" "$1/bin" > "$1/bin/pg_config"
  touch "$1/bin/postgres"
  chmod 755 "$1/bin/"*
}
make_server "$homes/9.6" 9.6.24
make_server "$homes/15" 15.12
make_server "$homes/17" 17.5
make_server "$homes/19" 19.0
make_server "$scratch/own" 16.9
mkdir -p "$scratch/library" && make_server "$scratch/library" 17.5 && rm "$scratch/library/bin/postgres"
find_in() { # PATH's first directory, then assignments
  env -u PG -u PG_CONFIG PATH="$1:/usr/bin:/bin" TRIPS_DEBIAN_SERVERS="$homes" "${@:2}" "$install_files" find 2>&1 || true
}
empty=$scratch/empty
mkdir "$empty"
# Debian's pg_config in /usr/bin would be found before the servers of the test.
printf '#!/bin/sh\nexit 1\n' > "$empty/pg_config" && chmod 755 "$empty/pg_config"
check "the newest of Debian's that is supported" "$homes/17/bin/pg_config" "$(find_in "$empty")"
check "PG chooses a version" "$homes/15/bin/pg_config" "$(find_in "$empty" PG=15)"
check "PATH before Debian's" "$scratch/own/bin/pg_config" "$(find_in "$scratch/own/bin")"
check "not a pg_config without its server" "$homes/17/bin/pg_config" "$(find_in "$scratch/library/bin")"
check "PG_CONFIG before PATH" "$homes/15/bin/pg_config" "$(find_in "$scratch/own/bin" PG_CONFIG="$homes/15/bin/pg_config")"
says() { # text, command…
  local found
  found=$("${@:2}" 2>&1 || true)
  [[ $found == *"$1"* ]] || fail "expected '$1' in '$found'"
  step "ok: it says '$1'"
  passed=$((passed + 1))
}
says "set it to the path of one" find_in "$empty" PG_CONFIG=/nowhere/pg_config
says "library/bin/postgres is missing" find_in "$empty" PG_CONFIG="$scratch/library/bin/pg_config"
says "PostgreSQL 19, not one of 15 16 17 18" find_in "$empty" PG_CONFIG="$homes/19/bin/pg_config"
says "install one (Debian: apt-get install postgresql), or set PG_CONFIG" find_in "$empty" TRIPS_DEBIAN_SERVERS="$empty"

# What make build has made, for the server in its tree.
"$root/scripts/tree.sh" "$scratch/trees/pg$pg"
export PG_CONFIG=$bin/pg_config
target=$scratch/target
said=$(DESTDIR=$target "$install_files" install "$scratch/trees")
says "installing into $("$PG_CONFIG" --version) ($bin)" echo "$said"
says "CREATE EXTENSION trips_pipeline;" echo "$said"
check "the files" "trips_pipeline--$version.sql trips_pipeline.control trips_pipeline.so" \
  "$(cd "$target" && find . -type f -printf '%f\n' | sort | xargs)"
said=$(DESTDIR=$target "$install_files" uninstall)
says "trips_pipeline.so" echo "$said"
check "nothing is left" "" "$(find "$target" -type f)"
says "nothing is removed" env DESTDIR="$target" "$install_files" uninstall
says "there are no files for PostgreSQL $pg" env DESTDIR="$target" "$install_files" install "$empty"

# A server with the extension.
mkdir "$data" && chown "$server_user" "$data"
as_server "$bin/initdb" -D "$data/pg" --auth=trust --encoding=UTF8 --locale=C.UTF-8 > /dev/null 2>&1
as_server "$bin/pg_ctl" start -D "$data/pg" -w -l "$data/log" -o "-c listen_addresses= -k $data" > /dev/null
export PGHOST=$data PGUSER=$server_user
installcheck() { make -s -C "$root" installcheck > "$scratch/installcheck.log" 2>&1 && echo passed || echo failed; }
check "make installcheck" passed "$(installcheck)"
# With dates that make its rows bad, the answers are others.
check "make installcheck notices other answers" failed "$(PGOPTIONS='-c trips.earliest_date=2019-01-01' installcheck)"
check "its database is gone" 0 \
  "$("$bin/psql" -X -d postgres -qAtc "SELECT count(*) FROM pg_database WHERE datname = 'trips_installcheck'")"
check "its file is gone" "" "$(find /tmp -maxdepth 1 -name 'trips_installcheck_*' -newer "$data/pg/PG_VERSION")"
echo "$passed passed, 0 failed"
