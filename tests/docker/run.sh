#!/usr/bin/env bash
# The test of the environment in containers: a clean clone, `make all`, and what must be true of it. The base
# images are the official ones, or substitutes where they cannot be had (images.sh). SUITE=1 runs the
# extension's own tests inside a container as well, on its PostgreSQL.
source "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"

here=$root/tests/docker
missing=()
command -v docker > /dev/null || missing+=(docker.io)
docker compose version > /dev/null 2>&1 || command -v docker-compose > /dev/null || missing+=(docker-compose)
if [ ${#missing[@]} -gt 0 ]; then install_debian_packages "${missing[@]}"; fi

# An engine of our own, where none runs.
scratch=$(mktemp -d)
engine=
if ! docker info > /dev/null 2>&1; then
  [ "$(id -u)" = 0 ] || fail "no Docker engine responds, and only root can start one"
  step "starting a Docker engine"
  dockerd > "$scratch/dockerd.log" 2>&1 &
  engine=$!
  for _ in $(seq 60); do docker info > /dev/null 2>&1 && break; sleep 0.5; done
  docker info > /dev/null 2>&1 || { tail "$scratch/dockerd.log"; fail "the Docker engine does not start"; }
fi

clone=$scratch/clone
# Nothing of an environment that is in use: neither its ports nor its network, images and volumes.
export TRIPS_PROJECT=trips_test_$$ TRIPS_NETWORK=trips_test_$$ TRIPS_IMAGES=trips_test
export POSTGRES_PORT=${POSTGRES_PORT:-55432} SPARK_UI_PORT=${SPARK_UI_PORT:-58100} JUPYTER_PORT=${JUPYTER_PORT:-59999}
images_made="$TRIPS_IMAGES/postgres $TRIPS_IMAGES/spark $TRIPS_IMAGES/jupyter"
cleanup() {
  [ ! -f "$clone/docker/.env" ] || "$clone/docker/run.sh" down -v > /dev/null 2>&1 || true
  [ -z "$engine" ] || kill "$engine"
  rm -rf "$scratch"
}
trap cleanup EXIT

passed=0
check() { # what expected found
  [ "$2" = "$3" ] || fail "$1: expected $2, found $3"
  step "ok: $1"
  passed=$((passed + 1))
}

images=$("$here/images.sh")
eval "$images"
git clone --quiet "$root" "$clone"
run=$clone/docker/run.sh
begin=$SECONDS
make -C "$clone" all | tee "$scratch/all.log"
step "make all took $((SECONDS - begin)) seconds"
grep -q 'loaded *|  *3014 |  *3000 |  *6 |  *8' "$scratch/all.log" || fail "the sample is not loaded"
grep -q 'Hamburg *| 2018-05-01 ' "$scratch/all.log" || fail "no averages are printed"
secrets=$(sed -n 's/^[A-Z]*_\(PASSWORD\|TOKEN\)=//p' "$clone/docker/.env")
check "three secrets, for their owner alone" "3 600" "$(wc -l <<< "$secrets") $(stat -c %a "$clone/docker/.env")"
# shellcheck disable=SC2086
check "no secret is in an image" 0 \
  "$({ docker image inspect $images_made; for image in $images_made; do docker history --no-trunc "$image"; done; } |
    grep -c -F -e "$secrets" -e PASSWORD= -e TOKEN= || true)"
check "no port is open to others" "" \
  "$("$run" compose ps -q | xargs docker inspect -f '{{range .NetworkSettings.Ports}}{{range .}}{{.HostIp}} {{end}}{{end}}' |
    xargs -n 1 | grep -v -x 127.0.0.1 || true)"
check "ports" "$(printf '%s\n' "$POSTGRES_PORT" "$SPARK_UI_PORT" "$JUPYTER_PORT" | sort | xargs)" \
  "$("$run" compose ps -q postgres spark jupyter | xargs docker inspect \
    -f '{{range .NetworkSettings.Ports}}{{range .}}{{.HostPort}} {{end}}{{end}}' | xargs -n 1 | sort | xargs)"
check "files are read-only" "1 1 1" \
  "$(for service in postgres spark spark-worker-1; do
    "$run" compose exec -T "$service" sh -c 'touch /data/x 2> /dev/null; echo $?' < /dev/null
  done | xargs)"

sql() { "$run" psql -qAt -c "$1" < /dev/null; }
check "nobody is root" "postgres spark spark spark spark" \
  "$(for service in postgres spark spark-worker-1 spark-worker-2 jupyter; do "$run" compose exec -T "$service" id -un < /dev/null; done | xargs)"

# From the host, with the password of docker/.env.
PGPASSWORD=$(sed -n 's/^POSTGRES_PASSWORD=//p' "$clone/docker/.env")
export PGPASSWORD
host_sql() { psql -h 127.0.0.1 -p "$POSTGRES_PORT" -U postgres -d trips -qAt -c "$1"; }
check "psql on the host: known bytes" skipped "$(host_sql "SELECT state FROM trips.ingest('/data/trips.csv')")"
data=$clone/docker/data
put() { # file region rows
  mkdir -p "$(dirname "$1")"
  { head -n 1 "$clone/samples/trips_sample.csv"
    for i in $(seq "$3"); do printf '%s,,,2018-07-02 00:%02d:%02d,%s\n' "$2" $((i % 60)) $((i % 7)) "$i"; done; } > "$scratch/new.csv"
  chmod 644 "$scratch/new.csv" && cp "$scratch/new.csv" "$1.part" && mv "$1.part" "$1"
}
put "$data/host.csv" Host 7
check "psql on the host: a new file" "loaded 7" \
  "$(host_sql "SELECT state || ' ' || rows_inserted FROM trips.ingest('/data/host.csv')")"

# A file that is dropped, and the scheduler in the container.
put "$data/inbox/.hidden" Hidden 1
sql "SELECT trips.schedule('inbox', '* * * * *', '/data/inbox/*.csv')" > /dev/null
put "$data/inbox/dropped.csv" Dropped 1
count() { sql "SELECT count(*) FROM trips.hist_trip_data WHERE region = '$1'"; }
for _ in $(seq 100); do
  [ "$(count Dropped)" = 0 ] || break
  sleep 1
done
check "a scheduled job loads a dropped file" 1 "$(count Dropped)"
sql "SELECT trips.unschedule('inbox')" > /dev/null

# Spark: two workers, the load, the averages.
workers() {
  local state
  state=$(curl -sf "http://127.0.0.1:$SPARK_UI_PORT/json/") || true
  echo "$(grep -c '"state" : "ALIVE"' <<< "$state") $(grep -c '"memory" : 1024,' <<< "$state")"
}
check "workers alive, with 1024 MB" "2 2" "$(workers)"
put "$data/spark.csv" Spark 500
put "$data/Züge und mehr.csv" Zug 3
# A pattern is for the container, whatever lies on the host.
make -s -C "$clone" spark-submit-insert > "$scratch/insert.log" 2>&1 || { tail -n 30 "$scratch/insert.log"; fail "the Spark load failed"; }
check "the Spark load" 500 "$(sql "SELECT rows_inserted FROM trips.loads WHERE source = '/data/spark.csv'")"
check "a name with blanks and an umlaut" "loaded 3" \
  "$(sql "SELECT state || ' ' || rows_inserted FROM trips.loads WHERE source = '/data/Züge und mehr.csv'")"
check "the Spark averages" "$(sql "SELECT concat_ws('|', region, week_of_month, weekly_avg) FROM trips.weekly_avg()")" \
  "$(make -s -C "$clone" spark-weekly-avg 2> /dev/null | grep '|' | tail -n +2)"

# Jupyter: only with its token; the notebook runs.
token=$(sed -n 's/^JUPYTER_TOKEN=//p' "$clone/docker/.env")
status() { curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$JUPYTER_PORT/api/contents$1"; }
check "Jupyter requires its token" "403 200" "$(status '') $(status "?token=$token")"
"$run" compose exec -T jupyter jupyter nbconvert --to notebook --execute --output /tmp/ran.ipynb trips.ipynb \
  < /dev/null > "$scratch/notebook.log" 2>&1 || { tail -n 30 "$scratch/notebook.log"; fail "the notebook failed"; }
check "the notebook draws three charts" 3 \
  "$("$run" compose exec -T jupyter cat /tmp/ran.ipynb < /dev/null | grep -c '"image/png":' || true)"
check "and Spark writes nothing into it" 0 \
  "$("$run" compose exec -T jupyter cat /tmp/ran.ipynb < /dev/null | grep -c '"name": "stderr"' || true)"

"$run" compose exec -T jupyter sh -c 'echo mine > mine.ipynb' < /dev/null

# Stopped and started, and removed and made again: the data stay, and all of it works again.
trips=$(sql "SELECT count(*) FROM trips.hist_trip_data")
all_is_well() {
  for _ in $(seq 90); do
    [ "$(workers)" != "2 2" ] || [ "$(healthy)" != 5 ] || break
    sleep 1
  done
  check "$1: healthy containers, workers, trips" "5 2 2 $trips" \
    "$(healthy) $(workers) $(sql "SELECT count(*) FROM trips.hist_trip_data")"
}
healthy() { "$run" compose ps -q | xargs docker inspect -f '{{.State.Health.Status}}' | grep -c -x healthy || true; }
"$run" compose stop > /dev/null 2>&1 && "$run" compose start > /dev/null 2>&1
all_is_well "stopped and started"
"$run" down > /dev/null 2>&1
# A new clone makes passwords of its own, and the volume has the old ones.
rm "$clone/docker/.env"
TRIPS_BUILD=no "$run" up > "$scratch/up.log" 2>&1 || { tail -n 30 "$scratch/up.log"; fail "it does not come up again"; }
all_is_well "down and up"
check "a notebook stays" "mine trips.ipynb" \
  "$("$run" compose exec -T jupyter sh -c 'cat mine.ipynb; ls trips.ipynb' < /dev/null | xargs)"
PGPASSWORD=$(sed -n 's/^POSTGRES_PASSWORD=//p' "$clone/docker/.env")
put "$data/again.csv" Again 2
check "new passwords: the host's" "loaded" "$(host_sql "SELECT state FROM trips.ingest('/data/host.csv', force => true)" || true)"
"$run" insert /data/again.csv > "$scratch/insert.log" 2>&1 || { tail -n 30 "$scratch/insert.log"; fail "the Spark load failed"; }
check "new passwords: Spark's" 2 "$(count Again)"
# The entrypoint takes options alone, as the official one does.
alone=$(docker run -d --rm -e POSTGRES_PASSWORD=x "$TRIPS_IMAGES/postgres" -c max_connections=47)
for _ in $(seq 60); do
  found=$(docker exec "$alone" psql -U postgres -d trips -qAtc 'SHOW max_connections' 2> /dev/null) && break
  sleep 1
done
docker stop "$alone" > /dev/null
check "options alone" 47 "$found"

if [ -n "${SUITE:-}" ]; then
  step "the extension's own tests on PostgreSQL 17, in the image that has built it"
  DOCKER_BUILDKIT=0 docker build -q --target build -t "$TRIPS_IMAGES/build" \
    --build-arg RUST_IMAGE --build-arg POSTGRES_IMAGE --build-arg DEBIAN_IMAGE \
    -f "$clone/docker/Dockerfile" "$clone" > /dev/null
  DOCKER_BUILDKIT=0 docker build -t "$TRIPS_IMAGES/suite" --build-arg "BUILD_IMAGE=$TRIPS_IMAGES/build" -f "$here/suite.Dockerfile" "$clone" > "$scratch/suite.log" 2>&1 ||
    { tail -n 30 "$scratch/suite.log"; fail "the suite's image cannot be built"; }
  docker run --rm --shm-size 1g --security-opt seccomp=unconfined "$TRIPS_IMAGES/suite"
  passed=$((passed + 1))
fi
echo "$passed passed, 0 failed"
