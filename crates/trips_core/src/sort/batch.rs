//! A batch: all trips of a time range, as rows in the order of the history's unique index.
//!
//! Blocks come in the order of the file; batches go out in the order of the index. In between, the
//! time of all blocks is cut into time ranges, and each time range is keyed, sorted and deduplicated by
//! itself. Equal trips have equal times, so they meet in the same time range. Where the history's partitions begin and
//! end is not known here: who writes a batch cuts it at their bounds.

use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::TryReserveError;
use std::sync::Arc;

use crate::key::{self, TripKey};
use crate::model::partition_bounds::{Bound, PartitionBounds};
use crate::model::timestamp::Timestamp;
use trips_areas::{Coord, GridPoint};

use crate::sort::block::{Block, RowRange};
use crate::sort::groups::{GroupCache, Groups};

/// Of so many trips of a block, one is looked at to cut the time.
const SAMPLE_STEP: usize = 64;
/// A batch of so many bytes of trips is cut, however few they are.
const MAX_BATCH_BYTES: usize = 2 * 1024 * 1024;
/// What a row has beside its five values: the number of its columns, trip_key and load_id, each of
/// these behind its length.
const ROW_OVERHEAD: usize = 2 + (4 + 16) + (4 + 8);

/// A trip's range in the order of the history, and its row in the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchEntry {
    /// When the trip began.
    pub date_time: Timestamp,
    /// What it is.
    pub key: TripKey,
    /// Its region and datasource, as [`Batch::groups`] numbers them.
    pub group: u32,
    /// Where its row ends; it begins where the one before ends.
    pub end: u32,
}

impl BatchEntry {
    /// The order of the unique index `(date_time, trip_key)`.
    #[must_use]
    pub fn cmp_key(&self, date_time: Timestamp, key: &TripKey) -> Ordering {
        self.date_time.cmp(&date_time).then_with(|| self.key.cmp(key))
    }
}

/// Rows of PostgreSQL's binary COPY: region, origin, destination, date_time, datasource, trip_key,
/// load_id.
#[derive(Debug, Default)]
pub struct Batch {
    /// The rows, one behind the other.
    pub rows: Vec<u8>,
    /// The trips, in the order of the index, each once.
    pub entries: Vec<BatchEntry>,
    /// Where they begin and end, in the same order; none when nobody keeps them.
    pub grid_points: Vec<GridPoint>,
    /// Their regions and datasources, each once.
    pub groups: Groups,
    /// How many trips were there more than once and were dropped.
    pub duplicates: usize,
}

/// The blocks of a run, until all of its batches are made: then there are none.
pub type RunBlocks = RefCell<Arc<Vec<Block>>>;

/// A time range: from, and to before; none is the beginning, or the end, of all time.
pub type TimeRange = (Option<Timestamp>, Option<Timestamp>);

/// Cuts the time of sorted blocks into time ranges of about so many trips each, fewer where they are large.
#[must_use]
pub fn time_ranges(blocks: &[Block], trips: usize) -> Vec<TimeRange> {
    let mut times = Vec::new();
    // Every so many trips, whatever block they are in, and the first from the middle of its step: the first trips of
    // the blocks alone would make the first time range a short one.
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

/// How many trips of sorted blocks lie within the bounds, those that are there twice counted twice.
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

/// The time of the first trip of sorted blocks that is at or behind a bound.
#[must_use]
pub fn first_from(blocks: &[Block], bound: Bound) -> Option<Timestamp> {
    let first = |block: &Block| {
        let ranges = block.ranges();
        let at = ranges.partition_point(|range| Bound::At(range.date_time) < bound);
        ranges.get(at).map(|range| range.date_time)
    };
    blocks.iter().filter_map(first).min()
}

/// How many bytes the batch of a time range takes while it is made, about.
pub(crate) fn cost(blocks: &[Block], time_range: TimeRange) -> usize {
    let ranges = blocks.iter().map(|block| block.between(time_range.0, time_range.1));
    ranges.map(Block::cost_of_batch).sum()
}

/// Makes the batch of a time range of sorted blocks, for this load; with the ranges of its trips
/// or without.
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
    let mut found: Vec<(Timestamp, TripKey, &[u8])> = Vec::new();
    found.try_reserve_exact(slices.iter().map(|(_, ranges)| ranges.len()).sum())?;
    let mut bytes = 0;
    for (block, ranges) in slices {
        for &range in ranges {
            let values = block.values(range);
            bytes += values.len() + ROW_OVERHEAD;
            found.push((range.date_time, key::of_encoded(values), values));
        }
    }
    found.sort_unstable_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    let before = found.len();
    found.dedup_by(|later, first| (later.0, &later.1) == (first.0, &first.1));

    let mut batch = Batch { duplicates: before - found.len(), ..Batch::default() };
    batch.rows.try_reserve_exact(bytes)?;
    batch.entries.try_reserve_exact(found.len())?;
    batch.grid_points.try_reserve_exact(if keeps_grid_points { found.len() } else { 0 })?;
    for (date_time, key, values) in found {
        let group = cache.number(values, &mut batch.groups)?;
        let rows = &mut batch.rows;
        rows.extend_from_slice(&7_i16.to_be_bytes());
        rows.extend_from_slice(values);
        key::encode_value(&key, rows);
        key::encode_value(&load_id.to_be_bytes(), rows);
        let end = u32::try_from(rows.len()).expect("a batch is under 4 GiB");
        batch.entries.push(BatchEntry { date_time, key, group, end });
        if keeps_grid_points {
            let [origin, destination] = points(values);
            batch.grid_points.push(GridPoint::of(date_time.0, origin, destination));
        }
    }
    cache.end_batch();
    Ok(batch)
}

/// Bytes of the first encoded value, its length included.
pub(crate) fn value_length(values: &[u8]) -> usize {
    let length = i32::from_be_bytes(values[..4].try_into().expect("four bytes"));
    4 + usize::try_from(length).unwrap_or(0)
}

/// The origin and the destination of a trip's encoded values.
fn points(values: &[u8]) -> [Option<Coord>; 2] {
    let (origin, rest) = split_value(&values[value_length(values)..]);
    let degrees = |bytes: &[u8]| bytes.try_into().map_or(f64::NAN, f64::from_be_bytes);
    let point =
        |bytes: &[u8]| Coord { longitude: degrees(&bytes[..8]), latitude: degrees(&bytes[8..]) };
    [origin.map(point), split_value(rest).0.map(point)]
}

/// The first value of encoded ones, and the rest.
pub(crate) fn split_value(values: &[u8]) -> (Option<&[u8]>, &[u8]) {
    let (value, rest) = values.split_at(value_length(values));
    let is_missing = value[..4] == (-1_i32).to_be_bytes();
    ((!is_missing).then_some(&value[4..]), rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::trip::Trip;

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
            block.push(&trip).expect("memory");
        }
        block.sort().expect("memory");
        block
    }

    /// Hundreds of blocks over the same time, as a large file in random order has them.
    #[test]
    fn the_first_stretch_is_as_long_as_the_others() {
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
