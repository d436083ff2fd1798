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
    # Something is drawn on both sides: cells and hours on the right, panels on the left.
    picture = matplotlib.image.imread(output)[:, :, :3]
    height, width, _ = picture.shape
    assert (height, width) == (704, 1540)
    colours = [len({pixel.tobytes() for row in half for pixel in row}) for half in (picture[:, : width // 2], picture[:, width // 2 :])]
    assert min(colours) > 100, colours
    # For who wants to look at it.
    if target := os.environ.get("ORACLE_PICTURE"):
        shutil.copy(output, target)
    unknown = draw("pictures", output, "--region", "nowhere")
    assert unknown.returncode != 0 and "nowhere" in unknown.stderr
    for arguments in (["--area=14.2,50,14.7,50.2", "--since", "2018-05-07", "--until", "2018-06-03"], ["--regions", "2"]):
        done = draw("pictures", output, *arguments)
        assert done.returncode == 0 and not done.stderr, done.stderr
    for arguments, expected in ((["--since", "2030-01-01"], "No trips in this period"), (["--area=1,2"], "WEST,SOUTH,EAST,NORTH")):
        refused = draw("pictures", output, *arguments)
        assert refused.returncode != 0 and expected in refused.stderr, refused.stderr


def test_names_of_regions_are_text(server, tmp_path):
    """No markup of matplotlib, and no escapes: the name would be an error of its parser."""
    server.execute("CREATE DATABASE hostile")
    sample = pathlib.Path(os.environ["TRIPS_CLUSTER_FILES"]) / "hostile.csv"
    sample.write_text('region,origin_coord,destination_coord,date_time,datasource\n'
                      '"$\\frac{\x1b[2J\u202e$",POINT (7 45),POINT (7 45),2018-05-01 00:00:00,x\n', encoding="utf-8")
    sample.chmod(0o644)
    with psycopg.connect(dbname="hostile", autocommit=True) as connection:
        connection.execute("CREATE EXTENSION trips_pipeline")
        connection.execute("SELECT trips.ingest(%s)", [str(sample)])
    done = draw("hostile", tmp_path / "trips.png")
    assert done.returncode == 0 and "\x1b" not in done.stderr, done.stderr
