#!/bin/sh
# In a container of the cluster: a job of /opt/trips, with what all jobs need.
set -eu
job=$1
shift
exec spark-submit --master spark://spark:7077 \
  --conf spark.executor.memory=1g --conf spark.ui.enabled=false --conf spark.log.level="${SPARK_LOG_LEVEL:-WARN}" \
  --driver-class-path /usr/share/java/postgresql.jar --jars /usr/share/java/postgresql.jar \
  --py-files /opt/trips/trips_spark.py "/opt/trips/$job" "$@"
