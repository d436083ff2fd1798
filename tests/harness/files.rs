//! Files of trips for tests.

use std::fmt::Display;
use std::path::Path;

use trips_datagen::Shape;

/// The header of most tests' files.
pub const FIVE_COLUMNS: &str = "region,origin_coord,destination_coord,date_time,datasource\n";

/// The real file of 100 trips, where the project's shared folder is beside the checkout; elsewhere,
/// 100 generated ones.
///
/// # Panics
/// Never: writing to memory does not fail.
#[must_use]
pub fn real_trips() -> Vec<u8> {
    let real = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/trips.csv");
    std::fs::read(real).unwrap_or_else(|_| {
        let mut bytes = Vec::new();
        let shape = Shape { rows: 100, seed: 100, regions: 3, ..Shape::default() };
        trips_datagen::write(&shape, &mut bytes).expect("memory");
        bytes
    })
}

/// Generated rows with their header.
///
/// # Panics
/// Never: writing to memory does not fail.
#[must_use]
pub fn rows_as_csv(rows: u64, seed: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    trips_datagen::write(&Shape { rows, seed, ..Shape::default() }, &mut bytes).expect("memory");
    bytes
}

/// Generated rows of the 28 days from a date on, with their header.
///
/// # Panics
/// When there is no such date.
#[must_use]
pub fn month_as_csv(rows: u64, seed: u64, first_day: &str) -> Vec<u8> {
    let first_day = first_day.parse().expect("a date");
    let mut bytes = Vec::new();
    let shape = Shape { rows, seed, first_day, ..Shape::default() };
    trips_datagen::write(&shape, &mut bytes).expect("memory");
    bytes
}

/// The header, and these lines of a file, counted from 0 behind its header.
///
/// # Panics
/// When the file is not UTF-8.
#[must_use]
pub fn lines_of(file: &[u8], range: std::ops::Range<usize>) -> String {
    let text = std::str::from_utf8(file).expect("UTF-8");
    let mut lines = text.lines();
    let header = lines.next().unwrap_or_default();
    let kept: Vec<&str> = lines.skip(range.start).take(range.len()).collect();
    format!("{header}\n{}\n", kept.join("\n"))
}

/// A good line for a region and a second of 2018-05-01.
#[must_use]
pub fn trip_line(region: impl Display, second: u32) -> String {
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!(
        "{region},POINT (1 2),POINT (3 4),2018-05-01 {hour:02}:{minute:02}:{second:02},source\n"
    )
}
