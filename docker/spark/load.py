"""Loads files of trips into the history with a cluster, exactly once: spark-submit load.py FILE...

Every worker runs trips_reader, the parser of trips.ingest, on pieces of the files and stages what it has read
with trips.stage_part(), each part in a transaction of its own. A part that is there is not staged again: so a
task that Spark repeats, doubles, or loses with its worker, changes nothing. When all parts of a file are there,
trips.merge_staged() brings them into the history in one transaction, in the order of the files.

The files are on a file system that all workers see under the same path. Patterns are allowed. The exit code is 1
when a file was refused; the others are loaded.
"""

import argparse
import glob
import json
import os
import subprocess
import sys
import time

from trips_spark import connect, environment, session

# The settings of the server that decide what a good line is.
RULES = ("max_record_bytes", "earliest_date", "latest_date", "zero_coordinates")


def cut(reader, path, options):
    """A file's size, digest and pieces, or why it is refused."""
    run = subprocess.run([reader, "cut", path, *options], capture_output=True, text=True)
    if run.returncode != 0:
        return {"refused": {"code": "58030", "message": run.stderr.strip()}}
    return json.loads(run.stdout)


def read_exactly(stream, count):
    """So many bytes, or none at the end of the stream."""
    data = stream.read(count)
    if data and len(data) < count:
        raise EOFError("trips_reader ended in the middle of a part")
    return data


def stage_piece(reader, settings, piece, slow):
    """Reads one piece of a file with trips_reader and stages its parts; gives the rows of staged parts."""
    options = [f"{name}={value}" for name, value in piece["options"].items()]
    staged = repeated = 0
    with subprocess.Popen([reader, "read", piece["path"], *options], stdout=subprocess.PIPE) as process, \
            connect(settings) as client:
        try:
            while length := read_exactly(process.stdout, 8):
                part = read_exactly(process.stdout, int.from_bytes(length, "big"))
                time.sleep(slow)
                (is_new,) = client.execute(
                    "SELECT trips.stage_part(%b, %b)", (piece["options"]["load_id"], part), binary=True).fetchone()
                staged, repeated = staged + is_new, repeated + (not is_new)
        except BaseException:
            process.kill()
            raise
        if process.wait() != 0:
            raise RuntimeError(f"trips_reader ended with {process.returncode}: see the worker's log")
    return staged, repeated


def rules_of(client):
    """The server's settings, as options of trips_reader. The library knows them once it is loaded."""
    client.execute("SELECT trips.trip_key('', NULL, NULL, '2000-01-01', NULL)")
    rules = {name: client.execute("SELECT current_setting(%s)", (f"trips.{name}",)).fetchone()[0]
             for name in RULES}
    (size,) = client.execute("SELECT pg_size_bytes(%s)", (rules["max_record_bytes"],)).fetchone()
    return {**rules, "max_record_bytes": size}


def open_deliveries(client, paths, found, rules, reading):
    """Opens a delivery for each file; gives (path, its number, the pieces that have not arrived).

    Of files with the same bytes, the first one is opened."""
    opened, seen = [], set()
    for path, cut_file in zip(paths, found):
        if "refused" in cut_file:
            refused = cut_file["refused"]
            print(f"refused {path} {refused['code']}: {refused['message']}", file=sys.stderr)
            continue
        if cut_file["digest"] in seen:
            continue
        seen.add(cut_file["digest"])
        load_id = open_delivery(client, path, cut_file, reading)
        if load_id is None:
            continue
        arrived = client.execute(
            "SELECT first_byte, first_byte + bytes FROM trips.delivery_parts WHERE load_id = %s ORDER BY 1",
            (load_id,)).fetchall()
        pieces = [
            {"path": path, "options": {
                "load_id": load_id, "first_byte": first, "bytes": size, "first_line": line,
                "file_bytes": cut_file["bytes"], "mtime_ns": cut_file["mtime_ns"], **rules}}
            for first, size, line in cut_file["pieces"] if not covers(arrived, first, first + size)]
        opened.append((path, load_id, pieces))
    return opened


def open_delivery(client, path, cut_file, reading):
    """The number of the delivery; none when the ledger has the file's bytes, as it then says."""
    load_id, state, same_as = client.execute(
        "SELECT load_id, state, same_as FROM trips.open_delivery(%s, %s, %s, %s)",
        (path, bytes.fromhex(cut_file["digest"]), cut_file["bytes"], reading)).fetchone()
    if state == "skipped":
        print(f"skipped {path}: load {same_as} has its bytes")
        return None
    return load_id


def covers(parts, first, end):
    """Whether parts in order cover all bytes from the first to before the end."""
    for begin, behind in parts:
        if begin <= first < behind:
            first = behind
    return first >= end


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", metavar="FILE")
    parser.add_argument("--reader", default=os.environ.get("TRIPS_READER", "trips_reader"),
                        help="trips_reader, as the workers find it")
    parser.add_argument("--piece-bytes", type=int, default=16 << 20, help="how large a task is")
    parser.add_argument("--only-stage", action="store_true", help="leave the merge to somebody else")
    parser.add_argument("--slow", type=float, default=0.0, help=argparse.SUPPRESS)
    return parser.parse_args()


def stage(context, pieces, reader, settings, slow):
    """Has the workers stage these pieces, a task for each."""
    def work(piece):
        return stage_piece(reader, settings, piece, slow)

    counts = context.parallelize(pieces, len(pieces)).map(work).collect()
    staged, repeated = (sum(count) for count in zip(*counts))
    print(f"staged {staged} parts, {repeated} were there already")


def main():
    wanted = arguments()
    paths = [path for pattern in wanted.files for path in sorted(glob.glob(pattern)) or [pattern]]
    spark = session("trips load")
    context, reader = spark.sparkContext, wanted.reader
    with connect() as client:
        rules = rules_of(client)
        version = subprocess.run([reader, "version"], capture_output=True, text=True, check=True).stdout.strip()
        how = {"piece_bytes": wanted.piece_bytes, **rules}
        reading = " ".join([f"trips_reader {version}", *(f"{name}={value}" for name, value in how.items())])
        options = [f"piece_bytes={wanted.piece_bytes}", f"max_record_bytes={rules['max_record_bytes']}"]
        found = context.parallelize(paths, len(paths)).map(lambda path: cut(reader, path, options)).collect()
        opened = open_deliveries(client, paths, found, rules, reading)
        pieces = [piece for _, _, pieces in opened for piece in pieces]
        if pieces:
            stage(context, pieces, reader, environment(), wanted.slow)
        for path, load_id, _ in opened if not wanted.only_stage else ():
            merge(client, path, load_id)
        # The copies of files of this job, for the ledger.
        digests = [cut_file.get("digest") for cut_file in found]
        for at, (path, cut_file) in enumerate(zip(paths, found)):
            if digests[at] is not None and digests[at] in digests[:at]:
                open_delivery(client, path, cut_file, reading)
    spark.stop()
    print(f"loaded {len(opened)} of {len(paths)} files")
    return 1 if None in digests else 0


def merge(client, path, load_id):
    row = client.execute(
        "SELECT state, rows_read, rows_inserted, rows_duplicate, rows_staged FROM trips.merge_staged(%s)",
        (load_id,)).fetchone()
    print("{} {} as load {}: {} read, {} inserted, {} duplicate, {} staged".format(row[0], path, load_id, *row[1:]))


if __name__ == "__main__":
    sys.exit(main())
