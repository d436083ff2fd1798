"""The history to Parquet, and back:

    spark-submit archive.py out DIRECTORY     one directory for each month (month=YYYY-MM)
    spark-submit archive.py back DIRECTORY    trips that the history does not have, through staging

The archive has the columns of the history, coordinates as two doubles each, and the key. "out" replaces the months
that it writes and leaves the others: a month that was archived and dropped from the database stays. "back" may
be repeated: what is there is a duplicate.
"""

import sys

from pyspark.sql import Observation, functions as f

from trips_spark import connect, history, jdbc_properties, jdbc_url, session


def out(spark, directory):
    spark.conf.set("spark.sql.sources.partitionOverwriteMode", "dynamic")
    trips = history(spark).withColumn("month", f.date_format("date_time", "yyyy-MM"))
    # A directory's files are written in the order of time, so that their statistics are of use.
    trips = trips.repartition("month").sortWithinPartitions("month", "date_time", "trip_key")
    # What is counted is what is written: the archive may have other months, and the history has more by now.
    written = Observation()
    trips = trips.observe(written, f.count(f.lit(1)).alias("trips"))
    trips.write.mode("overwrite").partitionBy("month").parquet(directory)
    print(f"archived {written.get['trips']} trips")


def back(spark, directory):
    trips = spark.read.parquet(directory)

    def point(end):
        # The shortest text that gives the same double again.
        numbers = [f.col(f"{end}_{axis}").cast("string") for axis in ("longitude", "latitude")]
        return f.concat(f.lit("POINT ("), numbers[0], f.lit(" "), numbers[1], f.lit(")")).alias(f"{end}_coord")

    rows = trips.select("region", point("origin"), point("destination"),
                        f.date_format("date_time", "yyyy-MM-dd HH:mm:ss.SSSSSS").alias("date_time"), "datasource")
    rows.write.jdbc(jdbc_url(), "trips.stg_trip_data", "append", {**jdbc_properties(), "batchsize": "10000"})
    with connect() as client:
        row = client.execute(
            "SELECT load_id, rows_inserted, rows_duplicate, rows_staged FROM trips.merge_staged()").fetchone()
    print("load {}: {} inserted, {} duplicate, {} staged".format(*row))


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in ("out", "back"):
        sys.exit(__doc__)
    spark = session(f"trips archive {sys.argv[1]}")
    (out if sys.argv[1] == "out" else back)(spark, sys.argv[2])
    spark.stop()


if __name__ == "__main__":
    main()
