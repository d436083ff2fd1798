//! Archives of feeds whose equal records are trips of their own: the same trips as from their members one by one.

use postgres::Client;
use trips_tests::{Database, text_of};

use super::fixtures::RESET;
use super::merges::HIRES;
use crate::containers::zip_of;

/// The columns of Vancouver: each of them but the last identifies a trip.
const VANCOUVER: &str =
    "Departure,Return,Bike,Electric bike,Departure station,Return station,Memebership type\n";

type Files = Vec<(String, String)>;

/// Rows of a load: read, inserted, duplicate, staged.
type Counts = [i64; 4];

/// Loads a file by force, and returns its counts.
fn load(database: &Database, client: &mut Client, name: &str, content: &[u8]) -> Counts {
    let path = database.file(name, content);
    let sql = "SELECT rows_read, rows_inserted, rows_duplicate, rows_staged
                 FROM trips.ingest($1, force => true)";
    let row = client.query_one(sql, &[&path]).unwrap_or_else(|error| panic!("{name}: {error:?}"));
    [0, 1, 2, 3].map(|i| row.get(i))
}

/// Corrects staged records by this statement, in so many parts, and merges each part.
fn merge(client: &mut Client, correct: &str, parts: i64) {
    for part in 0..parts {
        let some = format!(" AND (line_no + load_id) % {parts} <= {part}");
        client.batch_execute(&(correct.to_owned() + &some)).unwrap();
        client.query("SELECT trips.merge_staged()", &[]).unwrap();
    }
}

/// The sums over the ledger. Each load and each member adds up.
fn sums(client: &mut Client) -> String {
    let members = "SELECT count(*) FROM trips.load_members AS m
                    WHERE m.rows_read <> m.rows_inserted + m.rows_duplicate + m.rows_corrected + m.rows_staged";
    assert_eq!(text_of(client, members), "0");
    let faults = "SELECT check_name, detail FROM trips.verify() WHERE NOT passed";
    assert_eq!(text_of(client, faults), "");
    text_of(
        client,
        "SELECT sum(rows_read), sum(rows_inserted), sum(rows_duplicate), sum(rows_staged) FROM trips.loads",
    )
}

fn trips(client: &mut Client) -> String {
    text_of(client, "SELECT date_time, trip_key FROM trips.hist_trip_data ORDER BY 1, 2")
}

/// Loads the files one by one in this order, and as one archive; each again by force. The trips and the sums are equal.
/// Returns the trips.
fn compare(
    database: &Database,
    client: &mut Client,
    (files, correct): (&Files, &str),
    (parts, at_once): (i64, bool),
) -> String {
    client.batch_execute(RESET).unwrap();
    let mut read = 0;
    for (name, content) in files {
        read += load(database, client, name, content.as_bytes())[0];
        if !at_once {
            merge(client, correct, parts);
        }
    }
    merge(client, correct, parts);
    let (expected, of_files) = (trips(client), sums(client));
    client.batch_execute(RESET).unwrap();
    let archive = zip_of(files);
    let counts = load(database, client, "all.zip", &archive);
    assert_eq!(counts[0], read);
    merge(client, correct, parts);
    assert_eq!(trips(client), expected, "{files:?}, {parts} parts");
    assert_eq!(sums(client), of_files, "{files:?}, {parts} parts");
    // Nothing of it is new, whether it comes as an archive or not.
    let again = load(database, client, "again.zip", &archive);
    assert_eq!((again[0], again[1]), (read, 0), "{files:?}");
    for (name, content) in files {
        assert_eq!(load(database, client, name, content.as_bytes())[1], 0, "{files:?}");
    }
    merge(client, correct, parts);
    assert_eq!(trips(client), expected, "{files:?}, {parts} parts");
    expected
}

/// Both orders of the members, all corrections in one merge or in several.
fn compare_orders(database: &Database, client: &mut Client, files: Files, correct: &str) -> String {
    let mut found = Vec::new();
    for files in [files.clone(), files.into_iter().rev().collect()] {
        for how in [(1, true), (1, false), (3, true)] {
            found.push(compare(database, client, (&files, correct), how));
        }
    }
    found.dedup();
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

/// Records with valid identity columns are staged: they are numbered after those of their own member.
#[test]
fn staged_records_of_members() {
    let database = Database::on_shared();
    let mut client = database.client();
    client.batch_execute(HIRES).unwrap();
    let mut seed = 7_u64;
    let mut random = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    for _ in 0..5 {
        let mut member = || {
            let mut text = "at,bike,lon,lat\n".to_owned();
            for _ in 0..random(9) {
                let lat = if random(2) == 0 { "59.9" } else { "x" };
                text += &format!("2024-01-01 08:00:00,{},10.5,{lat}\n", random(3));
            }
            text
        };
        let files: Files =
            ["a.csv", "b.csv", "c.csv"].map(|name| (name.to_owned(), member())).into();
        let most = |bike: &str| {
            let equal = |text: &str| text.lines().filter(|line| line.contains(bike)).count();
            files.iter().map(|(_, text)| equal(text)).max().unwrap_or(0)
        };
        let count: usize = [",0,", ",1,", ",2,"].map(most).iter().sum();
        let correct = r#"UPDATE trips.stg_trip_data SET record = record || '{"lat": "59.9"}'
                          WHERE record ->> 'lat' = 'x'"#;
        let found = compare_orders(&database, &mut client, files, correct);
        assert_eq!(found.lines().count(), count);
    }
}

/// Records whose identity is corrected: the equal records of their member count, which the load has inserted.
#[test]
fn corrected_identities_in_members() {
    let database = Database::on_shared();
    let mut client = database.client();
    let member = |records: &[(&str, u32, bool)]| -> String {
        let row = |&(bike, hour, is_valid): &(&str, u32, bool)| {
            let day = if is_valid { 1 } else { 41 };
            format!("2024-01-{day:02} {hour:02}:00,2024-01-01 23:00,{bike},FALSE,A,B,24 Hour\n")
        };
        VANCOUVER.to_owned() + &records.iter().map(row).collect::<String>()
    };
    let files: Files = [
        (
            "a.csv",
            member(&[
                ("1", 8, true),
                ("1", 8, true),
                ("2", 8, true),
                ("1", 8, false),
                ("3", 9, true),
            ]),
        ),
        ("b.csv", member(&[("4", 8, false), ("1", 8, true), ("4", 8, true), ("4", 8, false)])),
        ("c.csv", member(&[("3", 9, true), ("3", 9, true), ("5", 7, false)])),
    ]
    .map(|(name, text)| (name.to_owned(), text))
    .into();
    let correct = r#"UPDATE trips.stg_trip_data
        SET record = record || jsonb_build_object('Departure', replace(record ->> 'Departure', '-41', '-01'))
        WHERE record ->> 'Departure' LIKE '%-41 %'"#;
    // Three of bike 1, one of bike 2, two of bike 3, three of bike 4, one of bike 5.
    let found = compare_orders(&database, &mut client, files, correct);
    assert_eq!(found.lines().count(), 10);
}

/// Members of several runs.
#[test]
fn members_of_several_runs() {
    let database = Database::on_shared();
    let mut client = database.client();
    client.batch_execute(HIRES).unwrap();
    client.batch_execute("SET trips.work_mem = '1MB'").unwrap();
    let lap = |lat: &str, count: usize| -> String {
        let row = |i: usize| {
            format!("2024-02-{:02} {:02}:00:00,{i},10.5,{lat}\n", 1 + i / 24 % 28, i % 24)
        };
        (0..count).map(row).collect()
    };
    let header = "at,bike,lon,lat\n";
    let files: Files = vec![
        ("a.csv".to_owned(), header.to_owned() + &lap("x", 5) + &lap("59.9", 12_000)),
        (
            "b.csv".to_owned(),
            header.to_owned() + &lap("59.9", 12_000) + &lap("59.9", 9) + &lap("x", 3),
        ),
    ];
    let correct = r#"UPDATE trips.stg_trip_data SET record = record || '{"lat": "59.9"}'
                      WHERE record ->> 'lat' = 'x'"#;
    let found = compare(&database, &mut client, (&files, correct), (2, true));
    // The second number: five of a, nine of b; the third: three of b.
    assert_eq!(found.lines().count(), 12_000 + 9 + 3);
}
