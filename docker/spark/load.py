"""Loads files of trips into the history with a cluster, exactly once: spark-submit load.py FILE...

Each worker runs trips_reader, the parser of trips.ingest(), on splits of the files. It stores the parts with
trips.upload_part(), each part in its own transaction. trips.upload_part() does not store a part twice. So a task
that Spark repeats, runs twice, or loses with its worker has no effect. When all parts of a file are stored,
trips.complete_upload() loads the file into the history in one transaction, in the order of the files.

trips_reader splits CSV at ends of records. A packed file, JSON or text in UTF-16 is one piece, an archive has one for
each member, and Parquet has row groups.

All workers must see the files under the same path. Patterns are allowed. The job reports a file that it cannot load
(refused: its header or its format is invalid; failed: all other errors), and loads the other files. The exit status
is 1 then.
"""

import argparse
import concurrent.futures
import glob
import hashlib
import json
import os
import subprocess
import sys
import time

from trips_spark import connect, context, environment, has_workers, progress, say_page, shown

# The settings of the server that decide which rows are valid, and which files are too large when they are unpacked.
SETTINGS = ("max_record_size", "earliest_date", "latest_date", "zero_coordinates")
LIMITS = ("max_unpacked_size", "max_compression_ratio", "max_archive_members", "max_archive_depth")
# Those that have a unit.
SIZES = ("max_record_size", "max_unpacked_size")

# Transient errors: lock not available, serialization failure, deadlock. The delay doubles with each retry.
TRANSIENT = ("55P03", "40001", "40P01")
TRIES = 5

# SQLSTATE by the exit status of trips_reader: the file changed after it was split, or its times contradict its feed.
CODES = {3: "55006", 4: "22008"}


class Failed(Exception):
    """Why a file is not loaded: an SQLSTATE and a text."""

    def __init__(self, code, message):
        super().__init__(code, message)
        self.code, self.message = code, message


def stored(path):
    """A path as the ledger has it: its name may be any bytes, and text may not."""
    return os.fsencode(path).decode("utf-8", "replace")


def report(what, path, code, message):
    # Errors of the server have lines for DETAIL and HINT.
    print(f"{what} {shown(path)} {code}: {shown(' '.join(message.splitlines()))}", file=sys.stderr)


def reader_failed(returncode, stderr):
    code = CODES.get(returncode, "58030")
    return Failed(code, stderr.decode("utf-8", "replace").strip() or f"trips_reader ended with {returncode}")


def split_file(reader, path, options):
    """Returns the size, digest and splits of a file, or the reason why it is refused."""
    run = subprocess.run([reader, "split", path, *options], capture_output=True)
    if run.returncode != 0:
        failed = reader_failed(run.returncode, run.stderr)
        return {"refused": {"code": failed.code, "message": failed.message}}
    return json.loads(run.stdout)


def read_exactly(stream, count):
    """Returns count bytes, or nothing at the end of the stream."""
    data = stream.read(count)
    return data if len(data) == count else b""


def send(stream, data):
    """Writes all data to a program, unless it has ended: its status and stderr have the reason."""
    try:
        stream.write(data)
        stream.close()
    except BrokenPipeError:
        pass


def upload_split(reader, settings, zones, split, slow):
    """Reads one split with trips_reader and uploads its parts; returns the numbers of new and repeated parts."""
    options = [f"{name}={value}" for name, value in split["options"].items()]
    if zones:
        options.append("zones_file=/dev/stdin")
    staged = repeated = 0
    with subprocess.Popen([reader, "read", split["path"], *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as process, connect(settings) as client:
        try:
            send(process.stdin, zones)
            while length := read_exactly(process.stdout, 8):
                # trips_reader ended; stderr has the reason.
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


def upload_or_report(attempts, *what):
    """Uploads a split and returns the error, if any. A transient error is raised, so that Spark repeats the task."""
    import psycopg
    from pyspark import TaskContext

    try:
        return *upload_split(*what), None
    except Failed as failed:
        code, message, is_transient = failed.code, failed.message, failed.code != "55006"
    except psycopg.Error as error:
        code, message = error.sqlstate or "08000", str(error).strip()
        is_transient = isinstance(error, psycopg.OperationalError) or code in TRANSIENT
    attempt = TaskContext.get().attemptNumber() + 1
    if is_transient and attempt < attempts:
        time.sleep(2 ** attempt)
        raise RuntimeError(f"{code}: {message}")
    return 0, 0, (code, message)


def with_retries(work):
    """Runs work with a connection, and repeats it after transient errors; raises Failed after other errors."""
    import psycopg

    for attempt in range(1, TRIES + 1):
        try:
            with connect() as client:
                return work(client)
        except psycopg.Error as error:
            lost = isinstance(error, psycopg.OperationalError) and error.sqlstate is None
            if attempt == TRIES or not (lost or error.sqlstate in TRANSIENT):
                raise Failed(error.sqlstate or "08000", str(error).strip()) from error
        time.sleep(2 ** (attempt - 1))


def settings_of(client):
    """Returns the settings of the server as options of trips_reader. The first query loads the library."""
    client.execute("SELECT trips.trip_key('', NULL, NULL, '2000-01-01', NULL)")
    rules = {name: client.execute("SELECT current_setting(%s)", (f"trips.{name}",)).fetchone()[0]
             for name in SETTINGS + LIMITS}
    sizes = {name: client.execute("SELECT pg_size_bytes(%s)", (rules[name],)).fetchone()[0] for name in SIZES}
    return {**rules, **sizes}


def zones_of(client):
    """Returns the zones and stations of the server as zones_file of trips_reader has them. It knows the built-in ones."""
    rows = client.execute(
        "SELECT zone_set, zone_id, valid_from, valid_to, region, point[0]::text, point[1]::text"
        "  FROM trips.zones WHERE zone_set <> 'nyc_taxi_zones' ORDER BY 1, 2, 3, 4")
    return "".join(f"{json.dumps(row)}\n" for row in rows).encode()


def covers(parts, first, end):
    """Returns whether sorted parts cover all bytes from first up to end."""
    for begin, behind in parts:
        if begin <= first < behind:
            first = behind
    return first >= end


class Job:
    """The load of some files."""

    def __init__(self, wanted):
        self.context, self.reader, self.slow = None, wanted.reader, wanted.slow
        self.only_stage, self.on_change = wanted.only_stage, wanted.on_change
        self.settings = with_retries(settings_of)
        self.zones = with_retries(zones_of)
        version = subprocess.run([self.reader, "version"], capture_output=True, text=True, check=True).stdout.strip()
        how = {"split_bytes": wanted.split_bytes, **self.settings}
        if self.zones:
            how["zones"] = hashlib.sha256(self.zones).hexdigest()
        self.reader_options = " ".join([f"trips_reader {version}", *(f"{name}={value}" for name, value in how.items())])
        self.options = [f"split_bytes={wanted.split_bytes}",
                        *(f"{name}={self.settings[name]}" for name in ("max_record_size", *LIMITS))]
        # The result of each file: loaded, skipped, refused or failed.
        self.ends = {}

    def start(self, paths):
        """Starts the workers of the cluster, and splits files here until the workers run. Returns the splits of the
        files."""
        reader, options = self.reader, self.options
        with concurrent.futures.ThreadPoolExecutor(1) as here:
            futures = {path: here.submit(split_file, reader, path, options) for path in paths}
            self.context = context("trips load")
            say_page(self.context)
            # A local master does not repeat tasks.
            repeats = self.context.getConf().get("spark.task.maxFailures", "4")
            self.attempts = 1 if self.context.master.startswith("local") else int(repeats)
            while not has_workers(self.context) and not all(future.done() for future in futures.values()):
                time.sleep(0.02)
            found = {path: future.result() for path, future in futures.items() if not future.cancel()}
        # The workers may see files that the driver does not see.
        rest = [path for path in paths
                if path not in found or found[path].get("refused", {}).get("code") == "58030"]
        if rest:
            there = self.context.parallelize(rest, len(rest)).map(lambda path: split_file(reader, path, options))
            found.update(zip(rest, there.collect()))
        return [found[path] for path in paths]

    def fail(self, path, failed):
        self.ends[path] = "failed"
        report("failed", path, failed.code, failed.message)

    def open(self, path, file):
        """Returns the number of the upload, or None if another load has the same bytes."""
        load_id, state, same_as = with_retries(lambda client: client.execute(
            "SELECT load_id, state, same_as FROM trips.create_upload(%s, %s, %s, %s, %s)",
            (stored(path), bytes.fromhex(file["digest"]), file["bytes"], self.reader_options, self.on_change)).fetchone())
        if state == "skipped":
            self.ends[path] = "skipped"
            print(f"known already {shown(path)}: load {same_as} has its bytes")
            return None
        return load_id

    def missing(self, path, file, load_id):
        """Returns the splits of a file that are not uploaded."""
        arrived = with_retries(lambda client: client.execute(
            "SELECT first_byte, first_byte + bytes FROM trips.upload_parts WHERE load_id = %s ORDER BY 1",
            (load_id,)).fetchall())
        return [
            {"path": path, "options": {
                "load_id": load_id, "first_byte": first, "bytes": size, "first_line": line, "blake3": digest,
                "file_bytes": file["bytes"], "mtime_ns": file["mtime_ns"], **self.settings,
                **({"columns": columns} if columns else {}), **({"piece": piece[0]} if piece else {})}}
            for first, size, line, digest, columns, *piece in file["splits"] if not covers(arrived, first, first + size)]

    def stage(self, splits):
        """Uploads these splits with a task for each; reports the files of failed tasks."""
        reader, settings, slow, attempts = self.reader, environment(), self.slow, self.attempts
        zones = self.zones

        def work(split):
            return upload_or_report(attempts, reader, settings, zones, split, slow)

        size = sum(split["options"]["bytes"] for split in splits)
        files = len({split["path"] for split in splits})
        print(f"staging {size / 1e6:.1f} MB of {files} {'file' if files == 1 else 'files'} in {len(splits)} tasks", flush=True)
        with progress(self.context, "staging"):
            results = self.context.parallelize(splits, len(splits)).map(work).collect()
        for split, (_, _, failed) in zip(splits, results):
            if failed and split["path"] not in self.ends:
                self.fail(split["path"], Failed(*failed))
        staged, repeated = (sum(result[i] for result in results) for i in (0, 1))
        print(f"staged {staged} parts, {repeated} were there already")

    def merge(self, path, load_id):
        row = with_retries(lambda client: client.execute(
            "SELECT state, rows_read, rows_inserted, rows_duplicate, rows_corrected, rows_staged FROM trips.complete_upload(%s)",
            (load_id,)).fetchone())
        self.ends[path] = row[0]
        print("{} {} as load {}: {} read, {} inserted, {} duplicate, {} corrected, {} staged".format(
            row[0], shown(path), load_id, *row[1:]))

    def load(self, files, again=True):
        """Uploads and completes files of different bytes. An upload whose parts do not make up its file is aborted and
        repeated once."""
        opened, splits, stuck = [], [], []
        for path, file in files:
            try:
                if (load_id := self.open(path, file)) is not None:
                    splits += self.missing(path, file, load_id)
                    opened.append((path, file, load_id))
            except Failed as failed:
                self.fail(path, failed)
        if splits:
            self.stage(splits)
        for path, file, load_id in opened if not self.only_stage else ():
            if path in self.ends:
                continue
            try:
                self.merge(path, load_id)
            except Failed as failed:
                if failed.code == "55000" and again:
                    print(f"begins anew {shown(path)}: {shown(failed.message)}")
                    with_retries(lambda client: client.execute("SELECT trips.abort_upload(%s)", (load_id,)))
                    stuck.append((path, file))
                else:
                    self.fail(path, failed)
        if stuck:
            self.load(stuck, again=False)

    def run(self, paths):
        first, copies = {}, []
        for path, file in zip(paths, self.start(paths)):
            for text in file.get("warnings", ()):
                print(f"warning {shown(path)}: {shown(text)}", file=sys.stderr)
            if "refused" in file:
                self.ends[path] = "refused"
                report("refused", path, **file["refused"])
            elif first.setdefault(file["digest"], (path, file))[0] != path:
                copies.append((path, file))
        self.load(list(first.values()))
        # Copies of files of this job, so that the ledger has a row for each.
        for path, file in copies if not self.only_stage else ():
            original = first[file["digest"]][0]
            try:
                if self.ends[original] == "failed":
                    raise Failed("55000", f"it has the bytes of {shown(original)}")
                self.open(path, file)
            except Failed as failed:
                self.fail(path, failed)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", metavar="FILE")
    parser.add_argument("--reader", default=os.environ.get("TRIPS_READER", "trips_reader"),
                        help="trips_reader, as the workers find it")
    parser.add_argument("--split-bytes", type=int, default=16 << 20,
                        help="size of a split in bytes; a worker holds a split of CSV in memory")
    parser.add_argument("--on-change", choices=("keep", "replace", "stage"),
                        help="what happens to known ids with other values; default: the policy of the feed")
    parser.add_argument("--only-stage", action="store_true", help="do not complete the uploads")
    parser.add_argument("--slow", type=float, default=0.0, help=argparse.SUPPRESS)
    return parser.parse_args()


def summary(ends, files):
    """How all files ended, in one line."""
    words = {"loaded": "loaded", "skipped": "known already", "refused": "refused", "failed": "failed"}
    counts = [f"{ends.count(end)} {word}" for end, word in words.items() if end == "loaded" or end in ends]
    if files > len(ends):
        counts.append(f"{files - len(ends)} only staged")
    return f"{files} {'file' if files == 1 else 'files'}: {', '.join(counts)}"


def main():
    wanted = arguments()
    paths = [path for pattern in wanted.files for path in sorted(glob.glob(pattern)) or [pattern]]
    paths = list(dict.fromkeys(paths))
    job = Job(wanted)
    job.run(paths)
    job.context.stop()
    ends = list(job.ends.values())
    print(summary(ends, len(paths)))
    return 1 if "refused" in ends or "failed" in ends else 0


if __name__ == "__main__":
    sys.exit(main())
