//! The comparison of a file with the trips that the history has.

use postgres::Client;
use trips_tests::{Database, FIVE_COLUMNS, trip_line};

/// Scans of the primary key of the partition that have begun.
fn scans(client: &mut Client) -> i64 {
    client.batch_execute("SELECT pg_stat_force_next_flush()").unwrap();
    let query = "SELECT idx_scan FROM pg_stat_all_indexes
                  WHERE indexrelid = (SELECT indexrelid FROM pg_index
                                       WHERE indrelid = 'trips.hist_trip_data_2018_05'::regclass AND indisprimary)";
    client.query_one(query, &[]).unwrap().get(0)
}

/// The keys are read ahead to the end of the index, which is not the end of the file.
#[test]
fn the_index_is_not_scanned_again_behind_its_end() {
    let database = Database::on_shared();
    let mut client = database.client();
    for known in [1, 16, 20, 48, 1000] {
        let lines = |last| -> String { (0..last).map(|second| trip_line(known, second)).collect() };
        let first = database.file(&format!("{known}.csv"), [FIVE_COLUMNS, &lines(known)].concat());
        let more = database
            .file(&format!("{known} more.csv"), [FIVE_COLUMNS, &lines(known + 100)].concat());
        client.batch_execute("TRUNCATE trips.hist_trip_data").unwrap();
        database.ingest(&mut client, &first);
        let before = scans(&mut client);
        let load = database.ingest(&mut client, &more);
        assert_eq!(load.rows, [i64::from(known) + 100, 100, i64::from(known), 0]);
        assert_eq!(scans(&mut client) - before, 1, "{known} trips are known");
    }
}
