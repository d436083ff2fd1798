//! Months that are counted without a page that waits for them.

use postgres::Client;
use trips_tests::{Database, eventually, month_as_csv, stays, text_of, until};

use super::start;

/// Whether cells of the ends of 100 trips have been looked up.
const COUNTED: &str = "SELECT coalesce(sum(calls), 0) >= 200 FROM pg_stat_user_functions WHERE funcname = 'h3_number'";

/// A database that counts the calls of functions.
fn with_calls() -> (Database, Client) {
    let database = Database::on_shared();
    let mut client = database.client();
    let name = text_of(&mut client, "SELECT current_database()");
    client.batch_execute(&format!("ALTER DATABASE {name} SET track_functions = 'all'")).unwrap();
    (database, client)
}

#[test]
fn months_are_counted_before_a_page_wants_them() {
    let (database, mut client) = with_calls();
    let path = database.file("a.csv", month_as_csv(100, 7, "2024-02-01"));
    database.ingest(&mut client, &path);
    let _console = start(&database);
    eventually(&mut client, COUNTED, "t");
}

#[test]
fn loads_that_run_come_before_months_that_no_page_wants() {
    let (database, mut client) = with_calls();
    let path = database.file("a.csv", month_as_csv(100, 7, "2024-02-01"));
    database.ingest(&mut client, &path);
    // A load that is not committed, and one that waits for it.
    let mut first = database.client();
    let mut transaction = first.transaction().unwrap();
    let not_committed = database.file("b.csv", month_as_csv(10, 8, "2024-03-01"));
    transaction.execute("SELECT trips.ingest($1)", &[&not_committed]).unwrap();
    let waits = database.file("c.csv", month_as_csv(10, 9, "2024-03-01"));
    std::thread::scope(|scope| {
        let load = scope.spawn(|| {
            database.client().execute("SELECT trips.ingest($1)", &[&waits]).expect("a load");
        });
        eventually(
            &mut client,
            "SELECT count(*) FROM trips.load_progress WHERE phase = 'waiting'",
            1,
        );
        let console = start(&database);
        until("the load is not shown", || {
            let now = console.get("/api/now");
            (now.status == 200 && !now.json()["loads"].as_array()?.is_empty()).then_some(())
        });
        stays("f".to_owned(), || text_of(&mut client, COUNTED));
        transaction.commit().unwrap();
        load.join().unwrap();
        eventually(&mut client, COUNTED, "t");
    });
}

/// A page that gets its answer late asks once: its months are counted nevertheless.
#[test]
fn months_are_counted_also_while_the_database_is_slow() {
    let (database, mut client) = with_calls();
    let console = start(&database);
    // The console has found nothing to count when it started.
    let of_console = "datname = current_database() AND application_name = 'trips_console'";
    let has_looked = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE {of_console} AND state = 'idle' AND query LIKE 'SELECT min(d.day)%'"
    );
    eventually(&mut client, &has_looked, 1);
    let path = database.file("a.csv", month_as_csv(100, 7, "2024-02-01"));
    database.ingest(&mut client, &path);
    let mut locking = database.client();
    let mut transaction = locking.transaction().unwrap();
    transaction
        .batch_execute("LOCK TABLE trips_internal.area_directory IN ACCESS EXCLUSIVE MODE")
        .unwrap();
    std::thread::scope(|scope| {
        let reply = scope.spawn(|| console.get("/api/when"));
        let waits = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE {of_console} AND wait_event_type = 'Lock'
                AND clock_timestamp() > query_start + interval '300 milliseconds'"
        );
        eventually(&mut client, &waits, 1);
        transaction.rollback().unwrap();
        assert_eq!(reply.join().unwrap().status, 200);
    });
    eventually(&mut client, COUNTED, "t");
}
