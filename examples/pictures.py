"""Draws trips per week of each region, and a map of where the trips of one region begin.

    pip install -r examples/requirements.txt
    python examples/pictures.py trips.png --region Prague

The database is the one that libpq's variables (PGHOST, PGDATABASE, PGUSER, …) say. The role needs what
trips.grant_reader() grants.
"""

import argparse
import math

import matplotlib

matplotlib.use("Agg")  # No screen is needed.
import matplotlib.dates
import matplotlib.pyplot as plt
import psycopg
from matplotlib.collections import PolyCollection
from matplotlib.ticker import MaxNLocator

LARGEST_REGIONS = """
SELECT region FROM trips.daily_trip_counts GROUP BY region ORDER BY sum(trips) DESC, region LIMIT %s
"""

WEEKS = "SELECT week, trips FROM trips.weekly_counts(%s::text)"

# All trips from a cell, wherever and whenever they go; the corners as longitudes and latitudes.
ORIGINS = """
SELECT trips, ARRAY(SELECT ARRAY[corner[0], corner[1]] FROM unnest(trips.h3_corners(origin_cell)) AS corner)
  FROM (SELECT origin_cell, sum(trips)::bigint AS trips
          FROM trips.similar_trips(%s, resolution => %s, bucket => '1 day', at_least => 1)
         GROUP BY origin_cell) AS cells
"""


def draw_weeks(axes, connection, regions):
    for region in regions:
        weeks = connection.execute(WEEKS, [region]).fetchall()
        axes.plot(*zip(*weeks), marker="o", markersize=4, linewidth=1.6, label=region)
    axes.set_title("Trips per ISO week")
    axes.set_xlabel("Monday of the week")
    axes.set_ylabel("trips")
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    locator = matplotlib.dates.AutoDateLocator(maxticks=8)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(matplotlib.dates.ConciseDateFormatter(locator))
    axes.grid(axis="y", color="#dddddd", linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower left", ncols=3)


def draw_origins(axes, connection, region, resolution):
    cells = connection.execute(ORIGINS, [region, resolution]).fetchall()
    if not cells:
        raise SystemExit(f"There are no trips of {region!r} with an origin and a destination.")
    counts, corners = zip(*cells)
    collection = PolyCollection(corners, array=counts, cmap="YlGnBu", edgecolors="#999999", linewidths=0.4)
    axes.add_collection(collection)
    axes.autoscale_view()
    latitudes = [latitude for cell in corners for _, latitude in cell]
    # So that a kilometre is as long to the north as to the east.
    axes.set_aspect(1 / math.cos(math.radians((min(latitudes) + max(latitudes)) / 2)))
    axes.set_title(f"Where trips of {region} begin\n(cells of H3, resolution {resolution})")
    axes.set_xlabel("longitude")
    axes.set_ylabel("latitude")
    axes.ticklabel_format(useOffset=False)
    axes.figure.colorbar(collection, ax=axes, label="trips", shrink=0.85, ticks=MaxNLocator(integer=True))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", help="the picture to write: .png, .svg or .pdf")
    parser.add_argument("--region", help="region of the map; the one with the most trips, unless it is given")
    parser.add_argument("--regions", type=int, default=6, help="how many regions have a line (6)")
    parser.add_argument("--resolution", type=int, default=8, help="size of the cells, 0 to 15 (8: 0.74 square kilometres)")
    arguments = parser.parse_args()
    with psycopg.connect() as connection:
        regions = [region for (region,) in connection.execute(LARGEST_REGIONS, [arguments.regions])]
        if not regions:
            raise SystemExit("The history is empty.")
        figure, (left, right) = plt.subplots(
            1, 2, figsize=(11, 5), dpi=110, layout="constrained", width_ratios=[1.5, 1]
        )
        draw_weeks(left, connection, regions)
        draw_origins(right, connection, arguments.region or regions[0], arguments.resolution)
    figure.savefig(arguments.output)


if __name__ == "__main__":
    main()
