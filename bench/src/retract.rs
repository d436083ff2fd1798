//! What it takes to retract a load, compared with the load itself, in turns.

use std::fmt::Write;

use postgres::Client;
use trips_tests::Cluster;

use crate::measure::{empty_history, generate, ingest, seconds};
use crate::report::{Spread, machine, save};
use crate::{Result, SETTINGS, start_cluster};

/// A load, and its retract.
#[derive(Debug, Default)]
struct Measured {
    loads: Vec<f64>,
    retracts: Vec<f64>,
}

/// The histories of which a load is taken back, and the goals of the ratio.
const CASES: [(&str, &str); 4] = [
    ("alone in its partition", "≤ 0.2"),
    ("spread over the trips of another load", "≤ 2"),
    ("another load has all of its trips", "≤ 2"),
    ("it has corrected all trips of another load", ""),
];

/// A feed with ids whose later files correct the earlier ones.
const FEED: &str = r#"SELECT trips.create_feed('rides', '{
    "title": "Rides",
    "columns": {"Number": {"type": "id"}, "When": {"type": "time"}, "Region": {}, "Kind": {}},
    "versions": {"1": ["Number", "When", "Region", "Kind"]},
    "time": {"columns": ["When"], "forms": ["YYYY-MM-DD HH24:MI:SS"]},
    "region": [{"column": "Region"}],
    "identity": {"scheme": "source_id", "columns": ["Number"], "window_days": 45, "policy": "replace"},
    "trip_id": "Number", "details": ["Kind"]}')"#;

/// Runs the rounds, and prints medians and ratios.
pub fn run(rows: u64, rounds: u64) -> Result<()> {
    let cluster = start_cluster()?;
    let mut client = cluster.client();
    println!("{}\n{}\n{rows} rows, {rounds} rounds", machine(), SETTINGS.trim_end());
    let count = i64::try_from(rows)?;
    let first = generate(&cluster, "first.csv", rows, 1, 0)?;
    let others = generate(&cluster, "others.csv", rows, 2, 0)?;
    // The same rows under new bytes: a blank line more.
    let known = cluster.file("known.csv", std::fs::read_to_string(&first)? + "\n");
    let [rides, corrected] = ["a", "b"].map(|kind| rides(&cluster, rows, kind));
    let mut measured: [Measured; CASES.len()] = Default::default();
    for round in 1..=rounds {
        let mut note = |case: usize, (load, retract): (f64, f64)| {
            println!("round {round}: {}: load {load:.3}, retract {retract:.3}", CASES[case].0);
            measured[case].loads.push(load);
            measured[case].retracts.push(retract);
        };
        empty_history(&mut client)?;
        let load = ingest(&mut client, &first, [count, 0, 0])?;
        note(0, (load, retract(&mut client, &first, 0)?));

        empty_history(&mut client)?;
        ingest(&mut client, &others, [count, 0, 0])?;
        let load = ingest(&mut client, &first, [count, 0, 0])?;
        note(1, (load, retract(&mut client, &first, count)?));

        empty_history(&mut client)?;
        let load = ingest(&mut client, &first, [count, 0, 0])?;
        ingest(&mut client, &known, [0, count, 0])?;
        note(2, (load, retract(&mut client, &first, count)?));

        empty_history(&mut client)?;
        client.batch_execute(FEED)?;
        ingest(&mut client, &rides, [count, 0, 0])?;
        let load = ingest(&mut client, &corrected, [0, 0, 0])?;
        note(3, (load, retract(&mut client, &corrected, count)?));
    }
    report(rows, rounds, &measured)
}

/// A file of rides in a month, in random order of time, in which a value of each is this one.
fn rides(cluster: &Cluster, rows: u64, kind: &str) -> String {
    let mut text = String::from("Number,When,Region,Kind\n");
    for number in 0..rows {
        // A prime spreads the rides over 28 days.
        let second = number.wrapping_mul(1_000_003) % (28 * 86_400);
        let (day, hour) = (second / 86_400 + 1, second / 3_600 % 24);
        let (minute, second) = (second / 60 % 60, second % 60);
        let _ = writeln!(
            text,
            "{number},2018-05-{day:02} {hour:02}:{minute:02}:{second:02},region {},{kind}",
            number % 12,
        );
    }
    cluster.file(&format!("rides_{kind}.csv"), text)
}

/// Takes the load of a file back after a checkpoint; returns the seconds. So many trips are left.
fn retract(client: &mut Client, path: &str, left: i64) -> Result<f64> {
    let number: i64 =
        client.query_one("SELECT load_id FROM trips.loads WHERE source = $1", &[&path])?.get(0);
    client.batch_execute("CHECKPOINT")?;
    let elapsed = seconds(|| {
        client.execute("SELECT trips.retract($1)", &[&number])?;
        Ok(())
    })?;
    let found: i64 = client.query_one("SELECT count(*) FROM trips.hist_trip_data", &[])?.get(0);
    let failed: i64 =
        client.query_one("SELECT count(*) FROM trips.verify() WHERE NOT passed", &[])?.get(0);
    if (found, failed) == (left, 0) {
        Ok(elapsed)
    } else {
        Err(format!("{path}: {found} trips are left, not {left}; {failed} checks failed").into())
    }
}

fn report(rows: u64, rounds: u64, measured: &[Measured; CASES.len()]) -> Result<()> {
    let mut text = format!("{}\n\n{rows} rows, {rounds} rounds\n\n", machine());
    text.push_str(
        "| the load | load, s | retract, s | ratio of medians | goal |\n|---|---|---|---|---|\n",
    );
    for ((name, goal), Measured { loads, retracts }) in CASES.iter().zip(measured) {
        let [load, retract] = [loads, retracts].map(|seconds| Spread::of(seconds).median);
        writeln!(text, "| {name} | {load:.3} | {retract:.3} | {:.2} | {goal} |", retract / load)?;
    }
    println!("\n{text}");
    save("retract.md", &text)
}
