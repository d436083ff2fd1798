//! The ids of a run: the same id with other values, in the run itself or in the history.
//!
//! The unique index is by time first. So it does not find the same id at another time, and neither does a batch.
//! Each record is compared with the trips that are kept: those of the history, and those of earlier records. So neither
//! runs nor the times of other trips change the result: a file has the result of its parts, one after the other.

mod kept;
mod marks;
mod watch;

use std::collections::TryReserveError;

use self::kept::KeptTrips;
pub use self::marks::{Known, Marks};
use self::marks::{number_of, prefix_of};
pub use self::watch::{Outcome, Watch};
use crate::key::{SameId as Policy, TripKey};
use crate::model::timestamp::Timestamp;
use crate::sort::block::Block;

/// One of this many bits of the filter is set at most.
const FILTER_BITS_OF_AN_ID: usize = 16;
const MICROS_PER_DAY: i64 = 86_400_000_000;

/// A trip with the id of another one and other values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SameId {
    /// The first line of its record.
    pub line: u64,
    /// Where it is in the run.
    pub place: Place,
    /// Its key.
    pub key: TripKey,
    /// Its time.
    pub date_time: Timestamp,
    /// The time of the trip that stays.
    pub kept: Timestamp,
}

/// Where a trip is in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    block: u32,
    at: u32,
}

impl Place {
    /// The trip with this number in a block. A run has under 4 billion trips.
    fn of(block: usize, at: usize) -> Self {
        let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Self { block: number(block), at: number(at) }
    }

    /// Its block, by its number in the run.
    #[must_use]
    pub fn block(self) -> usize {
        self.block as usize
    }

    /// Its number in the block.
    #[must_use]
    pub fn at(self) -> usize {
        self.at as usize
    }
}

/// The ids of the trips of a run, to be compared with each other and with the history.
#[derive(Debug)]
pub struct RunIds {
    /// The prefix of each key above the number of its trip in the run; sorted.
    ids: Vec<u64>,
    /// A bit for each value of the last bytes of a key that occurs.
    filter: Vec<u64>,
    /// Trips that the history may have, whose keys the run has.
    existing: Vec<(Timestamp, TripKey)>,
    /// How many of them [`RunIds::known`] has shown, and a bit for each of these that the history has.
    shown: usize,
    there: Vec<u64>,
    /// A bit for each trip of the run: the history has it with the same time and the same values.
    equal: Vec<u64>,
    /// The number of the first trip of each block.
    starts: Vec<usize>,
    time_range: Option<(Timestamp, Timestamp)>,
    /// Two trips of one id are the same trip if their times are this close, microseconds.
    window: i64,
}

/// What becomes of the records of a run whose ids are known.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Resolved {
    /// Number of removed records that are duplicates.
    pub duplicates: u64,
    /// Number of records that correct a trip.
    pub corrected: u64,
    /// Records that are staged, in the order of the file.
    pub to_stage: Vec<SameId>,
    /// Trips of the history that leave it, because a record corrects them: their time and key, and the new time.
    pub replaced: Vec<(Timestamp, TripKey, Timestamp)>,
    /// Records that a later one of the run corrects, in the order of the file for each id, and the new time.
    pub passed: Vec<(Place, Timestamp)>,
    /// Records with other values than their trip in the history, which stays, and the time of that trip. They are the
    /// first records of the run of their trips.
    pub versions: Vec<(Place, Timestamp)>,
    /// The records that leave the run.
    removed: Vec<Place>,
}

impl Resolved {
    /// Removes the records that leave the run. No place is valid afterwards.
    pub fn apply(mut self, blocks: &mut [Block]) {
        self.removed.sort_unstable();
        for of_block in self.removed.chunk_by(|a, b| a.block == b.block) {
            let numbers: Vec<usize> = of_block.iter().map(|place| place.at()).collect();
            blocks[of_block[0].block()].remove(&numbers);
        }
    }
}

impl RunIds {
    /// Bytes of memory for a trip that the history has.
    pub const COST: usize = size_of::<u64>()
        + FILTER_BITS_OF_AN_ID / 4
        + size_of::<(Timestamp, TripKey)>()
        + size_of::<(Timestamp, TripKey, Timestamp)>();
    /// What becomes of it takes more, if it is staged.
    pub const MORE_IF_STAGED: usize =
        size_of::<SameId>() + size_of::<Place>() - size_of::<(Timestamp, TripKey, Timestamp)>();

    /// The ids of sorted blocks. Two trips of one id are the same trip if their times differ by this many days at most.
    ///
    /// # Errors
    /// When there is no memory.
    ///
    /// # Panics
    /// When a run has over 4 billion trips.
    pub fn of(blocks: &[Block], window_days: u16) -> Result<Self, TryReserveError> {
        let count = blocks.iter().map(Block::len).sum::<usize>();
        let words = (count * FILTER_BITS_OF_AN_ID / 64).next_power_of_two();
        let (mut ids, mut filter) = (Vec::new(), Vec::new());
        ids.try_reserve_exact(count)?;
        filter.try_reserve_exact(words)?;
        filter.resize(words, 0);
        let window = i64::from(window_days) * MICROS_PER_DAY;
        let mut equal = Vec::new();
        equal.try_reserve_exact(count / 64 + 1)?;
        equal.resize(count / 64 + 1, 0);
        let (existing, starts, there) = (Vec::new(), starts_of(blocks)?, Vec::new());
        let (shown, time_range) = (0, None);
        let mut run =
            Self { ids, filter, existing, shown, there, equal, starts, time_range, window };
        let mut number = 0_u32;
        for block in blocks {
            for row in block.rows() {
                let key = block.base_key(&row);
                run.ids.push(prefix_of(&key) << 32 | u64::from(number));
                let (word, bit) = run.place_in_filter(&key);
                run.filter[word] |= bit;
                number = number.checked_add(1).expect("a run has under 4 billion trips");
            }
            let ends = block.ranges().first().zip(block.ranges().last());
            if let Some((first, last)) = ends {
                let (from, to) = run.time_range.unwrap_or((first.date_time, last.date_time));
                run.time_range = Some((from.min(first.date_time), to.max(last.date_time)));
            }
        }
        run.ids.sort_unstable();
        marks::sort_large_groups(&mut run.ids, blocks, &run.starts)?;
        Ok(run)
    }

    /// The first and the last time of a trip that may be one of the run; None if the run has no trips.
    #[must_use]
    pub fn time_range(&self) -> Option<(Timestamp, Timestamp)> {
        let (first, last) = self.time_range?;
        let (first, last) =
            (first.0.saturating_sub(self.window), last.0.saturating_add(self.window));
        Some((Timestamp(first), Timestamp(last)))
    }

    /// Notes a trip of the history, if the run has its id.
    ///
    /// # Errors
    /// When there is no memory.
    #[inline]
    pub fn existing(&mut self, date_time: Timestamp, key: &TripKey) -> Result<(), TryReserveError> {
        let (word, bit) = self.place_in_filter(key);
        if self.filter[word] & bit == 0 {
            return Ok(());
        }
        if self.has_between(first_bytes(key), first_bytes(key)) {
            self.existing.try_reserve(1)?;
            self.existing.push((date_time, *key));
        }
        Ok(())
    }

    /// Whether the first bytes of a key of the run may be from the one to the other, inclusive: their prefixes are.
    pub(super) fn has_between(&self, from: u64, to: u64) -> bool {
        let at = self.ids.partition_point(|id| id >> 32 < from >> 32);
        self.ids.get(at).is_some_and(|id| id >> 32 <= to >> 32)
    }

    /// Number of its trips.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether it has no trips.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The trips of the history that may be those of the run, in the order of the index, and where to note those that it has.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn known(&mut self) -> Result<Known<'_>, TryReserveError> {
        self.existing.sort_unstable();
        self.existing.dedup();
        self.shown = self.existing.len();
        let words = self.shown.div_ceil(64);
        self.there.clear();
        self.there.try_reserve_exact(words)?;
        self.there.resize(words, 0);
        let Self { ids, existing, there, equal, starts, .. } = self;
        Ok((existing, Marks { ids, there, equal, starts }))
    }

    /// An earlier run, which only was compared, would have left this trip in the history.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn found_before(
        &mut self,
        blocks: &[Block],
        date_time: Timestamp,
        key: &TripKey,
        digest: u64,
    ) -> Result<(), TryReserveError> {
        self.existing.try_reserve(1)?;
        self.existing.push((date_time, *key));
        let Self { ids, there, equal, starts, .. } = self;
        let mut marks = Marks { ids, there, equal, starts };
        marks.note_equal(blocks, &(date_time, *key), |row| Ok(row.digest() == digest))
    }

    /// Whether a trip of the run may have this id.
    pub(super) fn may_have(&self, key: &TripKey) -> bool {
        let (word, bit) = self.place_in_filter(key);
        self.filter[word] & bit != 0 && self.has_between(first_bytes(key), first_bytes(key))
    }

    /// Decides on the records whose id a trip has within the window: one of the history, or one of an earlier record.
    /// An equal record is a duplicate. One with other values is what `policy` says. The other records stay in the run,
    /// and the first record that is equal to a trip of the history, which the batches find.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn resolve(self, blocks: &[Block], policy: Policy) -> Result<Resolved, TryReserveError> {
        self.resolve_seen(blocks, policy, &mut ())
    }

    /// The same. The other one sees what becomes of each record.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn resolve_seen(
        mut self,
        blocks: &[Block],
        policy: Policy,
        watch: &mut impl Watch,
    ) -> Result<Resolved, TryReserveError> {
        self.keep_found();
        let mut resolved = Resolved::default();
        let mut trips: Vec<(SameId, u32)> = Vec::new();
        let (mut same_prefix, mut history) = (self.ids.as_slice(), self.existing.as_slice());
        while let Some(&id) = same_prefix.first() {
            let prefix = id >> 32;
            let (group, rest) =
                split_at(same_prefix, same_prefix.iter().take_while(|id| *id >> 32 == prefix));
            same_prefix = rest;
            let before = history.iter().take_while(|(_, key)| prefix_of(key) < prefix);
            history = split_at(history, before).1;
            let of_prefix = history.iter().take_while(|(_, key)| prefix_of(key) == prefix);
            let (in_history, rest) = split_at(history, of_prefix);
            history = rest;
            if group.len() == 1 && in_history.is_empty() {
                let number = number_of(group[0]);
                watch.see(|| trip_of(blocks, position(&self.starts, number)), Outcome::New);
                continue;
            }
            trips.clear();
            trips.try_reserve(group.len())?;
            for &id in group {
                let number = number_of(id);
                trips.push((trip_of(blocks, position(&self.starts, number)), number));
            }
            // By key, then by the order of the file.
            trips.sort_unstable_by_key(|(trip, number)| (trip.key, trip.line, *number));
            for same_id in trips.chunk_by(|(a, _), (b, _)| a.key == b.key) {
                let history = times_of(in_history, &same_id[0].0.key);
                if same_id.len() > 1 || !history.is_empty() {
                    KeptTrips::of(history, self.window, policy).add(
                        blocks,
                        same_id,
                        &self.equal,
                        (&mut resolved, watch),
                    )?;
                } else {
                    watch.see(|| same_id[0].0, Outcome::New);
                }
            }
        }
        resolved.to_stage.sort_unstable_by_key(|same_id| (same_id.line, same_id.place));
        Ok(resolved)
    }

    /// Keeps the trips that the history has, by their keys.
    fn keep_found(&mut self) {
        let (shown, there) = (self.shown, &self.there);
        let mut number = 0;
        self.existing.retain(|_| {
            let stays = number >= shown || there[number / 64] >> (number % 64) & 1 == 1;
            number += 1;
            stays
        });
        self.shown = 0;
        self.existing.sort_unstable_by_key(|&(date_time, key)| (key, date_time));
    }

    #[inline]
    fn place_in_filter(&self, key: &TripKey) -> (usize, u64) {
        let last = key.last_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        // It has a power of two of words, at least one.
        let word = usize::try_from(last >> 6).unwrap_or(usize::MAX) & (self.filter.len() - 1);
        (word, 1 << (last & 63))
    }
}

/// The trips of a key among those of the history with its prefix.
fn times_of<'t>(
    in_history: &'t [(Timestamp, TripKey)],
    key: &TripKey,
) -> &'t [(Timestamp, TripKey)] {
    let from = in_history.partition_point(|(_, other)| other < key);
    let to = in_history.partition_point(|(_, other)| other <= key);
    &in_history[from..to]
}

/// Splits a slice behind its first elements, which are counted.
fn split_at<T, E>(slice: &[T], first: impl Iterator<Item = E>) -> (&[T], &[T]) {
    slice.split_at(first.count())
}

pub(super) fn first_bytes(key: &TripKey) -> u64 {
    key.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

/// The number of the first trip of each block.
fn starts_of(blocks: &[Block]) -> Result<Vec<usize>, TryReserveError> {
    let mut starts = Vec::new();
    starts.try_reserve_exact(blocks.len())?;
    let mut next = 0;
    for block in blocks {
        starts.push(next);
        next += block.len();
    }
    Ok(starts)
}

/// Where a trip of the run is, by its number.
fn position(starts: &[usize], number: u32) -> Place {
    let number = number as usize;
    // Blocks without trips begin where the one after them does.
    let block = starts.partition_point(|&start| start <= number).saturating_sub(1);
    Place::of(block, number - starts[block])
}

fn trip_of(blocks: &[Block], place: Place) -> SameId {
    let block = &blocks[place.block()];
    let range = block.ranges()[place.at()];
    let row = block.row(range);
    let line = row.identity().map_or(0, |identity| identity.line);
    let date_time = range.date_time;
    SameId { line, place, key: block.base_key(&row), date_time, kept: date_time }
}

#[cfg(test)]
mod tests;
