#!/usr/bin/env bash
# Prints which images the project's are to be made from, as assignments for the shell: the official ones
# where they are here or can be pulled, else substitutes, which it builds. PG is the version of PostgreSQL, 17 by default.
source "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"

here=$root/tests/docker
source "$root/tests/packages/clean_root.sh"
number=${PG:-17}
is_here() { docker image inspect "$1" > /dev/null 2>&1; }
can_be_had() { is_here "$1" || timeout 60 docker pull -q "$1" > /dev/null 2>&1; }

# Each substitute is built from the one before: debootstrap, debian, then Rust and PostgreSQL.
make_debian() { # release
  if is_here "trips_standin/debian:$1"; then return; fi
  local scratch
  scratch=$(mktemp -d)
  base_of "$1"
  docker import "$tools/debootstrap/$1.tar" "trips_standin/debootstrap:$1" > /dev/null
  mkdir "$scratch/context"
  cp -L /etc/ssl/certs/ca-certificates.crt "$scratch/context/"
  build debian "$1" "$scratch/context" --build-arg "RELEASE=$1"
  rm -rf "$scratch"
}

make_rust() {
  if is_here trips_standin/rust:latest; then return; fi
  local context toolchain
  context=$(mktemp -d)
  toolchain=$(cd "$root" && rustc --print sysroot)
  mkdir "$context/toolchain"
  tar -C "$toolchain" --exclude=./share -c . | tar -C "$context/toolchain" -x
  build rust latest "$context"
  rm -rf "$context"
}

# From the release of Debian or Ubuntu that has this version. From 18 on, the official image has its data in another place.
make_postgres() {
  local release data=/var/lib/postgresql/data volume=/var/lib/postgresql/data
  if is_here "trips_standin/postgres:$number"; then return; fi
  case $number in
    15) release=bookworm ;;
    17) release=trixie ;;
    18) release=forky data=/var/lib/postgresql/18/docker volume=/var/lib/postgresql ;;
    16) release=noble ;;
    *) fail "PG=$number: there are images of PostgreSQL 15, 16, 17 and 18" ;;
  esac
  make_debian "$release"
  build postgres "$number" "$here" --build-arg "RELEASE=$release" --build-arg "PG=$number" \
    --build-arg "DATA=$data" --build-arg "DATA_VOLUME=$volume"
}

build() { # name tag context options
  step "building a substitute for $1:$2"
  local log
  log=$(DOCKER_BUILDKIT=0 docker build -t "trips_standin/$1:$2" -f "$here/$1.Dockerfile" "${@:4}" "$3" 2>&1) ||
    { tail -n 20 <<< "$log" >&2; fail "the substitute cannot be built"; }
}

for pair in DEBIAN:debian:trixie-slim:trixie RUST:rust:1.95-trixie:latest "POSTGRES:postgres:$number-trixie:$number"; do
  IFS=: read -r variable name tag standin <<< "$pair"
  image=$name:$tag
  if ! can_be_had "$image"; then
    make_debian trixie >&2
    [ "$name" = debian ] || "make_$name" >&2
    image=trips_standin/$name:$standin
  fi
  echo "export ${variable}_IMAGE=$image"
done
