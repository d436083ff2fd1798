//! The submitter of a load sees it and may cancel it, in any session and at any phase.

use std::thread::JoinHandle;

use postgres::{Client, IsolationLevel};
use trips_tests::{Cluster, eventually, rows_as_csv, server_error, until};

/// A server where `etl` and `other` may load any file.
fn start() -> (Cluster, Client) {
    let cluster = Cluster::start();
    let mut admin = cluster.client();
    for role in ["etl", "other"] {
        admin
            .batch_execute(&format!(
                "CREATE ROLE {role} LOGIN; GRANT pg_read_server_files TO {role};
                 SELECT trips.grant_loader('{role}')"
            ))
            .unwrap();
    }
    (cluster, admin)
}

/// Loads in a session of its own; returns the SQLSTATE of its end.
fn ingest(
    cluster: &Cluster,
    role: &str,
    path: String,
    level: IsolationLevel,
) -> JoinHandle<String> {
    let mut client = cluster.client_as(role);
    std::thread::spawn(move || {
        let mut transaction = client.build_transaction().isolation_level(level).start().unwrap();
        match transaction.query_one("SELECT trips.ingest($1)", &[&path]) {
            Ok(_) => transaction.commit().map_or_else(|e| server_error(&e).0, |()| String::new()),
            Err(error) => error.code().map_or("57P01".to_owned(), |code| code.code().to_owned()),
        }
    })
}

/// The number of the load that is in this phase, as the client sees it.
fn in_phase(client: &mut Client, phases: &[&str]) -> i64 {
    let query = "SELECT load_id FROM trips.load_progress WHERE phase = ANY ($1)";
    let row =
        until(format!("no load is at {phases:?}"), || client.query_opt(query, &[&phases]).unwrap());
    row.get(0)
}

fn cancel(client: &mut Client, load_id: i64) -> String {
    let result = client.query_one("SELECT trips.cancel($1)", &[&load_id]);
    result.map_or_else(|error| server_error(&error).0, |_| String::new())
}

/// State and SQLSTATE of a load, when it has them.
fn wait_for(client: &mut Client, load_id: i64, state: &str, code: &str) {
    let query = format!("SELECT state, error_code FROM trips.loads WHERE load_id = {load_id}");
    eventually(client, &query, format!("{state}|{code}"));
}

const LEVELS: [IsolationLevel; 2] = [IsolationLevel::ReadCommitted, IsolationLevel::RepeatableRead];

/// It waits for another load: it is in the ledger, can be cancelled, and is remembered when its session is ended.
#[test]
fn a_load_that_waits() {
    let (cluster, mut admin) = start();
    let paths = [1, 2, 3].map(|i| cluster.file(&format!("{i}.csv"), rows_as_csv(100, i)));
    let mut holder = cluster.client();
    let mut held = holder.transaction().unwrap();
    held.query_one("SELECT trips.ingest($1)", &[&paths[0]]).unwrap();
    let (mut etl, mut other) = (cluster.client_as("etl"), cluster.client_as("other"));
    for level in LEVELS {
        let load = ingest(&cluster, "etl", paths[1].clone(), level);
        let id = in_phase(&mut etl, &["waiting"]);
        let events = format!("SELECT count(*) FROM trips.events WHERE load_id = {id}");
        eventually(&mut admin, &events, 1);
        if matches!(level, IsolationLevel::ReadCommitted) {
            wait_for(&mut admin, id, "running", "");
        }
        assert!(other.query("SELECT FROM trips.load_progress", &[]).unwrap().is_empty());
        assert_eq!(cancel(&mut other, id), "42501");
        assert_eq!(cancel(&mut etl, id), "");
        assert_eq!(load.join().unwrap(), "57014");
        wait_for(&mut admin, id, "failed", "57014");
        let query = "SELECT state FROM trips.events WHERE load_id = $1 ORDER BY seq";
        let states: Vec<String> =
            admin.query(query, &[&id]).unwrap().iter().map(|row| row.get(0)).collect();
        assert_eq!(states, ["running", "failed"]);
    }
    let load = ingest(&cluster, "etl", paths[2].clone(), IsolationLevel::ReadCommitted);
    let id = in_phase(&mut admin, &["waiting"]);
    wait_for(&mut admin, id, "running", "");
    admin
        .query_one(
            "SELECT pg_terminate_backend(pid) FROM trips.load_progress WHERE phase = 'waiting'",
            &[],
        )
        .unwrap();
    load.join().unwrap();
    wait_for(&mut admin, id, "failed", "57P01");
    held.commit().unwrap();
}

/// It runs, and is not in the ledger yet.
#[test]
fn a_load_under_repeatable_read() {
    let (cluster, mut admin) = start();
    let path = cluster.file("big.csv", rows_as_csv(400_000, 1));
    let (mut etl, mut other) = (cluster.client_as("etl"), cluster.client_as("other"));
    let load = ingest(&cluster, "etl", path, IsolationLevel::RepeatableRead);
    let id = in_phase(&mut etl, &["reading", "inserting"]);
    assert_eq!(cancel(&mut other, id), "42501");
    assert_eq!(cancel(&mut etl, id), "");
    assert_eq!(load.join().unwrap(), "57014");
    wait_for(&mut admin, id, "failed", "57014");
    assert_eq!(cancel(&mut etl, id), "55000");
    assert_eq!(cancel(&mut etl, 99), "42704");
}

/// It is done, and its transaction is open: nothing is there to be cancelled.
#[test]
fn a_load_that_is_done() {
    let (cluster, mut admin) = start();
    let mut etl = cluster.client_as("etl");
    for (i, level) in LEVELS.into_iter().enumerate() {
        let path = cluster.file(&format!("{i}.csv"), rows_as_csv(100, 1 + i as u64));
        let mut loading = etl.build_transaction().isolation_level(level).start().unwrap();
        let row = loading.query_one("SELECT load_id FROM trips.ingest($1)", &[&path]).unwrap();
        let id: i64 = row.get(0);
        assert_eq!(cancel(&mut admin, id), "55000");
        loading.query_one("SELECT 1", &[]).unwrap();
        loading.commit().unwrap();
        wait_for(&mut admin, id, "loaded", "");
    }
}

/// Who submits a load sees how far the worker is, although the session is a superuser's.
#[test]
fn a_submitted_load_is_visible_to_its_submitter() {
    let (cluster, mut admin) = start();
    let path = cluster.file("big.csv", rows_as_csv(400_000, 1));
    let (mut etl, mut other) = (cluster.client_as("etl"), cluster.client_as("other"));
    let id: i64 = etl.query_one("SELECT trips.submit($1)", &[&path]).unwrap().get(0);
    assert_eq!(in_phase(&mut etl, &["reading", "inserting"]), id);
    assert!(other.query("SELECT FROM trips.load_progress", &[]).unwrap().is_empty());
    admin.batch_execute("GRANT pg_read_all_stats TO other").unwrap();
    assert_eq!(other.query("SELECT FROM trips.load_progress", &[]).unwrap().len(), 1);
    assert_eq!(cancel(&mut etl, id), "");
    wait_for(&mut admin, id, "failed", "57014");
}
