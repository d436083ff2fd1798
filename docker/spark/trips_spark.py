"""What the jobs share: where the database is, and the history as a frame in parallel partitions.

The database is named as for every client of PostgreSQL: PGHOST, PGPORT, PGUSER, PGDATABASE and
PGPASSWORD or PGPASSFILE. Workers get these from the driver, never from the command line.
"""

import contextlib
import os
import sys
import threading
import time
from datetime import date
from urllib.parse import urlencode

NAMES = ("PGHOST", "PGPORT", "PGUSER", "PGDATABASE", "PGPASSWORD", "PGPASSFILE", "PGSSLMODE", "PGSSLROOTCERT",
         "PGOPTIONS")

# A worker whose machine vanishes must not keep its transaction open for hours.
ALIVE = {"connect_timeout": 10, "keepalives": 1, "keepalives_idle": 10, "keepalives_interval": 5,
         "keepalives_count": 3, "tcp_user_timeout": 30_000}
# The server's side of the same.
SERVER_ALIVE = ("-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3"
                " -c tcp_user_timeout=30000")


def environment():
    """The settings of the database's clients that are set here."""
    return {name: os.environ[name] for name in NAMES if name in os.environ}


def connect(settings=None):
    """A connection of psycopg's, with the settings of this process or those that the driver has sent."""
    import psycopg

    names = {"PGHOST": "host", "PGPORT": "port", "PGUSER": "user", "PGDATABASE": "dbname",
             "PGPASSWORD": "password", "PGPASSFILE": "passfile", "PGSSLMODE": "sslmode",
             "PGSSLROOTCERT": "sslrootcert"}
    settings = environment() if settings is None else settings
    arguments = {names[name]: value for name, value in settings.items() if name in names}
    arguments["options"] = server_options(settings)
    return psycopg.connect(**arguments, **ALIVE, autocommit=True, application_name="trips_spark")


def server_options(settings):
    """Settings of the session, those of the caller last: they count."""
    return f"{SERVER_ALIVE} {settings.get('PGOPTIONS', '')}".strip()


def context(name):
    """A context without SQL, for workers that start other programs: their Java does little, and starts sooner when it
    compiles less."""
    from pyspark import SparkConf, SparkContext

    conf = SparkConf().setAppName(name)
    if not conf.contains("spark.executor.extraJavaOptions"):
        conf.set("spark.executor.extraJavaOptions", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
    return SparkContext(conf=conf)


def shown(text):
    """A text of others as it may be written to a terminal: its control characters, and those that change the direction of
    what follows, are escaped."""
    text = os.fsencode(text).decode("utf-8", "replace")
    return "".join(c if c.isprintable() or c == " " else c.encode("unicode_escape").decode() for c in text)


@contextlib.contextmanager
def progress(context, what, interval=5.0):
    """Says how many tasks are done while the body waits for the cluster: in one line of the terminal, if there is one,
    otherwise in a line each interval."""
    done, terminal = threading.Event(), None
    # spark-submit reads both outputs of this process: neither of them is a terminal.
    with contextlib.suppress(OSError):
        terminal = open("/dev/tty", "w")

    def report():
        last, said = None, time.monotonic()
        while not done.wait(0.5):
            tracker = context.statusTracker()
            stages = [stage for stage in map(tracker.getStageInfo, tracker.getActiveStageIds()) if stage]
            text = ", ".join(f"{stage.numCompletedTasks} of {stage.numTasks} tasks" for stage in stages)
            if not text or text == last or terminal is None and time.monotonic() - said < interval:
                continue
            last, said = text, time.monotonic()
            if terminal is None:
                print(f"{what}: {text}", file=sys.stderr, flush=True)
            else:
                print(f"\r\033[K{what}: {text}", end="", file=terminal, flush=True)
        if terminal is not None and last:
            print("\r\033[K", end="", file=terminal, flush=True)

    thread = threading.Thread(target=report, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        if terminal is not None:
            terminal.close()


def say_page(context):
    """Says where Spark shows the stages of this job, as long as it runs: below the master's page, if that is all that can
    be reached from outside."""
    page, above = context.uiWebUrl, os.environ.get("SPARK_PAGE")
    if page and above:
        page = f"{above}/proxy/{context.applicationId}/"
    if page:
        print(f"Spark shows this job on {page}", file=sys.stderr, flush=True)


def has_workers(spark):
    """Whether tasks would be taken at once: a worker's executor is up, or the master is a local one."""
    return spark.master.startswith("local") or spark._jsc.sc().getExecutorMemoryStatus().size() > 1


def session(name):
    """A session of Spark's; times are wall-clock times without a zone, and stay so."""
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.appName(name)
    builder = builder.config("spark.sql.session.timeZone", "UTC")
    return builder.config("spark.sql.timestampType", "TIMESTAMP_NTZ").getOrCreate()


def notebook_session(master, cores):
    """The session of a notebook: Spark writes nothing between its cells. Spark shows its jobs on a page of its own."""
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.appName("notebook").master(master)
    for name, value in (("spark.jars", "/usr/share/java/postgresql.jar"), ("spark.cores.max", cores), ("spark.sql.session.timeZone", "UTC"),
                        ("spark.sql.timestampType", "TIMESTAMP_NTZ"), ("spark.ui.showConsoleProgress", "false"),
                        ("spark.log.level", "ERROR"),
                        ("spark.submit.pyFiles", os.path.abspath(__file__))):
        builder = builder.config(name, value)
    # Java's process keeps the error output that is there when it starts.
    errors = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
        try:
            return builder.getOrCreate()
        finally:
            os.dup2(errors, 2)
            os.close(errors)


def jdbc_url():
    """Where the database is, as JDBC says it."""
    host, port = os.environ.get("PGHOST", "localhost"), os.environ.get("PGPORT", "5432")
    url = f"jdbc:postgresql://{host}:{port}/{os.environ.get('PGDATABASE', 'trips')}"
    given = {"sslmode": os.environ.get("PGSSLMODE"), "sslrootcert": os.environ.get("PGSSLROOTCERT")}
    query = urlencode({name: value for name, value in given.items() if value})
    return f"{url}?{query}" if query else url


def jdbc_properties():
    """The user, as JDBC names it."""
    found = {"driver": "org.postgresql.Driver", "ApplicationName": "trips_spark",
             "preferTimestampNTZ": "true", "fetchsize": "10000", "tcpKeepAlive": "true",
             "options": server_options(environment())}
    for name, variable in (("user", "PGUSER"), ("password", "PGPASSWORD")):
        if variable in os.environ:
            found[name] = os.environ[variable]
    return found


def months():
    """The months that have trips, from the roll-up: each as its first day and that of the next."""
    with connect() as client:
        rows = client.execute(
            "SELECT DISTINCT date_trunc('month', day)::date FROM trips.daily_trip_counts"
            " WHERE trips > 0 ORDER BY 1").fetchall()
    found = []
    for (first,) in rows:
        following = date(first.year + first.month // 12, first.month % 12 + 1, 1)
        found.append((first, following))
    return found


HISTORY = """(SELECT region, origin_coord[0] AS origin_longitude, origin_coord[1] AS origin_latitude,
                     destination_coord[0] AS destination_longitude, destination_coord[1] AS destination_latitude,
                     date_time, datasource, trip_key::text AS trip_key, load_id{}
                FROM trips.hist_trip_data) AS history"""


def history(spark, only=None, more=()):
    """The history, or these months of it (YYYY-MM), a partition for each month: the bounds are those of PostgreSQL's own
    partitions. Jobs that need more columns name them, as expressions of SQL."""
    bounds = [f"date_time >= '{first}' AND date_time < '{behind}'" for first, behind in months()
              if only is None or f"{first:%Y-%m}" in only]
    if not bounds:
        bounds = ["false"]
    query = HISTORY.format("".join(f", {column}" for column in more))
    return spark.read.jdbc(jdbc_url(), query, predicates=bounds, properties=jdbc_properties())
