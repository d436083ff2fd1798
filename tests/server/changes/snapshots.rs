//! Changes by hand under a snapshot that is older than another change by hand.

use trips_tests::{Database, server_error};

use super::check_all;

/// What the other has changed would be left in what is derived: the later one ends with 40001, and may be repeated.
#[test]
fn a_snapshot_that_is_older_than_another_change() {
    let database = Database::on_shared();
    let mut client = database.client();
    client
        .batch_execute(
            "CREATE TABLE public.may PARTITION OF trips.hist_trip_data (PRIMARY KEY (date_time, trip_key))
               FOR VALUES FROM ('2018-05-01') TO ('2018-06-01');
             CREATE TABLE public.june PARTITION OF trips.hist_trip_data (PRIMARY KEY (date_time, trip_key))
               FOR VALUES FROM ('2018-06-01') TO ('2018-07-01')",
        )
        .unwrap();
    let insert = |date: &str| {
        format!(
            "INSERT INTO trips.hist_trip_data
             VALUES ('{date}', NULL, NULL, '{date}', NULL, gen_random_uuid(), 0)"
        )
    };
    client.batch_execute(&insert("2018-05-01")).unwrap();
    for (isolation, change) in
        ["REPEATABLE READ", "SERIALIZABLE"].into_iter().flat_map(|isolation| {
            [
                "TRUNCATE trips.hist_trip_data",
                "TRUNCATE public.june",
                "DELETE FROM public.june",
                "ALTER TABLE trips.hist_trip_data DETACH PARTITION public.june",
                "DROP TABLE public.june",
            ]
            .map(|change| (isolation, change))
        })
    {
        let mut old = database.client();
        old.batch_execute(&format!(
            "BEGIN ISOLATION LEVEL {isolation}; SELECT count(*) FROM trips.hist_trip_data"
        ))
        .unwrap();
        client.batch_execute(&insert("2018-06-20")).unwrap();
        match old.batch_execute(change) {
            Err(error) => assert_eq!(server_error(&error).0, "40001", "{change}"),
            // It has deleted none of the rows that it does not see.
            Ok(()) => assert_eq!(change, "DELETE FROM public.june"),
        }
        old.batch_execute("ROLLBACK").unwrap();
        check_all(&mut client, "after it");
    }
    // Under a snapshot of its own, it does what it is to do.
    client
        .batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; TRUNCATE public.june; COMMIT")
        .unwrap();
    check_all(&mut client, "after it");
}
