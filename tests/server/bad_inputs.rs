//! The forty kinds of input that loaders break on, each by its number, and what becomes of it here.

mod case;
mod files;
mod lines;
mod paths;
mod session;
mod values;

use std::collections::BTreeSet;
use std::io::Write;

use trips_tests::Cluster;

use case::Case;
use session::Session;

/// Runs all cases, and reports all that fail, not only the first.
fn run(cases: &[Case]) {
    let cluster = Cluster::start();
    let mut session = Session::new(&cluster);
    let failed: Vec<String> = cases.iter().filter_map(|case| session.run(case).err()).collect();
    assert!(failed.is_empty(), "{} cases failed:\n{}", failed.len(), failed.join("\n"));
    // What the input says cannot begin a line of the log, nor speak to the terminal that shows it.
    let log = cluster.log();
    for line in log.lines() {
        let spoiled = line.starts_with("FORGED") || line.chars().any(session::speaks_to_terminals);
        assert!(!spoiled, "in the server's log: {line:?}");
    }
}

#[test]
fn bad_inputs() {
    let cases: Vec<Case> = [files::cases(), lines::cases(), paths::cases(), values::cases()]
        .into_iter()
        .flatten()
        .collect();
    let kinds: BTreeSet<u8> = cases.iter().map(|case| case.kind).collect();
    assert!(kinds.iter().copied().eq(1..=40), "the kinds are {kinds:?}");
    run(&cases);
    // Not by println!, which is kept back while a test succeeds.
    let mut stderr = std::io::stderr();
    let _ = writeln!(stderr, "bad inputs: {} of 40 kinds, {} cases", kinds.len(), cases.len());
}

#[test]
fn bad_inputs_with_settings() {
    run(&values::cases_of_settings());
}
