//! Each view against SQL of its own.

use std::collections::BTreeMap;

use postgres::Client;
use serde_json::{Value, json};
use trips_tests::{Console, Database, FIVE_COLUMNS, month_as_csv, text_of, until};

use super::start;

/// A region that a page must show as text.
const HOSTILE: &str = "<img src=x onerror=alert(1)>";

/// Three months, the last with a hostile region, a formula and bad lines.
fn loaded() -> (Database, Client, Console) {
    let database = Database::on_shared();
    let mut client = database.client();
    for (name, first_day) in [("a/a.csv", "2024-02-01"), ("a/b.csv", "2024-03-01")] {
        std::fs::create_dir_all(database.path("a")).unwrap();
        let path = database.file(name, month_as_csv(1500, 7, first_day));
        database.ingest(&mut client, &path);
    }
    let odd = format!(
        "{FIVE_COLUMNS}{HOSTILE},POINT (14.4 50.1),POINT (14.5 50.0),2024-05-07 10:30:00,=cmd()\n\
         \"a,\"\"b\",POINT (14.4 50.1),POINT (14.5 50.0),2024-05-07 10:31:00,\n\
         ,POINT (1 2),POINT (3 4),2024-05-07 10:00:00,x\nA,POINT (1 2),POINT (3 4),<b>,x\n"
    );
    let path = database.file("a/<script>.csv", odd);
    database.ingest(&mut client, &path);
    let console = start(&database);
    until("no session", || console.json("/api/status")["connected"].as_bool().filter(|is| *is));
    (database, client, console)
}

fn number(client: &mut Client, query: &str) -> i64 {
    client.query_one(query, &[]).unwrap_or_else(|error| panic!("{query}: {error}")).get(0)
}

/// A view whose counts may be waited for.
fn counted(console: &Console, path: &str) -> Value {
    until(format!("not counted: {path}"), || {
        let found = console.json(path);
        let is_empty = |name: &str| found[name].as_array().unwrap().is_empty();
        (is_empty("missing") && is_empty("older")).then_some(found)
    })
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

#[test]
fn status_regions_health_and_feeds() {
    let (_database, mut client, console) = loaded();
    let status = console.json("/api/status");
    assert_eq!((&status["since"], &status["until"]), (&json!("2024-02-01"), &json!("2024-05-07")));
    assert_eq!(
        status["trips"],
        json!(number(&mut client, "SELECT count(*) FROM trips.hist_trip_data"))
    );
    let regions = number(&mut client, "SELECT count(DISTINCT region) FROM trips.hist_trip_data");
    assert_eq!(status["regions"], json!(regions));
    assert_eq!(status["feeds"], json!(["trips"]));
    assert!(status["datasources"].as_array().unwrap().contains(&json!("=cmd()")));
    let found = console.json("/api/regions?prefix=%3CIMG");
    assert_eq!(found, json!([{ "region": HOSTILE, "trips": 1 }]));
    let all = console.json("/api/regions?limit=200");
    assert_eq!(all.as_array().unwrap().len(), usize::try_from(regions).unwrap());
    let health = console.json("/api/health");
    assert_eq!((&health["loaded_today"], &health["staged"]), (&json!(3), &json!(2)), "{health}");
    assert_eq!(health["newest_trip"], "2024-05-07T10:31:00");
    assert_eq!(health["schedules"], Value::Null);
    assert!(
        console
            .post("/api/verify", &json!({}))
            .json()
            .as_array()
            .unwrap()
            .iter()
            .all(|check| check["passed"] == true)
    );
    let feeds = console.json("/api/feeds");
    let kinds: Vec<&str> =
        feeds.as_array().unwrap().iter().map(|feed| feed["kind"].as_str().unwrap()).collect();
    assert!(["datasource", "feed", "folder"].iter().all(|kind| kinds.contains(kind)), "{feeds}");
    let folder = feeds.as_array().unwrap().iter().find(|feed| feed["kind"] == "folder").unwrap();
    assert!(folder["name"].as_str().unwrap().ends_with("/a/"), "{folder}");
    assert!(folder["last_file"].as_str().unwrap().ends_with("<script>.csv"), "{folder}");
    assert_eq!((&folder["files_7d"], &folder["rows_7d"]), (&json!(3), &json!(3002)), "{folder}");
}

#[test]
fn loads_and_staging() {
    let (_database, mut client, console) = loaded();
    let loads = console.json("/api/loads?limit=2");
    assert_eq!((&loads["loads"][0]["load_id"], &loads["next"]), (&json!(3), &json!(2)));
    let rest = console.json("/api/loads?limit=2&before=2");
    assert_eq!((&rest["loads"][0]["load_id"], &rest["next"]), (&json!(1), &Value::Null));
    assert_eq!(console.json("/api/loads?path=%3CSCRIPT")["loads"][0]["load_id"], 3);
    assert_eq!(console.json("/api/loads?state=failed")["loads"], json!([]));
    assert_eq!(console.json("/api/loads?until=2000-01-01")["loads"], json!([]));
    assert_eq!(console.json("/api/loads?feed=trips")["loads"].as_array().unwrap().len(), 3);
    let load = console.json("/api/loads/3");
    assert_eq!((&load["rows_inserted"], &load["rows_staged"]), (&json!(2), &json!(2)), "{load}");
    assert_eq!(
        (&load["first_day"], &load["last_day"]),
        (&json!("2024-05-07"), &json!("2024-05-07"))
    );
    assert_eq!(load["staged"].as_array().unwrap().len(), 2, "{load}");
    assert_eq!(load["staged"][1]["value"], "<b>", "{load}");
    let explained = number(&mut client, "SELECT count(*) FROM trips.explain_staged(3)");
    assert_eq!(load["explain"].as_array().unwrap().len(), usize::try_from(explained).unwrap());
    assert_eq!(console.get("/api/loads/99").status, 404);
    let staging = console.json("/api/staging");
    assert_eq!((&staging["total"], &staging["cut"]), (&json!(2), &json!(false)), "{staging}");
    let codes: Vec<&str> = staging["groups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|group| group["code"].as_str().unwrap())
        .collect();
    assert_eq!(codes, ["22007", "23502"]);
    let of_load = console.json("/api/staging/3");
    assert_eq!(of_load["rows"].as_array().unwrap().len(), 2, "{of_load}");
    // A failed load says why.
    client.query("SELECT trips.ingest('/nowhere/a.csv')", &[]).unwrap_err();
    let failed = console.json("/api/loads?state=failed");
    assert_eq!(failed["loads"][0]["sqlstate"], "58P01", "{failed}");
    let id = &failed["loads"][0]["load_id"];
    let failed = console.json(&format!("/api/loads/{id}"));
    assert!(failed["message"].as_str().unwrap().contains("/nowhere/a.csv"), "{failed}");
}

/// A reason that differs in its value alone is one group, as `trips.explain_staged()` has it.
#[test]
fn staged_rows_are_grouped_without_their_values() {
    let database = Database::on_shared();
    let mut client = database.client();
    let mut lines = FIVE_COLUMNS.to_owned();
    for number in 0..1_000 {
        let latitude = 90.0 + f64::from(number + 1) / 1_000.0;
        lines += &format!("A,POINT (3 {latitude}),POINT (3 4),2018-05-01 08:00:00,x\n");
    }
    for number in 0..50 {
        let (hour, minute) = (number / 60, number % 60);
        lines += &format!(
            "A,POINT (1 2),POINT (3 4),\"a \"\"{hour}:{minute}\"\" expected {number}\",x\n"
        );
    }
    let path = database.file("bad.csv", lines);
    database.ingest(&mut client, &path);
    let console = start(&database);
    let staging = console.json("/api/staging");
    let explained = "SELECT string_agg(format('%s %s %s: %s', records, error_code, column_name, reason), chr(10)
                       ORDER BY records DESC) FROM trips.explain_staged(1)";
    let groups: Vec<String> = staging["groups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|group| {
            let text = |name: &str| group[name].as_str().unwrap_or_default().to_owned();
            assert_eq!(
                (&group["load_ids"], group["samples"].as_array().unwrap().len()),
                (&json!([1]), 3)
            );
            format!(
                "{} {} {}: {}",
                group["records"],
                text("code"),
                text("column_name"),
                text("reason")
            )
        })
        .collect();
    assert_eq!(groups.len(), 2, "{groups:#?}");
    assert!(
        groups[0].starts_with("1000 22003 origin_coord: latitude … is out of range"),
        "{groups:#?}"
    );
    assert_eq!(groups.join("\n"), text_of(&mut client, explained));
}

#[test]
fn trips_over_time() {
    let (_database, mut client, console) = loaded();
    let weeks = console.json("/api/trips?top=2&compare=year");
    let starts = weeks["starts"].as_array().unwrap();
    assert_eq!(
        (&starts[0], &starts[starts.len() - 1]),
        (&json!("2024-01-29"), &json!("2024-05-06"))
    );
    let series = weeks["series"].as_array().unwrap();
    assert_eq!((series.len(), &series[2]["name"]), (3, &Value::Null), "two regions and the rest");
    let sum = |series: &Value| {
        series["trips"].as_array().unwrap().iter().filter_map(Value::as_i64).sum::<i64>()
    };
    let total = number(&mut client, "SELECT count(*) FROM trips.hist_trip_data");
    assert_eq!(series.iter().map(sum).sum::<i64>(), total);
    let first = series[0]["name"].as_str().unwrap().to_owned();
    let rows =
        client.query("SELECT week::text, trips FROM trips.weekly_counts($1)", &[&first]).unwrap();
    let expected: BTreeMap<String, i64> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    for (start, trips) in starts.iter().zip(series[0]["trips"].as_array().unwrap()) {
        let expected = expected.get(start.as_str().unwrap()).copied().unwrap_or(0);
        assert_eq!(trips.as_i64().unwrap_or(0), expected, "{start}");
    }
    // From the last day of March's file to May.
    let gaps = console.json("/api/trips?period=day")["gaps"].clone();
    assert!(gaps.as_array().unwrap().iter().any(|gap| gap[1] == "2024-05-06"), "{gaps}");
    let of_region = console.json(&format!("/api/trips?region={}&by=datasource", encoded(HOSTILE)));
    assert_eq!(of_region["series"][0]["name"], "=cmd()", "{of_region}");
    assert_eq!(console.json("/api/trips?region=nowhere")["starts"], json!([]));
    // A year later, the same weeks are compared.
    let shifted = console.json("/api/trips?since=2025-01-27&until=2025-05-05&compare=year");
    let total_before: i64 =
        shifted["compare"]["total"].as_array().unwrap().iter().filter_map(Value::as_i64).sum();
    assert_eq!(total_before, total, "{shifted}");
}

#[test]
fn files_of_spreadsheets() {
    let (_database, mut client, console) = loaded();
    let days = console.get("/api/trips.csv?since=2024-05-01");
    assert!(days.header("content-disposition").unwrap().starts_with("attachment"));
    let expected = format!(
        "day,region,datasource,trips\r\n2024-05-07,{HOSTILE},'=cmd(),1\r\n2024-05-07,\"a,\"\"b\",,1\r\n"
    );
    let mut lines: Vec<&str> = days.body.split_inclusive("\r\n").collect();
    lines[1..].sort_unstable_by_key(|line| !line.contains("img"));
    assert_eq!(lines.concat(), expected);
    let weeks = console.get("/api/weekly.csv");
    let rows = number(&mut client, "SELECT count(*) FROM trips.weekly_avg()");
    assert_eq!(weeks.body.lines().count(), usize::try_from(rows).unwrap() + 1);
}

/// The trips of each cell by SQL.
fn cells_by_sql(client: &mut Client, column: &str, condition: &str) -> BTreeMap<String, i64> {
    let query = format!(
        "SELECT trips.h3_cell({column}, 8), count(*) FROM trips.hist_trip_data WHERE {condition} GROUP BY 1"
    );
    client.query(&query, &[]).unwrap().iter().map(|row| (row.get(0), row.get(1))).collect()
}

fn cells(found: &Value) -> BTreeMap<String, i64> {
    let cells = found["cells"].as_array().unwrap().iter();
    cells
        .map(|cell| (cell["cell"].as_str().unwrap().to_owned(), cell["trips"].as_i64().unwrap()))
        .collect()
}

#[test]
fn cells_and_hours_are_those_of_the_history() {
    let (database, mut client, console) = loaded();
    let all = "since=2000-01-01&resolution=8";
    for (which, column) in [("origin", "origin_coord"), ("destination", "destination_coord")] {
        let found = counted(&console, &format!("/api/cells?which={which}&{all}"));
        assert_eq!(cells(&found), cells_by_sql(&mut client, column, "true"));
    }
    let newest = counted(&console, "/api/cells?resolution=8");
    assert_eq!((&newest["since"], &newest["total"]), (&json!("2024-05-01"), &json!(2)), "{newest}");
    let window = "west=14.3&south=50&east=14.45&north=50.2";
    assert_eq!(counted(&console, &format!("/api/cells?{window}"))["total"], 2);
    assert_eq!(counted(&console, "/api/cells?west=0&east=1&south=0&north=1")["total"], 0);
    let part = counted(
        &console,
        "/api/cells?since=2024-02-10&until=2024-03-05&resolution=8&region=Prague",
    );
    let condition = "region = 'Prague' AND date_time >= '2024-02-10' AND date_time < '2024-03-06'";
    assert_eq!(cells(&part), cells_by_sql(&mut client, "origin_coord", condition));
    let hours = |client: &mut Client| -> Vec<i64> {
        let query = "SELECT (SELECT count(*) FROM trips.hist_trip_data
                              WHERE extract(isodow FROM date_time) = d AND extract(hour FROM date_time) = h)
                       FROM generate_series(1, 7) AS d, generate_series(0, 23) AS h ORDER BY d, h";
        client.query(query, &[]).unwrap().iter().map(|row| row.get(0)).collect()
    };
    let found_hours = || -> Vec<i64> {
        let found = counted(&console, "/api/when?since=2000-01-01");
        let days = found["counts"].as_array().unwrap().iter();
        days.flat_map(|day| day.as_array().unwrap().iter().map(|hour| hour.as_i64().unwrap()))
            .collect()
    };
    assert_eq!(found_hours(), hours(&mut client));
    // Whatever changes the history changes the answer, also when the numbers of trips stay: coordinates by hand, a load,
    // a retraction, a deletion.
    let more = database.file("more.csv", month_as_csv(50, 8, "2024-03-01"));
    for change in [
        "UPDATE trips.hist_trip_data SET origin_coord = point(20, 40) WHERE date_time < '2024-02-08'".to_owned(),
        "UPDATE trips.hist_trip_data SET origin_coord = point(21, 41) WHERE date_time < '2024-02-08'".to_owned(),
        format!("SELECT trips.ingest('{more}')"),
        "SELECT trips.retract(1)".to_owned(),
        "SELECT * FROM trips.delete_trips(region => 'Prague')".to_owned(),
        "DELETE FROM trips_internal.area_directory; DELETE FROM trips_internal.area_pages".to_owned(),
        "UPDATE trips.hist_trip_data SET origin_coord = point(22, 42) WHERE date_time < '2024-03-08'".to_owned(),
        "TRUNCATE trips.hist_trip_data".to_owned(),
    ] {
        client.batch_execute(&change).unwrap_or_else(|error| panic!("{change}: {error:?}"));
        let found = counted(&console, &format!("/api/cells?{all}"));
        assert_eq!(cells(&found), cells_by_sql(&mut client, "origin_coord", "true"), "{change}");
        assert_eq!(found_hours(), hours(&mut client), "{change}");
    }
}

#[test]
fn changed_months_have_older_counts_for_a_moment() {
    let (database, mut client, console) = loaded();
    let all = "/api/cells?since=2000-01-01&resolution=8";
    let before = cells(&counted(&console, all));
    let more = database.file("more.csv", month_as_csv(50, 8, "2024-03-01"));
    database.ingest(&mut client, &more);
    // The console cannot count meanwhile.
    let mut locking = database.client();
    let mut transaction = locking.transaction().unwrap();
    transaction.batch_execute("LOCK TABLE trips.hist_trip_data IN ACCESS EXCLUSIVE MODE").unwrap();
    let found = console.json(all);
    // The last week of February has days of March.
    let changed = json!([["2024-03-01", "2024-03-31"], ["2024-02-01", "2024-02-29"]]);
    assert_eq!((&found["older"], &found["missing"]), (&changed, &json!([])));
    assert_eq!(cells(&found), before);
    let hours = console.json("/api/when?since=2000-01-01");
    assert_eq!((&hours["older"], &hours["missing"]), (&changed, &json!([])));
    transaction.rollback().unwrap();
    let after = until("the counts stay old", || {
        let reply = console.get(all);
        // A count that has waited for the lock for too long has failed.
        (reply.status == 200 && reply.json()["older"] == json!([])).then(|| cells(&reply.json()))
    });
    assert_ne!(after, before);
    assert_eq!(after, cells_by_sql(&mut client, "origin_coord", "true"));
}

#[test]
fn areas_and_flows() {
    let (_database, mut client, console) = loaded();
    let drawn = json!({ "box": [14.29, 49.93, 14.59, 50.23], "which": "either", "since": "2024-02-01", "until": "2024-03-10" });
    let found = console.post("/api/area", &drawn).json();
    let call = "trips.weekly_counts(trips.area(14.29, 49.93, 14.59, 50.23), '2024-02-01', '2024-03-10', 'either')";
    let (sum, weeks) =
        (format!("SELECT sum(trips)::bigint FROM {call}"), format!("SELECT count(*) FROM {call}"));
    let (sum, weeks) = (number(&mut client, &sum), number(&mut client, &weeks));
    assert_eq!(
        (&found["trips"], found["weeks"].as_array().unwrap().len()),
        (&json!(sum), usize::try_from(weeks).unwrap())
    );
    // The call that is shown gives what is shown.
    let shown = found["sql"].as_str().unwrap();
    assert_eq!(number(&mut client, &format!("SELECT sum(trips)::bigint FROM ({shown}) AS s")), sum);
    let average = "SELECT round(trips.weekly_avg(trips.area(14.29, 49.93, 14.59, 50.23), '2024-02-01', '2024-03-10', 'either'), 3)";
    let average: f64 = text_of(&mut client, average).parse().unwrap();
    assert!((found["weekly_avg"].as_f64().unwrap() - average).abs() < 1e-9, "{found}");
    let corners = json!([[14.3, 49.9], [14.6, 49.9], [14.45, 50.3]]);
    let polygon = json!({ "polygon": corners, "since": "2024-03-01", "until": "2024-03-31" });
    let found = console.post("/api/area", &polygon).json();
    let inside = "SELECT count(*) FROM trips.hist_trip_data WHERE origin_coord <@ polygon '((14.3,49.9),(14.6,49.9),(14.45,50.3))'
        AND date_time >= '2024-03-01' AND date_time < '2024-04-01'";
    assert_eq!(found["trips"], json!(number(&mut client, inside)), "{found}");
    let shown = found["sql"].as_str().unwrap();
    assert_eq!(
        number(&mut client, &format!("SELECT sum(trips)::bigint FROM ({shown}) AS s")),
        found["trips"].as_i64().unwrap()
    );
    let long = json!({ "polygon": corners, "since": "2024-01-01", "until": "2024-12-31" });
    let refused = console.post("/api/area", &long);
    assert!(refused.status == 400 && refused.body.contains("at most 93 days"), "{}", refused.body);
    let flows = console.json("/api/flows?until=2024-03-15&limit=5&resolution=4");
    assert_eq!((&flows["since"], &flows["until"]), (&json!("2024-02-14"), &json!("2024-03-15")));
    let first = &flows["flows"][0];
    let count = format!(
        "SELECT count(*) FROM trips.hist_trip_data WHERE date_time >= '2024-02-14' AND date_time < '2024-03-16'
           AND trips.h3_cell(origin_coord, 4) = '{}' AND trips.h3_cell(destination_coord, 4) = '{}'",
        first["from"]["cell"].as_str().unwrap(),
        first["to"]["cell"].as_str().unwrap()
    );
    assert_eq!(first["trips"], json!(number(&mut client, &count)), "{flows}");
}
