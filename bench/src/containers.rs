//! The same trips as CSV, in containers, as Parquet and as JSON lines: seconds and memory of a load, in turns.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;

use trips_testkit::containers::pack;
use trips_testkit::containers::zip::{Entry, Zip};
use trips_testkit::parquet::{Column, Layout, Value, write};
use trips_tests::{Cluster, peak_memory};

use crate::measure::{empty_history, generate, ingest};
use crate::report::{Spread, machine, save};
use crate::{Result, SETTINGS, start_cluster};

/// What the others are compared with.
const PLAIN: &str = "csv";

/// Seconds and peak private memory of the loads of a file.
type Measured = BTreeMap<&'static str, (Vec<f64>, Vec<f64>)>;

/// Runs the rounds, and prints medians and ratios to the plain file.
pub fn run(rows: u64, rounds: u64) -> Result<()> {
    let cluster = start_cluster()?;
    let mut client = cluster.client();
    println!("{}\n{}\n{rows} rows, {rounds} rounds", machine(), SETTINGS.trim_end());
    let files = files(&cluster, rows)?;
    let mut measured = Measured::new();
    for round in 1..=rounds {
        for (name, path) in &files {
            empty_history(&mut client)?;
            // A backend of its own, whose memory holds nothing of what was before.
            let mut backend = cluster.client();
            let expected = [i64::try_from(rows)?, 0, 0];
            let (elapsed, peak) =
                peak_memory(&mut backend, |client| ingest(client, path, expected));
            let (elapsed, peak) = (elapsed?, peak >> 20);
            println!("round {round}: {name} {elapsed:.3}, {peak} MB");
            let (seconds, memory) = measured.entry(name).or_default();
            seconds.push(elapsed);
            memory.push(f64::from(u32::try_from(peak)?));
        }
    }
    report(&files, rows, rounds, &measured)
}

/// The file and its containers.
fn files(cluster: &Cluster, rows: u64) -> Result<Vec<(&'static str, String)>> {
    let path = generate(cluster, "trips.csv", rows, 1, 0)?;
    let text = fs::read(&path)?;
    let mut files = vec![(PLAIN, path)];
    files.push(("gzip", cluster.file("trips.csv.gz", pack::gzip(&text))));
    files.push(("zstd", cluster.file("trips.csv.zst", pack::zstd(&text))));
    let csv = std::str::from_utf8(&text)?;
    files.push(("Parquet", cluster.file("trips.parquet", parquet(csv)?)));
    files.push(("JSON lines", cluster.file("trips.jsonl", json_lines(csv))));
    let zip = Zip::new(&[Entry::new("trips.csv", text)]);
    files.push(("zip", cluster.file("trips.zip", zip.bytes)));
    Ok(files)
}

/// The header and the records of a file without quotes.
fn records(csv: &str) -> (Vec<&str>, impl Iterator<Item = Vec<&str>>) {
    let mut lines = csv.lines().map(|line| line.split(',').collect::<Vec<_>>());
    (lines.next().unwrap_or_default(), lines)
}

/// Pages with snappy and dictionaries, as publishers write them; times are typed.
fn parquet(csv: &str) -> Result<Vec<u8>> {
    let (names, records) = records(csv);
    let mut columns = Vec::new();
    for name in &names {
        let is_time = *name == "datetime";
        let schema = if is_time {
            format!("optional int64 {name} (TIMESTAMP(MICROS,false))")
        } else {
            format!("optional binary {name} (STRING)")
        };
        columns.push((Column::new(&schema, Vec::new()), is_time));
    }
    for record in records {
        for ((column, is_time), text) in columns.iter_mut().zip(record) {
            let value = match *is_time {
                true => {
                    let time = chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f")?;
                    Value::Int(time.and_utc().timestamp_micros())
                }
                false => Value::from(text),
            };
            column.values.push(Some(value).filter(|_| !text.is_empty()));
        }
    }
    let columns: Vec<Column> = columns.into_iter().map(|(column, _)| column).collect();
    Ok(write(&columns, Layout::default()))
}

/// An object in each line.
fn json_lines(csv: &str) -> String {
    let (names, records) = records(csv);
    let object = |record: Vec<&str>| {
        let members =
            names.iter().zip(record).map(|(&name, value)| (name.to_owned(), value.into()));
        serde_json::Value::Object(members.collect()).to_string() + "\n"
    };
    records.map(object).collect()
}

fn report(
    files: &[(&'static str, String)],
    rows: u64,
    rounds: u64,
    measured: &Measured,
) -> Result<()> {
    let of = |name: &str| {
        let (seconds, memory) = &measured[name];
        (Spread::of(seconds), Spread::of(memory))
    };
    let (plain, plain_memory) = of(PLAIN);
    let mut text = format!("{}\n\n{rows} rows, {rounds} rounds\n\n", machine());
    text.push_str(
        "| file | MB | seconds, median | least | greatest | ratio to CSV | peak private memory, MB | more than CSV, MB |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    for (name, path) in files {
        let (seconds, memory) = of(name);
        writeln!(
            text,
            "| {name} | {} | {:.3} | {:.3} | {:.3} | {:.2} | {} | {} |",
            fs::metadata(path)?.len() >> 20,
            seconds.median,
            seconds.least,
            seconds.greatest,
            seconds.median / plain.median,
            memory.median,
            memory.median - plain_memory.median,
        )?;
    }
    println!("\n{text}");
    save("containers.md", &text)
}
