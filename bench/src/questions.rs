//! How long the functions take, beside a scan of the history with the same result.

use std::fmt::Write;
use std::fs;

use postgres::Client;
use serde_json::json;

use crate::measure::{generate, ingest, seconds};
use crate::report::{Spread, machine, save};
use crate::{Result, SETTINGS, start_cluster};

/// A question: its name, its query, and the plain SQL with the same result.
struct Question {
    name: &'static str,
    query: &'static str,
    plain: Option<&'static str>,
}

const fn question(name: &'static str, query: &'static str, plain: &'static str) -> Question {
    Question { name, query, plain: Some(plain) }
}

const fn alone(name: &'static str, query: &'static str) -> Question {
    Question { name, query, plain: None }
}

/// Weeks of the history: of all ten months that are loaded, from 30 April 2018.
const QUESTIONS: [Question; 9] = [
    question(
        "`weekly_avg()`",
        "SELECT * FROM trips.weekly_avg()",
        "SELECT region, to_char(date_time, 'YYYY-MM-W'), count(*) FROM trips.hist_trip_data GROUP BY 1, 2",
    ),
    question(
        "`weekly_avg('Prague')`",
        "SELECT trips.weekly_avg('Prague')",
        "SELECT count(*), min(date_time), max(date_time) FROM trips.hist_trip_data WHERE region = 'Prague'",
    ),
    question(
        "`weekly_avg('Prague', '2018-07-04', '2018-10-10')`",
        "SELECT trips.weekly_avg('Prague', '2018-07-04', '2018-10-10')",
        "SELECT count(*) FROM trips.hist_trip_data
          WHERE region = 'Prague' AND date_time >= '2018-07-04' AND date_time < '2018-10-11'",
    ),
    question(
        "`weekly_counts('Prague')`",
        "SELECT * FROM trips.weekly_counts('Prague')",
        "SELECT date_trunc('week', date_time), count(*) FROM trips.hist_trip_data
          WHERE region = 'Prague' GROUP BY 1 ORDER BY 1",
    ),
    question(
        "`similar_trips('Prague')`, one month",
        "SELECT * FROM trips.similar_trips('Prague', since => '2018-07-01', until => '2018-07-31')",
        "SELECT count(*) FROM trips.hist_trip_data
          WHERE region = 'Prague' AND date_time >= '2018-07-01' AND date_time < '2018-08-01'",
    ),
    question(
        "`similar_trips('Prague')`, one month, resolution 7",
        "SELECT * FROM trips.similar_trips('Prague', since => '2018-07-01', until => '2018-07-31', resolution => 7)",
        "SELECT count(*) FROM trips.hist_trip_data
          WHERE region = 'Prague' AND date_time >= '2018-07-01' AND date_time < '2018-08-01'",
    ),
    question(
        "`similar_to(…, began => …)`, all of the history",
        "SELECT s.* FROM (SELECT * FROM trips.hist_trip_data ORDER BY date_time, trip_key LIMIT 1) AS h,
                trips.similar_to(h.trip_key, began => h.date_time) AS s",
        "SELECT count(*) FROM trips.hist_trip_data WHERE origin_coord <@ box '(14,50),(14.001,50.001)'",
    ),
    alone("`datasource_regions('cheap_mobile')`", "SELECT trips.datasource_regions('cheap_mobile')"),
    alone("`latest_datasource()`", "SELECT * FROM trips.latest_datasource()"),
];

/// Of areas: a city, a part of it, the whole world, and the world without a strip.
const AREAS: [Question; 4] = [
    question(
        "`weekly_avg(area)`, a city",
        "SELECT trips.weekly_avg(trips.area(14.29, 49.93, 14.59, 50.23))",
        "SELECT count(*), min(date_time), max(date_time) FROM trips.hist_trip_data
          WHERE origin_coord <@ box '(14.29,49.93),(14.59,50.23)'",
    ),
    question(
        "`weekly_avg(area)`, a quarter of it",
        "SELECT trips.weekly_avg(trips.area(14.40, 50.03, 14.47, 50.11))",
        "SELECT count(*), min(date_time), max(date_time) FROM trips.hist_trip_data
          WHERE origin_coord <@ box '(14.40,50.03),(14.47,50.11)'",
    ),
    question(
        "`weekly_avg(area)`, the world",
        "SELECT trips.weekly_avg(trips.area(-180, -90, 180, 90))",
        "SELECT count(*), min(date_time), max(date_time) FROM trips.hist_trip_data
          WHERE origin_coord <@ box '(-180,-90),(180,90)'",
    ),
    question(
        "`weekly_avg(area)`, both ends in the half of the earth that ends in the city",
        "SELECT trips.weekly_avg(trips.area(14.44, -90, -165.56, 90), match => 'both')",
        "SELECT count(*), min(date_time), max(date_time) FROM trips.hist_trip_data
          WHERE (origin_coord[0] >= 14.44 OR origin_coord[0] <= -165.56)
            AND (destination_coord[0] >= 14.44 OR destination_coord[0] <= -165.56)",
    ),
];

/// Calls of each question, and of the plain SQL beside it.
const CALLS: usize = 21;
const PLAIN_CALLS: usize = 3;

/// Loads the files, and measures the queries.
pub fn run(files: u64, rows: u64) -> Result<()> {
    let cluster = start_cluster()?;
    let mut client = cluster.client();
    println!("{}\n{}\n{files} files of {rows} rows", machine(), SETTINGS.trim_end());
    for file in 0..files {
        let path = generate(&cluster, "file.csv", rows, file + 1, u32::try_from(file)?)?;
        ingest(&mut client, &path, [i64::try_from(rows)?, 0, 0])?;
        fs::remove_file(&path)?;
    }
    client.batch_execute("VACUUM ANALYZE")?;
    let mut text = format!("{}\n\n{} trips\n\n", machine(), files * rows);
    text.push_str("| question | ms, median | least | greatest | plain SQL, ms | plain / question |\n|---|---|---|---|---|---|\n");
    let mut measured = Vec::new();
    for Question { name, query, plain } in QUESTIONS.iter().chain(&AREAS) {
        let measured_call = milliseconds(&mut client, query, CALLS)?;
        write!(
            text,
            "| {name} | {:.1} | {:.1} | {:.1} |",
            measured_call.median, measured_call.least, measured_call.greatest
        )?;
        let scan = plain.map(|plain| milliseconds(&mut client, plain, PLAIN_CALLS)).transpose()?;
        match scan {
            Some(scan) => {
                writeln!(text, " {:.0} | {:.1} |", scan.median, scan.median / measured_call.median)?
            }
            None => writeln!(text, " | |")?,
        }
        println!("{name}: {:.1} ms", measured_call.median);
        measured.push(
            json!({ "question": query, "ms": measured_call.median, "plain_ms": scan.map(|s| s.median) }),
        );
    }
    println!("\n{text}");
    save("questions.md", &text)?;
    let json = json!({ "machine": machine(), "settings": SETTINGS, "files": files, "rows": rows, "measured": measured });
    save("questions.json", &serde_json::to_string_pretty(&json)?)
}

/// What a query takes, planning and the way to the client included; once before, to warm up.
fn milliseconds(client: &mut Client, query: &str, calls: usize) -> Result<Spread> {
    client.query(query, &[])?;
    let mut found = Vec::new();
    for _ in 0..calls {
        found.push(1000.0 * seconds(|| Ok(client.query(query, &[])?))?);
    }
    Ok(Spread::of(&found))
}
