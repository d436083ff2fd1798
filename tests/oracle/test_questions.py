"""Random questions about regions and areas: DuckDB counts the trips, Python the weeks, as fractions."""

import datetime as dt
import os
import random
from fractions import Fraction

import pytest

import conftest
import trip_files

QUESTIONS = int(os.environ.get("ORACLE_QUESTIONS", "500"))
DAY = dt.timedelta(days=1)


def monday(day):
    return day - DAY * day.weekday()


def dates(rng):
    """since and until: on the edges of weeks and years, in gaps, outside; each may be left out."""
    window = rng.choice(trip_files.WINDOWS)
    around = rng.choice([window[0], window[1], dt.date(window[1].year, 1, 1)])
    days = [monday(around), monday(around) + 6 * DAY, around + DAY * rng.randrange(-20, 20)]
    since = rng.choice(days)
    until = since + DAY * rng.choice([0, 0, 1, 6, 7, rng.randrange(60), rng.randrange(4000)])
    return rng.choice([(None, None), (since, None), (None, until), (since, until), (since, until)])


def box(rng, places):
    """west, south, east, north; west is greater than east across the meridian of 180 degrees."""
    x, y = rng.choice(places)
    u, v = rng.choice(places)
    size = rng.choice([0.001, 0.02, 0.1, 0.25, 3.0])
    kind = rng.randrange(9)
    if kind == 0:
        return rng.choice([(-180, -90, 180, 90), (-180, 0, 180, 90), (0, -90, 180, 90)])
    if kind == 1:  # one point
        return x, y, x, y
    if kind == 2:  # its edges are those of two trips
        return min(x, u), min(y, v), max(x, u), max(y, v)
    if kind == 3:  # the same, the other way round the earth
        return max(x, u), min(y, v), min(x, u), max(y, v)
    if kind == 4:  # on a grid
        step = rng.choice([0.25, 0.1, 0.01, 0.015625])
        west, south = round(x / step) * step, round(y / step) * step
        width = step * rng.randrange(0, 4)
        return clip(west, south, west + width, south + width)
    if kind == 5:  # the open sea
        return -30.0 - size, -45.0, -30.0, -44.0
    if kind == 6:  # across the meridian of 180 degrees
        return 180.0 - size, -17.5 - size, -180.0 + size, -16.5
    if kind == 7:  # up to it
        return rng.choice([(180.0 - size, -90, 180.0, 90), (-180.0, -90, -180.0 + size, 90)])
    return clip(x - size, y - size / 2, x + size / 3, y + size)


def clip(west, south, east, north):
    return max(west, -180.0), max(south, -90.0), min(east, 180.0), min(north, 90.0)


def inside(x, y):
    """Whether a point lies in the box ?: edges inside, and -180 degrees are 180."""
    return f"""({y} BETWEEN $south AND $north AND
        CASE WHEN $west <= $east THEN {x} BETWEEN $west AND $east OR {x} = 180 AND $west = -180
             ELSE {x} >= $west OR {x} <= $east END)"""


MATCHES = {
    "origin": inside("ox", "oy"),
    "destination": inside("dx", "dy"),
    "both": f"{inside('ox', 'oy')} AND {inside('dx', 'dy')}",
    "either": f"(coalesce({inside('ox', 'oy')}, false) OR coalesce({inside('dx', 'dy')}, false))",
}


def expected(trips_of_day, since, until):
    """The weeks with their trips."""
    own = [monday(min(trips_of_day)), monday(max(trips_of_day)) + 6 * DAY] if trips_of_day else [None, None]
    first, last = since or own[0], until or own[1]
    weeks = {}
    if first and last:
        week = monday(first)
        while week <= last:
            weeks[week] = 0
            week += 7 * DAY
        for day, trips in trips_of_day.items():
            if first <= day <= last:
                weeks[monday(day)] += trips
    return weeks


def is_quotient(found, exact):
    """PostgreSQL's numeric is the fraction, rounded at its last digit, of which it has 16 at least."""
    if found is None or exact is None:
        return found is exact
    if Fraction(found) == exact:
        return True
    _, digits, exponent = found.as_tuple()
    scaled = exact * 10**-exponent
    return len(digits) >= 16 and abs(Fraction(found) * 10**-exponent - scaled) <= Fraction(1, 2)


@pytest.fixture(scope="session")
def places(oracle):
    rows = oracle.execute(
        "SELECT ox, oy FROM trips WHERE ox IS NOT NULL UNION ALL SELECT dx, dy FROM trips WHERE dx IS NOT NULL"
    ).fetchall()
    return sorted(rows)


@pytest.fixture(scope="session")
def non_empty():
    """The numbers of queries with trips in their result: not all may be empty."""
    return []


def query(server, subject, parameters, since, until, rest=""):
    call = f"({subject}, since => %s::date, until => %s::date{rest})"
    arguments = [*parameters, since, until]
    average = server.execute(f"SELECT trips.weekly_avg{call}", arguments).fetchone()[0]
    counts = server.execute(f"SELECT week, trips FROM trips.weekly_counts{call}", arguments).fetchall()
    return average, counts


@pytest.mark.parametrize("number", range(QUESTIONS))
def test_question(server, oracle, places, non_empty, number):
    rng = random.Random(f"{conftest.SEED} {number}")
    since, until = dates(rng)
    if number % 3 == 0:
        region = rng.choice([*(name for name, *_ in trip_files.REGIONS), "nowhere"])
        days = oracle.execute(
            "SELECT date_time::DATE, count(*) FROM trips WHERE region = $region GROUP BY 1", {"region": region}
        ).fetchall()
        average, counts = query(server, "%s::text", [region], since, until)
    else:
        match = rng.choice(list(MATCHES))
        area = dict(zip(["west", "south", "east", "north"], map(float, box(rng, places))))
        days = oracle.execute(
            f"SELECT date_time::DATE, count(*) FROM trips WHERE {MATCHES[match]} GROUP BY 1", area
        ).fetchall()
        subject = "trips.area(%s, %s, %s, %s)"
        average, counts = query(server, subject, area.values(), since, until, f", match => '{match}'")
    weeks = expected(dict(days), since, until)
    assert counts == sorted(weeks.items())
    exact = Fraction(sum(weeks.values()), len(weeks)) if weeks else None
    assert is_quotient(average, exact), (average, exact)
    if exact:
        non_empty.append(number)


def test_many_results_are_not_empty(non_empty):
    assert len(non_empty) > QUESTIONS / 3
