//! Unpacking as a process: it can be cancelled, and ends with its load.

use std::time::{Duration, Instant};

use trips_testkit::containers::pack;
use trips_testkit::containers::zip::{Entry, Zip};
use trips_testkit::parquet::{Column, Layout, Value, write};
use trips_tests::{
    Database, FIVE_COLUMNS, Load, eventually, month_as_csv, server_error, takes_less_than, text_of,
    trip_line,
};

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

/// Temporary files of a load have the limit of those of PostgreSQL. They count as long as they exist.
#[test]
fn temporary_files_have_a_limit() {
    let database = Database::on_shared();
    let mut client = database.client();
    let text = month_as_csv(4_000, 1, "2018-05-01");
    let inner = Zip::new(&[Entry::new("a.csv", &text).method(0)]).bytes;
    let texts = |text: &str| (0..4_000).map(|_| Some(Value::from(text))).collect();
    let columns = ["region", "origin_coord", "destination_coord", "date_time", "datasource"];
    let columns = columns.map(|name| {
        let values = match name {
            "date_time" => (0..4_000)
                .map(|row| {
                    Some(Value::from(&*format!(
                        "2018-06-01 {:02}:{:02}:{:02}",
                        row / 3600,
                        row / 60 % 60,
                        row % 60
                    )))
                })
                .collect(),
            "region" | "datasource" => texts("x"),
            _ => texts("POINT (1 2)"),
        };
        Column::new(&format!("required binary {name}"), values)
    });
    let parquet = write(&columns, Layout { has_dictionary: false, ..Layout::uncompressed() });
    for (name, bytes, size) in [
        ("inner.zip", zip_of(&[("a.zip", &inner)]), inner.len()),
        ("trips.parquet.gz", pack::gzip(&parquet), parquet.len()),
    ] {
        assert!(size > 200 * 1024, "{name}: {size} bytes");
        let path = database.file(name, bytes);
        client.batch_execute("SET temp_file_limit = '200kB'").unwrap();
        let error = client.query("SELECT trips.ingest($1)", &[&path]).expect_err(name);
        let (code, message, hint) = server_error(&error);
        assert_eq!(code, "53400", "{message}");
        let failed = "SELECT state, error_code FROM trips.loads ORDER BY load_id DESC LIMIT 1";
        assert_eq!(text_of(&mut client, failed), "failed|53400");
        assert_eq!(message, "temporary file size exceeds temp_file_limit (200kB)");
        assert!(hint.starts_with("Increase temp_file_limit"), "{hint}");
        client.batch_execute(&format!("SET temp_file_limit = {}", size / 1024 + 256)).unwrap();
        for rows in [[4_000, 4_000, 0, 0], [4_000, 0, 4_000, 0], [4_000, 0, 4_000, 0]] {
            let load = "SELECT * FROM trips.ingest($1, force => true)";
            let row = client.query_one(load, &[&path]).unwrap();
            assert_eq!(Load::from_row(&row).rows, rows, "{name}");
        }
    }
}
