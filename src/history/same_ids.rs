//! The same id at another time: the unique index is by time first, so it does not find it.

use trips_core::key::TripKey;
use trips_core::model::partition_bounds::{Bound, PartitionBounds};
use trips_core::model::timestamp::Timestamp;

use super::bounds::partition_bounds;
use super::{History, KEY};
use crate::error::LoadError;
use crate::pg::index_scan::KeyScan;
use crate::pg::interrupts;
use crate::pg::relation::Table;

/// Entries of the index between two checks for interrupts.
const ENTRIES_AT_ONCE: u64 = 4096;

impl History {
    /// Shows the times and keys of the trips from one time to another, inclusive, and returns their number. The cost is
    /// that of the entries of the primary keys in this range.
    pub fn each_key(
        &self,
        (first, last): (Timestamp, Timestamp),
        mut each: impl FnMut(Timestamp, &TripKey) -> Result<(), LoadError>,
    ) -> Result<u64, LoadError> {
        let mut count = 0;
        if first > last {
            return Ok(count);
        }
        for (partition, bounds, _) in partition_bounds() {
            if bounds.lower > Bound::At(last) || bounds.upper <= Bound::At(first) {
                continue;
            }
            let table = Table::open_oid_for_reading(partition);
            // No load has written into a partition without the key.
            if table.has_primary_key(&KEY) && !table.has_no_pages() {
                count += each_of(&table, bounds, (first, last), &mut each)?;
            }
        }
        Ok(count)
    }
}

/// Shows the trips of a partition.
fn each_of(
    table: &Table,
    bounds: PartitionBounds,
    (first, last): (Timestamp, Timestamp),
    each: &mut impl FnMut(Timestamp, &TripKey) -> Result<(), LoadError>,
) -> Result<u64, LoadError> {
    let first = match bounds.lower {
        Bound::At(lower) => lower.max(first),
        _ => first,
    };
    let mut keys = KeyScan::open(table, false);
    keys.seek(first.0, &[0; 16]);
    let mut count = 0;
    while let Some((micros, key)) = keys.advance() {
        if micros > last.0 {
            break;
        }
        count += 1;
        if count % ENTRIES_AT_ONCE == 0 {
            interrupts::check();
        }
        each(Timestamp(micros), &key)?;
    }
    Ok(count)
}
