//! The trips of a time range: found in the blocks, keyed, sorted, and written as rows.
//!
//! The rows of a block are read once, one after the other as they lie in memory. What is needed of them later is kept:
//! in the order of the index, which jumps from block to block, they are only copied.

use std::collections::TryReserveError;

use trips_areas::{Coord, GridPoint};

use super::{Batch, BatchEntry, Occurrence, Parts, ROW_OVERHEAD, Slice};
use crate::columns;
use crate::key::{ContentKeys, KeyPart, TripKey, occurrence_key};
use crate::model::timestamp::Timestamp;
use crate::sort::by_time;
use crate::sort::groups::{GroupCache, Groups};
use crate::sort::row::{EncodedRow, NULL_TAIL};
use crate::wire::copy_binary::RowWriter;

/// The trips of a time range, in the order of the file.
pub(super) struct Found<'b> {
    pub(super) trips: Vec<Keyed>,
    /// For each trip, in the same order; empty for a batch of keys.
    pub(super) rows: Vec<Row<'b>>,
    /// Approximately the bytes of the rows of the batch.
    pub(super) bytes: usize,
}

/// A trip by its time, its key and its number in the order of the file: what is sorted is moved often, and small.
pub(super) type Keyed = (Timestamp, TripKey, u32);

/// What a row of a batch is written from, in 48 bytes.
pub(super) struct Row<'b> {
    bytes: &'b [u8],
    key_length: u32,
    group: u32,
    point: GridPoint,
}

/// The numbers of the first trips of slices.
struct Starts<'s, 'b>(&'s [Slice<'b>], Vec<u32>);

/// Finds the trips, with their keys.
pub(super) fn of<'b>(
    slices: &[Slice<'b>],
    parts: Parts,
    (cache, groups): (&mut GroupCache, &mut Groups),
) -> Result<Found<'b>, TryReserveError> {
    let count = slices.iter().map(|(_, ranges)| ranges.len()).sum();
    let mut found = Found { trips: Vec::new(), rows: Vec::new(), bytes: 0 };
    found.trips.try_reserve_exact(count)?;
    let keeps_grid_points = match parts {
        Parts::Keys => None,
        Parts::Rows { keeps_grid_points, .. } => Some(keeps_grid_points),
    };
    found.rows.try_reserve_exact(keeps_grid_points.map_or(0, |_| count))?;
    let (mut keys, nowhere) = (ContentKeys::default(), GridPoint::of(0, None, None));
    for &(block, ranges) in slices {
        for &range in ranges {
            let row = block.row(range);
            let at = found.trips.len();
            let number = u32::try_from(at).expect("a batch has under 4 billion trips");
            let known = block.identity_key(&row);
            found.trips.push((range.date_time, known.unwrap_or_default(), number));
            if known.is_none() {
                keys.push(row.key_part(), at, |at, key| found.trips[at].1 = key);
            }
            if let Some(keeps_grid_points) = keeps_grid_points {
                found.bytes += row.bytes.len() + ROW_OVERHEAD;
                let KeyPart { group, points } = KeyPart::of(row.key_part());
                let group = cache.number(group, groups)?;
                let point = if keeps_grid_points {
                    let [origin, destination] = points.map(|point| point.map(coord));
                    GridPoint::of(range.date_time.0, origin, destination)
                } else {
                    nowhere
                };
                let EncodedRow { bytes, key_length, .. } = row;
                found.rows.push(Row { bytes, key_length, group, point });
            }
        }
    }
    keys.finish(|at, key| found.trips[at].1 = key);
    cache.end_batch();
    Ok(found)
}

/// Writes the rows of these trips into a batch.
pub(super) fn write_rows(
    batch: &mut Batch,
    (trips, rows, bytes): (&[Keyed], &[Row<'_>], usize),
    (columns, load_id, keeps_grid_points): (usize, i64, bool),
) -> Result<(), TryReserveError> {
    let has_tails = columns == columns::COUNT;
    let nulls = if has_tails { trips.len() * NULL_TAIL.len() } else { 0 };
    batch.rows.try_reserve_exact(bytes + nulls)?;
    batch.grid_points.try_reserve_exact(if keeps_grid_points { trips.len() } else { 0 })?;
    let mut key_and_load = [0; ROW_OVERHEAD - 2];
    (key_and_load[3], key_and_load[23]) = (16, 8);
    key_and_load[24..].copy_from_slice(&load_id.to_be_bytes());
    for &(date_time, key, number) in trips {
        let &Row { bytes, key_length, group, point } = &rows[number as usize];
        let row = EncodedRow { bytes, key_length, identity: None };
        let mut out = RowWriter::row(&mut batch.rows, columns);
        key_and_load[4..20].copy_from_slice(&key);
        out.encoded(row.key_part()).encoded(&key_and_load);
        if has_tails {
            out.encoded(row.whole_tail());
        }
        let end = u32::try_from(batch.rows.len()).expect("a batch is under 4 GiB");
        batch.entries.push(BatchEntry { date_time, key, group, end });
        if keeps_grid_points {
            batch.grid_points.push(point);
        }
    }
    Ok(())
}

/// Sorts by the order of the index; equal keys by the order of the file, also if its records come in another order.
pub(super) fn sort(trips: &mut Vec<Keyed>, slices: &[Slice<'_>]) -> Result<(), TryReserveError> {
    let mut order = Vec::new();
    let starts = Starts::of(slices)?;
    if !by_time::order_of(trips.iter().map(|trip| trip.0), &mut order)? {
        sort_by_key(trips, &starts);
        return Ok(());
    }
    let mut sorted = Vec::new();
    sorted.try_reserve_exact(order.len())?;
    sorted.extend(order.iter().map(|&number| trips[number]));
    *trips = sorted;
    let same_time = trips.chunk_by_mut(|a, b| a.0 == b.0);
    same_time.filter(|trips| trips.len() > 1).for_each(|trips| sort_by_key(trips, &starts));
    Ok(())
}

fn sort_by_key(trips: &mut [Keyed], starts: &Starts<'_, '_>) {
    trips.sort_unstable_by(|a, b| {
        let by_key = (a.0, &a.1).cmp(&(b.0, &b.1));
        by_key.then_with(|| (starts.line(a.2), a.2).cmp(&(starts.line(b.2), b.2)))
    });
}

impl<'s, 'b> Starts<'s, 'b> {
    fn of(slices: &'s [Slice<'b>]) -> Result<Self, TryReserveError> {
        let mut starts = Vec::new();
        starts.try_reserve_exact(slices.len())?;
        let mut start = 0;
        for (_, ranges) in slices {
            starts.push(start);
            start += u32::try_from(ranges.len()).expect("a batch has under 4 billion trips");
        }
        Ok(Self(slices, starts))
    }

    /// The line of the record of a trip, by the number of the trip; 0 if it is no part of its identity.
    fn line(&self, number: u32) -> u64 {
        // Slices without trips have the start of the next one.
        let slice = self.1.partition_point(|start| *start <= number) - 1;
        let (block, ranges) = self.0[slice];
        let row = block.row(ranges[(number - self.1[slice]) as usize]);
        row.identity().map_or(0, |identity| identity.line)
    }
}

/// Gives equal records, which are adjacent, their keys by their numbers, and sorts again if there are some.
pub(super) fn number(trips: &mut Vec<Keyed>) -> Result<Vec<Occurrence>, TryReserveError> {
    let mut occurrences = Vec::new();
    occurrences.try_reserve_exact(trips.len())?;
    let has_equal = trips.windows(2).any(|pair| (pair[0].0, pair[0].1) == (pair[1].0, pair[1].1));
    if !has_equal {
        occurrences.extend(trips.iter().map(|&(_, base, _)| Occurrence { base, number: 1 }));
        return Ok(occurrences);
    }
    let mut numbered: Vec<(Keyed, Occurrence)> = Vec::new();
    numbered.try_reserve_exact(trips.len())?;
    for equal in trips.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
        for (&(date_time, base, at), number) in equal.iter().zip(1..) {
            let key = occurrence_key(&base, number);
            numbered.push(((date_time, key, at), Occurrence { base, number }));
        }
    }
    numbered.sort_unstable_by_key(|&((date_time, key, _), _)| (date_time, key));
    trips.clear();
    for (trip, occurrence) in numbered {
        trips.push(trip);
        occurrences.push(occurrence);
    }
    Ok(occurrences)
}

/// The point of an encoded value.
#[inline]
fn coord(value: &[u8]) -> Coord {
    let degrees = |bytes: &[u8]| bytes.try_into().map_or(f64::NAN, f64::from_be_bytes);
    Coord { longitude: degrees(&value[..8]), latitude: degrees(&value[8..]) }
}
