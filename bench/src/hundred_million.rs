//! A hundred million trips into one history, file by file.

use std::fmt::Write;
use std::fs;

use postgres::Client;
use serde_json::json;
use trips_tests::peak_memory;

use crate::measure::{generate, ingest, seconds};
use crate::report::{Spread, machine, save};
use crate::{Result, SETTINGS, start_cluster};

/// What was seen after a file.
#[derive(Debug, Clone, Copy)]
struct Step {
    trips: u64,
    seconds: f64,
    rate: f64,
    memory: u64,
    heap: i64,
    index: i64,
}

const QUESTIONS: [(&str, &str); 9] = [
    ("trips.weekly_avg()", "SELECT count(*) FROM trips.weekly_avg()"),
    ("trips.datasource_regions", "SELECT count(*) FROM trips.datasource_regions('cheap_mobile')"),
    ("trips.latest_datasource()", "SELECT count(*) FROM trips.latest_datasource()"),
    (
        "one hour of the history",
        "SELECT count(*) FROM trips.hist_trip_data
          WHERE date_time >= '2018-06-01 08:00:00' AND date_time < '2018-06-01 09:00:00'",
    ),
    (
        "trips.weekly_avg of a part of a city",
        "SELECT trips.weekly_avg(trips.area(14.4, 50.05, 14.48, 50.12))::text",
    ),
    (
        "the same, by destination",
        "SELECT trips.weekly_avg(trips.area(14.4, 50.05, 14.48, 50.12), match => 'destination')::text",
    ),
    (
        "the same, by either end",
        "SELECT trips.weekly_avg(trips.area(14.4, 50.05, 14.48, 50.12), match => 'either')::text",
    ),
    (
        "trips.weekly_avg of the world",
        "SELECT trips.weekly_avg(trips.area(-180, -90, 180, 90))::text",
    ),
    (
        "scan of the history for that part of the city",
        "SELECT count(*) FROM trips.hist_trip_data
          WHERE origin_coord <@ trips.area(14.4, 50.05, 14.48, 50.12)",
    ),
];

/// Loads the files; each covers 28 days of a month of its own and is removed when it is in.
pub fn run(files: u64, rows: u64) -> Result<()> {
    let cluster = start_cluster()?;
    println!("{}\n{}\n{files} files of {rows} rows", machine(), SETTINGS.trim_end());
    let mut steps = Vec::new();
    for file in 0..files {
        let path = generate(&cluster, "file.csv", rows, file + 1, u32::try_from(file)?)?;
        let expected = [i64::try_from(rows)?, 0, 0];
        // A backend of its own, whose memory holds nothing of the file before.
        let mut client = cluster.client();
        let (seconds, memory) = peak_memory(&mut client, |client| ingest(client, &path, expected));
        let seconds = seconds?;
        fs::remove_file(&path)?;
        let row = client.query_one(
            "SELECT sum(pg_table_size(inhrelid))::bigint, sum(pg_indexes_size(inhrelid))::bigint
               FROM pg_inherits WHERE inhparent = 'trips.hist_trip_data'::regclass",
            &[],
        )?;
        #[expect(clippy::cast_precision_loss, reason = "a report to three digits")]
        let rate = rows as f64 / seconds;
        let (trips, heap, index) = ((file + 1) * rows, row.get(0), row.get(1));
        let step = Step { trips, seconds, rate, memory, heap, index };
        println!("{step:?}");
        steps.push(step);
    }
    let medians = measure_queries(&mut cluster.client())?;
    report(&steps, &medians)
}

/// Milliseconds of each query, the median of five.
fn measure_queries(client: &mut Client) -> Result<Vec<(&'static str, f64)>> {
    let mut medians = Vec::new();
    for (name, query) in QUESTIONS {
        let mut measured = Vec::new();
        for _ in 0..5 {
            measured.push(seconds(|| Ok(client.query_one(query, &[])?))? * 1000.0);
        }
        medians.push((name, Spread::of(&measured).median));
    }
    Ok(medians)
}

fn report(steps: &[Step], medians: &[(&str, f64)]) -> Result<()> {
    let mut text = format!("{}\n\n", machine());
    text.push_str("| trips in the history | seconds of the file | trips per second | private memory, MB | heap, MB | index, MB |\n|---|---|---|---|---|---|\n");
    for s in steps {
        let (memory, heap, index) = (s.memory >> 20, s.heap >> 20, s.index >> 20);
        let Step { trips, seconds, rate, .. } = s;
        writeln!(text, "| {trips} | {seconds:.1} | {rate:.0} | {memory} | {heap} | {index} |")?;
    }
    if let (Some(first), Some(last)) = (steps.first(), steps.last()) {
        writeln!(text, "\nLast file's rate / first file's: {:.2}\n", last.rate / first.rate)?;
    }
    text.push_str("| question, all files in | ms |\n|---|---|\n");
    for (name, milliseconds) in medians {
        writeln!(text, "| {name} | {milliseconds:.1} |")?;
    }
    println!("\n{text}");
    save("hundred-million.md", &text)?;
    save("hundred-million.svg", &picture(steps)?)?;
    let steps: Vec<_> = steps
        .iter()
        .map(|s| json!({ "trips": s.trips, "seconds": s.seconds, "memory": s.memory, "heap": s.heap, "index": s.index }))
        .collect();
    let json =
        json!({ "machine": machine(), "settings": SETTINGS, "steps": steps, "questions": medians });
    save("hundred-million.json", &serde_json::to_string_pretty(&json)?)
}

/// Trips per second over trips in the history, as a picture.
#[expect(clippy::cast_precision_loss, reason = "positions in a picture")]
fn picture(steps: &[Step]) -> Result<String> {
    let top = steps.iter().fold(0.0_f64, |top, step| top.max(step.rate)) * 1.15;
    let all = steps.last().map_or(1, |step| step.trips) as f64;
    let x = |trips: f64| 80.0 + 580.0 * trips / all;
    let y = |rate: f64| 320.0 - 270.0 * rate / top;
    let mut svg = String::from(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 700 380\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"700\" height=\"380\" fill=\"white\"/>\n\
         <text x=\"80\" y=\"28\" font-size=\"15\">Trips per second of each file, over trips in the history</text>\n",
    );
    for part in 0..=4 {
        let rate = top * f64::from(part) / 4.0;
        let at = y(rate);
        writeln!(
            svg,
            "<line x1=\"80\" x2=\"660\" y1=\"{at:.0}\" y2=\"{at:.0}\" stroke=\"#ddd\"/>"
        )?;
        let label = rate / 1000.0;
        writeln!(
            svg,
            "<text x=\"72\" y=\"{:.0}\" text-anchor=\"end\">{label:.0} k</text>",
            at + 4.0
        )?;
    }
    let mut line = String::new();
    for step in steps {
        let (cx, cy) = (x(step.trips as f64), y(step.rate));
        write!(line, "{cx:.0},{cy:.0} ")?;
        writeln!(svg, "<circle cx=\"{cx:.0}\" cy=\"{cy:.0}\" r=\"4\" fill=\"#336791\"/>")?;
        let millions = step.trips as f64 / 1e6;
        writeln!(
            svg,
            "<text x=\"{cx:.0}\" y=\"342\" text-anchor=\"middle\">{millions:.0} M</text>"
        )?;
    }
    writeln!(
        svg,
        "<polyline points=\"{line}\" fill=\"none\" stroke=\"#336791\" stroke-width=\"2\"/>\n</svg>"
    )?;
    Ok(svg)
}
