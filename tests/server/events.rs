//! Listeners get the progress of a load that runs in another session's open transaction.

use std::time::Duration;

use postgres::Client;
use postgres::fallible_iterator::FallibleIterator;
use serde_json::Value;
use trips_tests::{
    Cluster, Database, FIVE_COLUMNS, eventually, notifications_until, rows_as_csv, server_error,
    trip_line,
};

/// One event as a listener gets it.
#[derive(Debug, Clone, PartialEq)]
struct Event {
    seq: i64,
    load_id: i64,
    state: String,
    /// Done, and in all.
    bytes: [i64; 2],
    rows: i64,
}

fn parse(payload: &str) -> Event {
    let value: Value = serde_json::from_str(payload).unwrap();
    let number = |name: &str| value[name].as_i64().unwrap();
    let names: Vec<&String> = value.as_object().unwrap().keys().collect();
    assert_eq!(names.len(), 6, "{payload}");
    Event {
        seq: number("seq"),
        load_id: number("load_id"),
        state: value["state"].as_str().unwrap().to_owned(),
        bytes: [number("bytes_done"), number("bytes_total")],
        rows: number("rows_read"),
    }
}

/// Listens until an event satisfies a condition, and returns all events until then.
fn events_until(listener: &mut Client, is_last: impl Fn(&Event) -> bool) -> Vec<Event> {
    let received =
        notifications_until(listener, |notification| is_last(&parse(notification.payload())));
    assert!(received.iter().all(|notification| notification.channel() == "trips_ingest"));
    received.iter().map(|notification| parse(notification.payload())).collect()
}

/// Listens until an event in one of these states, and returns all events until then.
fn listen_until(listener: &mut Client, states: &[&str]) -> Vec<Event> {
    events_until(listener, |event| states.contains(&event.state.as_str()))
}

fn listener(database: &Database) -> Client {
    let mut listener = database.client();
    listener.batch_execute("LISTEN trips_ingest").unwrap();
    listener
}

/// A client whose loads take some seconds for a million rows, in small runs: rows go in one by one, through a trigger.
fn slow_loader(database: &Database) -> Client {
    let mut client = database.client();
    client
        .batch_execute(
            "CREATE FUNCTION public.as_it_is() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
             CREATE TRIGGER as_it_is BEFORE INSERT ON trips.hist_trip_data
               FOR EACH ROW EXECUTE FUNCTION public.as_it_is();
             SET trips.work_mem = '4MB'",
        )
        .unwrap();
    client
}

#[test]
fn a_million_rows_are_reported_before_their_commit() {
    let database = Database::on_shared();
    let path = database.file("trips.csv", rows_as_csv(1_000_000, 1));
    let size = i64::try_from(std::fs::metadata(&path).unwrap().len()).unwrap();
    let mut listener = listener(&database);
    let mut loader = slow_loader(&database);
    let (commit, may_commit) = std::sync::mpsc::channel();
    let loading = std::thread::spawn(move || {
        let mut transaction = loader.transaction().unwrap();
        transaction.query_one("SELECT trips.ingest($1)", &[&path]).unwrap();
        may_commit.recv().unwrap();
        transaction.commit().unwrap();
    });
    // All rows are reported before the commit. Whether all bytes are, depends on when the last event is due.
    let mut events =
        events_until(&mut listener, |event| event.rows == 1_000_000 || event.state != "running");
    commit.send(()).unwrap();
    events.extend(listen_until(&mut listener, &["loaded"]));
    loading.join().unwrap();
    let (last, running) = events.split_last().unwrap();
    assert!(running.len() >= 3, "{events:?}");
    assert!(running.iter().all(|event| event.state == "running"), "{events:?}");
    for pair in running.windows(2) {
        let ([a, b], most) = ([&pair[0], &pair[1]], size);
        assert!(a.seq < b.seq && a.bytes[0] <= b.bytes[0] && a.rows <= b.rows, "{events:?}");
        assert!(b.bytes[0] > a.bytes[0] || b.rows > a.rows, "no progress: {events:?}");
        assert!(b.bytes[0] <= most && b.bytes[1] == size, "{events:?}");
    }
    let rising = running.windows(2).filter(|pair| pair[0].bytes[0] < pair[1].bytes[0]).count();
    assert!(rising >= 2, "{events:?}");
    assert_eq!((last.state.as_str(), last.bytes, last.rows), ("loaded", [size; 2], 1_000_000));
    // At most twice a second; the last one comes with the end.
    let pauses = "SELECT count(*) FROM (SELECT state, published_at - lag(published_at) OVER (ORDER BY seq) AS pause
                    FROM trips.events) AS e WHERE state = 'running' AND pause < '250 ms'";
    eventually(&mut database.client(), pauses, 0);
    // A later reader gets the same.
    let query = "SELECT json_build_object('seq', seq, 'load_id', load_id, 'state', state, 'bytes_done', bytes_done,
                   'bytes_total', bytes_total, 'rows_read', rows_read)::text FROM trips.events_since($1)";
    let mut late = database.client();
    let mut read = |seq: i64| -> Vec<Event> {
        late.query(query, &[&seq]).unwrap().iter().map(|row| parse(row.get(0))).collect()
    };
    assert_eq!(read(0), events);
    assert_eq!(read(events[1].seq), events[2..]);
}

/// The loading session is ended in the middle: listeners and the ledger get the failure.
#[test]
fn a_terminated_load_is_reported() {
    let database = Database::on_shared();
    let path = database.file("trips.csv", rows_as_csv(1_000_000, 1));
    let mut listener = listener(&database);
    let mut loader = slow_loader(&database);
    let pid: i32 = loader.query_one("SELECT pg_backend_pid()", &[]).unwrap().get(0);
    let load = std::thread::spawn(move || {
        loader.query_one("SELECT trips.ingest($1)", &[&path]).map(drop).unwrap_err();
    });
    let mut events = Vec::new();
    while events.last().is_none_or(|event: &Event| event.rows == 0) {
        events.extend(listen_until(&mut listener, &["running"]));
    }
    let mut killer = database.client();
    killer.query_one("SELECT pg_terminate_backend($1)", &[&pid]).unwrap();
    events.extend(listen_until(&mut listener, &["failed"]));
    load.join().unwrap();
    // It had read what it had read.
    let [before, last] = events.last_chunk().unwrap();
    assert_eq!((last.bytes, last.rows), (before.bytes, before.rows));
    let row = killer.query_one("SELECT load_id, state FROM trips.loads", &[]).unwrap();
    assert_eq!((row.get(0), row.get(1)), (events.last().unwrap().load_id, "failed"));
}

/// The whole server ends with the load: after the restart the load is reported as failed.
#[test]
fn a_crash_is_reported_after_the_restart() {
    let mut cluster = Cluster::start();
    let path = cluster.file("trips.csv", rows_as_csv(300_000, 1));
    let mut listener = listener(&cluster);
    let (mut loader, mut other) = (slow_loader(&cluster), cluster.client());
    let pid: i32 = loader.query_one("SELECT pg_backend_pid()", &[]).unwrap().get(0);
    let load = std::thread::spawn(move || {
        loader.query_one("SELECT trips.ingest($1)", &[&path]).map(drop).unwrap_err();
    });
    let seq = listen_until(&mut listener, &["running"]).last().unwrap().seq;
    // The row of the running load is committed without waiting for its WAL. This commit waits for all before it.
    other.batch_execute("SELECT pg_logical_emit_message(true, '', '')").unwrap();
    // SAFETY: a signal to a process of our own server.
    unsafe { libc::kill(pid, libc::SIGKILL) };
    load.join().unwrap();
    cluster.wait_for_recovery();
    let mut client = cluster.client();
    let last = format!("SELECT state FROM trips.events_since({seq}) ORDER BY seq DESC LIMIT 1");
    eventually(&mut client, &last, "failed");
    assert!(
        client.query("SELECT FROM trips.loads WHERE state = 'running'", &[]).unwrap().is_empty()
    );
}

/// Also a short load reports its beginning, once, and before its end. Known bytes are no load.
#[test]
fn every_beginning_is_reported() {
    let database = Database::on_shared();
    let mut listener = listener(&database);
    let mut client = database.client();
    for i in 0..10 {
        let path = database.file(&format!("{i}.csv"), format!("{FIVE_COLUMNS}{}", trip_line(i, 1)));
        for expected in [&["running", "loaded"][..], &["skipped"]] {
            database.ingest(&mut client, &path);
            let events = listen_until(&mut listener, &["loaded", "skipped"]);
            let states: Vec<&str> = events.iter().map(|event| event.state.as_str()).collect();
            assert_eq!(states, expected);
            assert!(events[0].state != "running" || events[0].bytes[0] == 0 && events[0].rows == 0);
        }
    }
}

/// Known bytes and refused files are reported too; a load that is rolled back is reported as failed, once.
#[test]
fn every_end_is_reported_once() {
    let database = Database::on_shared();
    let path = database.file("a.csv", format!("{FIVE_COLUMNS}{}", trip_line("A", 1)));
    let other = database.file("b.csv", format!("{FIVE_COLUMNS}{}", trip_line("B", 1)));
    let mut listener = listener(&database);
    let mut client = database.client();
    database.ingest(&mut client, &path);
    listen_until(&mut listener, &["loaded"]);
    database.ingest(&mut client, &path);
    listen_until(&mut listener, &["skipped"]);
    client.query_one("SELECT trips.ingest('/nowhere.csv')", &[]).unwrap_err();
    listen_until(&mut listener, &["failed"]);
    let mut transaction = client.transaction().unwrap();
    transaction.query_one("SELECT trips.ingest($1)", &[&other]).unwrap();
    transaction.rollback().unwrap();
    listen_until(&mut listener, &["failed"]);
    // In one transaction: a savepoint that is rolled back, and what stays.
    client
        .batch_execute(&format!(
            "BEGIN; SAVEPOINT s; SELECT trips.ingest('{other}'); ROLLBACK TO s;
             SELECT trips.ingest('{path}'); COMMIT"
        ))
        .unwrap();
    // The load monitor may be quicker than the commit.
    let mut ends = listen_until(&mut listener, &["skipped", "failed"]);
    ends.extend(listen_until(&mut listener, &["skipped", "failed"]));
    let more = listener.notifications().timeout_iter(Duration::from_millis(500)).next().unwrap();
    assert!(more.is_none(), "{more:?}");
    let rows = client
        .query(
            "SELECT l.state, count(e.seq) FROM trips.loads AS l LEFT JOIN trips.events AS e
                 ON e.load_id = l.load_id AND e.state = l.state
              GROUP BY l.load_id ORDER BY l.load_id",
            &[],
        )
        .unwrap();
    let ends: Vec<(&str, i64)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let expected = ["loaded", "skipped", "failed", "failed", "failed", "skipped"];
    assert_eq!(ends, expected.map(|state| (state, 1)));
}

/// Events have numbers only, whoever listens; other roles may not read the table.
#[test]
fn events_have_numbers_only() {
    let cluster = Cluster::start();
    let path = cluster.file("secret.csv", format!("{FIVE_COLUMNS}{}", trip_line("A", 1)));
    let mut client = cluster.client();
    client.batch_execute("CREATE ROLE nobody LOGIN").unwrap();
    let mut listener = cluster.client_as("nobody");
    listener.batch_execute("LISTEN trips_ingest").unwrap();
    cluster.ingest(&mut client, &path);
    listen_until(&mut listener, &["loaded"]);
    let error = listener.query("SELECT * FROM trips.events_since(0)", &[]).unwrap_err();
    assert_eq!(server_error(&error).0, "42501");
}

#[test]
fn old_events_are_deleted() {
    let cluster = Cluster::start_bare("trips.event_retention = '1h'");
    let path = cluster.file("a.csv", format!("{FIVE_COLUMNS}{}", trip_line("A", 1)));
    let mut client = cluster.client();
    client
        .batch_execute(
            "CREATE EXTENSION trips_pipeline;
             INSERT INTO trips.events (load_id, state, bytes_done, bytes_total, rows_read, published_at)
             SELECT 0, 'loaded', 1, 1, 1, now() - age
               FROM unnest('{50 minutes, 70 minutes}'::interval[]) AS age",
        )
        .unwrap();
    cluster.ingest(&mut client, &path);
    eventually(&mut client, "SELECT count(*) FROM trips.events WHERE load_id = 0", 1);
}
