"""examples/pictures.py, with the sample file in a database of its own."""

import os
import pathlib
import shutil
import subprocess
import sys

import matplotlib.image
import psycopg

ROOT = pathlib.Path(__file__).parent.parent.parent
PICTURES = ROOT / "examples" / "pictures.py"


def draw(database, output, *arguments):
    return subprocess.run(
        [sys.executable, PICTURES, output, *arguments],
        env={**os.environ, "PGDATABASE": database}, capture_output=True, text=True, timeout=120,
    )


def test_pictures(server, tmp_path):
    server.execute("CREATE DATABASE pictures")
    sample = pathlib.Path(os.environ["TRIPS_CLUSTER_FILES"]) / "sample.csv"
    shutil.copy(ROOT / "samples" / "trips_sample.csv", sample)
    output = tmp_path / "trips.png"
    with psycopg.connect(dbname="pictures", autocommit=True) as connection:
        connection.execute("CREATE EXTENSION trips_pipeline")
        empty = draw("pictures", output)
        assert empty.returncode != 0 and "The history is empty" in empty.stderr
        connection.execute("SELECT trips.ingest(%s)", [str(sample)])
    done = draw("pictures", output, "--region", "Prague", "--resolution", "7")
    assert done.returncode == 0, done.stderr
    # Something is drawn on both sides: many colours on the right, those of the lines on the left.
    picture = matplotlib.image.imread(output)[:, :, :3]
    height, width, _ = picture.shape
    assert (height, width) == (550, 1210)
    colours = [len({pixel.tobytes() for row in half for pixel in row}) for half in (picture[:, : width // 2], picture[:, width // 2 :])]
    assert min(colours) > 100, colours
    # For who wants to look at it.
    if target := os.environ.get("ORACLE_PICTURE"):
        shutil.copy(output, target)
    unknown = draw("pictures", output, "--region", "nowhere")
    assert unknown.returncode != 0 and "nowhere" in unknown.stderr
