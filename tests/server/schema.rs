//! A library with the tables of another version: a clear error that names what is missing, and a
//! server that lives on.

use trips_tests::{Database, FIVE_COLUMNS, real_trips, server_error, trip_line};

/// What is renamed in an ALTER, the SQLSTATE of the error, and the name in it.
const MISSING: [(&str, &str, &str); 13] = [
    ("TABLE trips.hist_trip_data RENAME", "42P01", "trips.hist_trip_data"),
    ("TABLE trips.stg_trip_data RENAME", "42P01", "trips.stg_trip_data"),
    ("TABLE trips.loads RENAME", "42P01", "trips.loads"),
    ("TABLE trips.daily_trip_counts RENAME", "42P01", "trips.daily_trip_counts"),
    ("TABLE trips.summarized_trip_data RENAME", "42P01", "trips.summarized_trip_data"),
    ("TABLE trips.hist_trip_data RENAME datasource", "42703", "datasource"),
    ("TABLE trips.stg_trip_data RENAME raw_bytes", "42703", "raw_bytes"),
    ("TABLE trips.loads RENAME same_as", "42703", "same_as"),
    ("TABLE trips.daily_trip_counts RENAME trips", "42703", "trips"),
    (
        "TABLE trips.daily_trip_counts RENAME CONSTRAINT daily_trip_counts_key",
        "42704",
        "daily_trip_counts_key",
    ),
    ("TABLE trips.weekly_trip_counts RENAME", "42P01", "trips.weekly_trip_counts"),
    ("TABLE trips.weekly_trip_counts RENAME trips", "42703", "trips"),
    (
        "TABLE trips.weekly_trip_counts RENAME CONSTRAINT weekly_trip_counts_pkey",
        "42704",
        "weekly_trip_counts_pkey",
    ),
];

#[test]
fn what_the_tables_lack_is_named() {
    let database = Database::on_shared();
    let mut client = database.client();
    let path = database.file("a.csv", format!("{FIVE_COLUMNS}{}bad line\n", trip_line("A", 1)));
    for (what, code, name) in MISSING {
        client.batch_execute(&format!("BEGIN; ALTER {what} TO of_another_name")).unwrap();
        let error = client.query("SELECT trips.ingest($1)", &[&path]).expect_err(what);
        let (found, message, hint) = server_error(&error);
        assert_eq!(found, code, "{what}: {message}");
        assert!(message.contains(name), "{what}: {message}");
        let is_ours = message.starts_with("table trips") || message.contains(" of table ");
        assert!(!is_ours || hint.contains("UPDATE"), "{what}: {hint}");
        client.batch_execute("ROLLBACK").unwrap();
    }
    // The same session loads, when nothing is missing.
    assert_eq!(database.ingest(&mut client, &path).rows, [2, 1, 0, 1]);
}

/// A function of SQL that the library does not have (any more): PostgreSQL says so.
#[test]
fn a_function_that_the_library_lacks() {
    let database = Database::on_shared();
    let mut client = database.client();
    let error = client
        .batch_execute(
            "CREATE FUNCTION trips.later_edition(bigint) RETURNS trips.loads LANGUAGE c
               AS '$libdir/trips_pipeline', 'later_edition_wrapper'",
        )
        .unwrap_err();
    let (code, message, _) = server_error(&error);
    assert_eq!(code, "42883");
    assert!(message.contains("later_edition_wrapper"), "{message}");
}

/// The tables of a later version: what this library does not know of is left alone.
#[test]
fn columns_of_a_later_version_get_their_defaults() {
    let database = Database::on_shared();
    let mut client = database.client();
    client
        .batch_execute(
            "ALTER TABLE trips.loads ADD COLUMN later text DEFAULT 'x';
             ALTER TABLE trips.stg_trip_data ADD COLUMN later text DEFAULT 'y';
             ALTER TABLE trips.hist_trip_data ADD COLUMN later text DEFAULT 'z';
             ALTER TABLE trips.daily_trip_counts ADD COLUMN later int DEFAULT 7;
             ALTER TABLE trips.weekly_trip_counts ADD COLUMN later int DEFAULT 8",
        )
        .unwrap();
    let path = database.file("trips.csv", [real_trips(), b"bad line\n".to_vec()].concat());
    assert_eq!(database.ingest(&mut client, &path).rows, [101, 100, 0, 1]);
    for (table, value) in [
        ("loads", "x"),
        ("stg_trip_data", "y"),
        ("hist_trip_data", "z"),
        ("daily_trip_counts", "7"),
        ("weekly_trip_counts", "8"),
    ] {
        let query =
            format!("SELECT count(*), count(*) FILTER (WHERE later::text = $1) FROM trips.{table}");
        let row = client.query_one(&query, &[&value]).unwrap();
        assert!(
            row.get::<_, i64>(0) > 0 && row.get::<_, i64>(0) == row.get::<_, i64>(1),
            "{table}"
        );
    }
}
