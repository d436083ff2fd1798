#!/bin/sh
# In a container of the cluster: a job of /opt/trips, with what all jobs need.
set -eu
job=$1
shift
# Spark's own words are for its developers: SPARK_LOG_LEVEL=INFO shows them.
SPARK_CONF_DIR=$(mktemp -d)
export SPARK_CONF_DIR
trap 'rm -rf "$SPARK_CONF_DIR"' EXIT
cat > "$SPARK_CONF_DIR/log4j2.properties" << CONF
rootLogger.level = ${SPARK_LOG_LEVEL:-ERROR}
rootLogger.appenderRef.stderr.ref = stderr
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = %p %c{1}: %m%n%ex
CONF
spark-submit --master spark://spark:7077 \
  --conf spark.executor.memory=1g --conf spark.ui.killEnabled=false --conf spark.log.level="${SPARK_LOG_LEVEL:-ERROR}" \
  --driver-class-path /usr/share/java/postgresql.jar --jars /usr/share/java/postgresql.jar \
  --py-files /opt/trips/trips_spark.py "/opt/trips/$job" "$@"
