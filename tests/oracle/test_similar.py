"""Cells by H3's own library, and groups of similar trips made of them in Python."""

import collections
import datetime as dt
import random

import h3
import pytest

import conftest


def test_cells_are_those_of_h3(server):
    rng = random.Random(conftest.SEED)
    places = [(rng.uniform(-180, 180), rng.uniform(-90, 90)) for _ in range(3000)]
    places += [(rng.uniform(14, 15), rng.uniform(50, 51)) for _ in range(3000)]
    places += [(x, y) for x in (-180.0, -179.9, 0.0, 180.0) for y in (-90.0, -89.9, 0.0, 90.0)]
    for resolution in range(16):
        rows = server.execute(
            """SELECT trips.h3_cell(point(x, y), %s), to_hex(trips.h3_number(point(x, y), %s))
                 FROM unnest(%s::float8[], %s::float8[]) WITH ORDINALITY AS p (x, y, i) ORDER BY i""",
            [resolution, resolution, [x for x, _ in places], [y for _, y in places]],
        ).fetchall()
        for (x, y), (name, number) in zip(places, rows, strict=True):
            assert name == number == h3.latlng_to_cell(y, x, resolution), (x, y, resolution)


def test_middles_and_corners_are_those_of_h3(server):
    rng = random.Random(conftest.SEED)
    # Those with five corners, too.
    cells = [*h3.get_pentagons(3), *h3.get_pentagons(8)]
    cells += [h3.latlng_to_cell(rng.uniform(-80, 80), rng.uniform(-179, 179), rng.randrange(16)) for _ in range(300)]
    for cell in cells:
        (x, y, corners) = server.execute(
            """SELECT c[0], c[1], ARRAY(SELECT ARRAY[p[0], p[1]] FROM unnest(trips.h3_corners(%s)) AS p)
                 FROM trips.h3_center(%s) AS c""",
            [cell, cell],
        ).fetchone()
        assert h3.cell_to_latlng(cell) == pytest.approx((y, x), abs=1e-9)
        expected = [list(reversed(corner)) for corner in h3.cell_to_boundary(cell)]
        assert len(corners) == len(expected)
        for found, wanted in zip(corners, expected):
            assert found == pytest.approx(wanted, abs=1e-9)


def groups(oracle, where, resolution, minutes, at_least):
    found = collections.defaultdict(list)
    rows = oracle.execute(
        f"SELECT ox, oy, dx, dy, date_time FROM trips WHERE ox IS NOT NULL AND dx IS NOT NULL AND {where}"
    ).fetchall()
    for ox, oy, dx, dy, time in rows:
        part = (time.hour * 60 + time.minute) // minutes * minutes
        key = (
            h3.latlng_to_cell(oy, ox, resolution),
            h3.latlng_to_cell(dy, dx, resolution),
            dt.time(part // 60, part % 60),
        )
        found[key].append(time.date())
    rows = [(*key, len(days), min(days), max(days)) for key, days in found.items() if len(days) >= at_least]
    return sorted(rows, key=lambda row: (-row[3], row[:3]))


@pytest.mark.parametrize(
    "arguments, where",
    [
        ("", "true"),
        (", region => 'Turin'", "region = 'Turin'"),
        (", since => '2018-05-01', until => '2018-05-31'", "date_time >= '2018-05-01' AND date_time < '2018-06-01'"),
        (", region => 'Taveuni', until => '2016-01-01'", "region = 'Taveuni' AND date_time < '2016-01-02'"),
        (", region => 'nowhere'", "false"),
        (", area => '(14.3,50),(14.5,50.1)', match => 'both'",
         "ox BETWEEN 14.3 AND 14.5 AND oy BETWEEN 50 AND 50.1 AND dx BETWEEN 14.3 AND 14.5 AND dy BETWEEN 50 AND 50.1"),
        (", area => '(179.9,-17),(180.1,-16.7)', match => 'destination'",
         "(dx >= 179.9 OR dx <= -179.9) AND dy BETWEEN -17 AND -16.7"),
    ],
)
@pytest.mark.parametrize("resolution, minutes, at_least", [(9, 60, 2), (5, 1440, 1), (7, 15, 1), (6, 180, 2), (15, 60, 1)])
def test_groups(server, oracle, arguments, where, resolution, minutes, at_least):
    rows = server.execute(
        f"""SELECT origin_cell, destination_cell, time_of_day, trips, first_date, last_date
              FROM trips.similar_trips(resolution => {resolution}, bucket => '{minutes} minutes',
                                       at_least => {at_least}{arguments})"""
    ).fetchall()
    assert rows == groups(oracle, where, resolution, minutes, at_least)
