//! Bare COPY, the historical pipeline and the extension on the same files, in turns.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs::OpenOptions;
use std::io::Write as _;

use postgres::Client;
use serde_json::json;
use trips_tests::{Cluster, historical, peak_memory};

use crate::measure::{empty_history, generate, ingest, seconds, temporary_bytes};
use crate::processor::{ProcessorTime, bind};
use crate::report::{Spread, machine, save};
use crate::{Result, SETTINGS, others, reader, start_cluster};

/// Rows of the batch that goes into a large history and into a small one.
const BATCH: u64 = 1_000_000;
/// Months that make the large history, each with the rows of a file.
const MONTHS: u32 = 10;

/// Measurements by name, in seconds unless the name says otherwise.
type Measured = BTreeMap<&'static str, Vec<f64>>;

/// Runs all comparisons.
pub fn run(rows: u64, rounds: u64) -> Result<()> {
    let cluster = start_cluster()?;
    let mut client = cluster.client();
    let count = i64::try_from(rows)?;
    println!("{}\n{}\n{rows} rows, {rounds} rounds", machine(), SETTINGS.trim_end());
    let first = generate(&cluster, "first.csv", rows, 1, 0)?;
    let second = generate(&cluster, "second.csv", rows, 2, 1)?;
    // The same rows under new bytes: a blank line more.
    let known = generate(&cluster, "known.csv", rows, 1, 0)?;
    OpenOptions::new().append(true).open(&known)?.write_all(b"\n")?;
    let mut measured = Measured::new();
    for round in 1..=rounds {
        let mut note = |name, value: f64| {
            println!("round {round}: {name} {value:.3}");
            measured.entry(name).or_default().push(value);
        };
        note("bare COPY", bare_copy(&mut client, &first)?);
        empty_history(&mut client)?;
        let before = ProcessorTime::of(&mut client)?;
        note("ingest into an empty history", ingest(&mut client, &first, [count, 0, 0])?);
        let time = ProcessorTime::of(&mut client)?.since(before);
        note("ingest into an empty history, processor time", time.all);
        note("the same, threads", time.threads());
        note("the same, backend", time.backend);
        note("the same, kernel, within both", time.kernel);
        empty_history(&mut client)?;
        bind(&mut client, Some(0))?;
        let one = ingest(&mut client, &first, [count, 0, 0])?;
        bind(&mut client, None)?;
        note("ingest into an empty history, one processor", one);
        note("same bytes again", ingest(&mut client, &first, [0, 0, 0])?);
        let before = ProcessorTime::of(&mut client)?;
        note("all rows known, new bytes", ingest(&mut client, &known, [0, count, 0])?);
        let time = ProcessorTime::of(&mut client)?.since(before);
        note("all rows known, processor time", time.all);
        note("ingest of the second month", ingest(&mut client, &second, [count, 0, 0])?);
        note("historical pipeline", run_historical(&mut client, &first)?);
        for threads in [1, 2] {
            let (parsed, total) = reader::speed(&first, threads)?;
            let names = [
                ["reader, 1 thread: parse (MB/s)", "reader, 1 thread: all (MB/s)"],
                ["reader, 2 threads: parse (MB/s)", "reader, 2 threads: all (MB/s)"],
            ];
            note(names[threads - 1][0], parsed / 1e6);
            note(names[threads - 1][1], total / 1e6);
        }
    }
    for (name, elapsed) in others::run(&cluster, &mut client, &first, count)? {
        measured.entry(name).or_default().push(elapsed);
    }
    large_history(&cluster, &mut client, rows, rounds, &mut measured)?;
    let memory = memory(&cluster, &mut client, rows)?;
    report(rows, rounds, &measured, &memory)
}

/// Seconds of COPY into a table of texts.
pub fn bare_copy(client: &mut Client, path: &str) -> Result<f64> {
    client.batch_execute(
        "DROP TABLE IF EXISTS bare;
         CREATE TABLE bare (region varchar, origin_coord varchar, destination_coord varchar,
                            date_time varchar, datasource varchar);
         CHECKPOINT",
    )?;
    let copy = format!("COPY bare FROM '{path}' (FORMAT csv, HEADER)");
    let elapsed = seconds(|| Ok(client.batch_execute(&copy)?))?;
    client.batch_execute("DROP TABLE bare")?;
    Ok(elapsed)
}

fn run_historical(client: &mut Client, path: &str) -> Result<f64> {
    client
        .batch_execute(&format!("CREATE SCHEMA h; SET search_path = h; {}", historical::CREATE))?;
    client.batch_execute("CHECKPOINT")?;
    let elapsed = seconds(|| Ok(historical::load(client, path)?))?;
    client.batch_execute("SET client_min_messages = warning; DROP SCHEMA h CASCADE; RESET ALL")?;
    Ok(elapsed)
}

/// The same batch into a small history and into a large one, in each of three ways: as a month that
/// is new, into a month that has begun (row by row, behind what is there), and between the trips of a
/// month that is full (row by row, all over its index).
fn large_history(
    cluster: &Cluster,
    client: &mut Client,
    rows: u64,
    rounds: u64,
    measured: &mut Measured,
) -> Result<()> {
    let count = i64::try_from(rows)?;
    for round in 0..rounds {
        empty_history(client)?;
        let full = generate(cluster, "month.csv", rows, 100 + round, 2)?;
        ingest(client, &full, [count, 0, 0])?;
        batches(cluster, client, round, [0, 1, 2], &SMALL, measured)?;
    }
    empty_history(client)?;
    for month in 0..MONTHS {
        let path = generate(cluster, "month.csv", rows, 100 + u64::from(month), month)?;
        ingest(client, &path, [count, 0, 0])?;
    }
    client.batch_execute("VACUUM ANALYZE trips.hist_trip_data")?;
    for round in 0..rounds {
        let (new, full) = (MONTHS + 2 * u32::try_from(round)?, u32::try_from(round)? % MONTHS);
        batches(cluster, client, round, [new, new + 1, full], &LARGE, measured)?;
    }
    Ok(())
}

const SMALL: [&str; 3] = [
    "1 M of a new month, small history",
    "1 M into a month that has begun, small history",
    "1 M between the trips of a month, small history",
];
const LARGE: [&str; 3] = [
    "1 M of a new month, large history",
    "1 M into a month that has begun, large history",
    "1 M between the trips of a month, large history",
];

/// A batch into each of three months: one that is new, one that gets its first trip before, and one
/// that is full.
fn batches(
    cluster: &Cluster,
    client: &mut Client,
    round: u64,
    months: [u32; 3],
    names: &[&'static str; 3],
    measured: &mut Measured,
) -> Result<()> {
    let batch = i64::try_from(BATCH)?;
    let one = generate(cluster, "one.csv", 1, 99 + round, months[1])?;
    ingest(client, &one, [1, 0, 0])?;
    for (month, &name) in months.into_iter().zip(names) {
        let path = generate(cluster, "batch.csv", BATCH, 1000 + round, month)?;
        let elapsed = ingest(client, &path, [batch, 0, 0])?;
        println!("round {}: {name} {elapsed:.3}", round + 1);
        measured.entry(name).or_default().push(elapsed);
    }
    Ok(())
}

/// Peak private memory and temporary bytes of a file of `rows` and of one five times as large.
fn memory(cluster: &Cluster, client: &mut Client, rows: u64) -> Result<Vec<(u64, u64, i64)>> {
    let mut found = Vec::new();
    for rows in [rows, rows * 5] {
        empty_history(client)?;
        let path = generate(cluster, "memory.csv", rows, 5, 0)?;
        let before = temporary_bytes(client)?;
        // A backend of its own, whose memory holds nothing of what was before.
        let mut backend = cluster.client();
        let expected = [i64::try_from(rows)?, 0, 0];
        let (loaded, peak) = peak_memory(&mut backend, |client| ingest(client, &path, expected));
        loaded?;
        drop(backend);
        std::thread::sleep(std::time::Duration::from_secs(1));
        let temporary = temporary_bytes(client)? - before;
        println!("{rows} rows: {} MB private, {} MB temporary", peak >> 20, temporary >> 20);
        found.push((rows, peak, temporary));
    }
    Ok(found)
}

/// A ratio: its name, what is divided by what, and the goal with the side on which it lies.
const RATIOS: [(&str, &str, &str, &str); 8] = [
    (
        "ingest into an empty history / bare COPY",
        "ingest into an empty history",
        "bare COPY",
        "≤ 0.65",
    ),
    ("ingest of the second month / bare COPY", "ingest of the second month", "bare COPY", "≤ 0.75"),
    ("historical pipeline / ingest", "historical pipeline", "ingest into an empty history", "≥ 20"),
    ("same bytes again / bare COPY", "same bytes again", "bare COPY", "≤ 0.1"),
    ("all rows known, new bytes / bare COPY", "all rows known, new bytes", "bare COPY", "≤ 0.35"),
    ("1 M of a new month: large history / small one", LARGE[0], SMALL[0], "≤ 1.15"),
    ("1 M into a month that has begun: large history / small one", LARGE[1], SMALL[1], "≤ 1.15"),
    ("1 M between the trips of a month: large history / small one", LARGE[2], SMALL[2], "≤ 1.15"),
];

fn report(rows: u64, rounds: u64, measured: &Measured, memory: &[(u64, u64, i64)]) -> Result<()> {
    let spreads: BTreeMap<&str, Spread> =
        measured.iter().map(|(name, values)| (*name, Spread::of(values))).collect();
    let mut text = format!("{}\n\n{rows} rows, {rounds} rounds\n\n", machine());
    text.push_str("| ratio of medians | goal | measured |\n|---|---|---|\n");
    for (name, over, under, goal) in RATIOS {
        let ratio = spreads[over].median / spreads[under].median;
        writeln!(text, "| {name} | {goal} | {ratio:.2} |")?;
    }
    text.push_str(
        "\n| seconds, or as the name says | median | least | greatest |\n|---|---|---|---|\n",
    );
    for (name, s) in &spreads {
        writeln!(text, "| {name} | {:.3} | {:.3} | {:.3} |", s.median, s.least, s.greatest)?;
    }
    text.push_str(
        "\n| rows of the file | peak private memory, MB | temporary files, MB |\n|---|---|---|\n",
    );
    for (rows, peak, temporary) in memory {
        writeln!(text, "| {rows} | {} | {} |", peak >> 20, temporary >> 20)?;
    }
    println!("\n{text}");
    save("compare.md", &text)?;
    let json = json!({
        "machine": machine(), "settings": SETTINGS, "rows": rows, "rounds": rounds,
        "measured": measured, "memory": memory,
    });
    save("compare.json", &serde_json::to_string_pretty(&json)?)
}
