//! The order of day and month of a file is the same for all of its splits, and a split that contradicts it fails.

mod splits;

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

const HEADER: &str = "Trip Id,Trip  Duration,Start Station Id,Start Time,Start Station Name,End Station Id,End Time,End Station Name,Bike Id,User Type\n";

/// A file with these starts, one a row.
fn file(name: &str, starts: &[&str]) -> PathBuf {
    let rows: String = starts
        .iter()
        .enumerate()
        .map(|(id, start)| format!("{id},300,7001,{start},A,7002,,B,12,Member\n"))
        .collect();
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, HEADER.to_owned() + &rows).unwrap();
    path
}

fn reader(command: &str, path: &PathBuf, options: &[String]) -> Output {
    let mut reader = Command::new(env!("CARGO_BIN_EXE_trips_reader"));
    reader.arg(command).arg(path).args(options).output().unwrap()
}

fn split(path: &PathBuf) -> Value {
    let split = reader("split", path, &["split_bytes=1".to_owned()]);
    assert!(split.status.success(), "{split:?}");
    serde_json::from_slice(&split.stdout).unwrap()
}

/// What each split ends with.
fn read(path: &PathBuf, file: &Value) -> Vec<Output> {
    let splits = file["splits"].as_array().unwrap().iter();
    let read = splits.map(|split| {
        let options = splits::arguments(file, split);
        reader("read", path, &options)
    });
    read.collect()
}

/// So many rows that a file of them has several splits.
const MANY: usize = 60_000;

#[test]
fn a_proof_in_the_last_split_counts_for_all() {
    let mut starts = vec!["3/4/2017 10:00"; MANY];
    starts.push("13/4/2017 10:00");
    let path = file("day_first.csv", &starts);
    let found = split(&path);
    let splits = found["splits"].as_array().unwrap();
    assert!(splits.len() > 1);
    assert!(splits.iter().all(|split| split[4] == "day_first:"), "{found}");
    for output in read(&path, &found) {
        assert!(output.status.success(), "{output:?}");
    }
    std::fs::remove_file(path).unwrap();
}

#[test]
fn a_split_with_the_other_order_fails() {
    let mut starts = vec!["3/14/2017 10:00"; MANY];
    starts.push("14/3/2017 10:00");
    let path = file("both.csv", &starts);
    let found = split(&path);
    let outputs = read(&path, &found);
    let (last, others) = outputs.split_last().unwrap();
    assert!(!others.is_empty() && others.iter().all(|output| output.status.success()));
    assert_eq!(last.status.code(), Some(4));
    let message = String::from_utf8_lossy(&last.stderr);
    assert!(message.contains("\"14/3/2017 10:00\" proves DD/MM"), "{message}");
    std::fs::remove_file(path).unwrap();
}

#[test]
fn a_file_without_a_proof_is_refused() {
    let path = file("unproved.csv", &["3/4/2017 10:00"]);
    let found = split(&path);
    assert_eq!(found["refused"]["code"], "22007");
    let message = found["refused"]["message"].as_str().unwrap();
    assert!(message.contains("line 2: \"3/4/2017 10:00\" is MM/DD or DD/MM"), "{message}");
    std::fs::remove_file(path).unwrap();
}
