//! The rows of trips whose keys are known: a load compares records of the same ids with them.

use std::ops::Range;

use trips_core::columns::{KEY_COUNT, TAIL};
use trips_core::key::TripKey;
use trips_core::model::partition_bounds::{Bound, PartitionBounds};
use trips_core::model::timestamp::Timestamp;

use super::bounds::partition_bounds;
use super::existing_keys::ExistingKeys;
use super::{COLUMNS, History, KEY};
use crate::error::LoadError;
use crate::pg::interrupts;
use crate::pg::relation::{Attribute, Table};
use crate::pg::stored_row::StoredColumns;

/// Trips between two checks for interrupts.
const TRIPS_AT_ONCE: usize = 4096;

/// A trip of the history whose key was found.
pub struct KnownRow<'k, 't> {
    keys: &'k mut ExistingKeys<'t>,
    columns: &'k StoredColumns,
    values: &'k mut Vec<u8>,
}

impl<'k> KnownRow<'k, '_> {
    /// Its values as a run encodes them: the key part, then the tail.
    pub fn values(self) -> Result<&'k [u8], LoadError> {
        self.keys.read_row(self.columns, self.values)?;
        Ok(self.values)
    }
}

impl History {
    /// Shows those of these trips that the history has, by their numbers. They are in the order of the index, and so are
    /// shown those of each partition.
    pub fn each_known(
        &self,
        wanted: &[(Timestamp, TripKey)],
        mut each: impl FnMut(usize, KnownRow<'_, '_>) -> Result<(), LoadError>,
    ) -> Result<(), LoadError> {
        let values: Vec<Attribute> = [&COLUMNS[..KEY_COUNT], &COLUMNS[TAIL..]].concat();
        for (partition, bounds, is_default) in partition_bounds() {
            let of_partition = if is_default { 0..wanted.len() } else { within(wanted, bounds) };
            if of_partition.is_empty() {
                continue;
            }
            interrupts::check();
            let table = Table::open_oid_for_reading(partition);
            // No load has written into a partition without the key or the columns.
            if !table.has_primary_key(&KEY) || table.has_no_pages() {
                continue;
            }
            let Some(columns) = StoredColumns::of(&table, &values) else { continue };
            let (mut keys, mut values) = (ExistingKeys::open_with_rows(&table), Vec::new());
            for number in of_partition {
                if number % TRIPS_AT_ONCE == 0 {
                    interrupts::check();
                }
                let (date_time, key) = &wanted[number];
                if keys.has_key(*date_time, key)? {
                    let (keys, columns, values) = (&mut keys, &columns, &mut values);
                    each(number, KnownRow { keys, columns, values })?;
                }
            }
        }
        Ok(())
    }
}

/// The numbers of those of some trips, in the order of their times, that are within these bounds.
pub fn within(trips: &[(Timestamp, TripKey)], bounds: PartitionBounds) -> Range<usize> {
    let from = trips.partition_point(|(time, _)| Bound::At(*time) < bounds.lower);
    let to = trips.partition_point(|(time, _)| Bound::At(*time) < bounds.upper);
    from..to
}
