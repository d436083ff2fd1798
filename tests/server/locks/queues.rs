//! Loads among others that wait for locks.

use std::thread::{JoinHandle, spawn};

use postgres::Client;
use trips_tests::{Database, eventually, rows_as_csv, server_error};

/// Runs statements in a thread, and waits until they wait for a lock.
fn start(
    watcher: &mut Client,
    mut client: Client,
    statements: String,
) -> JoinHandle<(Client, Result<(), postgres::Error>)> {
    let pid: i32 = client.query_one("SELECT pg_backend_pid()", &[]).unwrap().get(0);
    let thread = spawn(move || {
        let result = client.batch_execute(&statements);
        (client, result)
    });
    let waits = format!("SELECT count(*) FROM pg_locks WHERE pid = {pid} AND NOT granted");
    eventually(watcher, &waits, 1);
    thread
}

/// Others wait for two tables that the transaction of a load has read: the load goes first, and they after it.
#[test]
fn others_wait_for_what_the_transaction_of_a_load_has_read() {
    let database = Database::on_shared();
    let mut watcher = database.client();
    let path = database.file("a.csv", rows_as_csv(100, 1));
    let mut loader = database.client();
    loader
        .batch_execute(
            "SET statement_timeout = '120s'; BEGIN;
             SELECT FROM trips.hist_trip_data; SELECT FROM trips.daily_trip_counts",
        )
        .unwrap();
    let lock =
        |table: &str| format!("BEGIN; LOCK TABLE trips.{table} IN ACCESS EXCLUSIVE MODE; COMMIT");
    let waiting = ["hist_trip_data", "daily_trip_counts"]
        .map(|table| start(&mut watcher, database.client(), lock(table)));
    let load = database.ingest(&mut loader, &path);
    assert_eq!(load.summary(), ("loaded", [100, 100, 0, 0]));
    loader.batch_execute("COMMIT").unwrap();
    for thread in waiting {
        thread.join().unwrap().1.unwrap();
    }
}

/// A load that waits for the ledger, behind those who wait for another load, is not ended by a deadlock that they make.
#[test]
fn the_ledger_is_locked_between_loads() {
    let database = Database::on_shared();
    let mut watcher = database.client();
    let paths = [1, 2].map(|i| database.file(&format!("{i}.csv"), rows_as_csv(100, i)));
    let ingest = |i: usize| format!("SELECT trips.ingest('{}')", paths[i]);
    let mut by_hand = database.client();
    by_hand
        .batch_execute("SET deadlock_timeout = '60s'; BEGIN; DELETE FROM trips.hist_trip_data")
        .unwrap();
    let first = start(&mut watcher, database.client(), ingest(0));
    let lock = "SET deadlock_timeout = '60s'; BEGIN; LOCK TABLE trips.loads IN ACCESS EXCLUSIVE MODE; COMMIT";
    let locker = start(&mut watcher, database.client(), lock.into());
    // Its check finds the cycle, which the last statement closes.
    let second = database.client();
    let second = start(&mut watcher, second, format!("SET deadlock_timeout = '2s'; {}", ingest(1)));
    let closing = by_hand.batch_execute("LOCK TABLE trips.loads IN SHARE ROW EXCLUSIVE MODE");
    by_hand.batch_execute(if closing.is_ok() { "COMMIT" } else { "ROLLBACK" }).unwrap();
    for load in [first, second] {
        load.join().unwrap().1.unwrap();
    }
    // The others may have been cancelled as blockers.
    for result in [closing, locker.join().unwrap().1] {
        if let Err(error) = result {
            assert!(["57014", "55P03"].contains(&server_error(&error).0.as_str()), "{error:?}");
        }
    }
    let query = "SELECT count(*) FROM trips.loads WHERE state = 'loaded'";
    assert_eq!(watcher.query_one(query, &[]).unwrap().get::<_, i64>(0), 2);
}
