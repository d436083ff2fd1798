//! The results of a file's records.

use std::collections::BTreeSet;

use trips_core::check::constraints::Constraints;
use trips_core::check::trip_text::TripText;
use trips_core::format::delimited::header::UNCLOSED_QUOTES;
use trips_core::format::parser::{MAX_BAD_LINES_REPORTED, Parsed};
use trips_core::key::{self, TripKey};
use trips_core::model::timestamp::Timestamp;
use trips_core::sort::batch::{self, Batch};
use trips_core::sort::block::Block;
use trips_core::sort::counts::DailyCounts;
use trips_core::sort::groups::GroupCache;
use trips_core::wire::staged_row;

use crate::check_reason;
use crate::copied::{self, Values};

/// The load that all rows are of.
pub const LOAD_ID: i64 = 7;

/// Why a record is rejected: line, column, code, reason.
type Bad = (i64, Option<String>, String, String);

/// The results of the records of one file.
#[derive(Debug, Default)]
pub struct Outcome {
    rows: u64,
    unclosed: Vec<u64>,
    bad: Vec<Bad>,
    trips: BTreeSet<(i64, TripKey)>,
    /// Trips that went into batches, including duplicates.
    built: u64,
    /// Trips that were merged from staging.
    merged: u64,
    counts: DailyCounts,
    /// Trips that were new in their run.
    counted: u64,
    /// Trips at `(0, 0)` that are reported.
    pub zero_coordinates: u64,
    /// Rows for staging, as COPY gets them.
    pub staged_bytes: Vec<u8>,
    staged: u64,
}

impl Outcome {
    /// Results that do not depend on the code path: number of records, trips, rejected lines.
    pub fn facts(&self) -> impl PartialEq + std::fmt::Debug + '_ {
        (self.rows, self.built + self.merged, &self.trips, &self.bad, &self.unclosed)
    }

    /// Processes the result of a chunk and returns its trips.
    pub fn take(&mut self, parsed: Parsed) -> Block {
        let trips = parsed.block.len() as u64;
        assert_eq!(parsed.rows, trips + parsed.staged.len() as u64, "a record is lost");
        assert!(parsed.bad_lines <= parsed.staged.len() as u64);
        let kept = u64::try_from(parsed.first_bad.len()).expect("few");
        assert_eq!(kept, parsed.bad_lines.min(MAX_BAD_LINES_REPORTED as u64));
        assert!(parsed.first_bad.is_sorted_by(|a, b| a.position.value < b.position.value));
        assert_eq!(parsed.staged.bytes(), parsed.staged.rows().len());
        assert!(parsed.zero_coordinates <= trips);
        self.zero_coordinates += parsed.zero_coordinates;
        self.rows += parsed.rows;
        self.staged += parsed.staged.len() as u64;
        self.staged_bytes.extend_from_slice(parsed.staged.rows());
        self.unclosed.extend(parsed.unclosed);
        self.unclosed.truncate(UNCLOSED_QUOTES);
        parsed.block
    }

    /// Makes the batches of a run.
    pub fn build(&mut self, blocks: &[Block], trips: usize, cache: &mut GroupCache) {
        let (mut built, mut last) = (0, None);
        for time_range in batch::time_ranges(blocks, trips) {
            let batch =
                batch::build(blocks, time_range, LOAD_ID, true, cache).expect("there is memory");
            built += (batch.entries.len() + batch.duplicates) as u64;
            let is_inside = |time: Timestamp| {
                time_range.0.is_none_or(|from| from <= time)
                    && time_range.1.is_none_or(|to| time < to)
            };
            let mut counts = self.counts.of_batch(&batch.groups).expect("there is memory");
            for entry in &batch.entries {
                assert!(is_inside(entry.date_time), "{entry:?} is outside {time_range:?}");
                // Sorted over all batches of a run, without duplicates.
                let key = (entry.date_time, entry.key);
                assert!(last < Some(key), "{entry:?} is out of order");
                last = Some(key);
                self.trips.insert((entry.date_time.0, entry.key));
                counts.add(entry.date_time.day(), entry.group).expect("there is memory");
                self.counted += 1;
            }
            check_rows(&batch);
        }
        assert_eq!(built, blocks.iter().map(|b| b.len() as u64).sum::<u64>(), "a trip is lost");
        self.built += built;
    }

    /// Parses the rows for staging and validates them again, as a merge does.
    pub fn merge(&mut self, constraints: &Constraints) {
        let bytes = std::mem::take(&mut self.staged_bytes);
        let columns = i16::try_from(staged_row::COLUMNS.len()).expect("few columns");
        let (mut rest, mut count, mut last_line) = (&bytes[..], 0, 0);
        while !rest.is_empty() {
            let row = copied::take_row(&mut rest, columns);
            assert_eq!(copied::bigint(row[0]), LOAD_ID);
            let line = copied::bigint(row[1]);
            assert!(line > last_line, "lines {last_line} and {line}");
            (count, last_line) = (count + 1, line);
            self.merge_row(line, &row, constraints);
        }
        assert_eq!(count, self.staged);
        self.staged_bytes = bytes;
    }

    fn merge_row(&mut self, line: i64, row: &Values<'_>, constraints: &Constraints) {
        let text = |i: usize| row[i].map(|value| copied::text(value).to_owned());
        let has_values = row[2..7].iter().any(Option::is_some);
        let checked = texts(row);
        let checked = checked.validate(constraints);
        let Some(raw_line) = text(7) else {
            let trip = checked.expect("what waits is a trip");
            self.trips.insert((trip.date_time.0, key::of_trip(&trip)));
            self.merged += 1;
            assert!(row[8..].iter().all(Option::is_none), "nothing is wrong with line {line}");
            return;
        };
        // The bytes are set when the text cannot hold them.
        assert!(row[8].is_none_or(|bytes| bytes != raw_line.as_bytes()));
        let bad = (line, text(9), text(10).expect("a code"), text(11).expect("a reason"));
        check_reason(&bad.3);
        if has_values {
            let rejection = checked.expect_err("what was rejected stays rejected");
            let column = rejection.column.as_ref().map(|column| column.name().to_owned());
            let code = rejection.state.code().to_owned();
            assert_eq!(bad, (line, column, code, rejection.reason));
        }
        self.bad.push(bad);
    }

    /// The totals are consistent.
    pub fn settle(&mut self) {
        assert_eq!(self.rows, self.built + self.staged);
        assert_eq!(self.staged, self.merged + self.bad.len() as u64);
        let counted = self.counts.take().expect("there is memory");
        let counts: Vec<_> = counted.slices(100).flatten().collect();
        assert!(counts.is_sorted_by_key(|count| count.day));
        let groups =
            counts.iter().map(|c| (c.day, c.region, c.datasource)).collect::<BTreeSet<_>>();
        assert_eq!(groups.len(), counts.len(), "a group is counted once");
        assert_eq!(counts.iter().map(|count| count.trips).sum::<u64>(), self.counted);
    }
}

/// The rows of a batch are its entries, encoded.
fn check_rows(batch: &Batch) {
    let mut rest = &batch.rows[..];
    for entry in &batch.entries {
        let row = copied::take_row(&mut rest, 7);
        assert_eq!(entry.end as usize, batch.rows.len() - rest.len());
        assert_eq!(copied::bigint(row[3]), entry.date_time.0);
        assert_eq!(copied::key(row[5]), entry.key);
        assert_eq!(copied::bigint(row[6]), LOAD_ID);
        let (region, datasource) = batch.groups.names(entry.group);
        assert_eq!(row[0].map(copied::text), Some(region));
        assert_eq!(row[4].map(copied::text), datasource);
        assert!(row[1..3].iter().flatten().all(|point| point.len() == 16));
    }
    assert!(rest.is_empty());
}

/// The values of a trip in a staged row; one that is missing is empty.
fn texts<'a>(row: &Values<'a>) -> TripText<'a> {
    TripText::of(std::array::from_fn(|i| row[2 + i].unwrap_or_default().into()))
}
