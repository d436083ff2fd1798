"""Draws the weeks of each region, where the trips of one region begin, and on which weekday and hour.

    pip install -r examples/requirements.txt
    python examples/pictures.py trips.png --region Prague --since 2024-01-01

The database is the one that libpq's variables (PGHOST, PGDATABASE, PGUSER, …) say. The role needs what
trips.grant_reader() grants.
"""

import argparse
import datetime
import math
import pathlib
import sys

import matplotlib

matplotlib.use("Agg")  # No screen is needed.
import matplotlib.pyplot as plt
import psycopg

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "docker" / "spark"))
import charts

PERIOD = "(%(since)s::date IS NULL OR day >= %(since)s) AND (%(until)s::date IS NULL OR day <= %(until)s)"

LARGEST_REGIONS = f"""
SELECT region FROM trips.daily_trip_counts WHERE {PERIOD}
 GROUP BY region HAVING sum(trips) > 0 ORDER BY sum(trips) DESC, region LIMIT %(regions)s
"""

TOTAL = f"SELECT min(day), max(day), sum(trips), count(DISTINCT region) FROM trips.daily_trip_counts WHERE trips > 0 AND {PERIOD}"

WEEKS_OF_REGION = "SELECT week, trips FROM trips.weekly_counts(%(region)s::text, %(since)s, %(until)s)"
WEEKS_OF_AREA = "SELECT week, trips FROM trips.weekly_counts(%(area)s::box, %(since)s, %(until)s)"

# All trips from a cell, wherever and whenever they go; the corners as longitudes and latitudes.
ORIGINS = """
SELECT trips, ARRAY(SELECT ARRAY[corner[0], corner[1]] FROM unnest(trips.h3_corners(origin_cell)) AS corner)
  FROM (SELECT origin_cell, sum(trips)::bigint AS trips
          FROM trips.similar_trips(%(region)s, %(area)s::box, %(since)s, %(until)s, %(resolution)s, '1 day', at_least => 1)
         GROUP BY origin_cell) AS cells
"""

HOURS = """
SELECT extract(isodow FROM date_time), extract(hour FROM date_time), count(*)
  FROM trips.hist_trip_data
 WHERE (%(region)s::text IS NULL OR region = %(region)s) AND (%(area)s::box IS NULL OR origin_coord <@ %(area)s::box)
   AND date_time >= coalesce(%(since)s::date, '-infinity') AND date_time < coalesce(%(until)s::date + 1, 'infinity'::date)
 GROUP BY 1, 2
"""


def fetch(connection, query, wanted):
    return connection.execute(query, wanted).fetchall()


def draw(connection, wanted):
    """The figure; wanted has the parameters of the queries."""
    (first, last, total, of_regions), = fetch(connection, TOTAL, wanted)
    if not total:
        raise SystemExit("The history is empty." if not (wanted["since"] or wanted["until"]) else "No trips in this period.")
    if wanted["area"]:
        name, panels = "the area", [("The area", fetch(connection, WEEKS_OF_AREA, wanted))]
    else:
        regions = [region for (region,) in fetch(connection, LARGEST_REGIONS, wanted)]
        wanted["region"] = name = wanted["region"] or regions[0]
        panels = [(region, fetch(connection, WEEKS_OF_REGION, {**wanted, "region": region})) for region in regions]
    cells = fetch(connection, ORIGINS, wanted)
    if not cells:
        raise SystemExit(f"There are no trips of {name!r} with an origin and a destination.")
    lines = math.ceil(len(panels) / 2)
    figure = plt.figure(figsize=(14, max(6.4, 1.5 + 1.6 * lines)), dpi=110, layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=[1.25, 1])
    charts.small_multiples(left, panels)
    left.suptitle("Trips per ISO week", fontsize=11, x=0.02, ha="left")
    top, bottom = right.subplots(2, 1, height_ratios=[1.7, 1])
    charts.origins(top, name, cells, wanted["resolution"])
    charts.hours(bottom, name, fetch(connection, HOURS, wanted))
    what = "one area" if wanted["area"] else f"the {len(panels)} largest of {of_regions} regions" if len(panels) < of_regions else \
        f"{of_regions} regions" if of_regions > 1 else "one region"
    figure.suptitle(f"{charts.count(total)} trips, {first} to {last}; shown: {what}", fontsize=12, x=0.01, ha="left")
    return figure


def box(text):
    """West, south, east and north in degrees as a box of PostgreSQL."""
    try:
        west, south, east, north = map(float, text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not WEST,SOUTH,EAST,NORTH in degrees") from None
    return f"({west},{south}),({east},{north})"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", help="the picture to write: .png, .svg or .pdf")
    parser.add_argument("--region", help="region of the map and the hours; the one with the most trips, unless it is given")
    parser.add_argument("--regions", type=int, default=8, help="how many regions have a panel (8)")
    parser.add_argument("--since", type=datetime.date.fromisoformat, metavar="YYYY-MM-DD", help="first day")
    parser.add_argument("--until", type=datetime.date.fromisoformat, metavar="YYYY-MM-DD", help="last day")
    parser.add_argument("--area", type=box, metavar="WEST,SOUTH,EAST,NORTH",
                        help="trips that begin in this box of degrees, instead of regions; --area=-74.1,40.6,-73.8,40.9")
    parser.add_argument("--resolution", type=int, default=8, help="size of the cells, 0 to 15 (8: 0.74 square kilometres)")
    arguments = parser.parse_args()
    if arguments.area and arguments.region:
        parser.error("--area and --region exclude each other")
    wanted = {key: value for key, value in vars(arguments).items() if key != "output"}
    try:
        with psycopg.connect() as connection:
            figure = draw(connection, wanted)
    except psycopg.Error as error:
        raise SystemExit(f"pictures.py: {error}") from None
    figure.savefig(arguments.output)


if __name__ == "__main__":
    main()
