//! This commit beside another one: the same files into two servers, in turns.

use std::collections::BTreeMap;
use std::env;
use std::fmt::Write;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;

use postgres::Client;
use trips_tests::Cluster;

use crate::compare::bare_copy;
use crate::measure::{empty_history, generate, ingest};
use crate::processor::{self, ProcessorTime};
use crate::report::{Spread, machine, save};
use crate::{Result, SETTINGS, start_cluster};

/// Small files of a round, and their trips.
const FILES: (u64, u64) = (100, 100);

/// Measurements by name, in seconds: of the other commit and of this one.
type Measured = BTreeMap<&'static str, [Vec<f64>; 2]>;

/// The files of all rounds.
struct Files {
    rows: i64,
    first: String,
    known: String,
    second: String,
    small: Vec<String>,
}

/// Loads files of so many rows into a server of the other commit, whose programs `TRIPS_BASE_BIN` names, and into one of
/// this commit.
pub fn run(rows: u64, rounds: u64) -> Result<()> {
    let base = env::var("TRIPS_BASE_BIN")
        .map_err(|_| "TRIPS_BASE_BIN is not set: use scripts/bench.sh against")?;
    let name = env::var("TRIPS_BASE_NAME").unwrap_or_else(|_| "the other commit".into());
    let bare = Cluster::start_bare_of(PathBuf::from(base), SETTINGS);
    bare.client().batch_execute("CREATE EXTENSION trips_pipeline")?;
    let clusters = [bare, start_cluster()?];
    println!(
        "{}\n{}\n{rows} rows, {rounds} rounds, against {name}",
        machine(),
        SETTINGS.trim_end()
    );
    let files = Files::generate(&clusters[1], rows)?;
    let (mut measured, mut copies) = (Measured::new(), Vec::new());
    for round in 1..=rounds {
        copies.push(bare_copy(&mut clusters[1].client(), &files.first)?);
        println!("round {round}: bare COPY {:.3}", copies[copies.len() - 1]);
        // The one that was second is first in the next round.
        let mut order = [0, 1];
        order.rotate_left(usize::from(round % 2 == 0));
        for which in order {
            let mut note = |name, value: f64| {
                println!("round {round}: {} {name} {value:.3}", ["other", "this"][which]);
                measured.entry(name).or_default()[which].push(value);
            };
            measure(&mut clusters[which].client(), &files, &mut note)?;
        }
    }
    let text = report(&name, &measured, &copies)?;
    println!("\n{text}");
    save("against.md", &text)
}

impl Files {
    /// Writes files that both servers can read.
    fn generate(cluster: &Cluster, rows: u64) -> Result<Self> {
        let known = generate(cluster, "known.csv", rows, 1, 0)?;
        // The same rows under new bytes: a blank line more.
        OpenOptions::new().append(true).open(&known)?.write_all(b"\n")?;
        let small =
            (0..FILES.0).map(|i| generate(cluster, &format!("small_{i}.csv"), FILES.1, 10 + i, 0));
        Ok(Self {
            rows: i64::try_from(rows)?,
            first: generate(cluster, "first.csv", rows, 1, 0)?,
            known,
            second: generate(cluster, "second.csv", rows, 2, 1)?,
            small: small.collect::<Result<_>>()?,
        })
    }
}

/// One round in a session of its own.
fn measure(
    client: &mut Client,
    files: &Files,
    note: &mut impl FnMut(&'static str, f64),
) -> Result<()> {
    empty_history(client)?;
    let mut timed = |names: [&'static str; 3], path: &str, expected| {
        let before = ProcessorTime::of(client)?;
        note(names[0], ingest(client, path, expected)?);
        let time = ProcessorTime::of(client)?.since(before);
        note(names[1], time.all);
        note(names[2], time.backend);
        Ok::<(), Box<dyn std::error::Error>>(())
    };
    timed(
        ["an empty history", "an empty history, processor time", "an empty history, backend"],
        &files.first,
        [files.rows, 0, 0],
    )?;
    timed(
        ["all rows known", "all rows known, processor time", "all rows known, backend"],
        &files.known,
        [0, files.rows, 0],
    )?;
    timed(
        ["the next 28 days", "the next 28 days, processor time", "the next 28 days, backend"],
        &files.second,
        [files.rows, 0, 0],
    )?;
    empty_history(client)?;
    processor::bind(client, Some(0))?;
    note("an empty history, one processor", ingest(client, &files.first, [files.rows, 0, 0])?);
    processor::bind(client, None)?;
    empty_history(client)?;
    let mut small = 0.0;
    for path in &files.small {
        small += ingest(client, path, [i64::try_from(FILES.1)?, 0, 0])?;
    }
    note("100 files of 100 trips", small);
    Ok(())
}

fn report(name: &str, measured: &Measured, copies: &[f64]) -> Result<String> {
    let copy = Spread::of(copies).median;
    let mut text = format!("{}\n\nbare COPY: {copy:.3} s\n\n", machine());
    writeln!(
        text,
        "| seconds, medians | {name} | this commit | ratio | this / bare COPY |\n|---|---|---|---|---|"
    )?;
    for (what, of_both) in measured {
        let [other, this] = of_both.each_ref().map(|measured| Spread::of(measured).median);
        writeln!(
            text,
            "| {what} | {other:.3} | {this:.3} | {:.3} | {:.3} |",
            this / other,
            this / copy
        )?;
    }
    Ok(text)
}
