#!/usr/bin/env bash
# tree.sh DIRECTORY: what package.sh has built, as DIRECTORY/lib and DIRECTORY/extension, wherever the PostgreSQL of the
# build has its files.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

rm -rf "$1"
mkdir -p "$1/lib" "$1/extension"
install -m 644 "$package$("$pg_config" --pkglibdir)/trips_pipeline.so" "$1/lib/"
install -m 644 "$package$("$pg_config" --sharedir)/extension/"trips_pipeline* "$1/extension/"
