#!/usr/bin/env bash
# Builds the extension and puts it into a PostgreSQL of the project's own: the installed one's
# programs (copied: a server finds its files from where its program lies), its files (linked), and
# ours. So nothing is written to the system's directories, and two checkouts do not conflict.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

step "building the extension for PostgreSQL $pg"
mkdir -p "$root/target"
"$root/scripts/package.sh" > "$root/target/package.log" 2>&1 ||
  { cat "$root/target/package.log"; fail "the build failed"; }

make_run_dir
bin=$(in_tree bindir) share=$(in_tree sharedir) lib=$(in_tree pkglibdir)
mkdir -p "$bin" "$share/extension" "$lib"
cp -a --remove-destination "$("$pg_config" --bindir)/." "$bin/"
link_all() { find "$1" -mindepth 1 -maxdepth 1 ! -name extension -exec ln -sfn -t "$2" {} +; }
link_all "$("$pg_config" --sharedir)" "$share"
link_all "$("$pg_config" --sharedir)/extension" "$share/extension"
link_all "$("$pg_config" --pkglibdir)" "$lib"

# Libraries that the programs look for beside themselves (a PostgreSQL that is not the system's).
ldd "$("$pg_config" --bindir)/postgres" "$("$pg_config" --bindir)/initdb" "$("$pg_config" --bindir)/psql" \
  2> /dev/null | sed -n 's/.* => \(\/.*\) (0x.*/\1/p' | sort -u |
  while read -r library; do
    library=$(realpath -s "$library")
    case $library in
      /lib/* | /lib64/* | /usr/*) ;;
      *) mkdir -p "$tree$(dirname "$library")" && ln -sfn "$(realpath "$library")" "$tree$library" ;;
    esac
  done

# Renamed at the end, so that a running server keeps the library that it has open.
replace() {
  rm -f "$2/$(basename "$1")" && cp "$1" "$2/.new" && mv "$2/.new" "$2/$(basename "$1")"
}
rm -f "$share/extension/trips_pipeline"*
for file in "$package$("$pg_config" --sharedir)/extension/"*; do replace "$file" "$share/extension"; done
for file in "$package$("$pg_config" --pkglibdir)/"*.so; do replace "$file" "$lib"; done
