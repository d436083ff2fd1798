#!/bin/sh
# In a container of the cluster: a job of /opt/trips, with what all jobs need.
set -eu
job=$1
shift
exec spark-submit --master spark://spark:7077 --conf spark.log.level="${SPARK_LOG_LEVEL:-ERROR}" \
  --driver-java-options -Dlog4j2.configurationFile=file:/opt/trips/log4j2.properties \
  --driver-class-path /usr/share/java/postgresql.jar --jars /usr/share/java/postgresql.jar \
  --py-files /opt/trips/trips_spark.py "/opt/trips/$job" "$@"
