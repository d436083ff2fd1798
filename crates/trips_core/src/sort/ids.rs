//! The ids of a run: the same id with other values, in the run itself or in the history.
//!
//! The unique index is by time first. So it does not find the same id at another time, and neither does a batch.
//! Each record is compared with the trips that are kept: those of the history, and those of earlier records. So neither
//! runs nor the times of other trips change the result: a file has the result of its parts, one after the other.

mod kept;
mod watch;

use std::collections::TryReserveError;

use self::kept::KeptTrips;
pub use self::watch::{Outcome, Watch};
use crate::key::{SameId as Policy, TripKey};
use crate::model::timestamp::Timestamp;
use crate::sort::block::Block;
use crate::sort::row::EncodedRow;

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
    /// Its block, by its number in the run.
    pub block: usize,
    /// Its number in the block.
    pub at: usize,
}

/// The ids of the trips of a run, to be compared with each other and with the history.
#[derive(Debug)]
pub struct RunIds {
    /// The first bytes of each key, and the number of its trip in the run; sorted.
    ids: Vec<(u64, u32)>,
    /// A bit for each value of the last bytes of a key that occurs.
    filter: Vec<u64>,
    /// Keys of the run that the history has, and their times there.
    existing: Vec<(TripKey, Timestamp)>,
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
            let numbers: Vec<usize> = of_block.iter().map(|place| place.at).collect();
            blocks[of_block[0].block].remove(&numbers);
        }
    }
}

impl RunIds {
    /// Bytes of memory for a trip that the history has.
    pub const COST: usize = size_of::<(u64, u32)>()
        + FILTER_BITS_OF_AN_ID / 4
        + 2 * size_of::<(TripKey, Timestamp)>()
        // What becomes of it: its place, and where it was in the history.
        + size_of::<Place>()
        + size_of::<(Timestamp, TripKey, Timestamp)>();

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
        let (existing, starts) = (Vec::new(), starts_of(blocks)?);
        let mut run = Self { ids, filter, existing, equal, starts, time_range: None, window };
        let mut number = 0_u32;
        for block in blocks {
            for row in block.rows() {
                let key = block.base_key(&row);
                run.ids.push((first_bytes(&key), number));
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
        let first = first_bytes(key);
        let at = self.ids.partition_point(|id| id.0 < first);
        if self.ids.get(at).is_some_and(|id| id.0 == first) {
            self.existing.try_reserve(1)?;
            self.existing.push((*key, date_time));
        }
        Ok(())
    }

    /// Whether the first bytes of a key of the run are from the one to the other, inclusive.
    pub(super) fn has_between(&self, from: u64, to: u64) -> bool {
        let at = self.ids.partition_point(|id| id.0 < from);
        self.ids.get(at).is_some_and(|id| id.0 <= to)
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

    /// The trips of the history that may be those of the run, in the order of the index.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn known(&mut self) -> Result<Vec<(Timestamp, TripKey)>, TryReserveError> {
        self.existing.sort_unstable();
        self.existing.dedup();
        let mut known = Vec::new();
        known.try_reserve_exact(self.existing.len())?;
        known.extend(self.existing.iter().map(|&(key, date_time)| (date_time, key)));
        known.sort_unstable();
        self.existing.clear();
        Ok(known)
    }

    /// The history has this trip of [`RunIds::known`]. `values` returns its values, as `EncodedRow::is_equal` compares
    /// them: it is called if the run has a record of the same time.
    ///
    /// # Errors
    /// When there is no memory; those of `values`.
    pub fn found<'v, E: From<TryReserveError>>(
        &mut self,
        blocks: &[Block],
        (date_time, key): &(Timestamp, TripKey),
        values: impl FnOnce() -> Result<&'v [u8], E>,
    ) -> Result<(), E> {
        let (mut values, mut stored) = (Some(values), &[][..]);
        self.found_if(blocks, (*date_time, key), |row| {
            if let Some(values) = values.take() {
                stored = values()?;
            }
            Ok(row.is_equal(stored))
        })
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
        self.found_if(blocks, (date_time, key), |row| Ok(row.digest() == digest))
    }

    fn found_if<E: From<TryReserveError>>(
        &mut self,
        blocks: &[Block],
        (date_time, key): (Timestamp, &TripKey),
        mut is_equal: impl FnMut(&EncodedRow<'_>) -> Result<bool, E>,
    ) -> Result<(), E> {
        self.existing.try_reserve(1)?;
        self.existing.push((*key, date_time));
        let first = first_bytes(key);
        let from = self.ids.partition_point(|id| id.0 < first);
        for &(other, number) in &self.ids[from..] {
            if other != first {
                break;
            }
            let place = position(&self.starts, number);
            let block = &blocks[place.block];
            let range = block.ranges()[place.at];
            let row = block.row(range);
            let is_of_trip = range.date_time == date_time && block.base_key(&row) == *key;
            if is_of_trip && is_equal(&row)? {
                self.equal[number as usize / 64] |= 1 << (number % 64);
            }
        }
        Ok(())
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
        self.existing.sort_unstable();
        let mut resolved = Resolved::default();
        let mut trips: Vec<(SameId, u32)> = Vec::new();
        let mut same_first = self.ids.as_slice();
        while let Some(&(first, _)) = same_first.first() {
            let end = same_first.iter().take_while(|id| id.0 == first).count();
            let (group, rest) = same_first.split_at(end);
            same_first = rest;
            let in_history = self.existing.partition_point(|(key, _)| first_bytes(key) < first);
            let is_known =
                self.existing.get(in_history).is_some_and(|(key, _)| first_bytes(key) == first);
            if group.len() == 1 && !is_known {
                watch.see(|| trip_of(blocks, position(&self.starts, group[0].1)), Outcome::New);
                continue;
            }
            trips.clear();
            trips.try_reserve(group.len())?;
            for &(_, number) in group {
                trips.push((trip_of(blocks, position(&self.starts, number)), number));
            }
            // By key, then by the order of the file.
            trips.sort_unstable_by_key(|(trip, number)| (trip.key, trip.line, *number));
            for same_id in trips.chunk_by(|(a, _), (b, _)| a.key == b.key) {
                let history = self.times_in_history(&same_id[0].0.key);
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

    fn times_in_history(&self, key: &TripKey) -> &[(TripKey, Timestamp)] {
        let from = self.existing.partition_point(|(other, _)| other < key);
        let to = self.existing.partition_point(|(other, _)| other <= key);
        &self.existing[from..to]
    }

    #[inline]
    fn place_in_filter(&self, key: &TripKey) -> (usize, u64) {
        let last = key.last_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        // It has a power of two of words, at least one.
        let word = usize::try_from(last >> 6).unwrap_or(usize::MAX) & (self.filter.len() - 1);
        (word, 1 << (last & 63))
    }
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
    Place { block, at: number - starts[block] }
}

fn trip_of(blocks: &[Block], place: Place) -> SameId {
    let block = &blocks[place.block];
    let range = block.ranges()[place.at];
    let row = block.row(range);
    let line = row.identity().map_or(0, |identity| identity.line);
    let date_time = range.date_time;
    SameId { line, place, key: block.base_key(&row), date_time, kept: date_time }
}

#[cfg(test)]
mod tests;
