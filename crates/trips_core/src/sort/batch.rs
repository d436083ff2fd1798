//! A batch: all trips of a time range, as rows in the order of the history's primary key.
//!
//! Blocks arrive in the order of the file; batches leave in the order of the index. In between, the time of all blocks
//! is divided into ranges, and each range is keyed, sorted and deduplicated by itself. Equal trips have equal times, so
//! they are in the same range. A batch does not know the bounds of the history's partitions: its writer divides it
//! there.

use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::TryReserveError;
use std::sync::Arc;

use crate::key::{self, TripKey};
use crate::model::partition_bounds::{Bound, PartitionBounds};
use crate::model::timestamp::Timestamp;
use trips_areas::{Coord, GridPoint};

use crate::columns::{self, TripColumn};
use crate::sort::block::{Block, RowRange};
use crate::sort::groups::{GroupCache, Groups};
use crate::wire::copy_binary::{RowWriter, values_of};

/// One of this many trips of a block is sampled to divide the time.
const SAMPLE_STEP: usize = 64;
/// A batch with this many bytes of trips is divided, even if its trips are few.
const MAX_BATCH_BYTES: usize = 2 * 1024 * 1024;
/// Length of a row in addition to its key part and its tail: the number of its columns, `trip_key`, `load_id`.
const ROW_OVERHEAD: usize = 2 + columns::fixed_bytes(columns::TRIP_KEY, columns::TAIL);

/// A tail of NULLs, each with the length -1.
const NULL_TAIL: [u8; columns::TAIL_COUNT * 4] = [0xff; columns::TAIL_COUNT * 4];

/// A trip in the order of the history's index, and its row in the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchEntry {
    /// When the trip began.
    pub date_time: Timestamp,
    /// Its content key.
    pub key: TripKey,
    /// Its region and datasource, as [`Batch::groups`] numbers them.
    pub group: u32,
    /// End of its row; it begins at the end of the one before.
    pub end: u32,
}

impl BatchEntry {
    /// The order of the unique index `(date_time, trip_key)`.
    #[must_use]
    pub fn cmp_key(&self, date_time: Timestamp, key: &TripKey) -> Ordering {
        self.date_time.cmp(&date_time).then_with(|| self.key.cmp(key))
    }
}

/// Rows of PostgreSQL's binary COPY, with the columns of [`columns::COLUMNS`].
#[derive(Debug, Default)]
pub struct Batch {
    /// The rows, one after the other. Each begins with the number of its columns: see [`columns_of`]. The other columns
    /// are NULL. The value of `details` is as PostgreSQL stores it, which COPY does not take.
    pub rows: Vec<u8>,
    /// The trips, in the order of the index, each once.
    pub entries: Vec<BatchEntry>,
    /// Their grid points, in the same order; empty if the area index is not maintained.
    pub grid_points: Vec<GridPoint>,
    /// Their regions and datasources, each once.
    pub groups: Groups,
    /// Number of dropped duplicates.
    pub duplicates: usize,
}

/// The blocks of a run, until all of its batches are made.
pub type RunBlocks = RefCell<Arc<Vec<Block>>>;

/// A time range: inclusive begin and exclusive end; None is unbounded.
pub type TimeRange = (Option<Timestamp>, Option<Timestamp>);

/// Divides the time of sorted blocks into ranges of about this many trips each, fewer if they are large.
#[must_use]
pub fn time_ranges(blocks: &[Block], trips: usize) -> Vec<TimeRange> {
    let mut times = Vec::new();
    // One trip per step, independent of blocks, and the first from the middle of its step. With the first trips of the
    // blocks, the first time range would be too short.
    let mut skip = SAMPLE_STEP / 2;
    for block in blocks {
        let ranges = block.ranges();
        let samples = (skip..ranges.len()).step_by(SAMPLE_STEP);
        let bytes = |i: usize| Block::encoded_bytes(&ranges[i..ranges.len().min(i + SAMPLE_STEP)]);
        times.extend(samples.map(|i| (ranges[i].date_time, bytes(i))));
        let seen = ranges.len().saturating_sub(skip).next_multiple_of(SAMPLE_STEP);
        skip = (skip + seen) - ranges.len();
    }
    times.sort_unstable();
    let (mut cuts, mut samples, mut bytes) = (Vec::new(), 0, 0);
    for (time, size) in times {
        if samples >= (trips / SAMPLE_STEP).max(1) || bytes >= MAX_BATCH_BYTES {
            cuts.push(time);
            (samples, bytes) = (0, 0);
        }
        samples += 1;
        bytes += size;
    }
    cuts.dedup();
    let from = std::iter::once(None).chain(cuts.iter().copied().map(Some));
    let to = cuts.iter().copied().map(Some).chain(std::iter::once(None));
    from.zip(to).collect()
}

/// Number of trips of sorted blocks within the bounds, including duplicates.
#[must_use]
pub fn count_within(blocks: &[Block], bounds: PartitionBounds) -> usize {
    let before = |block: &Block, bound| match bound {
        Bound::MinValue => 0,
        Bound::At(time) => block.ranges().partition_point(|range| range.date_time < time),
        Bound::MaxValue => block.len(),
    };
    let within = |block| before(block, bounds.upper).saturating_sub(before(block, bounds.lower));
    blocks.iter().map(within).sum()
}

/// The time of the first trip of sorted blocks that is at or after a bound.
#[must_use]
pub fn first_from(blocks: &[Block], bound: Bound) -> Option<Timestamp> {
    let first = |block: &Block| {
        let ranges = block.ranges();
        let at = ranges.partition_point(|range| Bound::At(range.date_time) < bound);
        ranges.get(at).map(|range| range.date_time)
    };
    blocks.iter().filter_map(first).min()
}

/// Approximate bytes of a batch of a time range while it is made.
pub(crate) fn cost(blocks: &[Block], time_range: TimeRange) -> usize {
    let ranges = blocks.iter().map(|block| block.between(time_range.0, time_range.1));
    ranges.map(Block::cost_of_batch).sum()
}

/// Number of columns of each row of a run: those of the tail are missing if no trip of its blocks has one.
#[must_use]
pub fn columns_of(blocks: &[Block]) -> usize {
    if blocks.iter().any(Block::has_tails) { columns::COUNT } else { columns::TAIL }
}

/// Makes the batch of a time range of sorted blocks, for this load; with or without the row ranges of its trips.
///
/// # Errors
/// When there is no memory.
///
/// # Panics
/// When the batch is over 4 GiB: all trips of a run at one moment, and a run of that size.
pub fn build(
    blocks: &[Block],
    time_range: TimeRange,
    load_id: i64,
    keeps_grid_points: bool,
    cache: &mut GroupCache,
) -> Result<Batch, TryReserveError> {
    let slices: Vec<(&Block, &[RowRange])> =
        blocks.iter().map(|block| (block, block.between(time_range.0, time_range.1))).collect();
    // A trip by its block and its number there: what is sorted is moved often, and small.
    let mut found: Vec<(Timestamp, TripKey, u32, u32)> = Vec::new();
    found.try_reserve_exact(slices.iter().map(|(_, ranges)| ranges.len()).sum())?;
    let columns = columns_of(blocks);
    let has_tails = columns == columns::COUNT;
    let mut bytes = 0;
    for (&(block, ranges), slice) in slices.iter().zip(0..) {
        for (&range, number) in ranges.iter().zip(0..) {
            let row = block.row(range);
            bytes += row.bytes.len() + ROW_OVERHEAD;
            let key = key::of_encoded(row.key_part());
            found.push((range.date_time, key, slice, number));
        }
    }
    // Equal trips may have different tails: the first in the file stays.
    found.sort_unstable_by(|a, b| (a.0, &a.1, a.2, a.3).cmp(&(b.0, &b.1, b.2, b.3)));
    let before = found.len();
    found.dedup_by(|later, first| (later.0, &later.1) == (first.0, &first.1));

    let mut batch = Batch { duplicates: before - found.len(), ..Batch::default() };
    let nulls = if has_tails { found.len() * NULL_TAIL.len() } else { 0 };
    batch.rows.try_reserve_exact(bytes + nulls)?;
    batch.entries.try_reserve_exact(found.len())?;
    batch.grid_points.try_reserve_exact(if keeps_grid_points { found.len() } else { 0 })?;
    for (date_time, key, slice, number) in found {
        let (block, ranges) = slices[slice as usize];
        let trip = block.row(ranges[number as usize]);
        let key_part = trip.key_part();
        let values = values_of(key_part);
        let group = cache.number(&values, &mut batch.groups)?;
        let mut row = RowWriter::row(&mut batch.rows, columns);
        row.encoded(key_part).value(&key).int8(load_id);
        if has_tails {
            row.encoded(if trip.tail().is_empty() { &NULL_TAIL } else { trip.tail() });
        }
        let end = u32::try_from(batch.rows.len()).expect("a batch is under 4 GiB");
        batch.entries.push(BatchEntry { date_time, key, group, end });
        if keeps_grid_points {
            let coord = |column: TripColumn| values[column as usize].map(coord);
            let (origin, destination) = (coord(TripColumn::Origin), coord(TripColumn::Destination));
            batch.grid_points.push(GridPoint::of(date_time.0, origin, destination));
        }
    }
    cache.end_batch();
    Ok(batch)
}

/// The point of an encoded value.
fn coord(value: &[u8]) -> Coord {
    let degrees = |bytes: &[u8]| bytes.try_into().map_or(f64::NAN, f64::from_be_bytes);
    Coord { longitude: degrees(&value[..8]), latitude: degrees(&value[8..]) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::trip::Trip;
    use crate::wire::copy_binary::Cursor;

    fn block(times: impl Iterator<Item = i64>) -> Block {
        let mut block = Block::default();
        for time in times {
            let trip = Trip {
                region: "r",
                origin: None,
                destination: None,
                date_time: Timestamp(time),
                datasource: None,
            };
            block.push(&trip, &[]).expect("memory");
        }
        block.sort().expect("memory");
        block
    }

    /// Hundreds of blocks over the same time, as a large file in random order has them.
    #[test]
    fn the_first_range_is_as_long_as_the_others() {
        let blocks: Vec<Block> =
            (0..248).map(|number| block((0..1000).map(|i| i * 248 + number))).collect();
        let wanted = 8192;
        let lengths: Vec<usize> = time_ranges(&blocks, wanted)
            .into_iter()
            .map(|(from, to)| blocks.iter().map(|block| block.between(from, to).len()).sum())
            .collect();
        assert_eq!(lengths.iter().sum::<usize>(), 248_000);
        let (last, others) = lengths.split_last().expect("time_ranges");
        assert!(
            others.iter().all(|length| (wanted / 2..wanted * 2).contains(length)),
            "{lengths:?}"
        );
        assert!(*last < wanted * 2, "{lengths:?}");
    }

    /// A tail whose first value is of this byte, and whose others are NULL.
    fn tail(byte: u8) -> Vec<u8> {
        let mut tail = Vec::new();
        let mut row = RowWriter::values(&mut tail);
        for (number, column) in columns::COLUMNS[columns::TAIL..].iter().enumerate() {
            match number {
                0 => row.value(&vec![byte; column.kind.fixed_len().unwrap_or(3)]),
                _ => row.null(),
            };
        }
        tail
    }

    /// The values of the rows of a batch.
    fn values(batch: &Batch) -> Vec<Vec<Option<Vec<u8>>>> {
        let mut begin = 0;
        let row = |entry: &BatchEntry| {
            let mut cursor = Cursor(&batch.rows[begin..entry.end as usize]);
            begin = entry.end as usize;
            let count = i16::from_be_bytes(cursor.array().expect("a count"));
            let value = |_| cursor.value().expect("a value").map(<[u8]>::to_vec);
            let values: Vec<_> = (0..count).map(value).collect();
            assert!(cursor.0.is_empty(), "a row has as many values as its count says");
            values
        };
        batch.entries.iter().map(row).collect()
    }

    /// The tail is in the row and not in the key: trips with equal key parts are one trip, the first in the file.
    #[test]
    fn a_tail_is_not_hashed() {
        let trip = |time| Trip {
            region: "Prague",
            origin: None,
            destination: None,
            date_time: Timestamp(time),
            datasource: Some("d"),
        };
        let trips = [(2, tail(7)), (1, vec![]), (1, tail(8)), (2, tail(9)), (2, vec![])];
        let block = |trips: &[(i64, Vec<u8>)]| {
            let mut block = Block::default();
            for (time, tail) in trips {
                block.push(&trip(*time), tail).expect("memory");
            }
            block.sort().expect("memory");
            block
        };
        let build = |blocks: &[Block]| {
            super::build(blocks, (None, None), 5, false, &mut GroupCache::default())
                .expect("memory")
        };
        for split in 0..=trips.len() {
            let (before, behind) = trips.split_at(split);
            let batch = build(&[block(before), block(behind)]);
            assert_eq!((batch.entries.len(), batch.duplicates), (2, 3));
            for entry in &batch.entries {
                assert_eq!(entry.key, key::of_trip(&trip(entry.date_time.0)));
            }
            assert_eq!(batch.groups.names(0), ("Prague", Some("d")));
            let rows = values(&batch);
            let nulls = vec![None; columns::TAIL_COUNT];
            assert_eq!(rows[0][columns::TAIL..], nulls, "the first of the trips has no tail");
            let first = tail(7);
            let mut cursor = Cursor(&first);
            let first: Vec<_> = (0..columns::TAIL_COUNT)
                .map(|_| cursor.value().expect("a value").map(<[u8]>::to_vec))
                .collect();
            assert_eq!(rows[1][columns::TAIL..], first, "split at {split}");
        }
        let mut part = block(&trips);
        let bytes = part.bytes();
        assert_eq!(part.dedup().expect("memory"), 3);
        assert!(part.bytes() < bytes);
        assert_eq!(values(&build(&[part])), values(&build(&[block(&trips)])));
        // Without a tail, rows end before it.
        let plain = build(&[block(&[(1, vec![]), (2, vec![])])]);
        assert!(values(&plain).iter().all(|row| row.len() == columns::TAIL));
    }

    #[test]
    fn small_blocks_are_sampled_together() {
        let blocks: Vec<Block> = (0..5000).map(|i| block(i..i + 1)).collect();
        assert_eq!(time_ranges(&blocks, 640).len(), 8);
        assert_eq!(time_ranges(&[], 640), [(None, None)]);
    }

    #[test]
    fn trips_within_bounds_are_counted() {
        let blocks = [block(0..10), block(5..15), Block::default()];
        let within = |lower, upper| count_within(&blocks, PartitionBounds { lower, upper });
        let at = |time| Bound::At(Timestamp(time));
        assert_eq!(within(Bound::MinValue, Bound::MaxValue), 20);
        assert_eq!(within(at(5), at(10)), 10);
        assert_eq!(within(Bound::MinValue, at(1)), 1);
        assert_eq!(within(at(14), Bound::MaxValue), 1);
        assert_eq!(first_from(&blocks, Bound::MinValue), Some(Timestamp(0)));
        assert_eq!(first_from(&blocks, at(10)), Some(Timestamp(10)));
        assert_eq!(first_from(&blocks, at(15)), None);
        assert_eq!(first_from(&blocks, Bound::MaxValue), None);
    }
}
