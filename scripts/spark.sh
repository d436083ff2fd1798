#!/usr/bin/env bash
# A Spark cluster on loopback without Docker: a master and two workers of 1 core and 1 GB, real processes
# of the standalone mode, from PyPI's pyspark in .tools.
#
#   spark.sh setup              installs what is missing;  spark.sh port   prints a port that is free
#   spark.sh start DIRECTORY    starts them; DIRECTORY/master, ui and worker1.pid say where they are
#   spark.sh submit DIRECTORY JOB [arguments]    runs a job of docker/spark, or another file
#   spark.sh stop DIRECTORY     ends them
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

venv=$tools/spark
jobs=$root/docker/spark
jdbc=/usr/share/java/postgresql.jar
export PYSPARK_PYTHON=$venv/bin/python PYSPARK_DRIVER_PYTHON=$venv/bin/python
export SPARK_LOCAL_IP=127.0.0.1 SPARK_DAEMON_MEMORY=256m
# Names of files are bytes: with another locale, Java takes only those of ASCII.
export LANG=C.UTF-8
export TRIPS_READER=${TRIPS_READER:-$root/target/release/trips_reader}

setup() {
  local missing=()
  command -v java > /dev/null || missing+=(default-jre-headless)
  [ -f "$jdbc" ] || missing+=(libpostgresql-jdbc-java)
  command -v curl > /dev/null || missing+=(curl)
  if [ ${#missing[@]} -gt 0 ]; then install_debian_packages "${missing[@]}"; fi
  make_venv "$venv"
  if ! cmp -s "$jobs/requirements.txt" "$venv/requirements.txt"; then
    step "installing Spark into .tools (takes a minute, once)"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$jobs/requirements.txt"
    cp "$jobs/requirements.txt" "$venv/requirements.txt"
  fi
  (cd "$root" && cargo build --quiet --release --locked --package trips_reader)
}

free_port() {
  "$venv/bin/python" -c "import socket; s = socket.socket(); s.bind(('127.0.0.1', 0)); print(s.getsockname()[1])"
}

# In the background, in a group of its own, with its first process in a file: executors end with it.
launch() { # directory name class arguments
  setsid bash -c 'echo $$ > "$1/$2.pid"; exec "${@:3}"' launch "$1" "$2" \
    "$venv/bin/spark-class" "org.apache.spark.deploy.$3" --host 127.0.0.1 "${@:4}" \
    > "$1/$2.log" 2>&1 < /dev/null &
}

# Loopback is open to every user of the machine: who has no secret gives this cluster no jobs.
make_secret() {
  (
    umask 077
    printf '%s\n' 'spark.authenticate true' \
      "spark.authenticate.secret $(od -An -N18 -tx1 /dev/urandom | tr -d ' \n')" > "$1"
  )
}

start() {
  local directory=$1 port ui number
  mkdir -p "$directory/conf"
  make_secret "$directory/conf/spark-defaults.conf"
  export SPARK_CONF_DIR=$directory/conf
  port=$(free_port) ui=$(free_port)
  export SPARK_LOCAL_DIRS=$directory/local
  launch "$directory" master master.Master --port "$port" --webui-port "$ui"
  echo "spark://127.0.0.1:$port" > "$directory/master"
  echo "http://127.0.0.1:$ui" > "$directory/ui"
  for number in 1 2; do
    launch "$directory" "worker$number" worker.Worker --cores 1 --memory 1G --webui-port 0 \
      --work-dir "$directory/work$number" "$(cat "$directory/master")"
  done
  for _ in $(seq 120); do
    if [ "$(curl -sf "$(cat "$directory/ui")/json/" | grep -c '"state" : "ALIVE"')" = 2 ]; then return; fi
    sleep 0.5
  done
  tail -n 20 "$directory"/*.log >&2
  fail "the Spark cluster did not start"
}

submit() {
  local directory=$1 job=$2
  [ -f "$job" ] || job=$jobs/$job
  export SPARK_CONF_DIR=$directory/conf
  cp "$jobs/log4j2.properties" "$SPARK_CONF_DIR/"
  "$venv/bin/spark-submit" --master "$(cat "$directory/master")" \
    --conf spark.driver.host=127.0.0.1 --conf spark.driver.bindAddress=127.0.0.1 \
    --conf spark.executor.memory=1g --conf spark.ui.port=0 --conf spark.ui.killEnabled=false \
    --conf spark.log.level="${SPARK_LOG_LEVEL:-ERROR}" \
    --driver-class-path "$jdbc" --jars "$jdbc" --py-files "$jobs/trips_spark.py" \
    "$job" "${@:3}"
}

stop() {
  local file
  for file in "$1"/worker*.pid "$1"/master.pid; do
    [ -f "$file" ] || continue
    # The group: a worker's executors with it.
    kill -TERM -- "-$(cat "$file")" 2> /dev/null || true
    rm -f "$file"
  done
}

case ${1:-} in
  setup) setup ;;
  start | stop | submit) "$1" "${@:2}" ;;
  port) free_port ;;
  *) fail "usage: spark.sh setup | port | start DIRECTORY | submit DIRECTORY JOB [arguments] | stop DIRECTORY" ;;
esac
