//! What the history has of the trips of a run.

use std::collections::TryReserveError;

use super::{number_of, position, prefix_of};
use crate::key::TripKey;
use crate::model::timestamp::Timestamp;
use crate::sort::block::Block;
use crate::sort::row::EncodedRow;

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
    /// The history has this trip, which has this number among those of [`RunIds::known`]. `values` returns its values, as
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
        for &id in self.ids[from..].iter().take_while(|id| *id >> 32 == prefix) {
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
