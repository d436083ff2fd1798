"""The history to Parquet, and back:

    spark-submit archive.py out DIRECTORY     one directory for each month (month=YYYY-MM)
    spark-submit archive.py back DIRECTORY [--month YYYY-MM]...    trips that the history does not have, through staging

The archive has the columns of the history, coordinates as two doubles each, and details as text. "out" replaces the months
that it writes and leaves the others: a month that was archived and deleted from the database stays.

"back" compares the keys of the archive with those of the history, month by month, and stages only trips that are missing.
It may be repeated. Delete archived months with trips.delete_trips(): the ledger books what it deletes, and the load of "back"
what it inserts.

Rows of staging without a file have five columns, and those make the key. Trips with more columns, or with a key of other
values, cannot come back in this way. "back" counts them and leaves them in the archive; the exit status is 1 then.
"""

import argparse
import sys

from pyspark.sql import Observation, functions as f

from trips_spark import connect, history, jdbc_properties, jdbc_url, progress, say_page, session

# Whether the five columns of staging make the same trip again.
IS_PLAIN = """ended_at IS NULL AND trip_id IS NULL AND details IS NULL
  AND trip_key = trips.trip_key(region, origin_coord, destination_coord, date_time, datasource) AS is_plain"""
MORE = ("ended_at", "trip_id", "details::text AS details", IS_PLAIN)


def out(spark, directory):
    spark.conf.set("spark.sql.sources.partitionOverwriteMode", "dynamic")
    trips = history(spark, more=MORE).withColumn("month", f.date_format("date_time", "yyyy-MM"))
    # A directory's files are written in the order of time, so that their statistics are of use.
    trips = trips.repartition("month").sortWithinPartitions("month", "date_time", "trip_key")
    # What is counted is what is written: the archive may have other months, and the history has more by now.
    written = Observation()
    trips = trips.observe(written, f.count(f.lit(1)).alias("trips"))
    with progress(spark.sparkContext, "archiving"):
        trips.write.mode("overwrite").partitionBy("month").parquet(directory)
    print(f"archived {written.get['trips']} trips")


def missing(spark, archived):
    """The trips of the archive that the history does not have, by their keys. Only months of the archive are read from
    the history."""
    months = [row.month for row in archived.select("month").distinct().collect()]
    keys = history(spark, months)
    return archived.join(keys.select("date_time", "trip_key"), ["date_time", "trip_key"], "left_anti")


def point(end):
    """The shortest text that gives the same doubles again."""
    numbers = [f.col(f"{end}_{axis}").cast("string") for axis in ("longitude", "latitude")]
    return f.concat(f.lit("POINT ("), numbers[0], f.lit(" "), numbers[1], f.lit(")")).alias(f"{end}_coord")


def archive_of(spark, directory, months):
    """The trips of the archive, or of these months of it."""
    # As text: Spark would take 2024-05 for a date.
    spark.conf.set("spark.sql.sources.partitionColumnTypeInference.enabled", "false")
    archived = spark.read.option("mergeSchema", True).parquet(directory)
    if "is_plain" not in archived.columns:
        sys.exit(f"error: {directory} has no column is_plain: write the archive again with archive.py out")
    return archived.where(f.col("month").isin(months)) if months else archived


def back(spark, directory, months):
    """Returns whether no trip had to be left in the archive."""
    archived = archive_of(spark, directory, months)
    seen, lacking = Observation(), Observation()
    trips = missing(spark, archived.observe(seen, f.count(f.lit(1)).alias("trips")))
    is_plain = f.coalesce("is_plain", f.lit(False))
    trips = trips.observe(lacking, f.count_if(is_plain).alias("staged"), f.count_if(~is_plain).alias("left"))
    rows = trips.where(is_plain).select(
        "region", point("origin"), point("destination"),
        f.date_format("date_time", "yyyy-MM-dd HH:mm:ss.SSSSSS").alias("date_time"), "datasource")
    with progress(spark.sparkContext, "staging"):
        rows.write.jdbc(jdbc_url(), "trips.stg_trip_data", "append", {**jdbc_properties(), "batchsize": "10000"})
    # An archive without files of these months has nothing to count.
    found, staged, left = seen.get.get("trips", 0), lacking.get.get("staged", 0), lacking.get.get("left", 0)
    print(f"{found} trips in the archive: {found - staged - left} known already, {staged} staged", flush=True)
    if staged:
        with connect() as client:
            row = client.execute(
                "SELECT load_id, rows_inserted, rows_duplicate, rows_staged FROM trips.merge_staged()").fetchone()
        print("load {}: {} inserted, {} duplicate, {} staged".format(*row), flush=True)
    if left:
        print(f"left {left} trips in the archive: staging has no columns for their ids, ends and details. "
              "Load their files again: trips.ingest(path, force => true)", file=sys.stderr)
    return not left


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("direction", choices=("out", "back"))
    parser.add_argument("directory", metavar="DIRECTORY")
    parser.add_argument("--month", action="append", default=[], metavar="YYYY-MM", help="for back: this month only")
    wanted = parser.parse_args()
    if wanted.month and wanted.direction == "out":
        parser.error("--month is for back")
    spark = session(f"trips archive {wanted.direction}")
    say_page(spark.sparkContext)
    is_whole = True
    if wanted.direction == "out":
        out(spark, wanted.directory)
    else:
        is_whole = back(spark, wanted.directory, wanted.month)
    spark.stop()
    return 0 if is_whole else 1


if __name__ == "__main__":
    sys.exit(main())
