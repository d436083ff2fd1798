"""The historical job: Spark's own CSV reader and its JDBC writer, into staging, then trips.merge_staged().

It is here for programs that write in this way already. Use load.py: this one has no line numbers and no digest, finds bad
lines by their values after Spark has parsed them, and is several times as slow. A task that Spark repeats writes its rows twice: trips
are duplicates then, which the merge drops and the ledger counts; bad lines are staged twice.
"""

import sys

from trips_spark import connect, jdbc_properties, jdbc_url, progress, say_page, session

COLUMNS = ("region", "origin_coord", "destination_coord", "date_time", "datasource")


def main():
    spark = session("trips JDBC load")
    say_page(spark.sparkContext)
    rows = spark.read.csv(sys.argv[1:], header=True, inferSchema=False)
    rows = rows.withColumnsRenamed({name: "date_time" for name in rows.columns if name.lower() == "datetime"})
    with progress(spark.sparkContext, "staging"):
        rows.select(*COLUMNS).write.jdbc(
            jdbc_url(), "trips.stg_trip_data", "append", {**jdbc_properties(), "batchsize": "10000"})
    with connect() as client:
        row = client.execute(
            "SELECT load_id, rows_read, rows_inserted, rows_duplicate, rows_staged FROM trips.merge_staged()").fetchone()
    print("load {}: {} read, {} inserted, {} duplicate, {} staged".format(*row))
    spark.stop()


if __name__ == "__main__":
    main()
