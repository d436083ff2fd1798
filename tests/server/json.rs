//! JSON files: pages of MDS in any order, lines, lists; broken and cut ones.

use std::sync::{Arc, Mutex};

use postgres::{Client, NoTls};
use serde_json::{Value, json};
use trips_testkit::containers::pack;
use trips_tests::{Database, FIVE_COLUMNS, eventually, server_error, text_of, until};

/// 2024-06-01 08:00:00 UTC, in milliseconds; it is 03:00 in Austin.
const EIGHT: i64 = 1_717_228_800_000;

/// A trip of MDS that begins this many minutes later, from one point to another one.
fn trip(number: u32, minutes: i64, points: [[f64; 2]; 2]) -> Value {
    let (start, end) = (EIGHT + minutes * 60_000, EIGHT + (minutes + 10) * 60_000);
    let feature = |time: i64, point: [f64; 2]| {
        json!({"type": "Feature", "properties": {"timestamp": time},
               "geometry": {"type": "Point", "coordinates": point}})
    };
    json!({
        "provider_id": "p-1", "provider_name": "Invented Scooters", "device_id": "d-secret",
        "vehicle_id": "v-secret", "vehicle_type": "scooter", "propulsion_type": ["electric"],
        "trip_id": format!("t-{number}"), "trip_duration": 600, "trip_distance": 1200,
        // The times count, not the order.
        "route": {"type": "FeatureCollection",
                  "features": [feature(end, points[1]), feature(start, points[0])]},
        "accuracy": 5, "start_time": start, "end_time": end, "currency": "USD"
    })
}

const HERE: [[f64; 2]; 2] = [[-97.74, 30.26], [-97.73, 30.27]];
const SWAPPED: [[f64; 2]; 2] = [[30.26, -97.74], [30.27, -97.73]];

/// The pages of two hours, which overlap.
fn pages() -> [Value; 2] {
    let page = |trips: Vec<Value>| json!({"version": "0.4.0", "data": {"trips": trips}, "links": {"next": null}});
    let first = [trip(1, 5, HERE), trip(2, 20, HERE), trip(3, 40, HERE)];
    let second = [trip(4, 50, HERE), trip(5, 70, SWAPPED), trip(6, 75, HERE)];
    let both = [first[1].clone(), first[2].clone()].into_iter().chain(second).collect();
    [page(first.to_vec()), page(both)]
}

fn count(client: &mut Client, table: &str) -> String {
    text_of(client, &format!("SELECT count(*) FROM trips.{table}"))
}

#[test]
fn pages_that_overlap() {
    let [first, second] = pages();
    for (order, expected) in [
        ([&first, &second], [[3, 3, 0, 0], [5, 2, 2, 1]]),
        ([&second, &first], [[5, 4, 0, 1], [3, 1, 2, 0]]),
    ] {
        let database = Database::on_shared();
        let mut client = database.client();
        for (number, (page, rows)) in order.into_iter().zip(expected).enumerate() {
            let pretty = serde_json::to_string_pretty(page).unwrap();
            let text = if number == 0 { pretty } else { page.to_string() };
            let path = database.file(&format!("{number}.json"), text);
            let load = database.ingest(&mut client, &path);
            assert_eq!(load.summary(), ("loaded", rows), "{path}");
        }
        assert_eq!(
            text_of(
                &mut client,
                "SELECT trip_id, date_time, ended_at, origin_coord, destination_coord, region
                                    FROM trips.hist_trip_data ORDER BY date_time LIMIT 1"
            ),
            "t-1|2024-06-01 03:05:00|2024-06-01 03:15:00|(-97.74,30.26)|(-97.73,30.27)|Invented Scooters"
        );
        let staged = "SELECT line_no, column_name, error_code, record ->> 'trip_id',
                             raw_line LIKE '%t-5%', raw_line LIKE '%…%' FROM trips.stg_trip_data";
        assert_eq!(text_of(&mut client, staged), "4|origin_coord|22003|t-5|t|t");
        let all = "SELECT string_agg(s::text, '') || (SELECT string_agg(h::text, '') FROM trips.hist_trip_data AS h)
                     FROM trips.stg_trip_data AS s";
        let all = text_of(&mut client, all);
        assert!(!all.contains("secret"), "a personal member is stored: {all}");
        // The same trips in other layouts are known.
        let trips = first["data"]["trips"].as_array().unwrap();
        let lines: String = trips.iter().map(|trip| format!("{trip}\r\n")).collect();
        let list = Value::Array(trips.clone()).to_string();
        for (name, bytes) in [
            ("a.jsonl", lines.clone().into_bytes()),
            ("a.json.gz", pack::gzip(first.to_string().replace(' ', "").as_bytes())),
            ("list.json.zst", pack::zstd(list.as_bytes())),
        ] {
            let path = database.file(name, bytes);
            let load = database.ingest(&mut client, &path);
            assert_eq!(load.summary(), ("loaded", [3, 0, 3, 0]), "{name}");
        }
        assert_eq!(count(&mut client, "verify() WHERE NOT passed"), "0");
    }
}

#[test]
fn a_staged_record_is_corrected_and_merged() {
    let database = Database::on_shared();
    let mut client = database.client();
    let path = database.file("page.json", pages()[1].to_string());
    let load = database.ingest(&mut client, &path);
    assert_eq!(load.summary().1, [5, 4, 0, 1]);
    client
        .execute(
            "UPDATE trips.stg_trip_data SET record = record || jsonb_build_object('route',
               '{\"type\":\"MultiPoint\",\"coordinates\":[[-97.74,30.26],[-97.73,30.27]]}')",
            &[],
        )
        .unwrap();
    let merged =
        format!("SELECT rows_inserted, rows_staged FROM trips.merge_staged({})", load.load_id);
    assert_eq!(text_of(&mut client, &merged), "5|0");
    // Nothing but staging is filled by trips.stage; the merge brings what a load brings.
    let other = Database::on_shared();
    let mut client = other.client();
    let path = other.file("page.json", pages()[1].to_string());
    let staged =
        text_of(&mut client, &format!("SELECT load_id, rows_staged FROM trips.stage('{path}')"));
    let (id, rows) = staged.split_once('|').unwrap();
    assert_eq!((rows, count(&mut client, "hist_trip_data").as_str()), ("5", "0"));
    let merged = format!("SELECT rows_inserted, rows_staged FROM trips.merge_staged({id})");
    assert_eq!(text_of(&mut client, &merged), "4|1");
}

#[test]
fn a_preview_and_the_feed_of_a_page() {
    let database = Database::on_shared();
    let mut client = database.client();
    let mut page = pages()[1].clone();
    page["data"]["trips"][0]["home"] = json!({"street": "secret"});
    let path = database.file("page.json", page.to_string());
    let rows = |client: &mut Client, kind: &str| {
        let query = "SELECT coalesce(string_agg(concat_ws('|', line_no, trip_id, error_code, note), ';' ORDER BY line_no), '')
                       FROM trips.preview($1) WHERE kind = $2";
        client.query_one(query, &[&path, &kind]).unwrap().get::<_, String>(0)
    };
    assert_eq!(rows(&mut client, "feed"), "mds: read all records of the file (5 records)");
    assert_eq!(rows(&mut client, "trip"), "1|t-2;2|t-3;3|t-4;5|t-6");
    let rejected = rows(&mut client, "rejected");
    assert!(rejected.starts_with("4|22003|column origin_coord: "), "{rejected}");
    assert_eq!(rows(&mut client, "not stored"), "home");
    assert_eq!(count(&mut client, "loads"), "0");
    let feed = client.query("SELECT feed FROM trips.detect_feed($1)", &[&path]).unwrap();
    assert_eq!(feed[0].get::<_, String>(0), "mds");
}

/// A member that only a late record has is named, too: one NOTICE names all.
#[test]
fn members_that_are_not_stored_are_named_once() {
    let database = Database::on_shared();
    let said = Arc::new(Mutex::new(Vec::new()));
    let (of_client, mut config) = (said.clone(), database.config());
    config.notice_callback(move |notice| {
        of_client.lock().unwrap().push(notice.message().to_owned());
    });
    let mut client = config.connect(NoTls).unwrap();
    let with = |member: &str, region: u32| {
        five(&region.to_string()).replacen('{', &format!("{{{member},"), 1) + "\n"
    };
    let mut lines: String = (0..20_000).map(|region| with(r#""fare":1"#, region)).collect();
    lines += &with(r#""Fare":2,"tip":{"euro":1}"#, 20_000);
    lines += &with(r#""tip":null,"to\nll":3"#, 20_001);
    for (name, list) in [("late.jsonl", false), ("late.json", true)] {
        let text =
            if list { format!("[{}]", lines.trim_end().replace('\n', ",")) } else { lines.clone() };
        let path = database.file(name, text);
        let load = database.ingest(&mut client, &path);
        assert_eq!((load.rows[0], load.rows[3]), (20_002, 0), "{name}");
        let mut said = std::mem::take(&mut *said.lock().unwrap());
        said.retain(|message| message.starts_with("ignoring"));
        assert_eq!(said, [r#"ignoring columns "fare", "tip", "to\nll""#], "{name}");
    }
}

/// The five columns, as a list of records in lines.
fn five(region: &str) -> String {
    format!(
        r#"{{"region":"{region}","origin_coord":"POINT (14.5 50.1)","destination_coord":null,"date_time":"2018-05-28 09:03:40","datasource":"car"}}"#
    )
}

#[test]
fn the_five_columns_have_the_keys_of_csv() {
    let database = Database::on_shared();
    let mut client = database.client();
    let csv = format!(
        "{FIVE_COLUMNS}A,POINT (14.5 50.1),,2018-05-28 09:03:40,car\n\
         Plzeň,POINT (14.5 50.1),,2018-05-28 09:03:40,car\n"
    );
    let path = database.file("a.csv", csv);
    assert_eq!(database.ingest(&mut client, &path).summary().1, [2, 2, 0, 0]);
    let lines = format!("\u{feff}{}\n\n{}\n", five("A"), five("Plze\\u0148"));
    let utf16: Vec<u8> = lines.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let files = [
        ("a.jsonl", lines.into_bytes()),
        ("a.utf16", utf16),
        ("a.json", format!("[{}, {}]", five("A"), five("Plzeň")).into_bytes()),
    ];
    for (name, bytes) in files {
        let path = database.file(name, bytes);
        assert_eq!(database.ingest(&mut client, &path).summary().1, [2, 0, 2, 0], "{name}");
    }
}

#[test]
fn broken_records_are_staged_and_the_others_are_loaded() {
    let database = Database::on_shared();
    let mut client = database.client();
    let broken = r#"{"region":"B","origin_coord":"#;
    let long = five(&"x".repeat(70_000));
    client.batch_execute("SET trips.max_record_size = '64kB'").unwrap();
    let files = [
        (
            "lines.json",
            format!("{}\n{broken}\n{}\n", five("A"), five("C")),
            [3, 2, 0, 1],
            "2|22P04|t",
        ),
        (
            "list.json",
            format!("[\n{},\n{broken},\n{}\n]", five("A"), five("C")),
            [3, 0, 2, 1],
            "2|22P04|t",
        ),
        ("cut.json", format!("[{},{},{broken}", five("A"), five("C")), [3, 0, 2, 1], "3|22P04|t"),
        ("open.json", format!("[{},{}", five("A"), five("C")), [3, 0, 2, 1], "3|22P04|f"),
        ("long.json", format!("[{},{long},{}]", five("A"), five("C")), [3, 0, 2, 1], "2|54000|f"),
    ];
    for (name, text, rows, staged) in files {
        let path = database.file(name, text);
        let load = database.ingest(&mut client, &path);
        assert_eq!(load.summary(), ("loaded", rows), "{name}");
        let query = format!(
            "SELECT line_no, error_code, raw_line = '{broken}' FROM trips.stg_trip_data WHERE load_id = {}",
            load.load_id
        );
        assert_eq!(text_of(&mut client, &query), staged, "{name}");
    }
}

#[test]
fn a_file_whose_records_have_no_ends_leaves_nothing() {
    let database = Database::on_shared();
    let mut client = database.client();
    for (name, text, reason) in [
        (
            "bracket.json",
            format!("[{}, {{\"region\": [}}, {}]", five("A"), five("B")),
            "line 1, column 143",
        ),
        ("comma.json", format!("[\n{},\n]", five("A")), "line 3, column 1"),
        (
            "comment.json",
            format!("[\n{},\n// none\n{}\n]", five("A"), five("B")),
            "line 3, column 1",
        ),
        (
            "page.json",
            format!("{{\"data\": {{\"trips\": [{}]}}}}\n{{\"error\": 1}}", five("A")),
            "line 2, column 12",
        ),
    ] {
        let path = database.file(name, text);
        let error = client.query("SELECT trips.ingest($1)", &[&path]).expect_err(name);
        let (code, message, _) = server_error(&error);
        assert_eq!(code, "22P04", "{message}");
        let ledger = text_of(
            &mut client,
            &format!("SELECT state, error_code FROM trips.loads WHERE source = '{path}'"),
        );
        assert_eq!(ledger, "failed|22P04");
        assert!(format!("{error:?}").contains(reason), "{name}: {error:?}");
        assert_eq!(
            (count(&mut client, "hist_trip_data"), count(&mut client, "stg_trip_data")),
            ("0".into(), "0".into())
        );
    }
}

#[test]
fn a_page_without_trips_is_a_load_of_none() {
    let database = Database::on_shared();
    let mut client = database.client();
    for text in
        ["[]", r#"{"version":"0.4.0","data":{"trips":[]}}"#, r#"{"version":"2.0.0","trips":[]}"#]
    {
        let path = database.file("empty.json", text);
        assert_eq!(
            database.ingest(&mut client, &path).summary(),
            ("loaded", [0, 0, 0, 0]),
            "{text}"
        );
    }
}

#[test]
fn a_load_of_a_long_list_is_cancelled() {
    let database = Database::on_shared();
    let mut client = database.client();
    let mut text = String::from("[");
    for number in 0..300_000 {
        text.push_str(&five(&number.to_string()));
        text.push(',');
    }
    text.pop();
    text.push(']');
    let path = database.file("long.json", text);
    let mut other = database.client();
    let loading = std::thread::spawn(move || {
        server_error(
            &other.query("SELECT trips.ingest($1)", &[&path]).expect_err("it is cancelled"),
        )
        .0
    });
    let running = "SELECT load_id FROM trips.load_progress WHERE phase IN ('reading', 'inserting')";
    let id: i64 = until("no load is running", || client.query_opt(running, &[]).unwrap()).get(0);
    client.query_one("SELECT trips.cancel($1)", &[&id]).unwrap();
    assert_eq!(loading.join().unwrap(), "57014");
    eventually(
        &mut client,
        &format!("SELECT state FROM trips.loads WHERE load_id = {id}"),
        "failed",
    );
    assert_eq!(count(&mut client, "hist_trip_data"), "0");
}
