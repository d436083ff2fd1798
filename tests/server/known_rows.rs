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

/// Lines of these trips of a month, whose times are all over it.
fn lines(trips: impl Iterator<Item = u64>) -> String {
    let line = |trip: u64| {
        // 40,009 is prime: the times are in no order.
        let second = trip * 40_009 % 2_400_000;
        format!(
            "region {},POINT (14.4 {}.5),POINT (14.5 50.1),2018-05-{:02} {:02}:{:02}:{:02},source {}\n",
            trip % 7,
            trip % 80,
            second / 86_400 + 1,
            second / 3600 % 24,
            second / 60 % 60,
            second % 60,
            trip % 3
        )
    };
    FIVE_COLUMNS.to_owned() + &trips.map(line).collect::<String>()
}

/// After some batches of known trips, batches have no rows until one of their trips is new.
#[test]
fn few_new_trips_among_many_known_ones_are_stored() {
    const TRIPS: u64 = 150_000;
    for threads in [1, 4] {
        let database = Database::on_shared();
        let mut client = database.client();
        client.batch_execute(&format!("SET trips.parse_threads = {threads}")).unwrap();
        let mut rows = |name: &str, lines: String| {
            database.ingest(&mut client, &database.file(name, lines)).rows.map(i64::cast_unsigned)
        };
        assert_eq!(rows("known.csv", lines(0..TRIPS)), [TRIPS, TRIPS, 0, 0]);
        // New ones at many times, at two, and none.
        let several = lines((0..TRIPS + 900).filter(|trip| trip % 10 != 7 || *trip >= TRIPS));
        let most = TRIPS / 10 * 9;
        assert_eq!(rows("several.csv", several), [most + 900, 900, most, 0]);
        let last = lines((0..TRIPS).chain([TRIPS + 5, 2 * TRIPS]));
        assert_eq!(rows("last.csv", last), [TRIPS + 2, 1, TRIPS + 1, 0]);
        assert_eq!(rows("none.csv", lines((0..TRIPS).rev())), [TRIPS, 0, TRIPS, 0]);
        let counts =
            "SELECT count(*), count(DISTINCT (date_time, trip_key)) FROM trips.hist_trip_data";
        let row = client.query_one(counts, &[]).unwrap();
        let stored = i64::try_from(TRIPS).unwrap() + 901;
        assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (stored, stored));
        let failed = "SELECT string_agg(check_name || ': ' || detail, '; ') FROM trips.verify() WHERE NOT passed";
        assert_eq!(client.query_one(failed, &[]).unwrap().get::<_, Option<&str>>(0), None);
    }
}

/// A month whose rows have every kind of past: of several loads, of one that was rolled back, deleted, changed, locked.
fn of_each_kind(database: &Database, client: &mut Client) {
    let ingest = |client: &mut Client, name: &str, is_of: fn(u64) -> bool| {
        let path = database.file(name, lines((0..KINDS).filter(|trip| is_of(*trip))));
        database.ingest(client, &path);
    };
    ingest(client, "a.csv", |trip| trip % 5 == 0);
    ingest(client, "b.csv", |trip| trip % 5 == 1);
    client.batch_execute("BEGIN").unwrap();
    ingest(client, "rolled back.csv", |trip| trip % 5 == 2);
    client.batch_execute("ROLLBACK; BEGIN; SAVEPOINT kept").unwrap();
    ingest(client, "kept.csv", |trip| trip % 10 == 3);
    client.batch_execute("RELEASE kept; SAVEPOINT lost").unwrap();
    ingest(client, "lost.csv", |trip| trip % 10 == 8);
    client.batch_execute("ROLLBACK TO lost; COMMIT").unwrap();
    // Each is a transaction of its own.
    for statement in [
        "DELETE FROM trips.hist_trip_data WHERE extract(minute FROM date_time)::int % 7 = 3",
        "UPDATE trips.hist_trip_data SET origin_coord = origin_coord WHERE extract(minute FROM date_time)::int % 7 = 4",
        "BEGIN;
         UPDATE trips.hist_trip_data SET origin_coord = origin_coord WHERE extract(minute FROM date_time)::int % 7 = 5;
         DELETE FROM trips.hist_trip_data WHERE extract(minute FROM date_time)::int % 7 = 6;
         ROLLBACK",
        "SELECT FROM trips.hist_trip_data WHERE extract(minute FROM date_time)::int % 5 = 1 FOR SHARE",
    ] {
        client.batch_execute(statement).unwrap_or_else(|error| panic!("{statement}: {error}"));
    }
}

/// Trips of that month.
const KINDS: u64 = 6_000;

/// Only trips whose rows are there count as known, whatever the past of the rows on their page.
#[test]
fn rows_of_each_kind_are_seen_as_queries_see_them() {
    let count = |client: &mut Client| -> i64 {
        client.query_one("SELECT count(*) FROM trips.hist_trip_data", &[]).unwrap().get(0)
    };
    for before in ["SELECT", "VACUUM trips.hist_trip_data", "BEGIN ISOLATION LEVEL SERIALIZABLE"] {
        let database = Database::on_shared();
        let mut client = database.client();
        of_each_kind(&database, &mut client);
        // These rows are locked while the file is compared.
        let mut other = database.client();
        let mut locks = other.transaction().unwrap();
        let query = "SELECT FROM trips.hist_trip_data WHERE extract(minute FROM date_time)::int % 4 = 2 FOR KEY SHARE";
        assert!(locks.execute(query, &[]).unwrap() > 100);
        let all = i64::try_from(KINDS).unwrap();
        let known = count(&mut client);
        assert!(known > all / 5 && known < all / 2, "{known} of {all}");
        client.batch_execute(before).unwrap();
        let path = database.file("all.csv", lines(0..KINDS));
        let load = database.ingest(&mut client, &path);
        assert_eq!(load.rows, [all, all - known, known, 0], "after {before}");
        locks.rollback().unwrap();
        // Those of this transaction, of earlier commands of it, and of others.
        client
            .batch_execute(
                "COMMIT; BEGIN; DELETE FROM trips.hist_trip_data WHERE region = 'region 3'",
            )
            .unwrap();
        let known = count(&mut client);
        let again = database.file("again.csv", lines((0..KINDS).rev()));
        let load = database.ingest(&mut client, &again);
        assert_eq!(load.rows, [all, all - known, known, 0], "after {before}, with own rows");
        let once_more =
            database.file("once more.csv", lines((0..KINDS).map(|trip| trip * 7 % KINDS)));
        assert_eq!(database.ingest(&mut client, &once_more).rows[1], 0);
        client.batch_execute("COMMIT").unwrap();
        assert_eq!(count(&mut client), all);
        // Rows that were deleted by hand were of a load.
        let failed = "SELECT string_agg(check_name || ': ' || detail, '; ') FROM trips.verify() WHERE NOT passed AND check_name <> 'ledger'";
        assert_eq!(client.query_one(failed, &[]).unwrap().get::<_, Option<&str>>(0), None);
    }
}
