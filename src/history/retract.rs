//! The trips of a load are deleted.

use pgrx::datum::{DatumWithOid, Timestamp as PgTimestamp};
use pgrx::{Spi, pg_sys};
use trips_core::model::timestamp::Timestamp;

use super::Days;
use super::bounds::partition_bounds;
use super::pending_counts::PendingCounts;
use crate::error::LoadError;
use crate::pg::interrupts;
use crate::pg::relation::{Table, name_of};
use crate::pg::table_locks::{self, Mode};

const MICROSECONDS_OF_DAY: i64 = 86_400_000_000;
/// Where trips of other loads are looked for before all of a partition is read: its first trips and its last pages.
const PROBED_TRIPS: u32 = 1000;
const PROBED_PAGES: u32 = 20;

/// Removes or changes trips. The days that must be counted again are returned.
pub fn while_removing<T>(
    work: impl FnOnce() -> Result<T, LoadError>,
) -> Result<(T, Vec<Days>), LoadError> {
    let pending = PendingCounts::begin();
    let result = work()?;
    Ok((result, pending.end(Vec::new())))
}

/// Deletes the trips of a load on these days, or on all days, and returns their number. A partition without other trips is
/// truncated, if no other session uses it.
pub fn delete_trips_of(load_id: i64, days: &[Days]) -> Result<i64, LoadError> {
    let mut deleted = 0;
    let first = days.iter().map(|days| days.first.unwrap_or(i32::MIN)).min();
    let last = days.iter().map(|days| days.last.unwrap_or(i32::MAX)).max();
    let (Some(first), Some(last)) = (first, last) else { return Ok(0) };
    let mut seen = Vec::new();
    for (oid, bounds, is_default) in partition_bounds() {
        interrupts::check();
        let (from, to) = bounds.first_and_last();
        let from = from.map_or(i32::MIN, Timestamp::day);
        let to = to.map_or(i32::MAX, Timestamp::day);
        let has = |days: &Days| {
            days.first.unwrap_or(i32::MIN) <= to && days.last.unwrap_or(i32::MAX) >= from
        };
        // The default partition has several gaps.
        if seen.contains(&oid) || !is_default && !days.iter().any(has) {
            continue;
        }
        seen.push(oid);
        deleted += delete_from(oid, load_id, (first, last))?;
    }
    Ok(deleted)
}

/// Deletes the trips of a load from a partition.
fn delete_from(
    oid: pg_sys::Oid,
    load_id: i64,
    (first, last): (i32, i32),
) -> Result<i64, LoadError> {
    table_locks::lock_with_indexes(oid, Mode::RowExclusive)?;
    let name = name_of(oid);
    let is_plain = {
        let table = Table::open_oid_for_reading(oid);
        if table.has_no_pages() {
            return Ok(0);
        }
        !table.has_user_triggers()
    };
    if is_plain && let Some(count) = count_if_alone(&name, oid, load_id)? {
        if count > 0 {
            // Readers with an older snapshot see an empty partition: docs/retract.md.
            Spi::run(&format!("TRUNCATE ONLY {name}"))?;
        }
        return Ok(count);
    }
    let (mut within, mut args) = (String::new(), vec![DatumWithOid::from(load_id)]);
    for (day, after, comparison) in [(first, 0, ">="), (last, 1, "<")] {
        let micros = (i64::from(day) + after).checked_mul(MICROSECONDS_OF_DAY);
        if let Some(time) = micros.and_then(|micros| PgTimestamp::try_from(micros).ok()) {
            args.push(time.into());
            within += &format!(" AND p.date_time {comparison} ${}", args.len());
        }
    }
    Spi::connect_mut(|client| {
        let delete = format!("DELETE FROM ONLY {name} AS p WHERE p.load_id = $1{within}");
        let deleted = client.update(&delete, None, &args)?.len();
        Ok(i64::try_from(deleted).unwrap_or(i64::MAX))
    })
}

/// The number of trips of the partition, if all of them are of this load, and this session can truncate it.
pub(super) fn count_if_alone(
    name: &str,
    oid: pg_sys::Oid,
    load_id: i64,
) -> Result<Option<i64>, LoadError> {
    let last = Table::open_oid_for_reading(oid).pages().saturating_sub(PROBED_PAGES);
    // Trips of other loads are before those of this load or behind them: a few pages show that, and spare the scan of all.
    let others = format!(
        "SELECT EXISTS (SELECT FROM pg_constraint AS k WHERE k.confrelid = $2)
             OR EXISTS (SELECT FROM pg_publication AS p WHERE NOT p.pubtruncate)
             OR EXISTS (SELECT FROM (SELECT p.load_id FROM ONLY {name} AS p LIMIT {PROBED_TRIPS}) AS p WHERE p.load_id IS DISTINCT FROM $1)
             OR EXISTS (SELECT FROM ONLY {name} AS p WHERE p.ctid >= '({last},0)' AND p.load_id IS DISTINCT FROM $1)"
    );
    let has = Spi::get_one_with_args::<bool>(&others, &[load_id.into(), oid.into()])?;
    if has != Some(false) || !table_locks::try_lock(oid, Mode::AccessExclusive) {
        return Ok(None);
    }
    // Under the lock, which excludes trips that are inserted by hand.
    let counts = format!(
        "SELECT count(*), count(*) FILTER (WHERE p.load_id IS DISTINCT FROM $1) FROM ONLY {name} AS p"
    );
    // Without a limit of rows: with one, PostgreSQL starts no parallel workers.
    let (count, others) = Spi::connect(|client| {
        client.select(&counts, None, &[load_id.into()])?.first().get_two::<i64, i64>()
    })?;
    Ok(count.filter(|_| others == Some(0)))
}
