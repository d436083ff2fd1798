//! Scans a file that is not split at bytes: its digest, and the pieces of its content. A stream is one piece, and each
//! member of an archive; Parquet has pieces of whole row groups.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use trips_core::feed::choice::FeedChoice;
use trips_core::feed::day_month::Unproved;
use trips_core::format::Chunk;
use trips_core::format::delimited::header::{HeaderError, UNCLOSED_QUOTES};
use trips_core::format::members::{self, Members, MembersError};
use trips_core::format::order::{OrderError, find_order};
use trips_core::model::time_form::DayMonthOrder;

use crate::checked::{Blocks, Checked};
use crate::contents::{Begun, Contents, limits, refusal};
use crate::options::Options;
use crate::piece::{CHUNK, PieceOfFile};
use crate::split::{SPLIT_BYTES, refused};
use crate::{Failure, order, shown};

/// Why a file has no pieces.
enum Stop {
    /// Its content is not that of a file of trips: SQLSTATE and text.
    Refused(&'static str, String),
    Failed(Failure),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// A file that is scanned.
struct Scan<'p> {
    path: &'p Path,
    checked: Arc<Checked>,
    contents: Contents,
    choice: FeedChoice,
    max_record: usize,
    split_bytes: u64,
    /// The blocks that each piece needs: those of the directory of an archive, and of its stations.
    common: Blocks,
    sorted: Option<Members>,
    /// Units of the content so far.
    units: u64,
    pieces: Vec<(Value, PieceOfFile)>,
    /// Of the stations of an archive.
    warnings: Vec<String>,
}

/// The splits of a file, or why it is refused.
pub fn split(
    path: &Path,
    (file, size, mtime_ns): (File, u64, i128),
    options: &Options<'_>,
) -> Result<Value, Failure> {
    let failed = |error| Failure::File { path: shown(path), error };
    let (checked, digest) = Checked::of_file(file, size).map_err(failed)?;
    let checked = Arc::new(checked);
    let found = scan(path, &checked, options);
    if checked.has_changed() {
        return Err(Failure::Changed(shown(path)));
    }
    match found {
        Ok((splits, warnings)) => Ok(json!({
            "bytes": size,
            "mtime_ns": mtime_ns.to_string(),
            "digest": digest.to_hex().as_str(),
            "splits": splits,
            "warnings": warnings,
        })),
        Err(Stop::Refused(code, reason)) => Ok(refused(path, code, &reason)),
        Err(Stop::Failed(failure)) => Err(failure),
    }
}

/// The splits, and warnings.
fn scan(
    path: &Path,
    checked: &Arc<Checked>,
    options: &Options<'_>,
) -> Result<(Vec<Value>, Vec<String>), Stop> {
    let contents = Contents::open(checked.clone(), limits(options)?);
    let contents = contents.map_err(|error| stop_of(path, "", error))?;
    let mut scan = Scan {
        path,
        checked: checked.clone(),
        contents,
        choice: options.choice()?,
        max_record: options.max_record_size()?,
        split_bytes: options.number("split_bytes", Some(SPLIT_BYTES))?,
        common: Blocks::default(),
        sorted: None,
        units: 0,
        pieces: Vec::new(),
        warnings: Vec::new(),
    };
    scan.common.add(&checked.take_read());
    if scan.contents.is_archive() {
        scan.sort()?;
    }
    let trips = scan.sorted.as_ref().map_or_else(|| vec![0], |sorted| sorted.trips.clone());
    for (number, index) in trips.into_iter().enumerate() {
        scan.member(index, number as u64 + 1)?;
    }
    scan.finish()
}

impl Scan<'_> {
    /// Sorts the members of an archive, and reads its stations.
    fn sort(&mut self) -> Result<(), Stop> {
        let contents = &self.contents;
        let feed_of = |index: usize, choice: &FeedChoice| {
            let begun = contents.begin((index, None), choice, self.max_record);
            begun.map(|begun| begun.plan.feed_name().to_owned()).map_err(|error| (index, error))
        };
        let sorted = members::sort(contents.len(), &self.choice, feed_of, |(_, error)| Some(error));
        let sorted = sorted.map_err(|error| match error {
            MembersError::Member((index, error)) => self.stop_of_header(index, error),
            MembersError::OtherFeed { index, feed, first: (first, of_first) } => {
                let (member, first) = (contents.member(index), contents.member(first));
                let reason = format!(
                    "member {member} is of feed {feed}, but member {first} is of feed {of_first}"
                );
                Stop::Refused("22P04", reason)
            }
            MembersError::OtherStations { index, feeds } => {
                self.stop_of_header(index, HeaderError::Stations(feeds))
            }
            MembersError::NoTrips => {
                Stop::Refused("22P04", "the archive has no file of trips".into())
            }
        })?;
        self.checked.take_read();
        let choice = self.choice.clone();
        (self.choice, _, self.warnings) =
            contents.with_stations(&sorted.stations, &sorted.feed, choice, self.path)?;
        self.common.add(&self.checked.take_read());
        self.sorted = Some(sorted);
        Ok(())
    }

    /// Adds the pieces of a member, or of a file that is no archive.
    fn member(&mut self, index: usize, number: u64) -> Result<(), Stop> {
        let mut begun = self.begin(index, None)?;
        let mut order = None;
        if begun.plan.feed().needs_order() {
            order = Some(self.order(index, begun)?);
            begun = self.begin(index, None)?;
        }
        let feed = begun.plan.feed_name().to_owned();
        let Some(rows) = begun.row_groups.clone() else {
            let units = self.units_of(index, begun)?;
            self.add((index, number), None, units, &feed, order);
            return Ok(());
        };
        drop(begun);
        for groups in pieces_of(&rows, self.checked.size(), self.split_bytes) {
            let begun = self.begin(index, Some(groups.clone()))?;
            let units = begun.position + rows[groups.clone()].iter().sum::<u64>();
            self.units_of(index, begun)?;
            self.add((index, number), Some(groups), units, &feed, order);
        }
        Ok(())
    }

    fn begin(&self, index: usize, groups: Option<Range<usize>>) -> Result<Begun, Stop> {
        let begun = self.contents.begin((index, groups), &self.choice, self.max_record);
        begun.map_err(|error| self.stop_of_header(index, error))
    }

    /// The order of day and month of a member.
    fn order(&self, index: usize, begun: Begun) -> Result<DayMonthOrder, Stop> {
        find_order(&begun.plan, begun.reader, self.max_record, || ()).map_err(|error| match error {
            OrderError::Unproved(unproved) => {
                Stop::Refused(Unproved::STATE.code(), self.named(index, unproved.message()))
            }
            OrderError::Read(error) => self.stop_of(index, error),
        })
    }

    /// Reads a member to its end. Returns the number of its bytes.
    fn units_of(&self, index: usize, begun: Begun) -> Result<u64, Stop> {
        let Begun { mut reader, position: mut units, .. } = begun;
        let mut unclosed = 0;
        let next = |reader: &mut trips_core::format::ChunkReader<_>| {
            reader.next_chunk(CHUNK, 0).map_err(|error| self.stop_of(index, error))
        };
        while let Some(mut chunk) = next(&mut reader)? {
            units += chunk.covers();
            let Chunk::Delimited(chunk) = &mut chunk else { continue };
            for line in chunk.unclosed() {
                unclosed += 1;
                if unclosed == UNCLOSED_QUOTES {
                    let what =
                        "quoted fields are not closed; the last one is in the record at line";
                    let reason = format!("{UNCLOSED_QUOTES} {what} {line}");
                    return Err(Stop::Refused("22P04", self.named(index, reason)));
                }
            }
        }
        Ok(units)
    }

    /// Adds a piece, which has been read.
    fn add(
        &mut self,
        (index, number): (usize, u64),
        row_groups: Option<Range<usize>>,
        units: u64,
        feed: &str,
        order: Option<DayMonthOrder>,
    ) {
        let mut blocks = self.checked.take_read();
        blocks.add(&self.common);
        let blocks = blocks.bounded();
        let piece = PieceOfFile {
            content: 0,
            index,
            member_no: if self.sorted.is_some() { number } else { 0 },
            row_groups,
            stations: self.sorted.as_ref().map_or_else(Vec::new, |sorted| sorted.stations.clone()),
            feed: feed.to_owned(),
            blocks: blocks.to_string(),
        };
        let digest = self.checked.digest(&blocks).to_hex();
        let columns = order::with_order(order, None);
        let split = json!([self.units, units, 1, digest.as_str(), columns]);
        self.units += units;
        self.pieces.push((split, piece));
    }

    /// The splits, now that the size of the whole content is known.
    fn finish(self) -> Result<(Vec<Value>, Vec<String>), Stop> {
        let (content, warnings) = (self.units, self.warnings);
        let splits = self.pieces.into_iter().map(|(mut split, piece)| {
            let text = serde_json::to_string(&PieceOfFile { content, ..piece })?;
            if let Some(values) = split.as_array_mut() {
                values.push(text.into());
            }
            Ok(split)
        });
        let failed = |error: serde_json::Error| Failure::Write(io::Error::other(error));
        Ok((splits.collect::<Result<_, _>>().map_err(failed)?, warnings))
    }

    fn named(&self, index: usize, reason: String) -> String {
        match self.contents.member(index) {
            "" => reason,
            member => format!("member {member}: {reason}"),
        }
    }

    fn stop_of(&self, index: usize, error: io::Error) -> Stop {
        stop_of(self.path, self.contents.member(index), error)
    }

    fn stop_of_header(&self, index: usize, error: HeaderError) -> Stop {
        match error {
            HeaderError::Read(error) => self.stop_of(index, error),
            error => Stop::Refused(error.sqlstate().code(), self.named(index, error.to_string())),
        }
    }
}

fn stop_of(path: &Path, member: &str, error: io::Error) -> Stop {
    match refusal(&error, member) {
        Some((code, reason)) => Stop::Refused(code, reason),
        None => Stop::Failed(Failure::File { path: shown(path), error }),
    }
}

/// Ranges of row groups with about `split_bytes` of a file each, at least. Only the first one may be without rows.
fn pieces_of(rows: &[u64], size: u64, split_bytes: u64) -> Vec<Range<usize>> {
    let all: u64 = rows.iter().sum();
    let least = u128::from(split_bytes) * u128::from(all) / u128::from(size.max(1));
    let mut pieces: Vec<Range<usize>> = Vec::new();
    let (mut begin, mut of_piece) = (0, 0);
    for (group, rows) in rows.iter().enumerate() {
        of_piece += u128::from(*rows);
        if of_piece > 0 && of_piece >= least {
            pieces.push(begin..group + 1);
            (begin, of_piece) = (group + 1, 0);
        }
    }
    match pieces.last_mut() {
        Some(last) if of_piece == 0 => last.end = rows.len(),
        _ => pieces.push(begin..rows.len()),
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_groups_become_pieces_that_have_rows() {
        let require = |rows: &[u64], size, split_bytes, expected: &[(usize, usize)]| {
            let found = pieces_of(rows, size, split_bytes);
            let found: Vec<_> = found.into_iter().map(|range| (range.start, range.end)).collect();
            assert_eq!(found, expected, "{rows:?}");
        };
        require(&[], 100, 1, &[(0, 0)]);
        require(&[0, 0], 100, 1, &[(0, 2)]);
        require(&[10, 10, 0], 100, 1, &[(0, 1), (1, 3)]);
        require(&[10, 10, 10], 300, 150, &[(0, 2), (2, 3)]);
        require(&[0, 10, 10], 100, 1000, &[(0, 3)]);
    }
}
