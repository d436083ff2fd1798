#!/usr/bin/env bash
# Prints which images the project's are to be made from, as assignments for the shell: the official ones
# where they are here or can be pulled, else substitutes, which it builds.
source "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"

here=$root/tests/docker
is_here() { docker image inspect "$1" > /dev/null 2>&1; }
can_be_had() { is_here "$1" || timeout 60 docker pull -q "$1" > /dev/null 2>&1; }

# Each substitute is built from the one before: debootstrap, debian, then Rust and PostgreSQL.
make_debian() {
  if is_here trips_standin/debian; then return; fi
  command -v debootstrap > /dev/null || install_debian_packages debootstrap
  local base
  base=$(mktemp -d)
  step "debootstrap of trixie"
  debootstrap --variant=minbase trixie "$base/root" > "$base/log" || { tail "$base/log"; fail "debootstrap failed"; }
  rm -rf "$base/root/var/cache/apt/archives/"*.deb "$base/root/var/lib/apt/lists/"*
  tar -C "$base/root" -c . | docker import - trips_standin/debootstrap > /dev/null
  mkdir "$base/context"
  cp -L /etc/ssl/certs/ca-certificates.crt "$base/context/"
  build debian "$base/context"
  rm -rf "$base"
}

make_rust() {
  if is_here trips_standin/rust; then return; fi
  local context toolchain
  context=$(mktemp -d)
  toolchain=$(cd "$root" && rustc --print sysroot)
  mkdir "$context/toolchain"
  tar -C "$toolchain" --exclude=./share -c . | tar -C "$context/toolchain" -x
  build rust "$context"
  rm -rf "$context"
}

make_postgres() {
  if is_here trips_standin/postgres; then return; fi
  build postgres "$here"
}

build() { # name context
  step "building a substitute for $1"
  DOCKER_BUILDKIT=0 docker build -q -t "trips_standin/$1" -f "$here/$1.Dockerfile" "$2" > /dev/null
}

for pair in DEBIAN:debian:trixie-slim:debian RUST:rust:1.95-trixie:rust POSTGRES:postgres:17-trixie:postgres; do
  IFS=: read -r variable name tag standin <<< "$pair"
  image=$name:$tag
  if ! can_be_had "$image"; then
    make_debian >&2
    "make_$standin" >&2
    image=trips_standin/$standin
  fi
  echo "export ${variable}_IMAGE=$image"
done
