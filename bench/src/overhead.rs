//! The cost of progress reports and of the area index in a load: with and without, in turns.

use std::fmt::Write;

use trips_tests::Cluster;

use crate::measure::{empty_history, generate, ingest};
use crate::report::{Spread, machine, save};
use crate::{Result, SETTINGS};

/// With everything; without a load monitor; without areas; and the first again, which says what the
/// machine's noise is.
const WAYS: [&str; 4] = ["as it is", "no events", "no areas", "as it is, again"];
const RATIOS: [(&str, usize, usize, &str); 3] = [
    ("with events / without", 0, 1, "≤ 1.02"),
    ("with areas / without", 0, 2, "≤ 1.05"),
    ("the same twice", 0, 3, ""),
];

/// Loads a file of so many rows into an empty history, in each way and every round.
pub fn run(rows: u64, rounds: u64) -> Result<()> {
    // Parallel workers would need the processes that one of them has not got.
    let common = format!("{SETTINGS}max_parallel_maintenance_workers = 0\n");
    let usual = start(&common)?;
    // A load without a worker slot has no monitor, and reports nothing before its end.
    let silent = start(&format!("{common}max_worker_processes = 0\n"))?;
    let count = i64::try_from(rows)?;
    println!("{}\n{}\n{rows} rows, {rounds} rounds", machine(), common.trim_end());
    let mut measured: [Vec<f64>; 4] = Default::default();
    for round in 1..=rounds {
        // The first one changes: a slow start of the machine affects all of them.
        for turn in 0..WAYS.len() {
            let way = (turn + usize::try_from(round)?) % WAYS.len();
            let cluster = if way == 1 { &silent } else { &usual };
            let mut client = cluster.client();
            empty_history(&mut client)?;
            if way == 2 {
                client.batch_execute("SET trips.maintain_area_index = off")?;
            }
            let path = cluster.path("trips.csv");
            if !std::path::Path::new(&path).exists() {
                generate(cluster, "trips.csv", rows, 1, 0)?;
            }
            let elapsed = ingest(&mut client, &path, [count, 0, 0])?;
            println!("round {round}: {} {elapsed:.3}", WAYS[way]);
            measured[way].push(elapsed);
        }
    }
    report(rows, rounds, &measured)
}

fn start(settings: &str) -> Result<Cluster> {
    let cluster = Cluster::start_bare(settings);
    cluster.client().batch_execute("CREATE EXTENSION trips_pipeline")?;
    Ok(cluster)
}

fn report(rows: u64, rounds: u64, measured: &[Vec<f64>; 4]) -> Result<()> {
    let mut text = format!("{}\n\n{rows} rows, {rounds} rounds\n\n", machine());
    text.push_str(
        "| ratio | goal | of medians | median of the rounds' ratios |\n|---|---|---|---|\n",
    );
    for (name, over, under, goal) in RATIOS {
        let [over, under] = [&measured[over], &measured[under]];
        let of_medians = Spread::of(over).median / Spread::of(under).median;
        let rounds: Vec<f64> = over.iter().zip(under).map(|(over, under)| over / under).collect();
        let of_rounds = Spread::of(&rounds).median;
        writeln!(text, "| {name} | {goal} | {of_medians:.3} | {of_rounds:.3} |")?;
    }
    text.push_str("\n| seconds | median | least | greatest |\n|---|---|---|---|\n");
    for (name, values) in WAYS.iter().zip(measured) {
        let s = Spread::of(values);
        writeln!(text, "| {name} | {:.3} | {:.3} | {:.3} |", s.median, s.least, s.greatest)?;
    }
    println!("\n{text}");
    save("overhead.md", &text)
}
