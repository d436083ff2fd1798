//! The fixtures of all feeds and versions, by their header alone.

use postgres::{Client, Row};
use serde_json::{Value, json};
use trips_testkit::feed_fixtures::{Fixture, Style, fixtures};
use trips_tests::{Database, digest, parts_of, text_of};

/// As if nothing had been loaded.
pub const RESET: &str = "DELETE FROM trips.hist_trip_data; DELETE FROM trips.stg_trip_data;
                         DELETE FROM trips.loads; DELETE FROM trips.daily_trip_counts;
                         DELETE FROM trips_internal.claims; DELETE FROM trips_internal.kept_versions;
                         DELETE FROM trips.corrections";

/// A ledger row: rows read, inserted, duplicate, staged, and the feed.
pub fn ingest(client: &mut Client, path: &str) -> ([i64; 4], Option<String>) {
    let query =
        "SELECT rows_read, rows_inserted, rows_duplicate, rows_staged, feed FROM trips.ingest($1)";
    let row = client.query_one(query, &[&path]).unwrap_or_else(|error| panic!("{path}: {error:?}"));
    ([row.get(0), row.get(1), row.get(2), row.get(3)], row.get(4))
}

/// JSON with all numbers as doubles.
fn as_doubles(value: &Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64()),
        Value::Array(values) => values.iter().map(as_doubles).collect(),
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name.clone(), as_doubles(value))).collect()
        }
        other => other.clone(),
    }
}

/// The trips of the history, as the fixtures write them, without lines.
fn trips(client: &mut Client) -> Vec<Value> {
    let query = "SELECT jsonb_build_object('region', region, 'origin', CASE WHEN origin_coord IS NOT NULL THEN
                          jsonb_build_array(origin_coord[0], origin_coord[1]) END,
                        'destination', CASE WHEN destination_coord IS NOT NULL THEN
                          jsonb_build_array(destination_coord[0], destination_coord[1]) END,
                        'date_time', date_time::text, 'ended_at', ended_at::text, 'trip_id', trip_id,
                        'datasource', datasource, 'details', details)::text
                   FROM trips.hist_trip_data";
    let rows = client.query(query, &[]).unwrap();
    let parse = |text: String| as_doubles(&serde_json::from_str(&text).unwrap());
    sorted(rows.iter().map(|row| parse(row.get(0))).collect())
}

fn sorted(mut values: Vec<Value>) -> Vec<Value> {
    values.sort_by_key(ToString::to_string);
    values
}

/// The lines of records that are the same trip as another one before them.
fn duplicate_lines(fixture: &Fixture) -> Vec<i64> {
    if fixture.expected["scheme"] == "columns" {
        return Vec::new();
    }
    let equal = fixture.expected["equal"].as_array().unwrap();
    let later = equal.iter().flat_map(|lines| &lines.as_array().unwrap()[1..]);
    later.map(|line| line.as_i64().unwrap()).collect()
}

/// The expected trips, without lines, and the number of duplicates.
fn expected_trips(fixture: &Fixture) -> (Vec<Value>, i64) {
    let duplicates = duplicate_lines(fixture);
    let mut expected = Vec::new();
    for trip in fixture.expected["trips"].as_array().unwrap() {
        if duplicates.contains(&trip["line"].as_i64().unwrap()) {
            continue;
        }
        let mut trip = as_doubles(trip);
        trip.as_object_mut().unwrap().remove("line");
        expected.push(trip);
    }
    (sorted(expected), i64::try_from(duplicates.len()).unwrap())
}

/// Line, column and SQLSTATE of the staged rows against the expected ones.
fn staging_fault(client: &mut Client, fixture: &Fixture) -> Option<String> {
    let query = "SELECT line_no, column_name, error_code FROM trips.stg_trip_data ORDER BY line_no";
    let found: Vec<(i64, Option<String>, String)> = client
        .query(query, &[])
        .unwrap()
        .iter()
        .map(|row| (row.get(0), row.get(1), row.get(2)))
        .collect();
    let expected = fixture.expected["rejected"].as_array().unwrap();
    let is_expected =
        |((line, column, code), expected): (&(i64, Option<String>, String), &Value)| {
            // The column of the feed, or that of the history.
            let names = expected["names"].as_array().unwrap();
            let fits = match column {
                None => expected["column"].is_null(),
                Some(name) => expected["column"] == **name || names.iter().any(|n| *n == **name),
            };
            expected["line"] == *line && expected["sqlstate"] == **code && fits
        };
    let is_equal = found.len() == expected.len() && found.iter().zip(expected).all(is_expected);
    (!is_equal).then(|| format!("staged {found:?} instead of {expected:?}"))
}

/// Faults of the history and of staging after a load of this fixture into an empty database.
fn faults(client: &mut Client, fixture: &Fixture, load: ([i64; 4], Option<String>)) -> Vec<String> {
    let mut faults = Vec::new();
    let (expected, duplicates) = expected_trips(fixture);
    let rejected = i64::try_from(fixture.expected["rejected"].as_array().unwrap().len()).unwrap();
    let inserted = i64::try_from(expected.len()).unwrap();
    let counts = [inserted + duplicates + rejected, inserted, duplicates, rejected];
    if load != (counts, Some(fixture.feed.clone())) {
        faults.push(format!("{load:?} instead of {counts:?}"));
    }
    let found = trips(client);
    if found.len() == expected.len() {
        let differ = found.iter().zip(&expected).filter(|(found, expected)| found != expected);
        faults.extend(differ.map(|(found, expected)| format!("\n  {found}\n  {expected}")));
    } else {
        faults.push(format!("{found:?}\n  {expected:?}"));
    }
    faults.extend(staging_fault(client, fixture));
    faults
}

/// Loads each fixture into an empty history by these steps, and compares.
fn check_each(
    database: &Database,
    fixtures: &[Fixture],
    steps: impl Fn(&mut Client, &Fixture, &str) -> ([i64; 4], Option<String>),
) {
    let mut client = database.client();
    let mut all = Vec::new();
    for fixture in fixtures {
        client.batch_execute(RESET).unwrap();
        let path = database.file(&format!("{}.csv", fixture.name()), &fixture.bytes);
        let load = steps(&mut client, fixture, &path);
        for fault in faults(&mut client, fixture, load) {
            all.push(format!("{}: {fault}", fixture.name()));
        }
    }
    assert!(all.is_empty(), "{}", all.join("\n"));
}

#[test]
fn each_fixture_is_loaded_by_its_header() {
    check_each(&Database::for_any_date(), &fixtures(), |client, _, path| ingest(client, path));
}

/// With a trigger on the history, rows are inserted by COPY.
#[test]
fn each_fixture_is_loaded_by_copy() {
    let database = Database::for_any_date();
    database
        .client()
        .batch_execute(
            "CREATE FUNCTION public.nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
             CREATE TRIGGER nothing BEFORE INSERT ON trips.hist_trip_data FOR EACH ROW EXECUTE FUNCTION public.nothing()",
        )
        .unwrap();
    check_each(&database, &fixtures(), |client, _, path| ingest(client, path));
}

/// The counts of a ledger row.
fn counts(row: &Row) -> [i64; 4] {
    ["rows_read", "rows_inserted", "rows_duplicate", "rows_staged"].map(|name| row.get(name))
}

/// A staged file gives the same trips when it is merged.
#[test]
fn each_fixture_is_merged_from_staging() {
    check_each(&Database::for_any_date(), &fixtures(), |client, _, path| {
        let staged = "SELECT load_id, feed FROM trips.stage($1)";
        let staged = client.query_one(staged, &[&path]).unwrap_or_else(|e| panic!("{path}: {e:?}"));
        let (load_id, feed): (i64, Option<String>) = (staged.get(0), staged.get(1));
        let merged = client.query_one("SELECT * FROM trips.merge_staged($1)", &[&load_id]);
        (counts(&merged.unwrap_or_else(|error| panic!("{path}: {error:?}"))), feed)
    });
}

/// Only the file shows the order of day and month: records without its order stay.
#[test]
fn staged_records_without_an_order_stay() {
    let database = Database::on_shared();
    let mut client = database.client();
    let fixture = Fixture::read("toronto", "2016");
    let path = database.file("a.csv", &fixture.bytes);
    client.query_one("SELECT trips.stage($1)", &[&path]).unwrap();
    let orders = "SELECT string_agg(DISTINCT record ->> '$order', ' ') FROM trips.stg_trip_data";
    let order = text_of(&mut client, orders);
    assert!(["MM/DD", "DD/MM"].contains(&&*order), "{order:?}");
    client.batch_execute("UPDATE trips.stg_trip_data SET record = record - '$order'").unwrap();
    client.query_one("SELECT trips.merge_staged()", &[]).unwrap();
    let staged = "SELECT line_no, error_code FROM trips.stg_trip_data ORDER BY line_no";
    assert_eq!(text_of(&mut client, staged), "2|22007\n3|22007");
    assert_eq!(text_of(&mut client, "SELECT count(*) FROM trips.hist_trip_data"), "0");
    let set =
        "UPDATE trips.stg_trip_data SET record = record || jsonb_build_object('$order', $1::text)";
    client.execute(set, &[&order]).unwrap();
    client.query_one("SELECT trips.merge_staged()", &[]).unwrap();
    assert_eq!(text_of(&mut client, staged), "");
    assert_eq!(text_of(&mut client, "SELECT count(*) FROM trips.hist_trip_data"), "2");
}

/// A number of a file with decimal commas is the same number, by a load and by a merge.
#[test]
fn staged_numbers_keep_the_decimal_mark_of_their_file() {
    let database = Database::on_shared();
    let mut client = database.client();
    let feed = r#"{ "title": "Marks",
        "columns": { "at": { "type": "time" }, "lon": {}, "lat": {}, "dist": { "type": "number" } },
        "versions": { "1": ["at", "lon", "lat", "dist"] },
        "form": { "dialects": [{ "delimiter": ",", "decimal": "." }, { "delimiter": ";", "decimal": "," }] },
        "time": { "columns": ["at"], "forms": ["YYYY-MM-DD HH24:MI:SS"] },
        "origin": [{ "longitude": "lon", "latitude": "lat" }], "region": [{ "constant": "X" }],
        "identity": { "scheme": "columns", "columns": ["@time", "dist"] }, "details": ["dist"] }"#;
    client.execute("SELECT trips.create_feed('marks', $1::text::jsonb)", &[&feed]).unwrap();
    let csv =
        "at;lon;lat;dist\n2020-01-02 10:00:00;7,5;45,5;1,234\n2020-01-02 11:00:00;7,5;x;1,234\n";
    let path = database.file("a.csv", csv);
    client.query_one("SELECT trips.stage($1)", &[&path]).unwrap();
    let correct = r#"UPDATE trips.stg_trip_data SET record = record || '{"lat": "45,5"}'"#;
    client.batch_execute(correct).unwrap();
    client.query_one("SELECT trips.merge_staged()", &[]).unwrap();
    let trips = "SELECT origin_coord::text, details ->> 'dist' FROM trips.hist_trip_data";
    assert_eq!(text_of(&mut client, trips), "(7.5,45.5)|1.234\n(7.5,45.5)|1.234");
    let plain = "at,lon,lat,dist\n2020-01-02 10:00:00,7.5,45.5,1.234\n";
    let ([_, inserted, duplicate, _], _) = ingest(&mut client, &database.file("b.csv", plain));
    assert_eq!((inserted, duplicate), (0, 1));
}

/// The first record of an id in its file stays, also after an UPDATE has moved its row behind the others.
#[test]
fn the_order_of_the_file_decides_in_a_merge() {
    let database = Database::for_any_date();
    let mut client = database.client();
    let fixture = Fixture::read("louisville", "2018");
    let path = database.file("a.csv", &fixture.bytes);
    client.query_one("SELECT trips.stage($1)", &[&path]).unwrap();
    client.batch_execute("UPDATE trips.stg_trip_data SET region = NULL WHERE line_no = 2").unwrap();
    client.query_one("SELECT trips.merge_staged()", &[]).unwrap();
    assert_eq!(trips(&mut client), expected_trips(&fixture).0);
}

/// A file in parts, as Spark uploads it.
#[test]
fn each_fixture_is_loaded_in_parts() {
    check_each(&Database::for_any_date(), &fixtures(), |client, fixture, path| {
        let bytes = i64::try_from(fixture.bytes.len()).unwrap();
        let create = "SELECT load_id FROM trips.create_upload($1, $2, $3, 'one')";
        let load_id: i64 =
            client.query_one(create, &[&path, &digest(&fixture.bytes), &bytes]).unwrap().get(0);
        for part in parts_of(&fixture.bytes, load_id, 300) {
            let part = client.execute("SELECT trips.upload_part($1, $2)", &[&load_id, &part]);
            part.unwrap_or_else(|error| panic!("{path}: {error:?}"));
        }
        let row = client.query_one("SELECT * FROM trips.complete_upload($1)", &[&load_id]);
        let row = row.unwrap_or_else(|error| panic!("{path}: {error:?}"));
        (counts(&row), row.get("feed"))
    });
}

/// All of them in one history: what is derived from it is right, and no file adds a trip again.
#[test]
fn all_fixtures_together() {
    let database = Database::for_any_date();
    let mut client = database.client();
    let files: Vec<(String, String)> = fixtures()
        .iter()
        .zip(0..)
        .map(|(fixture, seed)| {
            let [name, other] = ["a", "b"].map(|kind| format!("{kind}-{}.csv", fixture.name()));
            let restyled = fixture.restyled(&Style::other(seed));
            (database.file(&name, &fixture.bytes), database.file(&other, restyled))
        })
        .collect();
    for (path, _) in &files {
        ingest(&mut client, path);
    }
    let count = text_of(&mut client, "SELECT count(*) FROM trips.hist_trip_data");
    let failed = "SELECT check_name, detail FROM trips.verify() WHERE NOT passed";
    assert_eq!(text_of(&mut client, failed), "");
    let by_weeks =
        "SELECT sum(w.trips) FROM (SELECT DISTINCT region FROM trips.hist_trip_data) AS r
                      CROSS JOIN LATERAL trips.weekly_counts(r.region) AS w";
    assert_eq!(text_of(&mut client, by_weeks), count);
    for (_, path) in &files {
        let ([_, inserted, _, _], _) = ingest(&mut client, path);
        assert_eq!(inserted, 0, "{path}");
    }
    assert_eq!(text_of(&mut client, failed), "");
}

/// The session's settings of dates and times change nothing.
#[test]
fn settings_of_the_session_change_nothing() {
    let database = Database::for_any_date();
    let mut client = database.client();
    let mut all = Vec::new();
    for setting in [
        "SET TimeZone = 'Asia/Kolkata'; SET DateStyle = 'SQL, DMY'; SET extra_float_digits = -5",
        "SET TimeZone = 'America/New_York'; SET DateStyle = 'German'; SET IntervalStyle = 'iso_8601'",
    ] {
        for fixture in fixtures() {
            client.batch_execute(RESET).unwrap();
            client.batch_execute(setting).unwrap();
            let path = database.file(&format!("{}.csv", fixture.name()), &fixture.bytes);
            let load = ingest(&mut client, &path);
            client.batch_execute("RESET ALL").unwrap();
            for fault in faults(&mut client, &fixture, load) {
                all.push(format!("{}, {setting}: {fault}", fixture.name()));
            }
        }
    }
    assert!(all.is_empty(), "{}", all.join("\n"));
}
