"""The history to Parquet, and back:

    spark-submit archive.py out DIRECTORY     one directory for each month (month=YYYY-MM)
    spark-submit archive.py back DIRECTORY [--month YYYY-MM]...    trips that the history does not have, through staging

The archive has the columns of the history, coordinates as two doubles each, and the key. "out" replaces the months
that it writes and leaves the others: a month that was archived and deleted from the database stays.

"back" compares the keys of the archive with those of the history, month by month, and stages only trips that are missing.
It may be repeated. Delete archived months with trips.delete_trips(): the ledger books what it deletes, and the load of "back"
what it inserts.
"""

import argparse
import sys

from pyspark.sql import Observation, functions as f

from trips_spark import connect, history, jdbc_properties, jdbc_url, progress, say_page, session


def out(spark, directory):
    spark.conf.set("spark.sql.sources.partitionOverwriteMode", "dynamic")
    trips = history(spark).withColumn("month", f.date_format("date_time", "yyyy-MM"))
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


def back(spark, directory, months):
    # As text: Spark would take 2024-05 for a date.
    spark.conf.set("spark.sql.sources.partitionColumnTypeInference.enabled", "false")
    archived = spark.read.parquet(directory)
    if months:
        archived = archived.where(f.col("month").isin(months))
    seen, staged = Observation(), Observation()
    trips = missing(spark, archived.observe(seen, f.count(f.lit(1)).alias("trips")))
    rows = trips.select("region", point("origin"), point("destination"),
                        f.date_format("date_time", "yyyy-MM-dd HH:mm:ss.SSSSSS").alias("date_time"), "datasource")
    rows = rows.observe(staged, f.count(f.lit(1)).alias("trips"))
    with progress(spark.sparkContext, "staging"):
        rows.write.jdbc(jdbc_url(), "trips.stg_trip_data", "append", {**jdbc_properties(), "batchsize": "10000"})
    # An archive without files of these months has nothing to count.
    count = {"archived": seen.get.get("trips", 0), "staged": staged.get.get("trips", 0)}
    known = count["archived"] - count["staged"]
    print(f"{count['archived']} trips in the archive: {known} known already, {count['staged']} staged", flush=True)
    if not count["staged"]:
        return
    with connect() as client:
        row = client.execute(
            "SELECT load_id, rows_inserted, rows_duplicate, rows_staged FROM trips.merge_staged()").fetchone()
    print("load {}: {} inserted, {} duplicate, {} staged".format(*row))


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
    if wanted.direction == "out":
        out(spark, wanted.directory)
    else:
        back(spark, wanted.directory, wanted.month)
    spark.stop()


if __name__ == "__main__":
    sys.exit(main())
