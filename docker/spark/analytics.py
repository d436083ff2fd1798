"""Questions to the whole history, read in parallel, a partition for each month:

    spark-submit analytics.py weekly-avg [--parquet DIRECTORY]
    spark-submit analytics.py similar    [--parquet DIRECTORY] [--decimals 2] [--hours 1] [--top 20]

With --parquet, the archive is read instead of the database (archive.py writes it).
"""

import argparse

from pyspark.sql import functions as f

from trips_spark import history, progress, say_page, session, shown


def weekly_avg(trips):
    """Trips by region and week of month: what trips.weekly_avg() says."""
    week = f.concat(f.date_format("date_time", "yyyy-MM"), f.lit("-0"),
                    f.floor((f.dayofmonth("date_time") - 1) / 7) + 1)
    return (trips.groupBy("region", week.alias("week_of_month"))
            .agg(f.count("*").alias("weekly_avg")).orderBy("region", "week_of_month"))


def similar(trips, decimals, hours):
    """Trips with the same origin and destination, to so many decimals of a degree, at the same time of day."""
    places = [f.round(f"{end}_{axis}", decimals).alias(f"{end}_{axis}")
              for end in ("origin", "destination") for axis in ("longitude", "latitude")]
    time_of_day = (f.floor(f.hour("date_time") / hours) * hours).alias("from_hour")
    return (trips.groupBy(*places, time_of_day).agg(f.count("*").alias("trips"))
            .orderBy(f.desc("trips"), *[f"{end}_{axis}" for end in ("origin", "destination")
                                        for axis in ("longitude", "latitude")], "from_hour"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("question", choices=["weekly-avg", "similar"])
    parser.add_argument("--parquet", metavar="DIRECTORY")
    parser.add_argument("--decimals", type=int, default=2)
    parser.add_argument("--hours", type=int, default=1)
    parser.add_argument("--top", type=int, default=20)
    wanted = parser.parse_args()
    spark = session(f"trips {wanted.question}")
    say_page(spark.sparkContext)
    trips = spark.read.parquet(wanted.parquet) if wanted.parquet else history(spark)
    if wanted.question == "weekly-avg":
        frame = weekly_avg(trips)
    else:
        frame = similar(trips, wanted.decimals, wanted.hours).limit(wanted.top)
    with progress(spark.sparkContext, wanted.question):
        rows = frame.collect()
    print(*frame.columns, sep="|")
    for row in rows:
        print(*(shown(value) if isinstance(value, str) else value for value in row), sep="|")
    spark.stop()


if __name__ == "__main__":
    main()
