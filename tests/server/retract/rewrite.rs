//! A partition whose trips pass to other loads is written again if no other session uses it. Otherwise its trips are
//! updated. Both have the same result.

use postgres::Client;
use trips_tests::{Database, FIVE_COLUMNS, lines_of, month_as_csv, server_error};

use super::{count, number_of, reset, retract, state, without_autovacuum};

const PARTITIONS: [&str; 2] = ["hist_trip_data_2018_04", "hist_trip_data_2018_05"];

/// Two months, and files with parts of them.
fn files(database: &Database) -> [String; 4] {
    let months = ["2018-04-01", "2018-05-01"].map(|first| month_as_csv(9_000, 1, first));
    let part = |from: usize, to: usize| {
        let lines = months.iter().map(|month| lines_of(month, from..to));
        lines.filter_map(|text| Some(text.split_once('\n')?.1.to_owned())).collect::<String>()
    };
    let file = |name: &str, lines: String| database.file(name, [FIVE_COLUMNS, &lines].concat());
    [
        file("all.csv", part(0, 9_000)),
        file("first.csv", part(0, 6_000)),
        file("last.csv", part(3_000, 8_500)),
        file("again.csv", part(2_000, 7_000)),
    ]
}

fn storage(client: &mut Client) -> Vec<i64> {
    let number = |name: &str| format!("SELECT pg_relation_filenode('trips.{name}')::bigint");
    PARTITIONS.iter().map(|name| count(client, &number(name))).collect()
}

/// Retracts the load of a file. Returns how many of the partitions were written again.
fn retract_beside(database: &Database, client: &mut Client, file: &str, held: &str) -> usize {
    let mut other = database.client();
    other.batch_execute(&format!("BEGIN; {held}")).unwrap();
    let before = storage(client);
    let number = number_of(client, file);
    retract(client, number);
    let after = storage(client);
    other.batch_execute("ROLLBACK").unwrap();
    before.iter().zip(&after).filter(|(before, after)| before != after).count()
}

#[test]
fn both_ways_have_one_result() {
    let database = without_autovacuum();
    let mut client = database.client();
    let files = files(&database);
    let reader = format!("SELECT FROM trips.{} LIMIT 1", PARTITIONS[0]);
    let mut states: Vec<Vec<Vec<Option<String>>>> = Vec::new();
    for (held, prepare, rewritten) in [
        ("SELECT 1", "SELECT 1", 2),
        (reader.as_str(), "SELECT 1", 1),
        ("SELECT FROM trips.hist_trip_data LIMIT 1", "SELECT 1", 0),
        (
            "SELECT 1",
            "CREATE PUBLICATION p FOR TABLE trips.hist_trip_data WITH (publish = 'insert')",
            0,
        ),
    ] {
        reset(&mut client);
        for path in &files {
            database.ingest(&mut client, path);
        }
        client.batch_execute(prepare).unwrap();
        // A savepoint brings all of it back.
        let before = state(&mut client);
        client.batch_execute("BEGIN; SAVEPOINT a").unwrap();
        let number = number_of(&mut client, "all.csv");
        retract(&mut client, number);
        client.batch_execute("ROLLBACK TO a; COMMIT").unwrap();
        assert_eq!(state(&mut client), before);
        let changed = retract_beside(&database, &mut client, "all.csv", held);
        assert_eq!(changed, rewritten, "{held}, {prepare}");
        let mut found = vec![state(&mut client)];
        // What the next load gets was claimed by all three.
        retract_beside(&database, &mut client, "first.csv", held);
        found.push(state(&mut client));
        retract_beside(&database, &mut client, "last.csv", held);
        found.push(state(&mut client));
        states.push(found);
    }
    client.batch_execute("DROP PUBLICATION p").unwrap();
    // As if the retracted loads had never been.
    for left in 1..4 {
        reset(&mut client);
        for path in &files[left..] {
            database.ingest(&mut client, path);
        }
        let expected = state(&mut client);
        for found in &states {
            assert_eq!(found[left - 1], expected, "{left}");
        }
    }
}

/// Values of all columns, also NULL and long ones, are as before.
#[test]
fn rows_keep_their_values() {
    let database = without_autovacuum();
    let mut client = database.client();
    let feed = r#"SELECT trips.create_feed('rides', '{
        "title": "Rides", "columns": {"Number": {"type": "id"}, "When": {"type": "time"}, "End": {"type": "time"}, "Note": {}},
        "versions": {"1": ["Number", "When", "End", "Note"]},
        "time": {"columns": ["When"], "forms": ["YYYY-MM-DD HH24:MI:SS"]}, "region": [{"constant": "Here"}],
        "identity": {"scheme": "source_id", "columns": ["Number"], "window_days": 10, "policy": "keep"},
        "trip_id": "Number", "ended_at": {"columns": ["End"]}, "details": ["Note"]}')"#;
    client.batch_execute(feed).unwrap_or_else(|error| panic!("{:?}", server_error(&error)));
    let ride = |number: usize| {
        let (day, hour) = (1 + number % 28, number / 28 % 24);
        let end = if number.is_multiple_of(3) {
            String::new()
        } else {
            format!("2018-04-{day:02} 23:59:59")
        };
        // Texts that do not compress, of up to 4,000 bytes.
        let mut random = number as u64;
        let note: String = (0..(number % 7) * (number % 83))
            .map(|_| {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                format!("{:08x}", random >> 32)
            })
            .collect();
        format!("{number},2018-04-{day:02} {hour:02}:00:00,{end},{note}\n")
    };
    let text = "Number,When,End,Note\n".to_owned() + &(0..6_000).map(ride).collect::<String>();
    let first = database.file("first.csv", &text);
    let second = database.file("second.csv", text + "\n");
    assert_eq!(database.ingest(&mut client, &first).rows[1], 6_000);
    assert_eq!(database.ingest(&mut client, &second).rows[2], 6_000);
    let rows = "SELECT md5(string_agg((to_jsonb(h) - 'load_id')::text, ';' ORDER BY h.date_time, h.trip_key))
                  FROM trips.hist_trip_data AS h";
    let before: String = client.query_one(rows, &[]).unwrap().get(0);
    let number = "SELECT pg_relation_filenode('trips.hist_trip_data_2018_04')::bigint";
    let storage = count(&mut client, number);
    retract(&mut client, 1);
    assert_ne!(count(&mut client, number), storage);
    assert_eq!(client.query_one(rows, &[]).unwrap().get::<_, String>(0), before);
    assert_eq!(
        count(&mut client, "SELECT count(*) FROM trips.hist_trip_data WHERE load_id = 2"),
        6_000
    );
    assert_eq!(count(&mut client, "SELECT count(*) FROM trips.verify() WHERE NOT passed"), 0);
}
