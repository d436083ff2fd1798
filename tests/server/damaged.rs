//! Damaged containers: each is one clear error, and leaves nothing but its row of the ledger.

use std::fs;

use postgres::Client;
use postgres::error::DbError;
use trips_testkit::containers::damaged::{self, Damaged, Expected, Fault};
use trips_tests::{Cluster, peak_memory, rows_as_csv};

const ROWS: i64 = 1000;

/// Bytes that a backend needs at most, whatever a file unpacks to.
const MAX_MEMORY: u64 = 512 << 20;

/// As if nothing had been loaded.
const RESET: &str = "DELETE FROM trips.hist_trip_data; DELETE FROM trips.stg_trip_data;
                     DELETE FROM trips.loads; DELETE FROM trips.daily_trip_counts";

/// What a load leaves: rows of the history, of staging, and of the ledger by outcome.
const LEFT: &str = "SELECT (SELECT count(*) FROM trips.hist_trip_data),
                           (SELECT count(*) FROM trips.stg_trip_data),
                           (SELECT count(*) FROM trips.loads WHERE state = 'failed' AND error_code = $1),
                           (SELECT count(*) FROM trips.loads WHERE state = 'loaded')";

/// The SQLSTATE of a kind of error.
fn code_of(fault: Fault) -> &'static str {
    match fault {
        Fault::Damaged | Fault::Cut | Fault::Padded | Fault::Empty => "22P04",
        Fault::Limit(_) => "54000",
        Fault::Unsupported | Fault::Encrypted => "0A000",
    }
}

fn left(client: &mut Client, code: &str) -> [i64; 4] {
    let row = client.query_one(LEFT, &[&code]).expect("the tables");
    [row.get(0), row.get(1), row.get(2), row.get(3)]
}

/// Loads a file; says what is not as it must be.
fn check(client: &mut Client, file: &Damaged, path: &str) -> Result<(), String> {
    client.batch_execute(RESET).map_err(|error| error.to_string())?;
    match client.query_one("SELECT rows_inserted FROM trips.ingest($1)", &[&path]) {
        Ok(row) => {
            let (inserted, left) = (row.get::<_, i64>(0), left(client, ""));
            // Not every bit of a container matters: then all of it is there.
            let is_whole = inserted == ROWS && left == [ROWS, 0, 0, 1];
            let may_load = file.expected == Expected::FaultOrContent;
            if is_whole && may_load {
                Ok(())
            } else {
                Err(format!("was loaded: {inserted}, {left:?}"))
            }
        }
        Err(error) => {
            let error =
                error.as_db_error().ok_or_else(|| format!("the connection broke: {error}"))?;
            check_error(file, path, error)?;
            let left = left(client, error.code().code());
            if left == [0, 0, 1, 0] {
                Ok(())
            } else {
                Err(format!("history, staging, failed, loaded: {left:?}"))
            }
        }
    }
}

fn check_error(file: &Damaged, path: &str, error: &DbError) -> Result<(), String> {
    let parts =
        [error.message(), error.detail().unwrap_or_default(), error.hint().unwrap_or_default()];
    let (code, shown) = (error.code().code(), parts.join(" / "));
    let is_code = match file.expected {
        Expected::Fault(fault) => code == code_of(fault),
        // Without its first bytes it is a text, or what it contains is.
        Expected::AnyFault | Expected::FaultOrContent => {
            ["22P04", "0A000", "54000", "42703"].contains(&code)
        }
    };
    let is_clear = error.message().contains(path)
        && !parts[2].is_empty()
        && shown.chars().count() < 2000
        && !shown.contains(char::is_control);
    if is_code && is_clear { Ok(()) } else { Err(format!("{code} {shown}")) }
}

/// What is not as it must be.
fn check_all(cluster: &Cluster, client: &mut Client, files: &[Damaged]) -> Vec<String> {
    let mut faults = Vec::new();
    for file in files {
        let path = cluster.file(&file.name, &file.bytes);
        if let Err(what) = check(client, file, &path) {
            faults.push(format!("{} ({:?}): {what}", file.name, file.expected));
        }
        fs::remove_file(path).expect("the file");
    }
    faults
}

#[test]
fn damaged_containers_leave_nothing() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    client.batch_execute("SET statement_timeout = '120s'").unwrap();
    let files = damaged::all(&rows_as_csv(u64::try_from(ROWS).unwrap(), 7));
    assert!(files.len() >= 200, "{} files", files.len());
    let (faults, peak) = peak_memory(&mut client, |client| check_all(&cluster, client, &files));
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), files.len(), faults.join("\n"));
    let log = cluster.log();
    assert!(!log.contains("was terminated by signal") && !log.contains("PANIC"), "{log}");
    assert!(peak < MAX_MEMORY, "the backend took {peak} bytes");
    let spooled: i64 = client.query_one("SELECT count(*) FROM pg_ls_tmpdir()", &[]).unwrap().get(0);
    assert_eq!(spooled, 0, "no temporary file is left");
    client.batch_execute("SELECT * FROM trips.verify()").unwrap();
}
