//! What the history has of the trips of a run.

use std::collections::TryReserveError;

use super::{first_bytes, position};
use crate::key::TripKey;
use crate::model::timestamp::Timestamp;
use crate::sort::block::Block;
use crate::sort::row::EncodedRow;

/// Ids of one prefix that are compared one by one. More of them are in the order of their times: a feed may have one id for
/// all trips of a vehicle.
const LARGE: usize = 16;

/// Trips that the history may have, and where to note those that it has.
pub type Known<'r> = (&'r [(Timestamp, TripKey)], Marks<'r>);

/// Notes what the history has.
#[derive(Debug)]
pub struct Marks<'r> {
    pub(super) ids: &'r [u64],
    pub(super) there: &'r mut [u64],
    pub(super) equal: &'r mut [u64],
    pub(super) starts: &'r [usize],
}

impl Marks<'_> {
    /// The history has this trip, which has this number among those of [`super::RunIds::known`]. `values` returns its values, as
    /// `EncodedRow::is_equal` compares them: it is called if the run has a record of the same time.
    ///
    /// # Errors
    /// When there is no memory; those of `values`.
    pub fn found<'v, E: From<TryReserveError>>(
        &mut self,
        blocks: &[Block],
        (number, trip): (usize, &(Timestamp, TripKey)),
        values: impl FnOnce() -> Result<&'v [u8], E>,
    ) -> Result<(), E> {
        self.there[number / 64] |= 1 << (number % 64);
        let (mut values, mut stored) = (Some(values), &[][..]);
        self.note_equal(blocks, trip, |row| {
            if let Some(values) = values.take() {
                stored = values()?;
            }
            Ok(row.is_equal(stored))
        })
    }

    /// Notes the records of the same key, time and values.
    pub(super) fn note_equal<E>(
        &mut self,
        blocks: &[Block],
        (date_time, key): &(Timestamp, TripKey),
        mut is_equal: impl FnMut(&EncodedRow<'_>) -> Result<bool, E>,
    ) -> Result<(), E> {
        let prefix = prefix_of(key);
        let from = self.ids.partition_point(|id| id >> 32 < prefix);
        let mut group = &self.ids[from..];
        group = &group[..group.partition_point(|id| id >> 32 == prefix)];
        if group.len() > LARGE {
            let order = |id: &u64| time_and_key(blocks, self.starts, *id);
            let from = group.partition_point(|id| order(id) < (*date_time, *key));
            let to = group.partition_point(|id| order(id) <= (*date_time, *key));
            group = &group[from..to];
        }
        for &id in group {
            let number = number_of(id);
            let place = position(self.starts, number);
            let block = &blocks[place.block()];
            let range = block.ranges()[place.at()];
            let row = block.row(range);
            let is_of_trip = range.date_time == *date_time && block.base_key(&row) == *key;
            if is_of_trip && is_equal(&row)? {
                self.equal[number as usize / 64] |= 1 << (number % 64);
            }
        }
        Ok(())
    }
}

/// Sorts large groups of ids of one prefix by time and key.
pub(super) fn sort_large_groups(
    ids: &mut [u64],
    blocks: &[Block],
    starts: &[usize],
) -> Result<(), TryReserveError> {
    let mut sorted = Vec::new();
    let groups = ids.chunk_by_mut(|a, b| *a >> 32 == *b >> 32);
    for group in groups.filter(|group| group.len() > LARGE) {
        sorted.clear();
        sorted.try_reserve(group.len())?;
        sorted.extend(group.iter().map(|&id| (time_and_key(blocks, starts, id), id)));
        sorted.sort_unstable();
        for (id, (_, of_order)) in group.iter_mut().zip(&sorted) {
            *id = *of_order;
        }
    }
    Ok(())
}

fn time_and_key(blocks: &[Block], starts: &[usize], id: u64) -> (Timestamp, TripKey) {
    let place = position(starts, number_of(id));
    let block = &blocks[place.block()];
    let range = block.ranges()[place.at()];
    (range.date_time, block.base_key(&block.row(range)))
}

/// The first four bytes.
pub(super) fn prefix_of(key: &TripKey) -> u64 {
    first_bytes(key) >> 32
}

/// The number of a trip, below the prefix of its key.
pub(super) fn number_of(id: u64) -> u32 {
    #[allow(clippy::cast_possible_truncation, reason = "the lower half")]
    let number = id as u32;
    number
}
