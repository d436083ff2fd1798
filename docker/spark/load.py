"""Loads files of trips into the history with a cluster, exactly once: spark-submit load.py FILE...

Every worker runs trips_reader, the parser of trips.ingest, on splits of the files and stages what it has read
with trips.upload_part(), each part in a transaction of its own. A part that is there is not staged again: so a
task that Spark repeats, doubles, or loses with its worker, changes nothing. When all parts of a file are there,
trips.complete_upload() brings them into the history in one transaction, in the order of the files.

The files are on a file system that all workers see under the same path. Patterns are allowed. What keeps one file
from being loaded is told (refused: by its header or its form; failed: anything else), and keeps no other file; the
exit code is 1 then.
"""

import argparse
import concurrent.futures
import glob
import json
import os
import subprocess
import sys
import time

from trips_spark import connect, context, environment, has_workers

# The settings of the server that decide what a good line is.
RULES = ("max_record_size", "earliest_date", "latest_date", "zero_coordinates")

# Locks that others have, deadlocks, transactions in the way: tried again so often, each time twice as late.
PASSING = ("55P03", "40001", "40P01")
TRIES = 5

# What trips_reader answers when the file is not what was cut.
CHANGED = 3


class Failed(Exception):
    """Why a file is not loaded: an SQLSTATE and a text."""

    def __init__(self, code, message):
        super().__init__(code, message)
        self.code, self.message = code, message


def shown(path):
    """A path as text: its name may be any bytes."""
    return os.fsencode(path).decode("utf-8", "replace")


def tell(what, path, code, message):
    print(f"{what} {shown(path)} {code}: {message}", file=sys.stderr)


def reader_failed(returncode, stderr):
    code = "55006" if returncode == CHANGED else "58030"
    return Failed(code, stderr.decode("utf-8", "replace").strip() or f"trips_reader ended with {returncode}")


def cut(reader, path, options):
    """A file's size, digest and splits, or why it is refused."""
    run = subprocess.run([reader, "split", path, *options], capture_output=True)
    if run.returncode != 0:
        failed = reader_failed(run.returncode, run.stderr)
        return {"refused": {"code": failed.code, "message": failed.message}}
    return json.loads(run.stdout)


def read_exactly(stream, count):
    """So many bytes, or fewer when the stream has ended."""
    data = stream.read(count)
    return data if len(data) == count else b""


def stage_split(reader, settings, split, slow):
    """Reads one split of a file with trips_reader and stages its parts; gives how many, and how many were there."""
    options = [f"{name}={value}" for name, value in split["options"].items()]
    staged = repeated = 0
    with subprocess.Popen([reader, "read", split["path"], *options], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as process, connect(settings) as client:
        try:
            while length := read_exactly(process.stdout, 8):
                # Cut short, it is no part, and the reader has told why.
                part = read_exactly(process.stdout, int.from_bytes(length, "big"))
                if not part:
                    break
                time.sleep(slow)
                (is_new,) = client.execute(
                    "SELECT trips.upload_part(%b, %b)", (split["options"]["load_id"], part), binary=True).fetchone()
                staged, repeated = staged + is_new, repeated + (not is_new)
        except BaseException:
            process.kill()
            raise
        stderr = process.stderr.read()
        if process.wait() != 0:
            raise reader_failed(process.returncode, stderr)
    return staged, repeated


def stage_or_tell(attempts, *what):
    """Stages a split; gives also why it fails. What may pass by is left to Spark, which tries elsewhere again."""
    import psycopg
    from pyspark import TaskContext

    try:
        return *stage_split(*what), None
    except Failed as failed:
        code, message, may_pass = failed.code, failed.message, failed.code != "55006"
    except psycopg.Error as error:
        code, message = error.sqlstate or "08000", str(error).strip()
        may_pass = isinstance(error, psycopg.OperationalError) or code in PASSING
    attempt = TaskContext.get().attemptNumber() + 1
    if may_pass and attempt < attempts:
        time.sleep(2 ** attempt)
        raise RuntimeError(f"{code}: {message}")
    return 0, 0, (code, message)


def trying(work):
    """Does work with a connection, again when what fails may pass by; else Failed."""
    import psycopg

    for attempt in range(1, TRIES + 1):
        try:
            with connect() as client:
                return work(client)
        except psycopg.Error as error:
            lost = isinstance(error, psycopg.OperationalError) and error.sqlstate is None
            if attempt == TRIES or not (lost or error.sqlstate in PASSING):
                raise Failed(error.sqlstate or "08000", str(error).strip()) from error
        time.sleep(2 ** (attempt - 1))


def rules_of(client):
    """The server's settings, as options of trips_reader. The library knows them once it is loaded."""
    client.execute("SELECT trips.trip_key('', NULL, NULL, '2000-01-01', NULL)")
    rules = {name: client.execute("SELECT current_setting(%s)", (f"trips.{name}",)).fetchone()[0]
             for name in RULES}
    (size,) = client.execute("SELECT pg_size_bytes(%s)", (rules["max_record_size"],)).fetchone()
    return {**rules, "max_record_size": size}


def covers(parts, first, end):
    """Whether parts in order cover all bytes from the first to before the end."""
    for begin, behind in parts:
        if begin <= first < behind:
            first = behind
    return first >= end


class Job:
    """The load of some files."""

    def __init__(self, wanted):
        self.context, self.reader, self.slow = None, wanted.reader, wanted.slow
        self.only_stage = wanted.only_stage
        self.rules = trying(rules_of)
        version = subprocess.run([self.reader, "version"], capture_output=True, text=True, check=True).stdout.strip()
        how = {"split_bytes": wanted.split_bytes, **self.rules}
        self.reader_options = " ".join([f"trips_reader {version}", *(f"{name}={value}" for name, value in how.items())])
        self.options = [f"split_bytes={wanted.split_bytes}", f"max_record_size={self.rules['max_record_size']}"]
        # How each file ended: loaded, skipped, refused or failed.
        self.ends = {}

    def start(self, paths):
        """Starts the cluster's workers, and cuts files here until they are up: one file after the other. Gives how the
        files are cut."""
        reader, options = self.reader, self.options
        with concurrent.futures.ThreadPoolExecutor(1) as here:
            cuts = {path: here.submit(cut, reader, path, options) for path in paths}
            self.context = context("trips load")
            # A local master repeats no task.
            repeats = self.context.getConf().get("spark.task.maxFailures", "4")
            self.attempts = 1 if self.context.master.startswith("local") else int(repeats)
            while not has_workers(self.context) and not all(future.done() for future in cuts.values()):
                time.sleep(0.02)
            found = {path: future.result() for path, future in cuts.items() if not future.cancel()}
        # What is not to be seen from here may be seen from there.
        rest = [path for path in paths
                if path not in found or found[path].get("refused", {}).get("code") == "58030"]
        if rest:
            there = self.context.parallelize(rest, len(rest)).map(lambda path: cut(reader, path, options))
            found.update(zip(rest, there.collect()))
        return [found[path] for path in paths]

    def fail(self, path, failed):
        self.ends[path] = "failed"
        tell("failed", path, failed.code, failed.message)

    def open(self, path, cut_file):
        """The number of the delivery; none when the ledger has the file's bytes, as it then says."""
        load_id, state, same_as = trying(lambda client: client.execute(
            "SELECT load_id, state, same_as FROM trips.create_upload(%s, %s, %s, %s)",
            (shown(path), bytes.fromhex(cut_file["digest"]), cut_file["bytes"], self.reader_options)).fetchone())
        if state == "skipped":
            self.ends[path] = "skipped"
            print(f"skipped {shown(path)}: load {same_as} has its bytes")
            return None
        return load_id

    def missing(self, path, cut_file, load_id):
        """The splits of a file that have not arrived."""
        arrived = trying(lambda client: client.execute(
            "SELECT first_byte, first_byte + bytes FROM trips.upload_parts WHERE load_id = %s ORDER BY 1",
            (load_id,)).fetchall())
        return [
            {"path": path, "options": {
                "load_id": load_id, "first_byte": first, "bytes": size, "first_line": line, "blake3": digest,
                "file_bytes": cut_file["bytes"], "mtime_ns": cut_file["mtime_ns"], **self.rules,
                **({"columns": columns} if columns else {})}}
            for first, size, line, digest, columns in cut_file["splits"] if not covers(arrived, first, first + size)]

    def stage(self, splits):
        """Has the workers stage these splits, a task for each; tells of files of which one fails."""
        reader, settings, slow, attempts = self.reader, environment(), self.slow, self.attempts

        def work(split):
            return stage_or_tell(attempts, reader, settings, split, slow)

        results = self.context.parallelize(splits, len(splits)).map(work).collect()
        for split, (_, _, failed) in zip(splits, results):
            if failed and split["path"] not in self.ends:
                self.fail(split["path"], Failed(*failed))
        staged, repeated = (sum(result[i] for result in results) for i in (0, 1))
        print(f"staged {staged} parts, {repeated} were there already")

    def merge(self, path, load_id):
        row = trying(lambda client: client.execute(
            "SELECT state, rows_read, rows_inserted, rows_duplicate, rows_staged FROM trips.complete_upload(%s)",
            (load_id,)).fetchone())
        self.ends[path] = row[0]
        print("{} {} as load {}: {} read, {} inserted, {} duplicate, {} staged".format(
            row[0], shown(path), load_id, *row[1:]))

    def load(self, files, again=True):
        """Opens, stages and merges files of different bytes. A delivery whose parts do not make up its file is
        begun anew, once."""
        opened, splits, stuck = [], [], []
        for path, cut_file in files:
            try:
                if (load_id := self.open(path, cut_file)) is not None:
                    splits += self.missing(path, cut_file, load_id)
                    opened.append((path, cut_file, load_id))
            except Failed as failed:
                self.fail(path, failed)
        if splits:
            self.stage(splits)
        for path, cut_file, load_id in opened if not self.only_stage else ():
            if path in self.ends:
                continue
            try:
                self.merge(path, load_id)
            except Failed as failed:
                if failed.code == "55000" and again:
                    print(f"begins anew {shown(path)}: {failed.message}")
                    trying(lambda client: client.execute("SELECT trips.abort_upload(%s)", (load_id,)))
                    stuck.append((path, cut_file))
                else:
                    self.fail(path, failed)
        if stuck:
            self.load(stuck, again=False)

    def run(self, paths):
        first, copies = {}, []
        for path, cut_file in zip(paths, self.start(paths)):
            if "refused" in cut_file:
                self.ends[path] = "refused"
                tell("refused", path, **cut_file["refused"])
            elif first.setdefault(cut_file["digest"], (path, cut_file))[0] != path:
                copies.append((path, cut_file))
        self.load(list(first.values()))
        # The copies of files of this job, for the ledger.
        for path, cut_file in copies if not self.only_stage else ():
            original = first[cut_file["digest"]][0]
            try:
                if self.ends[original] == "failed":
                    raise Failed("55000", f"it has the bytes of {shown(original)}")
                self.open(path, cut_file)
            except Failed as failed:
                self.fail(path, failed)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", metavar="FILE")
    parser.add_argument("--reader", default=os.environ.get("TRIPS_READER", "trips_reader"),
                        help="trips_reader, as the workers find it")
    parser.add_argument("--split-bytes", type=int, default=16 << 20,
                        help="how large a task is; a worker holds it in memory")
    parser.add_argument("--only-stage", action="store_true", help="leave the merge to somebody else")
    parser.add_argument("--slow", type=float, default=0.0, help=argparse.SUPPRESS)
    return parser.parse_args()


def main():
    wanted = arguments()
    paths = [path for pattern in wanted.files for path in sorted(glob.glob(pattern)) or [pattern]]
    paths = list(dict.fromkeys(paths))
    job = Job(wanted)
    job.run(paths)
    job.context.stop()
    ends = list(job.ends.values())
    print(f"loaded {ends.count('loaded')} of {len(paths)} files")
    return 1 if "refused" in ends or "failed" in ends else 0


if __name__ == "__main__":
    sys.exit(main())
