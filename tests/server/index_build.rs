//! An empty partition is filled by whole pages, and its primary key is built meanwhile.

use std::fmt::Write;

use postgres::Client;
use trips_tests::{Cluster, Database, FIVE_COLUMNS};

const INDEX: &str = "(SELECT indexrelid::regclass::text FROM pg_index
                       WHERE indrelid = 'trips.hist_trip_data_2018_05'::regclass)";

/// The pages of a relation.
fn pages(client: &mut Client, relation: &str) -> Vec<Vec<u8>> {
    let query = format!(
        "SELECT get_raw_page({relation}, page::int)
           FROM generate_series(0, pg_relation_size({relation}) / 8192 - 1) page ORDER BY page"
    );
    let rows = client.query(&query, &[]).expect("pageinspect reads pages");
    rows.iter().map(|row| row.get(0)).collect()
}

fn u16_at(page: &[u8], at: usize) -> usize {
    usize::from(u16::from_ne_bytes([page[at], page[at + 1]]))
}

/// A page without what its position in the WAL decides: that position, the checksum, and the bytes that are free.
fn without_wal(mut page: Vec<u8>) -> Vec<u8> {
    let (lower, upper) = (u16_at(&page, 12), u16_at(&page, 14));
    page[..10].fill(0);
    page[lower..upper].fill(0);
    page
}

/// A page of a table, also without its transactions, and what is known of them.
fn without_transactions(page: Vec<u8>) -> Vec<u8> {
    let mut page = without_wal(page);
    page[10..12].fill(0);
    page[20..24].fill(0);
    for pointer in (24..u16_at(&page, 12)).step_by(4) {
        let tuple = u16_at(&page, pointer) & 0x7fff;
        page[tuple..tuple + 4].fill(0);
        page[tuple + 8..tuple + 12].fill(0);
        page[tuple + 21] &= 0xf0;
    }
    page
}

fn is_available(client: &mut Client, extension: &str) -> bool {
    let query = "SELECT count(*) FROM pg_available_extensions WHERE name = $1";
    let is_there = client.query_one(query, &[&extension]).expect("a row").get::<_, i64>(0) == 1;
    if is_there {
        let create = format!("CREATE EXTENSION IF NOT EXISTS {extension}");
        client.batch_execute(&create).expect("it is there");
    } else {
        eprintln!("{extension} is not installed for this PostgreSQL: passed over");
    }
    is_there
}

fn require_equal(one: &[Vec<u8>], other: &[Vec<u8>], of: &str) {
    assert_eq!(one.len(), other.len(), "{of}");
    for (number, (one, other)) in one.iter().zip(other).enumerate() {
        assert!(one == other, "page {number} {of} differs");
    }
}

/// A file of trips of one month; every third begins when another one does.
fn file(trips: u32) -> String {
    let mut text = FIVE_COLUMNS.to_owned();
    for i in 0..trips {
        let second = (i - i % 3).wrapping_mul(7919) % 86_400;
        let (day, hour, minute) = (1 + i % 28, second / 3600, second / 60 % 60);
        let place = f64::from(i) / 1e5;
        let origin = if i % 7 == 0 { String::new() } else { format!("POINT (14.{i} 50.1)") };
        let region = if i % 11 == 0 { "x".repeat(120 + i as usize % 40) } else { "Prague".into() };
        writeln!(
            text,
            "{region},{origin},POINT ({place} 1),2018-05-{day:02} {hour:02}:{minute:02}:{:02},x",
            second % 60
        )
        .expect("memory");
    }
    text
}

#[test]
fn its_pages_are_those_of_postgresql() {
    let database = Database::on_shared();
    let mut client = database.client();
    let is_available = is_available(&mut client, "pageinspect");
    for trips in [4_000_u32, 130_000] {
        let path = database.file("trips.csv", file(trips));
        let rows = i64::from(trips);
        assert_eq!(database.ingest(&mut client, &path).rows, [rows, rows, 0, 0]);
        let estimates =
            "SELECT relname::text, reltuples::bigint, relpages::bigint * 8192 = pg_relation_size(c.oid)
               FROM pg_class c LEFT JOIN pg_index ON indexrelid = c.oid
              WHERE 'trips.hist_trip_data_2018_05'::regclass IN (c.oid, indrelid)";
        for row in client.query(estimates, &[]).expect("both relations") {
            assert_eq!((row.get(1), row.get(2)), (rows, true), "{}", row.get::<_, &str>(0));
        }
        if is_available {
            let built: Vec<_> = pages(&mut client, INDEX).into_iter().map(without_wal).collect();
            assert!(built.len() > usize::try_from(trips / 250).expect("small"), "{}", built.len());
            client
                .batch_execute(
                    "SET max_parallel_maintenance_workers = 0;
                     REINDEX TABLE trips.hist_trip_data_2018_05;
                     CREATE TABLE public.twin AS
                     SELECT region, origin_coord, destination_coord, date_time, datasource, trip_key, load_id
                       FROM trips.hist_trip_data_2018_05 ORDER BY ctid",
                )
                .expect("tables");
            let again: Vec<_> = pages(&mut client, INDEX).into_iter().map(without_wal).collect();
            require_equal(&built, &again, "of the index");
            let [filled, twin] = ["trips.hist_trip_data_2018_05", "public.twin"].map(|table| {
                let mut pages = pages(&mut client, &format!("'{table}'"));
                // From version 16 on, PostgreSQL extends a table by several pages, and does not use all of them.
                pages.retain(|page| u16_at(page, 12) > 24);
                pages.into_iter().map(without_transactions).collect::<Vec<_>>()
            });
            require_equal(&filled, &twin, "of the table");
            client.batch_execute("DROP TABLE public.twin").expect("it is there");
        }
        client.batch_execute("DROP TABLE trips.hist_trip_data_2018_05").expect("a partition");
        client
            .batch_execute("DROP EXTENSION trips_pipeline CASCADE; CREATE EXTENSION trips_pipeline")
            .expect("it is there");
    }
}

/// Values that PostgreSQL stores outside of their rows, among others.
#[test]
fn long_values_among_short_ones() {
    let database = Database::on_shared();
    let mut client = database.client();
    let mut text = file(9_000);
    let long = |letter: char, i: u32| format!("{letter}{i}").repeat(190);
    for i in 0..30 {
        let (region, source) = (long('r', 1000 + i), long('s', 2000 + i));
        let time = format!("2018-05-{:02} 01:02:03", 1 + i * 7 % 28);
        writeln!(text, "{region},,,{time},{source}").expect("memory");
    }
    let path = database.file("trips.csv", text);
    assert_eq!(database.ingest(&mut client, &path).rows, [9_030, 9_030, 0, 0]);
    let query =
        "SELECT count(*), count(*) FILTER (WHERE length(region) = 950 AND length(datasource) = 950)
                   FROM trips.hist_trip_data";
    let row = client.query_one(query, &[]).expect("a row");
    assert_eq!([row.get::<_, i64>(0), row.get(1)], [9_030, 30]);
    if is_available(&mut client, "amcheck") {
        let check = format!(
            "SELECT bt_index_parent_check({INDEX}::regclass, true, true);
             DO $$ BEGIN
                 ASSERT NOT EXISTS (SELECT FROM verify_heapam('trips.hist_trip_data_2018_05'));
             END $$"
        );
        client.batch_execute(&check).expect("nothing is wrong");
    }
    assert_eq!(database.ingest(&mut client, &path).rows[1..], [0, 0, 0], "the same file");
    client.batch_execute("DROP EXTENSION trips_pipeline CASCADE").expect("it is installed");
}

/// An index with settings of its own is built by PostgreSQL, as it says.
#[test]
fn settings_of_the_index_stay() {
    let database = Database::on_shared();
    let mut client = database.client();
    let path = database.file("one.csv", file(1));
    assert_eq!(database.ingest(&mut client, &path).rows, [1, 1, 0, 0]);
    client
        .batch_execute(
            "TRUNCATE trips.hist_trip_data_2018_05;
             DO $$
             BEGIN
                 EXECUTE (SELECT format('ALTER INDEX %s SET (fillfactor = 50)', indexrelid::regclass)
                            FROM pg_index
                           WHERE indrelid = 'trips.hist_trip_data_2018_05'::regclass);
             END $$",
        )
        .expect("a partition");
    let path = database.file("trips.csv", file(20_000));
    assert_eq!(database.ingest(&mut client, &path).rows, [20_000, 20_000, 0, 0]);
    let size = "SELECT pg_indexes_size('trips.hist_trip_data_2018_05') / 8192";
    let pages: i64 = client.query_one(size, &[]).expect("a row").get(0);
    assert!(pages > 150, "{pages} pages: half full, 100 entries each");
    client.batch_execute("DROP EXTENSION trips_pipeline CASCADE").expect("it is installed");
}

/// A query of the same transaction that reads the index keeps it: the rows then go the other way.
#[test]
fn an_open_cursor_keeps_the_index() {
    let database = Database::on_shared();
    let mut client = database.client();
    let path = database.file("one.csv", file(1));
    assert_eq!(database.ingest(&mut client, &path).rows, [1, 1, 0, 0]);
    client.batch_execute("TRUNCATE trips.hist_trip_data_2018_05").expect("a partition");
    let path = database.file("trips.csv", file(20_000));
    let mut transaction = client.transaction().expect("begun");
    transaction
        .batch_execute(
            "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off;
             DECLARE c CURSOR FOR SELECT date_time FROM trips.hist_trip_data_2018_05 ORDER BY date_time;
             FETCH 1 FROM c",
        )
        .expect("a cursor");
    let query = format!("SELECT rows_inserted FROM trips.ingest('{path}')");
    assert_eq!(transaction.query_one(&query, &[]).expect("a load").get::<_, i64>(0), 20_000);
    // The cursor does not see what came after it.
    assert_eq!(transaction.query("FETCH ALL FROM c", &[]).expect("a cursor").len(), 0);
    transaction.commit().expect("committed");
    let count = "SELECT count(*) FROM trips.hist_trip_data";
    assert_eq!(client.query_one(count, &[]).expect("a row").get::<_, i64>(0), 20_000);
    client.batch_execute("DROP EXTENSION trips_pipeline CASCADE").expect("it is installed");
}

/// Subscribers get rows, not pages.
#[test]
fn subscribers_get_each_trip() {
    let cluster = Cluster::start_with("wal_level = logical\n");
    let mut client = cluster.client();
    for statement in [
        "CREATE PUBLICATION all_trips FOR TABLE trips.hist_trip_data",
        "SELECT pg_create_logical_replication_slot('subscriber', 'pgoutput')",
    ] {
        client.batch_execute(statement).expect("a publication and its slot");
    }
    let path = cluster.file("trips.csv", file(5_000));
    let load = "SELECT rows_inserted FROM trips.ingest($1)";
    let rows: i64 = client.query_one(load, &[&path]).expect("a load").get(0);
    let changes =
        "SELECT count(*) FROM pg_logical_slot_peek_binary_changes('subscriber', NULL, NULL,
                          'proto_version', '1', 'publication_names', 'all_trips')
                    WHERE get_byte(data, 0) = ascii('I')";
    let inserts: i64 = client.query_one(changes, &[]).expect("a row").get(0);
    assert_eq!([rows, inserts], [5_000, 5_000]);
}
