//! Every damaged container is an error of its kind, or its content.

use std::fmt::Write;

use trips_containers::{ContainerError, Limits, Packing, packing_of, unsupported_kind_of};
use trips_testkit::containers::check::{Content, content_of};
use trips_testkit::containers::damaged::{self, Damaged, Expected, Fault};

/// Some 80 kB of trips.
fn sample() -> Vec<u8> {
    let mut text = String::from("region,origin_coord,destination_coord,date_time,datasource\n");
    for row in 0_u32..1000 {
        let (minute, hour) = (row % 60, row / 60);
        let (x, y) = (row * 7919 % 1000, row * 104_729 % 1000);
        writeln!(text, "Prague,POINT (14.{x:03} 50.{y:03}),POINT (14.{y:03} 50.{x:03}),2018-05-01 {hour:02}:{minute:02}:00,a")
            .expect("memory");
    }
    text.into_bytes()
}

/// What a file says, as a load asks it: a file that is no container may be of a kind that is refused.
fn outcome(file: &Damaged) -> Result<Content, ContainerError> {
    match unsupported_kind_of(&file.bytes) {
        Some(kind) => Err(ContainerError::unsupported(kind)),
        None => content_of(&file.bytes, Limits::default()),
    }
}

/// Whether the bytes are those of the sample, in one member or in two with a header each.
fn is_content(content: &Content, sample: &[u8]) -> bool {
    let header = sample.split_inclusive(|&byte| byte == b'\n').next().expect("a line");
    let mut all = Vec::new();
    for (index, (_, bytes)) in content.iter().enumerate() {
        all.extend_from_slice(if index == 0 {
            bytes
        } else {
            bytes.strip_prefix(header).unwrap_or(bytes)
        });
    }
    all == sample
}

#[test]
fn damaged_containers_are_errors() {
    let sample = sample();
    let files = damaged::all(&sample);
    let mut faults = Vec::new();
    for file in &files {
        let outcome = outcome(file);
        let is_expected = match (file.expected, &outcome) {
            (Expected::Fault(fault), Err(error)) => Fault::of(error) == fault,
            (Expected::Fault(_), Ok(_)) => false,
            (_, Err(_)) => true,
            // A file that is no container any more is left to the formats.
            (_, Ok(content)) if packing_of(&file.bytes) == Packing::Plain => {
                content[0].1 == file.bytes
            }
            (Expected::AnyFault, Ok(_)) => false,
            (Expected::FaultOrContent, Ok(content)) => is_content(content, &sample),
        };
        if !is_expected {
            let found = outcome
                .map(|content| content.iter().map(|(_, bytes)| bytes.len()).collect::<Vec<_>>());
            faults.push(format!("{}: {:?}, found {found:?}", file.name, file.expected));
        }
    }
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), files.len(), faults.join("\n"));
    assert!(files.len() >= 200, "{} files", files.len());
    let names: std::collections::BTreeSet<_> = files.iter().map(|file| &file.name).collect();
    assert_eq!(names.len(), files.len(), "each file has a name of its own");
}

#[test]
fn the_generator_always_makes_the_same_files() {
    let once = damaged::all(&sample());
    let again = damaged::all(&sample());
    assert!(once.iter().zip(&again).all(|(a, b)| a.name == b.name && a.bytes == b.bytes));
}
