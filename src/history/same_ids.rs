//! The same id at another time: the unique index is by time first, so it does not find it.

use pgrx::check_for_interrupts;
use trips_core::model::partition_bounds::{Bound, PartitionBounds};
use trips_core::model::timestamp::Timestamp;
use trips_core::sort::ids::RunIds;

use super::bounds::partition_bounds;
use super::{History, KEY};
use crate::error::LoadError;
use crate::pg::index_scan::KeyScan;
use crate::pg::relation::Table;

const MICROS_PER_DAY: i64 = 86_400_000_000;
/// Entries of the index between two checks for interrupts.
const ENTRIES_AT_ONCE: u32 = 4096;

impl History {
    /// Notes the trips of the history whose ids a run has, from this many days before its first trip to as many after its
    /// last one. The cost is that of the entries of the primary keys in this window.
    pub fn find_same_ids(&self, ids: &mut RunIds, window_days: u16) -> Result<(), LoadError> {
        let Some((first, last)) = ids.time_range() else { return Ok(()) };
        let window = i64::from(window_days) * MICROS_PER_DAY;
        let first = Timestamp(first.0.saturating_sub(window));
        let last = Timestamp(last.0.saturating_add(window));
        for (partition, bounds, _) in partition_bounds() {
            if bounds.lower > Bound::At(last) || bounds.upper <= Bound::At(first) {
                continue;
            }
            let table = Table::open_oid_for_reading(partition);
            // No load has written into a partition without the key.
            if table.has_primary_key(&KEY) && !table.has_no_pages() {
                note(&table, bounds, (first, last), ids)?;
            }
        }
        Ok(())
    }
}

/// Notes the trips of a partition.
fn note(
    table: &Table,
    bounds: PartitionBounds,
    (first, last): (Timestamp, Timestamp),
    ids: &mut RunIds,
) -> Result<(), LoadError> {
    let first = match bounds.lower {
        Bound::At(lower) => lower.max(first),
        _ => first,
    };
    let mut keys = KeyScan::open(table);
    keys.seek(first.0, &[0; 16]);
    let mut left = ENTRIES_AT_ONCE;
    while let Some((micros, key)) = keys.advance() {
        if micros > last.0 {
            break;
        }
        left -= 1;
        if left == 0 {
            check_for_interrupts!();
            left = ENTRIES_AT_ONCE;
        }
        ids.existing(Timestamp(micros), &key)?;
    }
    Ok(())
}
