//! `trips.diff` says what a load of the file then does, and changes nothing.

mod archives;
mod standby;

use postgres::Client;
use trips_tests::{Database, FIVE_COLUMNS, database_state, server_error};

/// Rides with ids, and bikes whose equal records are trips of their own.
const FEEDS: [&str; 2] = [
    r#"SELECT trips.create_feed('rides', '{
         "title": "Rides", "columns": {"Number": {"type": "id"}, "When": {"type": "time"}, "Kind": {}},
         "versions": {"1": ["Number", "When", "Kind"]},
         "time": {"columns": ["When"], "forms": ["YYYY-MM-DD HH24:MI:SS"]},
         "region": [{"constant": "Here"}],
         "identity": {"scheme": "source_id", "columns": ["Number"], "window_days": 10, "policy": "keep"},
         "trip_id": "Number", "details": ["Kind"]}')"#,
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

/// The records that are added, changed, unchanged and rejected.
fn diff(client: &mut Client, path: &str, on_change: Option<&str>) -> [i64; 4] {
    let query = "SELECT change, records FROM trips.diff($1, on_change => $2)";
    let rows = client.query(query, &[&path, &on_change]);
    let rows = rows.unwrap_or_else(|error| panic!("{error:?}"));
    let of = |change: &str| {
        let row = rows.iter().find(|row| row.get::<_, &str>(0) == change);
        row.map_or(-1, |row| row.get(1))
    };
    ["added", "changed", "unchanged", "rejected"].map(of)
}

/// A file of a feed: for each record a day, a number, and whether it is valid; repeated so that it has several runs. An
/// id comes again after 700 rounds.
fn file(feed: usize, records: &[(u8, u8, bool)], times: usize) -> String {
    let header = [FIVE_COLUMNS, "Number,When,Kind\n", "at,bike\n"][feed];
    let mut text = header.to_owned();
    for round in 0..times {
        for &(day, number, is_valid) in records {
            let day =
                if is_valid { format!("2024-01-{:02}", 1 + day % 28) } else { "x".to_owned() };
            let time = format!("{day} {:02}:{:02}:00", (round / 60) % 24, round % 60);
            text += &match feed {
                0 => format!("Town {number},,,{time},a\n"),
                1 => format!("{number}-{},{time},{}\n", round % 700, round % 3),
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
    for seed in 0..16 {
        let mut random = Random(seed);
        let database = Database::on_shared();
        let mut client = database.client();
        create_feeds(&mut client);
        let work_mem = ["1MB", "64MB"][usize::from(seed % 4 == 3)];
        client.batch_execute(&format!("SET trips.work_mem = '{work_mem}'")).unwrap();
        // Half of the files are those of a feed with ids.
        let feed = [1, 0, 1, 2][usize::try_from(seed / 4).unwrap()];
        for number in 0..3 {
            let small = |n: u64| u8::try_from(n).unwrap();
            let records: Vec<(u8, u8, bool)> = (0..1 + random.below(11))
                .map(|_| (small(random.below(14)), small(random.below(5)), random.below(10) > 0))
                .collect();
            let times = usize::try_from(1 + random.below(4_000)).unwrap();
            let path = database.file(&format!("{number}.csv"), file(feed, &records, times));
            let policies = [None, Some("keep"), Some("replace"), Some("replace"), Some("stage")];
            let on_change = policies[usize::try_from(random.below(5)).unwrap()];
            let before = database_state(&mut client);
            let found = diff(&mut client, &path, on_change);
            assert_eq!(before, database_state(&mut client));
            let load = "SELECT rows_inserted, rows_corrected, rows_duplicate, rows_staged
                          FROM trips.ingest($1, force => true, on_change => $2)";
            let load = client.query_one(load, &[&path, &on_change]).unwrap();
            let counts = [0, 1, 2, 3].map(|at| load.get::<_, i64>(at));
            assert_eq!(found, counts, "seed {seed}, file {number}, {on_change:?}");
            if feed == 1 {
                continue;
            }
            // Again: all of it is known, or rejected again.
            let found = diff(&mut client, &path, None);
            let read = counts.iter().sum::<i64>();
            assert_eq!(
                [found[0], found[1], found[2] + found[3]],
                [0, 0, read],
                "seed {seed}, file {number}"
            );
        }
    }
}

#[test]
fn examples_have_the_values_that_differ() {
    let database = Database::on_shared();
    let mut client = database.client();
    create_feeds(&mut client);
    let rides = |text: &str| format!("Number,When,Kind\n{text}");
    let first = rides("7,2024-01-01 08:00:00,a\n8,2024-01-01 08:00:00,a\n");
    database.ingest(&mut client, &database.file("first.csv", first));
    let second = "8,2024-01-01 08:00:00,a\n7,2024-01-02 08:00:00,\n7,2024-01-02 08:00:00,b\n9,x,\n";
    let path = database.file("second.csv", rides(second));
    assert_eq!(diff(&mut client, &path, None), [0, 0, 3, 1]);
    assert_eq!(diff(&mut client, &path, Some("replace")), [0, 2, 1, 1]);
    let query = "SELECT coalesce(string_agg(format('%s %s %s %s: %s', change, records, first_time, last_time, examples), E'\n'), '')
                   FROM trips.diff($1, on_change => $2, examples => $3)
                  WHERE change = $4";
    let mut shown = |policy: &str, count: i32, change: &str| -> String {
        client.query_one(query, &[&path, &policy, &count, &change]).unwrap().get(0)
    };
    let changed = shown("replace", 10, "changed");
    for part in [
        "changed 2 2024-01-02 08:00:00 2024-01-02 08:00:00: [",
        r#""trip_id": "7""#,
        r#"{"new": "2024-01-02 08:00:00", "old": "2024-01-01 08:00:00", "column": "date_time"}"#,
        r#""column": "details""#,
        r#""line": 3"#,
        r#""line": 4"#,
    ] {
        assert!(changed.contains(part), "{part}: {changed}");
    }
    assert!(!shown("replace", 1, "changed").contains(r#""line": 4"#));
    assert!(shown("replace", 0, "changed").ends_with(": "));
    let staged = shown("stage", 10, "rejected");
    assert!(staged.contains("23505") && staged.contains("22007"), "{staged}");
    // Who may not read the history does not see its values.
    let role = format!("compares_{}", std::process::id());
    client
        .batch_execute(&format!(
            "CREATE ROLE {role}; SELECT trips.grant_loader('{role}'); GRANT pg_read_server_files TO {role}; SET ROLE {role}"
        ))
        .unwrap();
    let hidden: bool = client
        .query_one(
            "SELECT records = 2 AND examples IS NULL FROM trips.diff($1, on_change => 'replace') WHERE change = 'changed'",
            &[&path],
        )
        .unwrap()
        .get(0);
    assert!(hidden);
    client.batch_execute(&format!("RESET ROLE; DROP OWNED BY {role}; DROP ROLE {role}")).unwrap();
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
    assert_eq!(diff(&mut client, &path, None), [1, 0, 0, 1]);
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
        ("'/a', on_change => 'x'", "22023"),
        ("'/a', examples => NULL", "22004"),
        ("'/a', feed => 'none'", "42704"),
    ] {
        let error = client.query(&format!("SELECT trips.diff({arguments})"), &[]).unwrap_err();
        assert_eq!(server_error(&error).0, code, "{arguments}");
    }
}
