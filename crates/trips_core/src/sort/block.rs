//! A block: trips of one chunk, encoded, with an index of their times.

use std::collections::{HashSet, TryReserveError};

use crate::columns;
use crate::key;
use crate::model::timestamp::Timestamp;
use crate::model::trip::{MAX_TEXT, Trip};

/// The longest key part, without the bytes of its texts.
const FIXED_LEN: usize = columns::fixed_bytes(0, columns::KEY_COUNT);
/// Number of bits for the length of the key part in a row's lengths; the others are for the tail.
const KEY_BITS: u32 = 12;
/// The longest tail of a row.
pub const MAX_TAIL: usize = (1 << (u32::BITS - KEY_BITS)) - 1;

/// Memory of the grid point of a trip until its week is written.
const GRID_POINT_COST: usize = 24;

/// Bytes of a trip in the batch of its moment: its row, its group, and its count.
fn cost_of_moment(ranges: &[RowRange]) -> usize {
    Block::encoded_bytes(ranges) * 4 + ranges.len() * 300
}

/// The encoded values of a trip.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EncodedRow<'a> {
    /// All of them.
    pub(crate) bytes: &'a [u8],
    key_length: u32,
}

impl<'a> EncodedRow<'a> {
    /// What the key of the trip hashes.
    pub(crate) fn key_part(&self) -> &'a [u8] {
        &self.bytes[..self.key_length as usize]
    }

    /// Number of bytes of the tail, at most [`MAX_TAIL`].
    pub(crate) fn tail_length(&self) -> u32 {
        u32::try_from(self.tail().len()).unwrap_or(u32::MAX)
    }

    /// The columns after the key part; empty if all of them are NULL.
    pub(crate) fn tail(&self) -> &'a [u8] {
        &self.bytes[self.key_length as usize..]
    }
}

/// Position of the row of a trip in its block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RowRange {
    pub(crate) date_time: Timestamp,
    offset: u32,
    /// Length of the key part, in the lowest bits, and of the tail.
    lengths: u32,
}

impl RowRange {
    fn key_length(self) -> u32 {
        self.lengths & ((1 << KEY_BITS) - 1)
    }

    fn length(self) -> u32 {
        self.key_length() + (self.lengths >> KEY_BITS)
    }
}

/// Rows: the key part of each trip, as [`key::encode`] writes it, and its tail.
#[derive(Debug, Default)]
pub struct Block {
    values: Vec<u8>,
    ranges: Vec<RowRange>,
    has_tails: bool,
}

impl Block {
    /// The longest encoded trip.
    pub(crate) const MAX_ENCODED_TRIP: usize = FIXED_LEN + columns::key_texts() * MAX_TEXT;

    /// Adds a trip, with the encoded values of the columns after `load_id`, if it has any. A block is made of a few
    /// megabytes of a file, far below its limit of 4 GiB.
    ///
    /// # Errors
    /// When there is no memory.
    ///
    /// # Panics
    /// When the block is over 4 GiB, or the tail over [`MAX_TAIL`] bytes.
    pub fn push(&mut self, trip: &Trip<'_>, tail: &[u8]) -> Result<(), TryReserveError> {
        assert!(tail.len() <= MAX_TAIL, "a tail of {} bytes", tail.len());
        self.values.try_reserve(FIXED_LEN + trip.text_bytes() + tail.len())?;
        self.ranges.try_reserve(1)?;
        let offset = self.values.len();
        key::encode(trip, &mut self.values);
        let key_length = self.values.len() - offset;
        self.values.extend_from_slice(tail);
        self.has_tails |= !tail.is_empty();
        let lengths = key_length | tail.len() << KEY_BITS;
        self.ranges.push(RowRange {
            date_time: trip.date_time,
            offset: u32::try_from(offset).expect("a block is under 4 GiB"),
            lengths: u32::try_from(lengths).expect("both lengths have their bits"),
        });
        Ok(())
    }

    /// Sorts the trips by time, while they are in the processor's cache: a time range then reads them sequentially.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn sort(&mut self) -> Result<(), TryReserveError> {
        self.ranges.sort_unstable();
        let mut sorted = Vec::new();
        sorted.try_reserve_exact(self.values.len())?;
        let mut offset = 0;
        for range in &mut self.ranges {
            sorted.extend_from_slice(
                &self.values[range.offset as usize..][..range.length() as usize],
            );
            range.offset = offset;
            offset += range.length();
        }
        self.values = sorted;
        Ok(())
    }

    /// Keeps one of several equal trips of a sorted block; returns how many it has dropped.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn dedup(&mut self) -> Result<usize, TryReserveError> {
        let mut kept = Vec::new();
        kept.try_reserve_exact(self.ranges.len())?;
        // Equal trips have equal times, so they are adjacent.
        for same_time in self.ranges.chunk_by(|a, b| a.date_time == b.date_time) {
            if let [one] = same_time {
                kept.push(*one);
                continue;
            }
            let mut seen = HashSet::new();
            seen.try_reserve(same_time.len())?;
            kept.extend(same_time.iter().filter(|&&range| seen.insert(self.row(range).key_part())));
        }
        let dropped = self.ranges.len() - kept.len();
        if dropped > 0 {
            self.ranges = kept;
            // Dropped trips also leave the bytes.
            self.sort()?;
        }
        Ok(dropped)
    }

    /// Appends the trips of another block; the result is not sorted.
    ///
    /// # Errors
    /// When there is no memory.
    ///
    /// # Panics
    /// When the result is over 4 GiB.
    pub fn append(&mut self, other: &Self) -> Result<(), TryReserveError> {
        self.values.try_reserve(other.values.len())?;
        self.ranges.try_reserve(other.ranges.len())?;
        let behind = u32::try_from(self.values.len()).expect("a block is under 4 GiB");
        self.values.extend_from_slice(&other.values);
        u32::try_from(self.values.len()).expect("a block is under 4 GiB");
        let moved = |range: &RowRange| RowRange { offset: behind + range.offset, ..*range };
        self.ranges.extend(other.ranges.iter().map(moved));
        self.has_tails |= other.has_tails;
        Ok(())
    }

    /// The rows of a sorted block.
    pub(crate) fn rows(&self) -> impl Iterator<Item = EncodedRow<'_>> {
        self.ranges.iter().map(|&range| self.row(range))
    }

    /// Bytes of the rows in a part, where each tail has its length before it.
    pub(crate) fn part_bytes(&self) -> usize {
        self.values.len() + self.ranges.len() * size_of::<u32>()
    }

    /// Whether a trip had a tail.
    #[must_use]
    pub fn has_tails(&self) -> bool {
        self.has_tails
    }

    /// Number of its trips.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ranges.len()
    }

    /// Whether it has no trips.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Bytes of memory of the trips.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.values.len() + self.ranges.len() * size_of::<RowRange>()
    }

    /// Memory of a sorted block until its trips are written: itself, and the batch of the trips of one moment, which
    /// are always in one batch.
    #[must_use]
    pub fn cost(&self, keeps_grid_points: bool) -> usize {
        let moments = self.ranges.chunk_by(|a, b| a.date_time == b.date_time);
        let moment = moments.filter(|moment| moment.len() > 1).map(cost_of_moment).max();
        let ranges = if keeps_grid_points { self.len() * GRID_POINT_COST } else { 0 };
        self.bytes() + ranges + moment.unwrap_or(0)
    }

    /// Bytes of adjacent ranges of a sorted block.
    pub(crate) fn encoded_bytes(ranges: &[RowRange]) -> usize {
        let ends = ranges.first().zip(ranges.last());
        ends.map_or(0, |(first, last)| (last.offset + last.length() - first.offset) as usize)
    }

    /// Approximate bytes of a batch of some of its trips while it is made.
    pub(crate) fn cost_of_batch(ranges: &[RowRange]) -> usize {
        Self::encoded_bytes(ranges) * 2 + ranges.len() * 200
    }

    /// The ranges of a sorted block's trips.
    pub(crate) fn ranges(&self) -> &[RowRange] {
        &self.ranges
    }

    /// The trips of a sorted block from one time (None: the first) to before another (None: the last).
    pub(crate) fn between(&self, from: Option<Timestamp>, to: Option<Timestamp>) -> &[RowRange] {
        let before = |time: Timestamp| self.ranges.partition_point(|p| p.date_time < time);
        &self.ranges[from.map_or(0, before)..to.map_or(self.ranges.len(), before)]
    }

    /// A trip's row.
    pub(crate) fn row(&self, range: RowRange) -> EncodedRow<'_> {
        let bytes = &self.values[range.offset as usize..][..range.length() as usize];
        EncodedRow { bytes, key_length: range.key_length() }
    }
}

// A key part and a text fit their bits.
const _: () = assert!(Block::MAX_ENCODED_TRIP < 1 << KEY_BITS);
