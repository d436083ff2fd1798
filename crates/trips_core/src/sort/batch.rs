//! A batch: all trips of a time range, as rows in the order of the history's primary key.
//!
//! Blocks arrive in the order of the file; batches leave in the order of the index. In between, the time of all blocks
//! is divided into ranges, and each range is keyed, sorted and deduplicated by itself, or its equal records are numbered.
//! Equal trips have equal times, so they are in the same range. A batch does not know the bounds of the history's partitions: its writer divides it
//! there.

mod found;
mod origin;

use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::TryReserveError;
use std::sync::Arc;

use crate::key::TripKey;
use crate::model::partition_bounds::{Bound, PartitionBounds};
use crate::model::timestamp::Timestamp;
use trips_areas::GridPoint;

use self::found::{Found, Keyed};
pub(crate) use self::origin::Origin;

use crate::columns;
use crate::sort::block::Block;
use crate::sort::groups::{GroupCache, Groups};
use crate::sort::row::RowRange;
pub use crate::sort::time_ranges::{TimeRange, time_ranges};
use crate::wire::copy_binary::values_of;

/// Length of a row in addition to its key part and its tail: the number of its columns, `trip_key`, `load_id`.
const ROW_OVERHEAD: usize = 2 + columns::fixed_bytes(columns::TRIP_KEY, columns::TAIL);

/// A trip in the order of the history's index, and its row in the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchEntry {
    /// When the trip began.
    pub date_time: Timestamp,
    /// Its key.
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
    /// Their regions and datasources, each once; also those of dropped duplicates.
    pub groups: Groups,
    /// Number of dropped duplicates.
    pub duplicates: usize,
    /// For each trip the key and the number of its occurrence; empty if equal records are one trip.
    pub(crate) occurrences: Vec<Occurrence>,
    /// The rows, the groups and the grid points are missing: see [`Batch::complete`].
    has_only_keys: bool,
    /// What it was built from, and the number of its time range.
    origin: Option<(Arc<Origin>, usize)>,
}

/// What a batch has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parts {
    /// The times and the keys of its trips. Groups and ends of rows are 0.
    Keys,
    /// The rows as well.
    Rows {
        /// Of this load.
        load_id: i64,
        /// The grid points, too.
        keeps_grid_points: bool,
    },
}

/// An equal record in the order of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Occurrence {
    /// The key of the first one.
    pub(crate) base: TripKey,
    /// Its number, from 1.
    pub(crate) number: u64,
}

impl Batch {
    /// Puts its trips into another order, with the keys of their entries in their rows.
    pub(crate) fn reorder(
        &mut self,
        order: impl ExactSizeIterator<Item = usize>,
    ) -> Result<(), TryReserveError> {
        let mut sorted = Self::default();
        sorted.rows.try_reserve_exact(self.rows.len())?;
        sorted.entries.try_reserve_exact(order.len())?;
        sorted.occurrences.try_reserve_exact(self.occurrences.len())?;
        sorted.grid_points.try_reserve_exact(self.grid_points.len())?;
        for i in order {
            let entry = self.entries[i];
            let begin = i.checked_sub(1).map_or(0, |before| self.entries[before].end as usize);
            let row = &self.rows[begin..entry.end as usize];
            let key_at = sorted.rows.len() + key_position(row);
            sorted.rows.extend_from_slice(row);
            sorted.rows[key_at..key_at + entry.key.len()].copy_from_slice(&entry.key);
            // All rows together are as long as before.
            let end = u32::try_from(sorted.rows.len()).unwrap_or(u32::MAX);
            sorted.entries.push(BatchEntry { end, ..entry });
            sorted.occurrences.extend(self.occurrences.get(i));
            sorted.grid_points.extend(self.grid_points.get(i));
        }
        sorted.groups = std::mem::take(&mut self.groups);
        sorted.duplicates = self.duplicates;
        sorted.origin = self.origin.take();
        *self = sorted;
        Ok(())
    }
}

/// The position of `trip_key` in a row.
fn key_position(row: &[u8]) -> usize {
    let values: [Option<&[u8]>; columns::KEY_COUNT] = values_of(&row[2..]);
    let bytes = |value: &Option<&[u8]>| 4 + value.map_or(0, <[u8]>::len);
    2 + values.iter().map(bytes).sum::<usize>() + 4
}

/// The blocks of a run, until all of its batches are made.
pub type RunBlocks = RefCell<Arc<Vec<Block>>>;

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

/// Number of columns of each row of a run: those of the tail are missing if no trip of its blocks has one.
#[must_use]
pub fn columns_of(blocks: &[Block]) -> usize {
    if blocks.iter().any(Block::has_tails) { columns::COUNT } else { columns::TAIL }
}

/// A block, and its trips of a time range.
pub(crate) type Slice<'b> = (&'b Block, &'b [RowRange]);

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
    let slices: Vec<Slice<'_>> =
        blocks.iter().map(|block| (block, block.between(time_range.0, time_range.1))).collect();
    build_of(blocks, slices, Parts::Rows { load_id, keeps_grid_points }, cache)
}

/// The same for the trips of a time range that were found before.
pub(crate) fn build_of(
    blocks: &[Block],
    slices: Vec<Slice<'_>>,
    parts: Parts,
    cache: &mut GroupCache,
) -> Result<Batch, TryReserveError> {
    let mut batch = Batch::default();
    let Found { mut trips, rows, bytes } = found::of(&slices, parts, (cache, &mut batch.groups))?;
    // Equal trips may have different tails: the first in the file stays.
    found::sort(&mut trips, &slices)?;
    let before = trips.len();
    if blocks.iter().any(Block::counts_occurrences) {
        batch.occurrences = found::number(&mut trips)?;
    } else {
        trips.dedup_by(|later, first| (later.0, &later.1) == (first.0, &first.1));
    }
    batch.duplicates = before - trips.len();
    batch.entries.try_reserve_exact(trips.len())?;
    match parts {
        Parts::Keys => {
            let entry =
                |(date_time, key, _): Keyed| BatchEntry { date_time, key, group: 0, end: 0 };
            batch.entries.extend(trips.into_iter().map(entry));
            batch.has_only_keys = true;
        }
        Parts::Rows { load_id, keeps_grid_points } => {
            let how = (columns_of(blocks), load_id, keeps_grid_points);
            found::write_rows(&mut batch, (&trips, &rows, bytes), how)?;
        }
    }
    Ok(batch)
}

#[cfg(test)]
mod tests;
