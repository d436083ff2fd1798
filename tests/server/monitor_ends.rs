//! The load monitor ends in the middle of a load; messages to it arrive unchanged.

use postgres::Client;
use trips_tests::{Cluster, eventually, rows_as_csv, server_error, until};

const PID: &str = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'trips_pipeline monitor'";

/// Ends the monitor as an administrator might, and returns when it is gone.
fn terminate_monitor(client: &mut Client) {
    let pid: i32 = client.query_one(PID, &[]).unwrap().get(0);
    client.query_one("SELECT pg_terminate_backend($1, 5000)", &[&pid]).unwrap();
}

fn wait_for(client: &mut Client, load_id: i64, state: &str, code: &str) {
    let query = format!("SELECT state, error_code FROM trips.loads WHERE load_id = {load_id}");
    eventually(client, &query, format!("{state}|{code}"));
}

/// A load whose function has returned, in an open transaction.
fn open_load(cluster: &Cluster, seed: u64) -> (Client, i64) {
    let path = cluster.file(&format!("{seed}.csv"), rows_as_csv(10, seed));
    let mut client = cluster.client();
    client.batch_execute("BEGIN").unwrap();
    let row = client.query_one("SELECT load_id FROM trips.ingest($1)", &[&path]);
    (client, row.unwrap().get(0))
}

/// Open loads are registered again with the next monitor: by their own session when it goes on, or by the ledger.
#[test]
fn it_is_terminated_before_the_transaction_ends() {
    let cluster = Cluster::start_bare("max_prepared_transactions = 1");
    let mut admin = cluster.client();
    admin.batch_execute("CREATE EXTENSION trips_pipeline").unwrap();
    for (seed, end, state, code) in [
        (1, "ROLLBACK", "failed", "40000"),
        (2, "COMMIT", "loaded", ""),
        (3, "SELECT 1/0", "failed", "40000"),
        (4, "session", "failed", "40000"),
        (5, "prepared", "failed", "40000"),
    ] {
        let (mut client, load_id) = open_load(&cluster, seed);
        wait_for(&mut admin, load_id, "running", "");
        if end == "prepared" {
            client.batch_execute("PREPARE TRANSACTION 'one'").unwrap();
            terminate_monitor(&mut admin);
            // Its session does not know the load any more. PostgreSQL, or the next load, starts the next monitor.
            let (mut next, load_id) = open_load_elsewhere(&cluster);
            wait_for(&mut admin, load_id, "failed", "58P01");
            next.batch_execute("ROLLBACK").unwrap();
            next.batch_execute("ROLLBACK PREPARED 'one'").unwrap();
        } else {
            terminate_monitor(&mut admin);
            match end {
                "session" => drop(client),
                end => {
                    let _ = client.batch_execute(end);
                    let _ = client.batch_execute("ROLLBACK");
                }
            }
        }
        wait_for(&mut admin, load_id, state, code);
    }
}

/// A load that fails, which starts a monitor.
fn open_load_elsewhere(cluster: &Cluster) -> (Client, i64) {
    let mut client = cluster.client();
    client.batch_execute("BEGIN").unwrap();
    let last = "SELECT last_value FROM trips.loads_load_id_seq";
    client.query_one("SELECT trips.ingest('/nowhere.csv')", &[]).unwrap_err();
    client.batch_execute("ROLLBACK; BEGIN").unwrap();
    let load_id = client.query_one(last, &[]).unwrap().get(0);
    (client, load_id)
}

/// The load is at work, and waits for another, when its monitor ends.
#[test]
fn it_is_terminated_while_a_load_is_at_work() {
    let cluster = Cluster::start();
    let mut admin = cluster.client();
    for (seed, end, code) in
        [(10, "pg_cancel_backend", "57014"), (20, "pg_terminate_backend", "57P01")]
    {
        let (mut holder, _) = open_load(&cluster, seed);
        let mut loader = cluster.client();
        let pid: i32 = loader.query_one("SELECT pg_backend_pid()", &[]).unwrap().get(0);
        let path = cluster.file("waits.csv", rows_as_csv(10, seed + 1));
        let load = std::thread::spawn(move || {
            loader.query_one("SELECT trips.ingest($1)", &[&path]).map(drop)
        });
        let query =
            "SELECT load_id FROM trips.loads WHERE state = 'running' AND source LIKE '%waits.csv'";
        let load_id: i64 =
            until("no load is at work", || admin.query_opt(query, &[]).unwrap()).get(0);
        terminate_monitor(&mut admin);
        admin.query_one(&format!("SELECT {end}($1)"), &[&pid]).unwrap();
        load.join().unwrap().unwrap_err();
        wait_for(&mut admin, load_id, "failed", code);
        holder.batch_execute("COMMIT").unwrap();
    }
}

/// An error within the monitor, of a trigger of the ledger, is in the server's log and ends nothing.
#[test]
fn an_error_in_it() {
    let cluster = Cluster::start();
    let mut admin = cluster.client();
    admin
        .batch_execute(
            "CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS
               $$ BEGIN RAISE 'not this one'; END $$;
             CREATE TRIGGER refuse BEFORE INSERT ON trips.loads FOR EACH ROW
               WHEN (NEW.state = 'running') EXECUTE FUNCTION public.refuse()",
        )
        .unwrap();
    let (mut client, load_id) = open_load(&cluster, 1);
    let pid: i32 = admin.query_one(PID, &[]).unwrap().get(0);
    client.batch_execute("ROLLBACK").unwrap();
    wait_for(&mut admin, load_id, "failed", "40000");
    assert_eq!(admin.query_one(PID, &[]).unwrap().get::<_, i32>(0), pid);
    assert!(cluster.log().contains("not this one"));
}

/// Whatever a message consists of, it is the one that the ledger keeps: it does not become the end of the session.
#[test]
fn no_text_makes_a_failure_look_like_another() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    let path = cluster.file("a.csv", rows_as_csv(10, 1));
    for (text, first) in [
        (r"repeat(E'\x01', 3000)", "\u{1}"),
        (r"repeat(E'\x01', 100000)", "\u{1}"),
        ("repeat(chr(128690), 4000)", "🚲"),
        (r#"repeat('"', 5000)"#, "\""),
        (r"repeat('\', 5000)", "\\"),
        (r"repeat(E'\n', 5000)", "\n"),
        ("repeat('x', 3998) || chr(128690) || 'y'", "x"),
    ] {
        client
            .batch_execute(&format!(
                "CREATE OR REPLACE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS
                   $$ BEGIN RAISE EXCEPTION USING MESSAGE = {text}, ERRCODE = '23514'; END $$;
                 DROP TRIGGER IF EXISTS refuse ON trips.hist_trip_data;
                 CREATE TRIGGER refuse BEFORE INSERT ON trips.hist_trip_data
                   FOR EACH ROW EXECUTE FUNCTION public.refuse()"
            ))
            .unwrap();
        let error = client.query_one("SELECT trips.ingest($1)", &[&path]).unwrap_err();
        assert_eq!(server_error(&error).0, "23514", "{text}");
        // Before the client saw it.
        let row = client
            .query_one(
                "SELECT error_code, error FROM trips.loads ORDER BY load_id DESC LIMIT 1",
                &[],
            )
            .unwrap();
        assert_eq!(row.get::<_, &str>(0), "23514", "{text}");
        let error: &str = row.get(1);
        assert!(error.starts_with(first) && error.len() >= 2999, "{text}: {} bytes", error.len());
    }
}
