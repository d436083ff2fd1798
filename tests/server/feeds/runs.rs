//! Rows with `details` are the same by every way into a partition: in bulk, row by row, and through COPY.

use chrono::NaiveDate;
use postgres::Client;
use trips_datagen::wide::{self, WideFeed};
use trips_tests::{Database, text_of};

use super::fixtures::RESET;

const ROWS: u64 = 12_000;
/// A partition with pages is not filled in bulk.
const DROP: &str = "DROP TABLE IF EXISTS trips.hist_trip_data_2021_02";

/// A digest of all rows, and their number by the primary keys.
fn rows(client: &mut Client) -> (String, String) {
    let digest = "SELECT md5(string_agg(md5((to_jsonb(h) - 'load_id')::text), '' ORDER BY h.date_time, h.trip_key))
                    FROM trips.hist_trip_data AS h";
    let digest = text_of(client, digest);
    let by_key = "SET enable_seqscan = off; SET enable_bitmapscan = off;
                  SELECT count(*) FROM trips.hist_trip_data WHERE date_time > '-infinity';
                  RESET enable_seqscan; RESET enable_bitmapscan";
    (digest, text_of(client, by_key))
}

fn load(client: &mut Client, path: &str) {
    let call = "SELECT rows_read - rows_duplicate FROM trips.ingest($1, force => true)";
    client.query_one(call, &[&path]).unwrap();
}

#[test]
fn rows_do_not_depend_on_runs_and_indexes() {
    let database = Database::on_shared();
    let mut client = database.client();
    let month = NaiveDate::from_ymd_opt(2021, 2, 1).unwrap().and_hms_opt(0, 0, 0).unwrap();
    for feed in [WideFeed::Lyft, WideFeed::TlcYellow] {
        let mut file = Vec::new();
        wide::write(feed, (ROWS, 3), month, &mut file).unwrap();
        let path = database.file(&format!("{feed:?}.csv"), &file);
        let half =
            file.len() / 2 + file[file.len() / 2..].iter().position(|b| *b == b'\n').unwrap() + 1;
        let first = database.file(&format!("{feed:?}-half.csv"), &file[..half]);
        let mut found = Vec::new();
        for (work_mem, before) in [
            // One run, in bulk.
            ("1GB", vec![]),
            // Many runs: the first one in bulk, the others row by row.
            ("1MB", vec![]),
            // A part of the trips is there.
            ("1GB", vec![first.as_str()]),
        ] {
            client.batch_execute(RESET).unwrap();
            client.batch_execute(DROP).unwrap();
            client.batch_execute(&format!("SET trips.work_mem = '{work_mem}'")).unwrap();
            before.into_iter().for_each(|path| load(&mut client, path));
            load(&mut client, &path);
            found.push(rows(&mut client));
            let failed = "SELECT string_agg(check_name || ': ' || detail, ', ') FROM trips.verify() WHERE NOT passed";
            assert_eq!(text_of(&mut client, failed), "");
        }
        // With another index and a trigger of a user, COPY fills the partition.
        client.batch_execute(RESET).unwrap();
        client.batch_execute(DROP).unwrap();
        load(&mut client, &first);
        client
            .batch_execute(
                "CREATE INDEX by_id ON trips.hist_trip_data_2021_02 (trip_id);
                 CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
                 CREATE TRIGGER own AFTER INSERT ON trips.hist_trip_data_2021_02 FOR EACH ROW EXECUTE FUNCTION nothing()",
            )
            .unwrap();
        load(&mut client, &path);
        found.push(rows(&mut client));
        client.batch_execute(DROP).unwrap();
        client.batch_execute("DROP FUNCTION nothing()").unwrap();
        assert!(found.iter().all(|rows| *rows == found[0]), "{feed:?}: {found:?}");
        assert_eq!(found[0].1, ROWS.to_string());
    }
}
