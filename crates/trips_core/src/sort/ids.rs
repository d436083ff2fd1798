//! The ids of a run: the same id at another time, in the run itself or in the history.
//!
//! The unique index is by time first. So it does not find the same id at another time, and neither does a batch.

use std::collections::TryReserveError;

use crate::key::TripKey;
use crate::model::timestamp::Timestamp;
use crate::sort::block::Block;

/// One of this many bits of the filter is set at most.
const FILTER_BITS_OF_AN_ID: usize = 16;

/// A trip whose id another one has, at another time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SameId {
    /// The first line of its record.
    pub line: u64,
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
}

impl RunIds {
    /// Bytes of memory for a trip.
    pub const COST: usize = size_of::<(u64, u32)>() + FILTER_BITS_OF_AN_ID / 4;

    /// The ids of sorted blocks.
    ///
    /// # Errors
    /// When there is no memory.
    ///
    /// # Panics
    /// When a run has over 4 billion trips.
    pub fn of(blocks: &[Block]) -> Result<Self, TryReserveError> {
        let count = blocks.iter().map(Block::len).sum::<usize>();
        let words = (count * FILTER_BITS_OF_AN_ID / 64).next_power_of_two();
        let (mut ids, mut filter) = (Vec::new(), Vec::new());
        ids.try_reserve_exact(count)?;
        filter.try_reserve_exact(words)?;
        filter.resize(words, 0);
        let mut run = Self { ids, filter, existing: Vec::new(), time_range: None };
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

    /// The first and the last time of its trips; None if it has no trips.
    #[must_use]
    pub fn time_range(&self) -> Option<(Timestamp, Timestamp)> {
        self.time_range
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

    /// Removes the trips of the run whose id the history has at another time, or an earlier record of the run. Returns
    /// them in the order of the file. An equal trip of the history is not another one: the batch compares it.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn remove_from(mut self, blocks: &mut [Block]) -> Result<Vec<SameId>, TryReserveError> {
        self.existing.sort_unstable();
        let starts = starts_of(blocks)?;
        let (mut removed, mut found) = (Vec::new(), Vec::new());
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
                trips.push(trip_of(&blocks[block], at));
            }
            // By key, then by the order of the file.
            let mut order: Vec<usize> = (0..trips.len()).collect();
            order.sort_unstable_by_key(|&i| (trips[i].key, trips[i].line));
            for same_id in order.chunk_by(|&a, &b| trips[a].key == trips[b].key) {
                let times = self.times_in_history(&trips[same_id[0]].key);
                let kept = times.first().map_or(trips[same_id[0]].date_time, |first| first.1);
                let stays = |time| {
                    if times.is_empty() { time == kept } else { times.iter().any(|t| t.1 == time) }
                };
                for &i in same_id.iter().filter(|&&i| !stays(trips[i].date_time)) {
                    removed.try_reserve(1)?;
                    found.try_reserve(1)?;
                    removed.push(position(&starts, group[i].1));
                    found.push(SameId { kept, ..trips[i] });
                }
            }
        }
        removed.sort_unstable();
        for of_block in removed.chunk_by(|a, b| a.0 == b.0) {
            let numbers: Vec<usize> = of_block.iter().map(|&(_, at)| at).collect();
            blocks[of_block[0].0].remove(&numbers);
        }
        found.sort_unstable_by_key(|same_id| same_id.line);
        Ok(found)
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

fn first_bytes(key: &TripKey) -> u64 {
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

fn trip_of(block: &Block, at: usize) -> SameId {
    let range = block.ranges()[at];
    let row = block.row(range);
    let line = row.identity().map_or(0, |identity| identity.line);
    let date_time = range.date_time;
    SameId { line, key: block.base_key(&row), date_time, kept: date_time }
}

#[cfg(test)]
mod tests;
