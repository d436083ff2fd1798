#!/usr/bin/env bash
# The test of the environment in containers: a clean clone, `make all`, and what must be true of it. The base
# images are the official ones, or substitutes where they cannot be had (images.sh). VERSIONS="15 18" tests these images, too,
# in some ten minutes each. SUITE=1 runs the extension's own tests inside a container as well, on its PostgreSQL.
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
export TRIPS_PROJECT=trips_test_$$ TRIPS_NETWORK=trips_test_$$ TRIPS_IMAGES=trips_test TRIPS_KEEP_BUILD=yes
unset PG COMPOSE_PROFILES
export POSTGRES_PORT=${POSTGRES_PORT:-55432} CONSOLE_PORT=${CONSOLE_PORT:-58432} SPARK_UI_PORT=${SPARK_UI_PORT:-58100} JUPYTER_PORT=${JUPYTER_PORT:-59999}
images_made="$TRIPS_IMAGES/postgres:pg17 $TRIPS_IMAGES/spark $TRIPS_IMAGES/jupyter"
taker=
cleanup() {
  [ -z "$taker" ] || kill "$taker" 2> /dev/null || true
  remove_alone
  docker volume rm "${alone}_data" "${TRIPS_PROJECT}_pgdata" > /dev/null 2>&1 || true
  [ ! -f "$clone/docker/.env" ] || "$clone/docker/run.sh" down -v > /dev/null 2>&1 || true
  # Those of other versions.
  docker volume ls -q --filter "label=com.docker.compose.project=$TRIPS_PROJECT" | xargs -r docker volume rm > /dev/null 2>&1 || true
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

source "$here/image.sh"
source "$here/versions.sh"
images=$("$here/images.sh")
eval "$images"
git clone --quiet "$root" "$clone"
run=$clone/docker/run.sh
# As an older checkout has left it.
docker volume create "${TRIPS_PROJECT}_pgdata" > /dev/null
begin=$SECONDS
make -C "$clone" all | tee "$scratch/all.log"
step "make all took $((SECONDS - begin)) seconds"
grep -q 'loaded *|  *3014 |  *3000 |  *6 |  *8' "$scratch/all.log" || fail "the sample is not loaded"
grep -q 'Hamburg *| 2018-05-01 ' "$scratch/all.log" || fail "no averages are printed"
check "make all says where everything is" 8 \
  "$(grep -c -e 'docker/run.sh psql$' -e "port=$POSTGRES_PORT" -e '/data/trips.csv' -e 'docker/data/inbox$' -e 'docker/run.sh watch$' \
    -e "http://127.0.0.1:$CONSOLE_PORT/?token=[0-9a-f]" -e "http://127.0.0.1:$JUPYTER_PORT/lab/tree/trips.ipynb?token=[0-9a-f]" -e "http://127.0.0.1:$SPARK_UI_PORT " "$scratch/all.log")"
check "an old volume is named, and not used" 1 "$(grep -c "the volume ${TRIPS_PROJECT}_pgdata is from before" "$scratch/all.log")"
docker volume rm "${TRIPS_PROJECT}_pgdata" > /dev/null
check "make all is quiet" yes "$([ "$(wc -l < "$scratch/all.log")" -le 60 ] && echo yes || wc -l < "$scratch/all.log")"
check "nothing dangling is left" "" "$(docker image ls -q --filter dangling=true --filter label=trips_pipeline.stage)"
secrets=$(for file in "$clone"/docker/secrets/*; do cat "$file"; echo; done)
check "five secrets, in a directory of their owner alone" "5 700" "$(wc -l <<< "$secrets") $(stat -c %a "$clone/docker/secrets")"
check "no secret is in what docker shows of a container" 0 \
  "$("$run" compose ps -q | xargs docker inspect | grep -c -F "$secrets" || true)"
check "labels" "$version $(git -C "$clone" rev-parse HEAD)" \
  "$(docker image inspect -f '{{index .Config.Labels "org.opencontainers.image.version"}} {{index .Config.Labels "org.opencontainers.image.revision"}}' "$TRIPS_IMAGES/postgres:$version-pg17")"
# shellcheck disable=SC2086
check "no secret is in an image" 0 \
  "$({ docker image inspect $images_made; for image in $images_made; do docker history --no-trunc "$image"; done; } |
    grep -c -F -e "$secrets" -e PASSWORD= -e TOKEN= || true)"
check "no port is open to others" "" \
  "$("$run" compose ps -q | xargs docker inspect -f '{{range .NetworkSettings.Ports}}{{range .}}{{.HostIp}} {{end}}{{end}}' |
    xargs -n 1 | grep -v -x 127.0.0.1 || true)"
check "ports" "$(printf '%s\n' "$POSTGRES_PORT" "$CONSOLE_PORT" "$SPARK_UI_PORT" "$JUPYTER_PORT" | sort | xargs)" \
  "$("$run" compose ps -q postgres console spark jupyter | xargs docker inspect \
    -f '{{range .NetworkSettings.Ports}}{{range .}}{{.HostPort}} {{end}}{{end}}' | xargs -n 1 | sort | xargs)"
check "files are read-only" "1 1 1" \
  "$(for service in postgres spark spark-worker-1; do
    "$run" compose exec -T "$service" sh -c 'touch /data/x 2> /dev/null; echo $?' < /dev/null
  done | xargs)"

sql() { "$run" psql -qAt -c "$1" < /dev/null; }
check "nobody is root" "postgres spark spark spark spark" \
  "$({ "$run" compose exec -T postgres stat -c %U /proc/1 < /dev/null
    for service in spark spark-worker-1 spark-worker-2 jupyter; do "$run" compose exec -T "$service" id -un < /dev/null; done; } | xargs)"

# From the host, with the password of docker/secrets.
PGPASSWORD=$(cat "$clone/docker/secrets/postgres_password")
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

# The pages of jobs and workers, through the only port of Spark's that is published. The job waits at its one part.
put "$data/page.csv" Page 5
"$run" submit load.py --slow 5 /data/page.csv > "$scratch/page.log" 2>&1 &
job=$!
page=
for _ in $(seq 600); do
  page=$(sed -n 's/^Spark shows this job on //p' "$scratch/page.log")
  [ -z "$page" ] || ! curl -sfL "$page" > "$scratch/page.html" || break
  kill -0 $job 2> /dev/null || break
  sleep 0.2
done
check "a job's page, at the address it says" "1 http://127.0.0.1:$SPARK_UI_PORT/proxy/app-" \
  "$(grep -c -m 1 '<title>trips load - Spark Jobs</title>' "$scratch/page.html") ${page%app-*}app-"
worker=$(curl -sf "http://127.0.0.1:$SPARK_UI_PORT/json/" | sed -n 's/.*"id" : "\(worker-[^"]*\)".*/\1/p' | head -n 1)
check "a worker's page" 1 "$(curl -sfL "http://127.0.0.1:$SPARK_UI_PORT/proxy/$worker/" | grep -c -m 1 '<title>Spark Worker at ')"
check "no page ends a job" 0 "$(curl -sf "http://127.0.0.1:$SPARK_UI_PORT/" | grep -c 'app/kill' || true)"
wait $job || { tail -n 30 "$scratch/page.log"; fail "the Spark load failed"; }

# The console: only with its token; it reads with a role of its own.
token=$(cat "$clone/docker/secrets/console_token")
page() { curl -s -L -c "$scratch/cookies" -b "$scratch/cookies" "$@"; }
console=http://127.0.0.1:$CONSOLE_PORT
check "the console requires its token" "401 200" "$(page -o /dev/null -w '%{http_code}' "$console/") $(page -o /dev/null -w '%{http_code}' "$console/?token=$token")"
check "the console is connected, and has the page" "true console 1" \
  "$(page "$console/api/status" | python3 -c 'import json, sys; s = json.load(sys.stdin); print(str(s["connected"]).lower(), s["role"])') $(page "$console/" | grep -c 'console.js')"

# Jupyter: only with its token; the notebook runs.
token=$(cat "$clone/docker/secrets/jupyter_token")
status() { curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$JUPYTER_PORT/api/contents$1"; }
check "Jupyter requires its token" "403 200" "$(status '') $(status "?token=$token")"
"$run" compose exec -T jupyter trips-secrets.sh jupyter nbconvert --to notebook --execute --output /tmp/ran.ipynb trips.ipynb \
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
    [ "$(workers)" != "2 2" ] || [ "$(healthy)" != 6 ] || break
    sleep 1
  done
  check "$1: healthy containers, workers, trips" "6 2 2 $trips" \
    "$(healthy) $(workers) $(sql "SELECT count(*) FROM trips.hist_trip_data")"
}
healthy() { "$run" compose ps -q | xargs docker inspect -f '{{.State.Health.Status}}' | grep -c -x healthy || true; }
"$run" compose stop > /dev/null 2>&1 && "$run" compose start > /dev/null 2>&1
all_is_well "stopped and started"
"$run" down > /dev/null 2>&1
# A new clone makes passwords of its own, and the volume has the old ones.
rm -r "$clone/docker/.env" "$clone/docker/secrets"
TRIPS_BUILD=no "$run" up > "$scratch/up.log" 2>&1 || { tail -n 30 "$scratch/up.log"; fail "it does not come up again"; }
all_is_well "down and up"
check "a notebook stays" "mine trips.ipynb" \
  "$("$run" compose exec -T jupyter sh -c 'cat mine.ipynb; ls trips.ipynb' < /dev/null | xargs)"
PGPASSWORD=$(cat "$clone/docker/secrets/postgres_password")
put "$data/again.csv" Again 2
check "new passwords: the host's" "loaded" "$(host_sql "SELECT state FROM trips.ingest('/data/host.csv', force => true)" || true)"
"$run" insert /data/again.csv > "$scratch/insert.log" 2>&1 || { tail -n 30 "$scratch/insert.log"; fail "the Spark load failed"; }
check "new passwords: Spark's" 2 "$(count Again)"
check "the environment remembers images and ports" 7 \
  "$(grep -c -x -e "RUST_IMAGE=$RUST_IMAGE" -e "POSTGRES_IMAGE=$POSTGRES_IMAGE" -e "DEBIAN_IMAGE=$DEBIAN_IMAGE" \
    -e "POSTGRES_PORT=$POSTGRES_PORT" -e "CONSOLE_PORT=$CONSOLE_PORT" -e "SPARK_UI_PORT=$SPARK_UI_PORT" -e "JUPYTER_PORT=$JUPYTER_PORT" "$clone/docker/.env")"
"$run" down > /dev/null 2>&1

# A port that another program has.
python3 -c 'import socket, sys, time
taken = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("taken", flush=True)
time.sleep(600)' "$JUPYTER_PORT" > "$scratch/taken" &
taker=$!
for _ in $(seq 100); do [ -s "$scratch/taken" ] && break; sleep 0.1; done
said=$(TRIPS_BUILD=no "$run" up 2>&1 || true)
check "a port that is taken is named, with its variable" 1 "$(grep -c "port $JUPYTER_PORT of 127.0.0.1 is taken, and jupyter .* JUPYTER_PORT=" <<< "$said")"
check "nothing is left running" "" "$("$run" compose ps -q)"
# The database and its page need no other port.
COMPOSE_PROFILES=db TRIPS_BUILD=no "$run" up > "$scratch/db.log" 2>&1 || { tail -n 30 "$scratch/db.log"; fail "the database does not start"; }
check "the database and its page alone" "2 $((trips + 2))" "$("$run" compose ps -q | wc -l) $(sql "SELECT count(*) FROM trips.hist_trip_data")"
kill "$taker" && taker=
"$run" down > /dev/null 2>&1
image_alone
if [ -n "${VERSIONS:-}" ]; then other_versions; fi

if [ -n "${SUITE:-}" ]; then
  step "the extension's own tests on PostgreSQL 17, in the image that has built it"
  DOCKER_BUILDKIT=0 docker build -t "$TRIPS_IMAGES/suite" --build-arg "BUILD_IMAGE=$TRIPS_IMAGES/build:pg17" -f "$here/suite.Dockerfile" "$clone" > "$scratch/suite.log" 2>&1 ||
    { tail -n 30 "$scratch/suite.log"; fail "the suite's image cannot be built"; }
  docker run --rm --shm-size 1g --security-opt seccomp=unconfined "$TRIPS_IMAGES/suite"
  passed=$((passed + 1))
fi
echo "$passed passed, 0 failed"
