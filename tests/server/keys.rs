//! The content key: one everywhere.

use postgres::types::Type;
use trips_tests::{Database, real_trips};
use uuid::Uuid;

#[test]
fn the_function_gives_the_key_that_a_load_gives() {
    let database = Database::on_shared();
    let mut client = database.client();
    let path = database.file("trips.csv", real_trips());
    database.ingest(&mut client, &path);
    let path = database.file("sample.csv", include_bytes!("../../samples/trips_sample.csv"));
    database.ingest(&mut client, &path);
    client
        .batch_execute(
            "SET TimeZone = 'Asia/Kolkata'; SET DateStyle = 'SQL, DMY'; SET extra_float_digits = 0",
        )
        .unwrap();
    let different: i64 = client
        .query_one(
            "SELECT count(*) FROM trips.hist_trip_data
              WHERE trip_key <> trips.trip_key(region, origin_coord, destination_coord, date_time, datasource)",
            &[],
        )
        .unwrap()
        .get(0);
    assert_eq!(different, 0);
}

/// Test vectors of docs/identity.md; they were also computed by another implementation of BLAKE3.
#[test]
fn documented_keys() {
    let database = Database::on_shared();
    let mut client = database.client();
    for (trip, key) in [
        (
            "'Prague', '(14.4973794438195,50.00136875782316)', '(14.43109483523328,50.04052930943246)',
             '2018-05-28 09:03:40', 'funny_car'",
            "1e60eed9-c676-1cc2-1d07-4200785574a3",
        ),
        ("'Prague', NULL, NULL, '2000-01-01 00:00:00', NULL", "42d1d7b3-3e22-946c-56b8-f29dad7a12d8"),
    ] {
        let query = format!("SELECT trips.trip_key({trip})");
        let statement = client.prepare_typed(&query, &[] as &[Type]).unwrap();
        let found: Uuid = client.query_one(&statement, &[]).unwrap().get(0);
        assert_eq!(found.to_string(), key);
    }
    for call in [
        "trips.trip_key(NULL, NULL, NULL, '2000-01-01', NULL)",
        "trips.trip_key('A', NULL, NULL, NULL, NULL)",
    ] {
        let error = client.query_one(&format!("SELECT {call}"), &[]).unwrap_err();
        assert_eq!(trips_tests::server_error(&error).0, "22004");
    }
}
