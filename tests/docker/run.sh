#!/usr/bin/env bash
# The test of the environment in containers: a clean clone, `make all`, and what must be true of it. The base
# images are the official ones, or stand-ins where they cannot be had (images.sh). SUITE=1 runs the
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
  [ "$(id -u)" = 0 ] || fail "no Docker engine answers, and only root can start one"
  step "starting a Docker engine"
  dockerd > "$scratch/dockerd.log" 2>&1 &
  engine=$!
  for _ in $(seq 60); do docker info > /dev/null 2>&1 && break; sleep 0.5; done
  docker info > /dev/null 2>&1 || { tail "$scratch/dockerd.log"; fail "the Docker engine does not start"; }
fi

clone=$scratch/clone
export TRIPS_PROJECT=trips_test_$$ POSTGRES_PORT=${POSTGRES_PORT:-55432}
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
check "no password is in an image" 0 \
  "$(docker image inspect trips_pipeline/postgres trips_pipeline/spark trips_pipeline/jupyter |
    grep -c -i -E 'PASSWORD=|TOKEN=' || true)"

sql() { "$run" psql -qAt -c "$1" < /dev/null; }
check "nobody is root" "postgres spark spark" \
  "$(for service in postgres spark jupyter; do "$run" compose exec -T "$service" id -un < /dev/null; done | xargs)"

# From the host, with the password of docker/.env.
PGPASSWORD=$(sed -n 's/^POSTGRES_PASSWORD=//p' "$clone/docker/.env")
export PGPASSWORD
check "psql on the host: known bytes" skipped \
  "$(psql -h 127.0.0.1 -p "$POSTGRES_PORT" -U postgres -d trips -qAt -c "SELECT state FROM trips.ingest('/data/trips.csv')")"

# A file that is dropped, and the scheduler in the container.
data=$clone/docker/data
sql "SELECT cron.schedule('inbox', '2 seconds', \$\$SELECT trips.ingest('/data/inbox.csv') WHERE (pg_stat_file('/data/inbox.csv', true)).size > 0 AND NOT EXISTS (SELECT FROM trips.loads WHERE source = '/data/inbox.csv' AND state = 'loaded')\$\$)" > /dev/null
(cd "$clone" && head -n 1 samples/trips_sample.csv && echo 'Dropped,,,2018-07-01 00:00:00,x') > "$data/.new"
chmod 644 "$data/.new" && mv "$data/.new" "$data/inbox.csv"
for _ in $(seq 60); do
  [ "$(sql "SELECT count(*) FROM trips.hist_trip_data WHERE region = 'Dropped'")" = 0 ] || break
  sleep 1
done
check "a scheduled job loads a dropped file" 1 "$(sql "SELECT count(*) FROM trips.hist_trip_data WHERE region = 'Dropped'")"
sql "SELECT cron.unschedule('inbox')" > /dev/null

# Spark: two workers, the load, the averages.
state=$(curl -sf http://127.0.0.1:8100/json/)
check "workers alive, with 1024 MB" "2 2" \
  "$(grep -c '"state" : "ALIVE"' <<< "$state") $(grep -c '"memory" : 1024,' <<< "$state")"
(cd "$clone" && head -n 1 samples/trips_sample.csv && for i in $(seq 500); do printf 'Spark,,,2018-07-02 00:%02d:%02d,%s\n' $((i % 60)) $((i % 7)) "$i"; done) > "$data/spark.csv"
chmod 644 "$data/spark.csv"
make -s -C "$clone" spark-submit-insert > "$scratch/insert.log" 2>&1 || { tail -n 30 "$scratch/insert.log"; fail "the Spark load failed"; }
check "the Spark load" 500 "$(sql "SELECT rows_inserted FROM trips.loads WHERE source = '/data/spark.csv'")"
check "the Spark averages" "$(sql "SELECT concat_ws('|', region, week_of_month, weekly_avg) FROM trips.weekly_avg()")" \
  "$(make -s -C "$clone" spark-weekly-avg 2> /dev/null | grep '|')"

# Jupyter: only with its token; the notebook runs.
token=$(sed -n 's/^JUPYTER_TOKEN=//p' "$clone/docker/.env")
status() { curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:9999/api/contents$1"; }
check "Jupyter asks for its token" "403 200" "$(status '') $(status "?token=$token")"
"$run" compose exec -T jupyter jupyter nbconvert --to notebook --execute --output /tmp/ran.ipynb trips.ipynb \
  < /dev/null > "$scratch/notebook.log" 2>&1 || { tail -n 30 "$scratch/notebook.log"; fail "the notebook failed"; }
check "the notebook runs" 1 \
  "$("$run" compose exec -T jupyter cat /tmp/ran.ipynb < /dev/null | grep -c 'Hamburg|   2018-05-01' || true)"

# Stopped and started, and removed and made again: the data stay.
trips=$(sql "SELECT count(*) FROM trips.hist_trip_data")
"$run" compose stop > /dev/null 2>&1 && "$run" compose start > /dev/null 2>&1
for _ in $(seq 60); do sql 'SELECT 1' > /dev/null 2>&1 && break; sleep 1; done
check "stopped and started" "$trips" "$(sql "SELECT count(*) FROM trips.hist_trip_data")"
"$run" down > /dev/null 2>&1
"$run" up > "$scratch/up.log" 2>&1 || { tail -n 30 "$scratch/up.log"; fail "it does not come up again"; }
check "down and up" "$trips" "$(sql "SELECT count(*) FROM trips.hist_trip_data")"

if [ -n "${SUITE:-}" ]; then
  step "the extension's own tests on PostgreSQL 17, in the image that has built it"
  DOCKER_BUILDKIT=0 docker build -q --target build -t trips_pipeline/build \
    --build-arg RUST_IMAGE --build-arg POSTGRES_IMAGE --build-arg DEBIAN_IMAGE \
    -f "$clone/docker/Dockerfile" "$clone" > /dev/null
  DOCKER_BUILDKIT=0 docker build -t trips_pipeline/suite -f "$here/suite.Dockerfile" "$clone" > "$scratch/suite.log" 2>&1 ||
    { tail -n 30 "$scratch/suite.log"; fail "the suite's image cannot be built"; }
  docker run --rm --shm-size 1g --security-opt seccomp=unconfined trips_pipeline/suite
  passed=$((passed + 1))
fi
echo "$passed passed, 0 failed"
