//! One load monitor serves all loads of a database: of a long transaction, of many files, of many sessions.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use postgres::{Client, NoTls};
use trips_tests::{Cluster, FIVE_COLUMNS, eventually, rows_as_csv, trip_line};

const MONITORS: &str =
    "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'trips_pipeline monitor'";

/// A client that keeps the notices of the server.
fn listening_client(cluster: &Cluster, database: &str) -> (Client, Arc<Mutex<Vec<String>>>) {
    let notices = Arc::new(Mutex::new(Vec::new()));
    let received = notices.clone();
    let mut config = cluster.config_of(database);
    config
        .notice_callback(move |notice| received.lock().unwrap().push(notice.message().to_owned()));
    (config.connect(NoTls).unwrap(), notices)
}

fn count(client: &mut Client, query: &str) -> i64 {
    client.query_one(query, &[]).unwrap().get(0)
}

/// A row for each load whose `running` row was committed, with the process that wrote it.
const RECORD_RUNNING: &str =
    "CREATE TABLE public.seen (load_id bigint, state text, pid int DEFAULT pg_backend_pid());
     CREATE FUNCTION public.see() RETURNS trigger LANGUAGE plpgsql AS
       $$ BEGIN INSERT INTO public.seen VALUES (NEW.load_id, NEW.state); RETURN NULL; END $$;
     CREATE TRIGGER see AFTER INSERT OR UPDATE ON trips.loads FOR EACH ROW EXECUTE FUNCTION public.see()";

fn small_file(cluster: &Cluster, number: u32) -> String {
    let trip = trip_line(format!("region {number}"), number % 60);
    cluster.file(&format!("{number:04}.csv"), format!("{FIVE_COLUMNS}{trip}"))
}

/// A transaction of a hundred loads needs one worker slot, and no segment of shared memory for each.
#[test]
fn a_hundred_in_one_transaction() {
    let cluster = Cluster::start_bare("max_worker_processes = 8");
    let (mut client, notices) = listening_client(&cluster, "trips");
    client.batch_execute("CREATE EXTENSION trips_pipeline").unwrap();
    notices.lock().unwrap().clear();
    let paths: Vec<String> = (0..100).map(|i| small_file(&cluster, i)).collect();
    let mut watcher = cluster.client();
    let states = |state: &str| format!("SELECT count(*) FROM trips.loads WHERE state = '{state}'");
    for end in ["ROLLBACK", "COMMIT"] {
        client.batch_execute("BEGIN").unwrap();
        for path in &paths {
            client.query_one("SELECT trips.ingest($1)", &[path]).unwrap();
        }
        // Each was entered while its function ran.
        assert_eq!(count(&mut watcher, &states("running")), 100, "{}", cluster.log());
        assert_eq!(count(&mut watcher, MONITORS), 1);
        client.batch_execute(end).unwrap();
        let rolled_back = "SELECT count(*) FROM trips.loads WHERE error_code = '40000'";
        eventually(&mut watcher, rolled_back, 100);
    }
    assert_eq!(count(&mut watcher, &states("loaded")), 100);
    assert_eq!(*notices.lock().unwrap(), Vec::<String>::new());
    eventually(&mut watcher, MONITORS, 0);
}

/// Many files by the procedure: the ledger shows each while it loads. (A thousand with TRIPS_FILES=1000.)
#[test]
fn many_files_of_an_inbox() {
    let files: u32 = std::env::var("TRIPS_FILES").map_or(200, |count| count.parse().unwrap());
    let cluster = Cluster::start_bare("max_worker_processes = 8");
    let (mut client, notices) = listening_client(&cluster, "trips");
    client.batch_execute("CREATE EXTENSION trips_pipeline").unwrap();
    client.batch_execute(RECORD_RUNNING).unwrap();
    notices.lock().unwrap().clear();
    std::fs::create_dir(cluster.path("inbox")).unwrap();
    for seed in 0..files {
        cluster.file(&format!("inbox/{seed:04}.csv"), rows_as_csv(100, 10_000 + u64::from(seed)));
    }
    let begin = Instant::now();
    client
        .batch_execute(&format!("CALL trips.ingest_new('{}/*.csv')", cluster.path("inbox")))
        .unwrap();
    println!("{:.1} ms a file", begin.elapsed().as_secs_f64() * 1000.0 / f64::from(files));
    assert_eq!(*notices.lock().unwrap(), Vec::<String>::new());
    let of_all = "SELECT count(*) FROM trips.loads AS l WHERE l.state = 'loaded'
         AND (SELECT array_agg(s.state ORDER BY s.state DESC) FROM public.seen AS s
               WHERE s.load_id = l.load_id) = '{running,loaded}'
         AND (SELECT array_agg(e.state ORDER BY e.seq) FROM trips.events AS e
               WHERE e.load_id = l.load_id) = '{running,loaded}'";
    assert_eq!(count(&mut client, of_all), i64::from(files), "{}", cluster.log());
    // The monitor wrote the first row of each, the session the second.
    let writers = "SELECT count(DISTINCT pid) FROM public.seen WHERE state = 'running'";
    assert_eq!(count(&mut client, writers), 1);
}

/// Sessions that begin at the same moment find one monitor, also with fewer slots than sessions.
#[test]
fn twenty_sessions_at_once() {
    // PostgreSQL's own launcher of logical replication takes the other.
    let cluster = Cluster::start_bare("max_worker_processes = 2");
    cluster.client().batch_execute("CREATE EXTENSION trips_pipeline").unwrap();
    cluster.client().batch_execute(RECORD_RUNNING).unwrap();
    let paths: Vec<String> = (0..20).map(|i| small_file(&cluster, i)).collect();
    let start = std::sync::Barrier::new(20);
    std::thread::scope(|scope| {
        for path in &paths {
            let (cluster, start) = (&cluster, &start);
            scope.spawn(move || {
                let (mut client, notices) = listening_client(cluster, "trips");
                start.wait();
                client.query_one("SELECT trips.ingest($1)", &[path]).unwrap();
                assert_eq!(*notices.lock().unwrap(), Vec::<String>::new());
            });
        }
    });
    let mut client = cluster.client();
    let seen = "SELECT count(*) FROM trips.loads AS l WHERE l.state = 'loaded'
                  AND EXISTS (SELECT FROM public.seen AS s WHERE s.load_id = l.load_id AND s.state = 'running')";
    assert_eq!(count(&mut client, seen), 20, "{}", cluster.log());
    eventually(&mut client, MONITORS, 0);
}

/// A monitor that has nothing to do goes before DROP DATABASE and CREATE DATABASE give up.
#[test]
fn a_database_is_dropped_or_copied_right_after_a_load() {
    let cluster = Cluster::start_bare("");
    let mut admin = cluster.client();
    for statement in ["CREATE DATABASE copied TEMPLATE loaded", "DROP DATABASE loaded"] {
        if count(&mut admin, "SELECT count(*) FROM pg_database WHERE datname = 'loaded'") == 0 {
            admin.batch_execute("CREATE DATABASE loaded").unwrap();
        }
        let mut client = cluster.client_of("loaded");
        client.batch_execute("CREATE EXTENSION IF NOT EXISTS trips_pipeline").unwrap();
        let path = small_file(&cluster, if statement.starts_with("DROP") { 1 } else { 2 });
        cluster.ingest(&mut client, &path);
        drop(client);
        assert_eq!(count(&mut admin, MONITORS), 1, "it is there");
        admin.batch_execute(statement).unwrap_or_else(|error| panic!("{statement}: {error}"));
    }
    let mut copy = cluster.client_of("copied");
    assert_eq!(count(&mut copy, "SELECT count(*) FROM trips.loads WHERE state = 'loaded'"), 1);
}

/// Each database has its own monitor; what one waits for does not hold up the others.
#[test]
fn a_monitor_for_each_database() {
    let cluster = Cluster::start_bare("max_worker_processes = 8");
    let mut admin = cluster.client();
    let mut open = Vec::new();
    for number in 0..3 {
        let database = format!("many{number}");
        admin.batch_execute(&format!("CREATE DATABASE {database}")).unwrap();
        let (mut client, notices) = listening_client(&cluster, &database);
        client.batch_execute("CREATE EXTENSION trips_pipeline").unwrap();
        client.batch_execute("BEGIN").unwrap();
        client.query_one("SELECT trips.ingest($1)", &[&small_file(&cluster, number)]).unwrap();
        let mut watcher = cluster.client_of(&database);
        let running = "SELECT count(*) FROM trips.loads WHERE state = 'running'";
        assert_eq!(count(&mut watcher, running), 1);
        assert_eq!(*notices.lock().unwrap(), Vec::<String>::new());
        open.push(client);
    }
    assert_eq!(count(&mut admin, MONITORS), 3);
    for client in &mut open {
        client.batch_execute("COMMIT").unwrap();
    }
}

/// The monitor waits for one load's row a moment only: the other loads of the database are entered meanwhile.
#[test]
fn one_load_does_not_hold_up_the_others() {
    let cluster = Cluster::start();
    let mut holder = cluster.client();
    holder
        .batch_execute(
            "CREATE FUNCTION public.wait() RETURNS trigger LANGUAGE plpgsql AS
               $$ BEGIN PERFORM pg_advisory_xact_lock(7); RETURN NEW; END $$;
             CREATE TRIGGER wait BEFORE INSERT ON trips.loads FOR EACH ROW
               WHEN (NEW.state = 'running' AND NEW.source LIKE '%held.csv') EXECUTE FUNCTION public.wait();
             SELECT pg_advisory_lock(7)",
        )
        .unwrap();
    let held = cluster.file("held.csv", rows_as_csv(10, 1));
    let (mut first, mut second) = (cluster.client(), cluster.client());
    first.batch_execute("BEGIN").unwrap();
    // It does not wait for the lock, which is still held.
    first.query_one("SELECT trips.ingest($1)", &[&held]).unwrap();
    first.batch_execute("COMMIT; BEGIN").unwrap();
    let other = cluster.file("2held.csv", rows_as_csv(10, 2));
    let thread = std::thread::spawn(move || {
        first.query_one("SELECT trips.ingest($1)", &[&other]).unwrap();
        first.batch_execute("ROLLBACK").unwrap();
    });
    // This one waits for the history, then for nothing.
    second.batch_execute("BEGIN").unwrap();
    second.query_one("SELECT trips.ingest($1)", &[&small_file(&cluster, 3)]).unwrap();
    let mut watcher = cluster.client();
    let entered =
        "SELECT count(*) FROM trips.loads WHERE state = 'running' AND source LIKE '%0003.csv'";
    assert_eq!(count(&mut watcher, entered), 1, "{}", cluster.log());
    second.batch_execute("COMMIT").unwrap();
    thread.join().unwrap();
    let failed = "SELECT count(*) FROM trips.loads WHERE error_code = '40000'";
    eventually(&mut watcher, failed, 1);
    assert_eq!(count(&mut watcher, "SELECT count(*) FROM trips.loads WHERE state = 'loaded'"), 2);
}
