//! Trips are compared with the history, which does not change.

use std::collections::TryReserveError;

use trips_core::model::partition_bounds::Bound;
use trips_core::sort::batch::BatchEntry;

use super::bounds::route_of;
use super::existing_keys::ExistingKeys;
use super::{History, KEY};
use crate::pg::partitions::Detaching;
use crate::pg::relation::Table;

impl History {
    /// Says for each of these trips, which are in the order of the index, whether the history has it.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn compare(
        &self,
        entries: &[BatchEntry],
        mut each: impl FnMut(&BatchEntry, bool),
    ) -> Result<(), TryReserveError> {
        let mut rest = entries;
        while let Some(first) = rest.first() {
            let route = route_of(first.date_time, Detaching::Omitted);
            let upper = route.bounds().upper;
            let count = rest.partition_point(|entry| Bound::At(entry.date_time) < upper).max(1);
            let (within, after) = rest.split_at(count);
            rest = after;
            let table = route.partition().map(Table::open_oid_for_reading);
            let has_rows = |table: &Table| table.has_primary_key(&KEY) && !table.has_no_pages();
            let table = table.filter(has_rows);
            let mut known = table.as_ref().map(ExistingKeys::open);
            for entry in within {
                let known = known.as_mut().filter(|known| !known.is_over());
                each(entry, known.map_or(Ok(false), |known| known.has(entry))?);
            }
        }
        Ok(())
    }
}
