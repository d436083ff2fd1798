#!/usr/bin/env bash
# Debian packages into target/dist: postgresql-NN-trips-pipeline for each version of PG_VERSIONS (15 16 17 18), and
# trips-pipeline-tools. DEBFULLNAME and DEBEMAIL name the maintainer.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

versions=${PG_VERSIONS:-15 16 17 18}
dist=$root/target/dist
trees=$root/target/trees
work=$root/target/deb/trips-pipeline-$version

missing=()
command -v dh > /dev/null || missing+=(debhelper)
command -v dpkg-buildpackage > /dev/null || missing+=(dpkg-dev)
command -v fakeroot > /dev/null || missing+=(fakeroot)
if [ ${#missing[@]} -gt 0 ]; then install_debian_packages "${missing[@]}"; fi
"$root/scripts/trees.sh"

maintainer="${DEBFULLNAME:-the trips_pipeline authors} <${DEBEMAIL:-$(git -C "$root" config user.email || echo "root@$(hostname)")}>"
rm -rf "$root/target/deb"
mkdir -p "$work/licences" "$dist"
cp -r "$root/packaging/debian" "$work/debian"
cp -r "$trees/." "$work/"
"$root/scripts/licence_texts.py" > "$work/licences/licences"
cd "$work"
# Users of the packages read the documents there, and load the sample.
cp -r "$root/README.md" "$root/CHANGELOG.md" "$root/docs" "$root/samples/trips_sample.csv" "$root/packaging/man" .
rm -rf docs/images docs/feed.schema.json docs/querying.sql

fill() { # file, then what becomes of @NAME@, in pairs
  local text name
  text=$(cat "$1")
  shift
  while [ $# -gt 0 ]; do
    name=$1
    text=${text//"@$name@"/$2}
    shift 2
  done
  printf '%s\n' "$text"
}
fill debian/control.in MAINTAINER "$maintainer" > debian/control
fill debian/copyright LICENCE "$(tail -n +5 "$root/LICENSE" | sed 's/^$/./; s/^/ /')" > debian/copyright.new
mv debian/copyright.new debian/copyright
for number in $versions; do
  name=postgresql-$number-trips-pipeline
  printf '\n' >> debian/control
  fill debian/control.server.in PG "$number" >> debian/control
  fill debian/README.Debian.in PG "$number" > "debian/$name.README.Debian"
  printf '%s\n' "pg$number/lib/trips_pipeline.so usr/lib/postgresql/$number/lib" \
    "pg$number/extension/* usr/share/postgresql/$number/extension" > "debian/$name.install"
  echo trips_sample.csv > "debian/$name.examples"
  printf '%s\n' README.md docs licences/licences > "debian/$name.docs"
done
# These packages are not Debian's: no bug of Debian's asks for them.
for package in $(sed -n 's/^Package: //p' debian/control); do
  echo "$package: initial-upload-closes-no-bugs" > "debian/$package.lintian-overrides"
done
printf '%s usr/bin\n' bin/trips_reader bin/trips_watch bin/trips_console > debian/trips-pipeline-tools.install
printf '%s\n' man/trips_reader.1 man/trips_watch.1 man/trips_console.1 > debian/trips-pipeline-tools.manpages
echo licences/licences > debian/trips-pipeline-tools.docs
rm debian/*.in

SOURCE_DATE_EPOCH=$(git -C "$root" log -1 --format=%ct)
export SOURCE_DATE_EPOCH
cat > debian/changelog << TEXT
trips-pipeline ($version-1) unstable; urgency=medium

  * Release $version: changelog.gz in this directory has its changes.

 -- $maintainer  $(date -R -u -d "@$SOURCE_DATE_EPOCH")
TEXT

step "building packages for PostgreSQL $versions"
dpkg-buildpackage --build=binary --no-sign --no-check-builddeps > ../build.log 2>&1 ||
  { tail -n 40 ../build.log; fail "dpkg-buildpackage failed: target/deb/build.log has all of it"; }
cp ../*.deb "$dist/"
(cd .. && ls -1s --block-size=kB ./*.deb)
step "target/dist has them; install one with: apt-get install ./target/dist/postgresql-NN-trips-pipeline_*.deb"
