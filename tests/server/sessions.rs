//! Sessions of every kind: cancelled, read-only, in another encoding, in another database.

use trips_tests::{Cluster, Database, FIVE_COLUMNS, rows_as_csv, server_error};

#[test]
fn a_cancelled_load_leaves_nothing_and_can_be_repeated() {
    let database = Database::on_shared();
    let mut client = database.client();
    let path = database.file("trips.csv", rows_as_csv(300_000, 1));
    for timeout in [5, 50, 100, 150] {
        client.batch_execute(&format!("SET statement_timeout = {timeout}")).unwrap();
        let error = client.query_one("SELECT trips.ingest($1)", &[&path]).unwrap_err();
        assert_eq!(server_error(&error).0, "57014");
    }
    client.batch_execute("SET statement_timeout = 0").unwrap();
    let left: i64 =
        client.query_one("SELECT count(*) FROM trips.hist_trip_data", &[]).unwrap().get(0);
    assert_eq!(left, 0);
    assert_eq!(database.ingest(&mut client, &path).rows, [300_000, 300_000, 0, 0]);
}

#[test]
fn an_error_in_a_block_with_a_handler() {
    let database = Database::on_shared();
    let mut client = database.client();
    let bad = database.file("bad.csv", format!("{FIVE_COLUMNS}A,,,2018-05-01 00:00:00,x\nbad\n"));
    client
        .batch_execute(&format!(
            "DO $$ BEGIN PERFORM trips.ingest('{bad}', 'abort'); EXCEPTION WHEN bad_copy_file_format THEN
               PERFORM trips.ingest('{bad}'); END $$"
        ))
        .unwrap();
    let row = client
        .query_one(
            "SELECT count(*), (SELECT count(*) FROM trips.stg_trip_data) FROM trips.hist_trip_data",
            &[],
        )
        .unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (1, 1));
    let states: Vec<String> = client
        .query("SELECT state FROM trips.loads ORDER BY load_id", &[])
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect();
    assert_eq!(states, ["failed", "loaded"]);
}

#[test]
fn read_only_transactions_are_refused() {
    let database = Database::on_shared();
    let mut client = database.client();
    let path = database.file("trips.csv", rows_as_csv(10, 1));
    client.batch_execute("SET default_transaction_read_only = on").unwrap();
    for call in [
        format!("trips.ingest('{path}')"),
        format!("trips.stage('{path}')"),
        "trips.merge_staged()".into(),
    ] {
        let error = client.query_one(&format!("SELECT {call}"), &[]).unwrap_err();
        let (code, message, _) = server_error(&error);
        assert_eq!(code, "25006", "{message}");
    }
    client.query("SELECT * FROM trips.weekly_avg()", &[]).unwrap();
}

/// A client that talks another encoding loads the same text.
#[test]
fn the_clients_encoding_does_not_matter() {
    let database = Database::on_shared();
    let mut client = database.client();
    let file = format!("{FIVE_COLUMNS}Plzeň-東京,,,2018-05-01 00:00:00,x\nPlzeň,bad\n");
    let path = database.file("trips.csv", file);
    client
        .batch_execute(&format!(
            "SET client_encoding = LATIN1; SELECT load_id FROM trips.ingest('{path}')"
        ))
        .unwrap();
    client.batch_execute("SET client_encoding = UTF8").unwrap();
    let row = client
        .query_one(
            "SELECT region, (SELECT raw_line FROM trips.stg_trip_data) FROM trips.hist_trip_data",
            &[],
        )
        .unwrap();
    assert_eq!((row.get::<_, &str>(0), row.get::<_, &str>(1)), ("Plzeň-東京", "Plzeň,bad"));
}

#[test]
fn a_database_in_another_encoding_is_refused() {
    let cluster = Cluster::start_bare("");
    let mut client = cluster.client();
    client.batch_execute("CREATE DATABASE latin ENCODING LATIN1 TEMPLATE template0").unwrap();
    let mut latin = cluster.client_of("latin");
    latin.batch_execute("CREATE EXTENSION trips_pipeline").unwrap();
    let path = cluster.file("trips.csv", rows_as_csv(10, 1));
    let error = latin.query_one("SELECT trips.ingest($1)", &[&path]).unwrap_err();
    let (code, _, hint) = server_error(&error);
    assert!(code == "0A000" && hint.contains("UTF8"), "{code} {hint}");
}
