//! Damaged containers: a clear error, or all of the content; never a part of it.

use trips_testkit::containers::damaged::{Expected, all};
use trips_tests::{Database, rows_as_csv, server_error};

#[test]
fn a_damaged_container_leaves_nothing() {
    let database = Database::on_shared();
    let mut client = database.client();
    let csv = rows_as_csv(20, 3);
    let (mut refused, mut loaded) = (0, 0);
    for damaged in all(&csv) {
        let path = database.file(&damaged.name, &damaged.bytes);
        client.batch_execute("BEGIN; SAVEPOINT before").unwrap();
        match client.query_one("SELECT rows_inserted + rows_staged FROM trips.ingest($1)", &[&path])
        {
            Ok(row) => {
                assert_eq!(damaged.expected, Expected::FaultOrContent, "{}", damaged.name);
                assert!(row.get::<_, i64>(0) > 0, "{}", damaged.name);
                loaded += 1;
            }
            Err(error) => {
                let (code, message, _) = server_error(&error);
                let is_clear = ["22P04", "54000", "0A000", "42703"].contains(&code.as_str());
                assert!(is_clear && message.contains(&path), "{}: {code} {message}", damaged.name);
                client.batch_execute("ROLLBACK TO before").unwrap();
                let trips = "SELECT count(*) FROM trips.hist_trip_data";
                assert_eq!(client.query_one(trips, &[]).unwrap().get::<_, i64>(0), 0);
                refused += 1;
            }
        }
        client.batch_execute("ROLLBACK").unwrap();
    }
    assert!(refused >= 200, "{refused} refused, {loaded} loaded");
}
