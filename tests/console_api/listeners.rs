//! Many pages at once.

use std::fs;

use trips_tests::{Cluster, FIVE_COLUMNS, trip_line};

use super::start;

/// Resident memory of a process, MB.
fn memory(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("its memory");
    let kilobytes = line.split_whitespace().nth(1).and_then(|text| text.parse::<u64>().ok());
    kilobytes.expect("a number") / 1024
}

#[test]
fn a_hundred_pages_hear_of_a_load() {
    let cluster = Cluster::start();
    let console = start(&cluster);
    let mut pages: Vec<_> = (0..100).map(|_| console.events(None)).collect();
    for page in &mut pages {
        page.next("now");
    }
    // Each has a session in the browser, none has one in the database.
    let sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'trips_console'";
    let mut client = cluster.client();
    let sessions: i64 = client.query_one(sessions, &[]).unwrap().get(0);
    assert!(sessions <= 3, "{sessions} sessions");
    let file = cluster.file("a.csv", format!("{FIVE_COLUMNS}{}", trip_line("A", 1)));
    cluster.ingest(&mut client, &file);
    for page in &mut pages {
        while page.next("load").1["state"] != "loaded" {}
    }
    let memory = memory(console.pid());
    assert!(memory <= 100, "{memory} MB");
}
