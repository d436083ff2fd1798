//! The ids of a run: the same id at another time, in the run itself or in the history.
//!
//! The unique index is by time first. So it does not find the same id at another time, and neither does a batch.
//! Each record is compared with the trips that are kept: those of the history, and those of earlier records. So neither
//! runs nor the times of other trips change the result.

use std::collections::{HashMap, TryReserveError};

use crate::key::TripKey;
use crate::model::timestamp::Timestamp;
use crate::sort::block::Block;

/// One of this many bits of the filter is set at most.
const FILTER_BITS_OF_AN_ID: usize = 16;
const MICROS_PER_DAY: i64 = 86_400_000_000;

/// A trip whose id another one has, at another time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SameId {
    /// The first line of its record.
    pub line: u64,
    /// Its block, by its number in the run.
    pub block: usize,
    /// Its key.
    pub key: TripKey,
    /// Its time.
    pub date_time: Timestamp,
    /// The time of the trip that stays.
    pub kept: Timestamp,
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
    time_range: Option<(Timestamp, Timestamp)>,
    /// Two trips of one id are the same trip if their times are this close, microseconds.
    window: i64,
}

/// The trips of a run that were removed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Their number.
    pub count: usize,
    /// The trips in the order of the file, if they are wanted.
    pub trips: Vec<SameId>,
}

impl RunIds {
    /// Bytes of memory for a trip that the history has.
    pub const COST: usize =
        size_of::<(u64, u32)>() + FILTER_BITS_OF_AN_ID / 4 + size_of::<(TripKey, Timestamp)>();

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
        let mut run = Self { ids, filter, existing: Vec::new(), time_range: None, window };
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

    /// Removes the trips of the run whose id a kept trip has at another time, within the window: a trip of the history,
    /// or one of an earlier record. An equal trip is not another one: the batch compares it. `wants_trips` says whether
    /// the removed trips are returned.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn remove_from(
        mut self,
        blocks: &mut [Block],
        wants_trips: bool,
    ) -> Result<Removed, TryReserveError> {
        self.existing.sort_unstable();
        self.existing.dedup();
        let starts = starts_of(blocks)?;
        let (mut positions, mut removed) = (Vec::new(), Removed::default());
        let mut trips: Vec<SameId> = Vec::new();
        let mut same_first = self.ids.as_slice();
        while let Some(&(first, _)) = same_first.first() {
            let end = same_first.iter().take_while(|id| id.0 == first).count();
            let (group, rest) = same_first.split_at(end);
            same_first = rest;
            let in_history = self.existing.partition_point(|(key, _)| first_bytes(key) < first);
            let is_known =
                self.existing.get(in_history).is_some_and(|(key, _)| first_bytes(key) == first);
            if group.len() == 1 && !is_known {
                continue;
            }
            trips.clear();
            trips.try_reserve(group.len())?;
            for &(_, number) in group {
                let (block, at) = position(&starts, number);
                trips.push(trip_of(blocks, block, at));
            }
            // By key, then by the order of the file.
            let mut order: Vec<usize> = (0..trips.len()).collect();
            order.sort_unstable_by_key(|&i| (trips[i].key, trips[i].line, i));
            for same_id in order.chunk_by(|&a, &b| trips[a].key == trips[b].key) {
                let history = self.times_in_history(&trips[same_id[0]].key);
                let mut kept = KeptTimes::of(history, self.window, same_id.len())?;
                for &i in same_id {
                    let Some(kept) = kept.other_than(trips[i].date_time) else { continue };
                    positions.try_reserve(1)?;
                    positions.push(position(&starts, group[i].1));
                    if wants_trips {
                        removed.trips.try_reserve(1)?;
                        removed.trips.push(SameId { kept, ..trips[i] });
                    }
                }
            }
        }
        removed.count = positions.len();
        positions.sort_unstable();
        for of_block in positions.chunk_by(|a, b| a.0 == b.0) {
            let numbers: Vec<usize> = of_block.iter().map(|&(_, at)| at).collect();
            blocks[of_block[0].0].remove(&numbers);
        }
        removed.trips.sort_unstable_by_key(|same_id| (same_id.line, same_id.block));
        Ok(removed)
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

/// The block of a trip of the run, and its number there.
fn position(starts: &[usize], number: u32) -> (usize, usize) {
    let number = number as usize;
    // Blocks without trips begin where the one after them does.
    let block = starts.partition_point(|&start| start <= number).saturating_sub(1);
    (block, number - starts[block])
}

fn trip_of(blocks: &[Block], number: usize, at: usize) -> SameId {
    let block = &blocks[number];
    let range = block.ranges()[at];
    let row = block.row(range);
    let line = row.identity().map_or(0, |identity| identity.line);
    let date_time = range.date_time;
    SameId { line, block: number, key: block.base_key(&row), date_time, kept: date_time }
}

/// The times of the kept trips of one id.
struct KeptTimes<'h> {
    /// Those of the history, sorted.
    history: &'h [(TripKey, Timestamp)],
    window: i64,
    /// Those of the run. Two times of one part differ by the window at most, so each part has one of them.
    run: HashMap<i64, Timestamp>,
}

impl<'h> KeptTimes<'h> {
    /// Those of the history; the run has so many records of the id.
    fn of(
        history: &'h [(TripKey, Timestamp)],
        window: i64,
        records: usize,
    ) -> Result<Self, TryReserveError> {
        let mut run = HashMap::new();
        // A single record is compared with the history only.
        run.try_reserve(if records > 1 { records } else { 0 })?;
        Ok(Self { history, window, run })
    }

    /// The time of a kept trip, if this time is another one within its window. If there is no kept trip, this one is kept.
    fn other_than(&mut self, time: Timestamp) -> Option<Timestamp> {
        let from = Timestamp(time.0.saturating_sub(self.window));
        let to = Timestamp(time.0.saturating_add(self.window));
        let after = |bound| self.history.partition_point(|&(_, kept)| kept < bound);
        let equal = self.history.get(after(time)).is_some_and(|&(_, kept)| kept == time);
        let part = time.0.div_euclid(self.window + 1);
        if equal || self.run.get(&part) == Some(&time) {
            return None;
        }
        let in_history = self.history.get(after(from)).map(|&(_, kept)| kept);
        let in_run = (part - 1..=part + 1).filter_map(|part| self.run.get(&part).copied());
        let near = in_history.into_iter().chain(in_run).find(|kept| (from..=to).contains(kept));
        if near.is_none() && self.run.capacity() > 0 {
            self.run.insert(part, time);
        }
        near
    }
}

#[cfg(test)]
mod tests;
