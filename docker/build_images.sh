# Sourced by run.sh: the images of the chosen profile, from this checkout.
# shellcheck shell=bash disable=SC2154

# The commit, and whether the checkout is what it says.
revision() {
  local commit
  commit=$(git -C "$root" rev-parse HEAD 2> /dev/null) || { echo unknown; return; }
  [ -z "$(git -C "$root" status --porcelain 2> /dev/null)" ] || commit=$commit-changed
  echo "$commit"
}
is_current() { # image revision
  case $2 in unknown | *-changed) return 1 ;; esac
  [ "$(docker image inspect -f '{{index .Config.Labels "org.opencontainers.image.revision"}}' "$1" 2> /dev/null)" = "$2" ]
}

build_image() { # stage tag…
  local stage=$1 tag options=()
  shift
  for tag in "$@"; do options+=(-t "$tag"); done
  docker build -f "$here/Dockerfile" --target "$stage" "${options[@]}" --build-arg "PG=$pg" \
    --build-arg "RUST_IMAGE=$(setting RUST_IMAGE rust:1.95-trixie)" \
    --build-arg "POSTGRES_IMAGE=$(setting POSTGRES_IMAGE "postgres:$pg-trixie")" \
    --build-arg "DEBIAN_IMAGE=$(setting DEBIAN_IMAGE debian:trixie-slim)" \
    --build-arg "VERSION=$version" --build-arg "REVISION=$commit" "$root" >> "$log" 2>&1 ||
    { tail -n 30 "$log"; fail "the image $stage cannot be built: target/docker-build.log has all of it"; }
}

# Docker builds the stages before a target first, and takes them from its cache for the next one: each command runs once.
build_images() {
  local names commit stages="postgres" stage log=$root/target/docker-build.log pg
  pg=$(setting PG 17)
  case $pg in 15 | 16 | 17 | 18) ;; *) fail "PG=$pg: the images are for PostgreSQL 15, 16, 17 and 18" ;; esac
  names=$(setting TRIPS_IMAGES trips_pipeline)
  commit=$(revision)
  case $services in *spark*) stages="$stages spark" ;; esac
  case $services in *jupyter*) stages="$stages jupyter" ;; esac
  mkdir -p "$root/target"
  : > "$log"
  # Before the images: Node.js makes it, which no image has.
  "$root/scripts/page.sh"
  for stage in $stages; do
    case $stage in
      postgres) set -- "$names/postgres:pg$pg" "$names/postgres:$version-pg$pg" ;;
      *) set -- "$names/$stage:latest" "$names/$stage:$version" ;;
    esac
    if is_current "$1" "$commit"; then continue; fi
    step "building the image $2 (the first one takes ten minutes; target/docker-build.log)"
    build_image "$stage" "$@"
  done
  # The stage that compiles has 4 GB. Builds of the next commit begin with it if it is kept.
  if [ "${TRIPS_KEEP_BUILD:-no}" = yes ] && [ -s "$log" ]; then build_image build "$names/build:pg$pg"; fi
  docker image prune --force --filter label=trips_pipeline.stage >> "$log" 2>&1 || true
}
