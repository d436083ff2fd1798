# Sourced: the archives that are built where they are installed. Nothing of this machine's PostgreSQL changes: DESTDIR is
# before all paths.
# shellcheck shell=bash disable=SC2154

installed() { # directory
  (cd "$1$("$pg_config" --pkglibdir)" && ls trips_pipeline.so)
  (cd "$1$("$pg_config" --sharedir)/extension" && ls trips_pipeline*)
}
all_files="trips_pipeline.so trips_pipeline--$version.sql trips_pipeline.control"

# Without a network, and with no crates but its own.
source_archive() {
  local src=$scratch/trips_pipeline-$version-src target=$scratch/source
  tar -C "$scratch" -xJf "$dist/trips_pipeline-$version-src.tar.xz"
  step "the source archive, without a network (some minutes)"
  mkdir -p "$target/cargo"
  ln -s "${CARGO_HOME:-$HOME/.cargo}/bin" "$target/cargo/bin"
  (
    quick_builds
    unset CARGO_TARGET_DIR
    # Not with the cargo-pgrx of this checkout: the archive has its own.
    export PATH=${PATH//"$tools/bin:"/}
    CARGO_HOME=$target/cargo PG_CONFIG=$pg_config DESTDIR=$target/root \
      unshare --net make -C "$src" install > "$scratch/source.log" 2>&1
  ) || { tail -n 30 "$scratch/source.log"; fail "the source archive does not build without a network"; }
  check "the source archive is built without a network" "$all_files" "$(installed "$target/root" | xargs)"
  PG_CONFIG=$pg_config DESTDIR=$target/root make -s -C "$src" uninstall > /dev/null
  check "make uninstall" "" "$(find "$target/root" -name 'trips*')"
  rm -rf "$src" "$target"
}

# By the client of PGXN, which runs make all, then make install.
pgxn_archive() {
  local target=$scratch/pgxn archive=$dist/trips_pipeline-$version.zip
  need_tool pgxn_meta 0.7.0
  mkdir "$target"
  (cd "$target" && unzip -q "$archive" && pgxn_meta "trips_pipeline-$version/META.json") > "$scratch/meta.log" 2>&1 ||
    { cat "$scratch/meta.log"; fail "META.json is not valid"; }
  make_venv "$tools/python"
  "$tools/python/bin/pip" install --quiet --no-cache-dir --disable-pip-version-check pgxnclient==1.3.2
  step "the archive for PGXN, by its client (some minutes)"
  (
    quick_builds
    PATH=$tools/python/bin:$PATH CARGO_TARGET_DIR=$root/target/pgxn DESTDIR=$target/root \
      pgxn install --nosudo --pg_config "$pg_config" "$archive" > "$scratch/pgxn.log" 2>&1
  ) || { tail -n 30 "$scratch/pgxn.log"; fail "pgxn install failed"; }
  check "PGXN's client installs" "$all_files" "$(installed "$target/root" | xargs)"
  rm -rf "$target" "$root/target/pgxn"
}
