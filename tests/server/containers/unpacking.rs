//! Unpacking as a process: it can be cancelled, and ends with its load.

use std::time::{Duration, Instant};

use trips_testkit::containers::pack;
use trips_tests::{Database, FIVE_COLUMNS, eventually, server_error, takes_less_than, trip_line};

use super::{csv, zip_of};

/// Gigabytes of lines that are empty: nothing arrives at the backend while they are unpacked.
fn endless() -> Vec<u8> {
    let megabytes = pack::gzip("\n".repeat(64 << 20).as_bytes());
    [pack::gzip(csv(&[&trip_line("A", 1)]).as_bytes()), megabytes.repeat(100)].concat()
}

/// How long a call that unpacks goes on after it has been cancelled.
fn cancelled(database: &Database, path: &str, call: &str) -> Duration {
    let mut client = database.client();
    client.batch_execute("SET trips.max_compression_ratio = 1000000").unwrap();
    let pid: i32 = client.query_one("SELECT pg_backend_pid()", &[]).unwrap().get(0);
    let (statement, path) = (format!("SELECT {call}"), path.to_owned());
    let load = std::thread::spawn(move || {
        let error = client.query(&statement, &[&path]).expect_err("a cancel");
        (server_error(&error).0, Instant::now())
    });
    let mut admin = database.client();
    let active = format!("SELECT state FROM pg_stat_activity WHERE pid = {pid}");
    eventually(&mut admin, &active, "active");
    // Unpacking goes on for minutes; by now it has begun.
    std::thread::sleep(Duration::from_millis(300));
    let begin = Instant::now();
    admin.execute("SELECT pg_cancel_backend($1)", &[&pid]).unwrap();
    let (code, end) = load.join().unwrap();
    assert_eq!(code, "57014", "{call}");
    end - begin
}

#[test]
fn a_cancel_ends_the_unpacking() {
    let database = Database::on_shared();
    for (name, bytes) in
        [("long.csv.gz", endless()), ("long.zip", zip_of(&[("long.csv.gz", endless())]))]
    {
        let path = database.file(name, bytes);
        for call in ["trips.ingest($1)", "trips.preview($1)", "trips.stage($1)"] {
            takes_less_than(Duration::from_millis(100), format!("{name} {call}"), || {
                cancelled(&database, &path, call)
            });
        }
    }
}

/// A member that is not valid UTF-8, or a name in another encoding, is no reason to fail.
#[test]
fn names_of_members_are_labels() {
    let database = Database::on_shared();
    let mut client = database.client();
    let trips = [FIVE_COLUMNS, &trip_line("A", 1)].concat();
    for name in ["a \"b\".csv", "Fahrten März.csv"] {
        let path = database.file("names.zip", zip_of(&[(name, &trips)]));
        client.batch_execute("DELETE FROM trips.load_members; DELETE FROM trips.loads").unwrap();
        assert_eq!(database.ingest(&mut client, &path).state, "loaded");
        let found = client.query_one("SELECT member FROM trips.load_members", &[]).unwrap();
        assert_eq!(found.get::<_, &str>(0), name);
    }
}
