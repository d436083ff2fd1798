//! `trips.diff` says what a load of the file then does, and changes nothing.

use postgres::Client;
use trips_tests::{Database, FIVE_COLUMNS, Load, database_state, server_error};

/// Rides with ids, and bikes whose equal records are trips of their own.
const FEEDS: [&str; 2] = [
    r#"SELECT trips.create_feed('rides', '{
         "title": "Rides", "columns": {"Number": {"type": "id"}, "When": {"type": "time"}},
         "versions": {"1": ["Number", "When"]},
         "time": {"columns": ["When"], "forms": ["YYYY-MM-DD HH24:MI:SS"]},
         "region": [{"constant": "Here"}],
         "identity": {"scheme": "source_id", "columns": ["Number"], "window_days": 10, "policy": "keep"},
         "trip_id": "Number"}')"#,
    r#"SELECT trips.create_feed('hires', '{
         "title": "Hires", "columns": {"at": {"type": "time"}, "bike": {"type": "id"}},
         "versions": {"1": ["at", "bike"]},
         "time": {"columns": ["at"], "forms": ["YYYY-MM-DD HH24:MI:SS"]},
         "region": [{"constant": "Here"}],
         "identity": {"scheme": "columns", "columns": ["@time", "bike"]}, "details": ["bike"]}')"#,
];

fn create_feeds(client: &mut Client) {
    FEEDS.iter().for_each(|feed| client.batch_execute(feed).unwrap());
}

/// The records that are added, unchanged and rejected.
fn diff(client: &mut Client, path: &str) -> [i64; 3] {
    let rows = client.query("SELECT change, records FROM trips.diff($1)", &[&path]);
    let rows = rows.unwrap_or_else(|error| panic!("{error:?}"));
    let of = |change: &str| {
        let row = rows.iter().find(|row| row.get::<_, &str>(0) == change);
        row.map_or(-1, |row| row.get(1))
    };
    ["added", "unchanged", "rejected"].map(of)
}

/// A file of a feed: for each record a day, a number, and whether it is valid; repeated so that it has several runs.
fn file(feed: usize, records: &[(u8, u8, bool)], times: usize) -> String {
    let header = [FIVE_COLUMNS, "Number,When\n", "at,bike\n"][feed];
    let mut text = header.to_owned();
    for round in 0..times {
        for &(day, number, is_valid) in records {
            let day =
                if is_valid { format!("2024-01-{:02}", 1 + day % 28) } else { "x".to_owned() };
            let time = format!("{day} {:02}:{:02}:00", (round / 60) % 24, round % 60);
            text += &match feed {
                0 => format!("Town {number},,,{time},a\n"),
                1 => format!("{number}-{round},{time}\n"),
                _ => format!("{time},{number}\n"),
            };
        }
    }
    text
}

/// Random numbers below a limit.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

#[test]
fn a_load_does_what_the_diff_says() {
    for seed in 0..12 {
        let mut random = Random(seed);
        let database = Database::on_shared();
        let mut client = database.client();
        create_feeds(&mut client);
        let work_mem = ["1MB", "64MB"][usize::from(seed % 4 == 3)];
        client.batch_execute(&format!("SET trips.work_mem = '{work_mem}'")).unwrap();
        let feed = usize::try_from(seed % 3).unwrap();
        for number in 0..3 {
            let small = |n: u64| u8::try_from(n).unwrap();
            let records: Vec<(u8, u8, bool)> = (0..1 + random.below(11))
                .map(|_| (small(random.below(4)), small(random.below(5)), random.below(10) > 0))
                .collect();
            let times = usize::try_from(1 + random.below(4_000)).unwrap();
            let path = database.file(&format!("{number}.csv"), file(feed, &records, times));
            let before = database_state(&mut client);
            let found = diff(&mut client, &path);
            assert_eq!(before, database_state(&mut client));
            let load = client.query_one("SELECT * FROM trips.ingest($1, force => true)", &[&path]);
            let [_, inserted, duplicate, staged] = Load::from_row(&load.unwrap()).rows;
            assert_eq!(found, [inserted, duplicate, staged], "seed {seed}, file {number}");
        }
    }
}

#[test]
fn a_diff_writes_nothing_and_checks_its_caller() {
    let database = Database::on_shared();
    let mut client = database.client();
    let text =
        format!("{FIVE_COLUMNS}Cork,,,2024-01-01 08:00:00,a\nCork,x,,2024-01-02 08:00:00,a\n");
    let path = database.file("a.csv", text);
    // Another transaction that holds the history lock is not waited for.
    let mut other = database.client();
    other.batch_execute("BEGIN; DELETE FROM trips.hist_trip_data").unwrap();
    client.batch_execute("BEGIN READ ONLY").unwrap();
    assert_eq!(diff(&mut client, &path), [1, 0, 1]);
    let query = "SELECT first_time::text || ' ' || last_time::text, examples::text FROM trips.diff($1) ORDER BY records, change";
    let rows = client.query(query, &[&path]).unwrap();
    let times: Vec<Option<String>> = rows.iter().map(|row| row.get(0)).collect();
    assert!(
        times.contains(&Some("2024-01-01 08:00:00 2024-01-01 08:00:00".to_owned())),
        "{times:?}"
    );
    let examples: Vec<Option<String>> = rows.iter().map(|row| row.get(1)).collect();
    assert!(examples.iter().flatten().any(|text| text.contains("origin_coord")), "{examples:?}");
    client.batch_execute("COMMIT").unwrap();
    let loads: i64 = client.query_one("SELECT count(*) FROM trips.loads", &[]).unwrap().get(0);
    assert_eq!(loads, 0);
    for (arguments, code) in [
        ("NULL", "22004"),
        ("'/nowhere'", "58P01"),
        ("'relative'", "42602"),
        ("'/a', examples => -1", "22023"),
        ("'/a', examples => NULL", "22004"),
        ("'/a', feed => 'none'", "42704"),
    ] {
        let error = client.query(&format!("SELECT trips.diff({arguments})"), &[]).unwrap_err();
        assert_eq!(server_error(&error).0, code, "{arguments}");
    }
}
