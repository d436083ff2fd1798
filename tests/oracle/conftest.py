"""The same files in the extension and in DuckDB."""

import os
import pathlib

import duckdb
import psycopg
import pytest

import trip_files

SEED = int(os.environ.get("ORACLE_SEED", "1"))
ROWS = int(os.environ.get("ORACLE_ROWS", "20000"))
FILES = 5

# A coordinate is text up to here: nothing of the extension has read it. The meridian of 180 degrees has one
# name, as docs/reference.md says.
TRIPS = """
CREATE TABLE trips AS
SELECT DISTINCT trim(region) AS region,
       CASE WHEN ox = -180 THEN 180 ELSE ox + 0.0 END AS ox, oy + 0.0 AS oy,
       CASE WHEN dx = -180 THEN 180 ELSE dx + 0.0 END AS dx, dy + 0.0 AS dy,
       date_time, datasource
  FROM (SELECT region,
               TRY_CAST(regexp_extract(origin_coord, '\\((\\S+) (\\S+)\\)', 1) AS DOUBLE) AS ox,
               TRY_CAST(regexp_extract(origin_coord, '\\((\\S+) (\\S+)\\)', 2) AS DOUBLE) AS oy,
               TRY_CAST(regexp_extract(destination_coord, '\\((\\S+) (\\S+)\\)', 1) AS DOUBLE) AS dx,
               TRY_CAST(regexp_extract(destination_coord, '\\((\\S+) (\\S+)\\)', 2) AS DOUBLE) AS dy,
               CAST(date_time AS TIMESTAMP) AS date_time, datasource
          FROM read_csv(?, header = true, all_varchar = true, quote = '"', escape = '"'))
"""


@pytest.fixture(scope="session")
def server():
    """A connection to the cluster that runs for this, with the extension, and all files loaded."""
    directory = pathlib.Path(os.environ["TRIPS_CLUSTER_FILES"])
    with psycopg.connect(autocommit=True) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS trips_pipeline")
        for i, text in enumerate(trip_files.files(ROWS, SEED, FILES)):
            path = directory / f"trips_{i}.csv"
            path.write_text(text, encoding="utf-8")
            path.chmod(0o644)
            row = connection.execute(
                "SELECT rows_staged, rows_inserted FROM trips.ingest(%s)", [str(path)]
            ).fetchone()
            assert row[0] == 0 and row[1] > 0, row
        yield connection


@pytest.fixture(scope="session")
def oracle(server):
    """DuckDB with the same files."""
    files = [str(p) for p in pathlib.Path(os.environ["TRIPS_CLUSTER_FILES"]).glob("trips_*.csv")]
    database = duckdb.connect()
    database.execute(TRIPS, [files])
    count = database.execute("SELECT count(*) FROM trips").fetchone()[0]
    assert count == server.execute("SELECT count(*) FROM trips.hist_trip_data").fetchone()[0]
    return database
