#!/usr/bin/env bash
# Archives of the last commit into target/dist, with SHA256SUMS:
#   trips_pipeline-V-src.tar.xz         the sources, with all crates and cargo-pgrx: it builds without a network
#   trips_pipeline-V-linux-ARCH.tar.gz  what is built, for the versions of PG_VERSIONS (15 16 17 18), with install.sh
#   trips_pipeline-V.zip                for PGXN
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

dist=$root/target/dist
work=$root/target/dist.work
name=trips_pipeline-$version
mkdir -p "$dist"
rm -rf "$work" "${dist:?}/$name"*
mkdir -p "$work"
[ -z "$(git -C "$root" status --porcelain)" ] || step "changes that are not committed are not in the source archives"

# Archives of the same commit are the same bytes.
time=$(git -C "$root" log -1 --format=%ct)
pack() { tar -C "$work" --sort=name --mtime="@$time" --owner=0 --group=0 --numeric-owner -c "$1"; }
checkout() { git -C "$root" archive --prefix="$1/" HEAD | tar -C "$work" -x; }

pgxn_archive() {
  step "the archive for PGXN"
  checkout "$name"
  mv "$work/$name/packaging/pgxn.mk" "$work/$name/Makefile"
  find "$work/$name" -exec touch -h -d "@$time" {} +
  (cd "$work" && find "$name" -type f | LC_ALL=C sort | TZ=UTC zip -q -X -9 "$dist/$name.zip" -@)
  rm -rf "${work:?}/$name"
}

source_archive() {
  step "the source archive, with all crates"
  checkout "$name-src"
  local src=$work/$name-src pgrx crate
  pgrx=$(sed -n 's/^pgrx = "=\(.*\)"$/\1/p' "$root/Cargo.toml")
  # The only command that fetches a program without building it.
  (cd / && cargo info --quiet "cargo-pgrx@$pgrx" > /dev/null)
  crate=$(printf '%s\n' "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/"cargo-pgrx-$pgrx" | head -n 1)
  cp -r "$crate" "$src/cargo-pgrx"
  rm -f "$src/cargo-pgrx/.cargo-ok"
  printf '\n[workspace]\n' >> "$src/cargo-pgrx/Cargo.toml" # not a member of ours
  # The page of the console, built: there, nothing gets Node.js.
  "$root/scripts/page.sh"
  cp -r "$root/crates/trips_console/page/dist" "$src/crates/trips_console/page/"
  mkdir "$src/.cargo"
  # With --quiet, it does not print the configuration.
  (cd "$src" && cargo vendor --locked --versioned-dirs --sync cargo-pgrx/Cargo.toml vendor > .cargo/config.toml 2> "$work/vendor.log") ||
    { tail "$work/vendor.log"; fail "cargo vendor failed"; }
  grep -q vendored-sources "$src/.cargo/config.toml" || fail "cargo vendor has not printed its configuration"
  pack "$name-src" | xz -T0 -6 > "$dist/$name-src.tar.xz"
}

binary_archive() {
  "$root/scripts/trees.sh"
  local binary number
  binary=$name-linux-$(uname -m)
  step "the binary archive"
  mkdir -p "$work/$binary"
  for number in ${PG_VERSIONS:-15 16 17 18}; do cp -r "$root/target/trees/pg$number" "$work/$binary/"; done
  cp -r "$root/target/trees/bin" "$root/README.md" "$root/CHANGELOG.md" "$root/LICENSE" "$root/docs" "$work/$binary/"
  cp "$root/samples/trips_sample.csv" "$work/$binary/"
  cp "$root/scripts/install_files.sh" "$work/$binary/install.sh"
  "$root/scripts/licence_texts.py" > "$work/$binary/licences.txt"
  strip --strip-unneeded "$work/$binary"/pg*/lib/*.so "$work/$binary"/bin/*
  pack "$binary" | gzip -9n > "$dist/$binary.tar.gz"
}

command -v zip > /dev/null || install_debian_packages zip
command -v xz > /dev/null || install_debian_packages xz-utils
pgxn_archive
source_archive
binary_archive
rm -rf "$work"
cd "$dist"
find . -maxdepth 1 -type f ! -name SHA256SUMS -printf '%P\0' | LC_ALL=C sort -z | xargs -0 sha256sum > SHA256SUMS
ls -1s --block-size=kB
