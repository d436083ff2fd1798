"""Trips for the oracle: from a seed, with all special cases of queries."""

import csv
import datetime as dt
import io
import random

HEADER = ["region", "origin_coord", "destination_coord", "date_time", "datasource"]

# Region, middle of it, and how far its trips go from there, in degrees.
REGIONS = [
    ("Prague", 14.44, 50.08, 0.15),
    ("Turin", 7.68, 45.07, 0.05),
    ("Taveuni", 179.97, -16.85, 0.3),  # on both sides of the meridian of 180 degrees
    ("Quito", -78.5, 0.0, 0.2),  # on both sides of the equator
    ("Longyearbyen", 15.6, 78.2, 4.0),
    ("Saint-Denis, \"La Réunion\"", 55.45, -20.88, 0.1),
    ("everywhere", 0.0, 0.0, 180.0),
]

# Days on which trips begin, first and last: the ends of ISO years of 53 weeks (2015, 2020, 2026) and of 52.
WINDOWS = [
    (dt.date(2015, 12, 24), dt.date(2016, 1, 12)),
    (dt.date(2018, 4, 25), dt.date(2018, 6, 12)),
    (dt.date(2019, 12, 20), dt.date(2020, 1, 20)),
    (dt.date(2020, 12, 14), dt.date(2021, 1, 17)),
    (dt.date(2026, 12, 27), dt.date(2027, 1, 5)),
]

MIDNIGHTS = ["00:00:00", "23:59:59.999999", "23:59:59", "00:00:00.000001"]


def _degrees(rng, middle, spread, limit):
    value = middle + rng.uniform(-spread, spread)
    if limit == 180.0 and abs(value) > limit:
        value -= 360.0 if value > 0 else -360.0
    value = max(-limit, min(limit, value))
    # On lines that boxes and cells of any grid of decimal or binary degrees have as edges, now and then.
    step = rng.choice([None, None, None, 0.25, 0.1, 0.01, 0.015625])
    return value if step is None else round(value / step) * step


def _place(rng, region):
    _, longitude, latitude, spread = region
    if rng.random() < 0.03:
        return ""
    if rng.random() < 0.01:
        corners = [(180, 0), (-180, 0), (-180, -90), (0, 90), (179.5, -16.75), (-0.0, 0.0)]
        x, y = rng.choice(corners)
    else:
        x = _degrees(rng, longitude, spread, 180.0)
        y = _degrees(rng, latitude, min(spread, 90.0), 90.0)
    return f"POINT ({x!r} {y!r})"


def rows(count, seed):
    """Rows of text, some of them twice."""
    rng = random.Random(seed)
    made = []
    for _ in range(count):
        if made and rng.random() < 0.02:
            made.append(rng.choice(made))
            continue
        region = rng.choice(REGIONS)
        # Each region has trips in some of the windows only.
        windows = [w for i, w in enumerate(WINDOWS) if (i + len(region[0])) % 3 != 0]
        first, last = rng.choice(windows)
        day = first + dt.timedelta(days=rng.randrange((last - first).days + 1))
        if rng.random() < 0.1:
            time = rng.choice(MIDNIGHTS)
        else:
            time = f"{rng.randrange(24):02}:{rng.randrange(60):02}:{rng.randrange(60):02}"
        name = rng.choice(["", " "]) + region[0]
        source = rng.choice(["funny_car", "cheap_mobile", ""])
        made.append([name, _place(rng, region), _place(rng, region), f"{day} {time}", source])
    return made


def files(count, seed, number):
    """The rows as CSV in some files; each begins with trips of the file before."""
    made = rows(count, seed)
    size = -(-len(made) // number)
    for i in range(number):
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows(made[max(0, i * size - 50) : (i + 1) * size])
        yield text.getvalue()
