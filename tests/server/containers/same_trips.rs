//! The same trips, packed in each way: whichever is first brings all of them.

use trips_testkit::containers::pack;
use trips_testkit::parquet::{Column, Layout, Value, write};
use trips_tests::{Database, eventually, real_trips, rows_as_csv};

use super::zip_of;

/// Names and bytes of files that all have these trips.
pub fn packed(csv: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let lines: Vec<&[u8]> = csv.split_inclusive(|&byte| byte == b'\n').collect();
    let (header, lines) = lines.split_first().unwrap();
    let (first, second) = lines.split_at(lines.len() / 2);
    let part = |lines: &[&[u8]]| [*header, &lines.concat()].concat();
    let members = [("trips_1.csv", part(first)), ("folder/trips_2.csv", part(second))];
    vec![
        ("trips.csv", csv.to_vec()),
        // Both are cut in the middle of a record.
        ("trips.csv.gz", pack::in_two(csv, pack::gzip)),
        ("trips.csv.zst", pack::in_two(csv, pack::zstd)),
        ("trips.csv.bz2", pack::bzip2(csv)),
        ("trips.csv.xz", pack::xz(csv)),
        ("trips.zip", zip_of(&members)),
        ("outer.zip", zip_of(&[("inner.zip", zip_of(&members))])),
        ("gz.zip", zip_of(&[("trips.csv.gz", pack::gzip(csv))])),
        ("trips.jsonl", json_lines(csv)),
        ("trips.jsonl.gz", pack::gzip(&json_lines(csv))),
        ("trips.parquet", parquet(csv)),
        ("parquet.zip", zip_of(&[("trips.parquet", parquet(csv))])),
        ("mixed.zip", zip_of(&[("a.csv", part(first)), ("b.json", json_lines(&part(second)))])),
    ]
}

/// The records of a file without quotes, as an object in each line.
fn json_lines(csv: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(csv).unwrap();
    let (header, records) = text.split_once('\n').unwrap();
    let object = |record: &str| {
        let members = header.trim().split(',').zip(record.split(','));
        let members = members.map(|(name, value)| (name.to_owned(), value.into()));
        serde_json::Value::Object(members.collect()).to_string() + "\n"
    };
    records.lines().map(object).collect::<String>().into_bytes()
}

#[test]
fn whichever_is_first_brings_all_trips() {
    let files = packed(&real_trips());
    for first in 0..files.len() {
        let database = Database::on_shared();
        let mut client = database.client();
        for number in 0..files.len() {
            let (name, bytes) = &files[(first + number) % files.len()];
            let path = database.file(name, bytes);
            let rows = if number == 0 { [100, 100, 0, 0] } else { [100, 0, 100, 0] };
            let load = database.ingest(&mut client, &path);
            assert_eq!(load.summary(), ("loaded", rows), "{name}");
            // The digest is that of the stored bytes: they are known.
            let again = database.ingest(&mut client, &path);
            assert_eq!((again.state.as_str(), again.same_as), ("skipped", Some(load.load_id)));
        }
        let sums = "SELECT count(*) FROM trips.loads AS l WHERE l.state = 'loaded' AND l.source LIKE '%.zip'
                      AND (l.rows_read, l.rows_inserted, l.rows_duplicate, l.rows_staged) <>
                          (SELECT sum(m.rows_read), sum(m.rows_inserted), sum(m.rows_duplicate), sum(m.rows_staged)
                             FROM trips.load_members AS m WHERE m.load_id = l.load_id)";
        assert_eq!(client.query_one(sums, &[]).unwrap().get::<_, i64>(0), 0);
        let faults = "SELECT count(*) FROM trips.verify() WHERE NOT passed";
        assert_eq!(client.query_one(faults, &[]).unwrap().get::<_, i64>(0), 0);
    }
}

/// The digest and the bytes are those of the file, and the progress ends with them.
#[test]
fn the_ledger_has_the_stored_bytes() {
    let database = Database::on_shared();
    let mut client = database.client();
    for (name, bytes) in packed(&real_trips()) {
        let path = database.file(name, &bytes);
        database.ingest(&mut client, &path);
        let row = client
            .query_one(
                "SELECT l.digest, l.bytes_read, (SELECT e.bytes_done FROM trips.events AS e
                          WHERE e.load_id = l.load_id ORDER BY e.seq DESC LIMIT 1)
                   FROM trips.loads AS l WHERE l.source = $1",
                &[&path],
            )
            .unwrap();
        let size = i64::try_from(bytes.len()).unwrap();
        assert_eq!(row.get::<_, &[u8]>(0), trips_tests::digest(&bytes), "{name}");
        assert_eq!((row.get::<_, i64>(1), row.get::<_, i64>(2)), (size, size), "{name}");
    }
}

/// `stage`, `merge_staged`, `submit`, `ingest_new`, `preview` and `detect_feed` read them, too.
#[test]
fn all_ways_read_packed_files() {
    for (name, bytes) in packed(&real_trips()) {
        let database = Database::on_shared();
        let mut client = database.client();
        let path = database.file(name, &bytes);
        let mut count = |query: &str| client.query_one(query, &[&path]).unwrap().get::<_, i64>(0);
        let feeds = "SELECT count(*) FROM trips.detect_feed($1) WHERE feed = 'trips' AND is_chosen";
        assert_eq!(count(feeds), 1, "{name}");
        let shown = "SELECT count(*) FROM trips.preview($1, rows => 60) WHERE kind = 'trip'";
        assert_eq!(count(shown), 60, "{name}");
        assert_eq!(count("SELECT rows_staged FROM trips.stage($1)"), 100, "{name}");
        let row = client.query_one("SELECT rows_inserted FROM trips.merge_staged(NULL)", &[]);
        assert_eq!(row.unwrap().get::<_, i64>(0), 100, "{name}");
    }
}

/// The records of a file without quotes as texts, in row groups of 30 rows.
fn parquet(csv: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(csv).unwrap();
    let mut records = text.lines().map(|record| record.split(',').collect::<Vec<_>>());
    let header = records.next().unwrap();
    let records: Vec<Vec<&str>> = records.collect();
    let column = |(at, name): (usize, &&str)| {
        let values = records.iter().map(|record| Some(Value::from(record[at])));
        Column::new(&format!("optional binary {name} (STRING)"), values.collect())
    };
    let columns: Vec<Column> = header.iter().enumerate().map(column).collect();
    write(&columns, Layout { group_rows: 30, ..Layout::default() })
}

/// The queue, and the new files of a directory.
#[test]
fn background_loads_read_packed_files() {
    let files = packed(&real_trips());
    let database = Database::on_shared();
    let mut client = database.client();
    for (name, bytes) in &files {
        database.file(name, bytes);
    }
    let pattern = database.path("*");
    let row = client.query_one(&format!("CALL trips.ingest_new('{pattern}')"), &[]).unwrap();
    let all = i64::try_from(files.len()).unwrap();
    assert_eq!([0, 1, 2].map(|i| row.get::<_, i64>(i)), [all, 0, 0]);
    let sum = "SELECT sum(l.rows_inserted), sum(l.rows_duplicate) FROM trips.loads AS l";
    eventually(&mut client, sum, format!("100|{}", 100 * (all - 1)));
    for (name, bytes) in packed(&rows_as_csv(50, 9)) {
        let path = database.file(&format!("queued-{name}"), bytes);
        let load_id: i64 = client.query_one("SELECT trips.submit($1)", &[&path]).unwrap().get(0);
        let state = format!("SELECT state, rows_read FROM trips.loads WHERE load_id = {load_id}");
        eventually(&mut client, &state, "loaded|50");
    }
}
