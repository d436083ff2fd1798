//! What the ledger says of trips that were deleted on request.

use std::collections::BTreeMap;

use pgrx::Spi;
use pgrx::datum::{DatumWithOid, Timestamp as PgTimestamp};
use trips_core::check::conditions::Conditions;
use trips_core::model::timestamp::Timestamp;

use super::bigint;
use super::status::as_owner_of_failures;
use super::two_bigints;
use crate::error::LoadError;

/// Rows of a load that were deleted.
#[derive(Debug, Clone, Copy, Default)]
pub struct DeletedOfLoad {
    /// Trips of the history, also those that a later load has corrected.
    pub trips: u64,
    /// Staged rows.
    pub staged: u64,
}

/// Adds the numbers of deleted rows of loads.
pub fn add_deleted(of_loads: &BTreeMap<i64, DeletedOfLoad>) -> Result<(), LoadError> {
    const LOADS_AT_ONCE: usize = 10_000;
    let of_loads: Vec<(i64, DeletedOfLoad)> = of_loads.iter().map(|(l, d)| (*l, *d)).collect();
    for some in of_loads.chunks(LOADS_AT_ONCE) {
        // Arguments are made inside the connection, because its memory is freed with it.
        Spi::connect_mut(|client| {
            let loads: Vec<i64> = some.iter().map(|(load, _)| *load).collect();
            let trips: Vec<i64> = some.iter().map(|(_, rows)| bigint(rows.trips)).collect();
            let staged: Vec<i64> = some.iter().map(|(_, rows)| bigint(rows.staged)).collect();
            client.update(
                "UPDATE trips.loads AS l
                    SET rows_deleted = l.rows_deleted + d.trips,
                        -- Rows that were added to staging by hand are not among those of the load.
                        staged_deleted = least(l.staged_deleted + d.staged, l.rows_staged)
                   FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS d (load_id, trips, staged)
                  WHERE l.load_id = d.load_id",
                None,
                &[loads.into(), trips.into(), staged.into()],
            )?;
            Ok::<_, LoadError>(())
        })?;
    }
    Ok(())
}

/// When a load was requested, in UTC; None if there is no such load.
pub fn arrival_of(load_id: i64) -> Result<Option<Timestamp>, LoadError> {
    let query =
        "SELECT max(l.requested_at AT TIME ZONE 'UTC') FROM trips.loads AS l WHERE l.load_id = $1";
    let found = Spi::get_one_with_args::<PgTimestamp>(query, &[load_id.into()])?;
    Ok(found.map(|time| Timestamp(time.into())))
}

/// Deletes the complete errors of failed loads whose records may meet the conditions, and returns their number. A load
/// without the region or the datasource as an argument may have records of any. `trips.loads.error` stays: it has no
/// contents of files.
pub fn delete_failures(conditions: &Conditions) -> Result<u64, LoadError> {
    let Some(_owner) = as_owner_of_failures() else { return Ok(0) };
    let time = |time: Option<Timestamp>| time.and_then(|time| PgTimestamp::try_from(time.0).ok());
    let [region, datasource, trip_id] = conditions.texts();
    let args: [DatumWithOid<'_>; 5] = [
        region.into(),
        datasource.into(),
        trip_id.into(),
        time(conditions.since).into(),
        time(conditions.before).into(),
    ];
    let deleted = Spi::connect_mut(|client| {
        let query = "DELETE FROM trips_internal.load_failures AS f USING trips.loads AS l
              WHERE l.load_id = f.load_id
                AND ($1::text IS NULL OR coalesce(l.options ->> 'region' = $1, true))
                AND ($2::text IS NULL OR coalesce(l.options ->> 'datasource' = $2, true))
                AND ($3::text IS NULL OR strpos(concat_ws(' ', f.message, f.detail, f.context), $3) > 0)
                -- Local times are up to 14 hours ahead of UTC.
                AND ($4::timestamp IS NULL OR l.requested_at AT TIME ZONE 'UTC' + interval '1 day' >= $4)
                AND ($5::timestamp IS NULL OR l.requested_at AT TIME ZONE 'UTC' < $5)";
        Ok::<_, LoadError>(client.update(query, None, &args)?.len())
    })?;
    Ok(deleted as u64)
}

/// Fails if another load has staged rows since the snapshot of this transaction.
pub fn require_newest_staged() -> Result<(), LoadError> {
    const STATE: &std::ffi::CStr =
        c"SELECT count(*), coalesce(sum(rows_staged), 0)::bigint FROM trips.loads
           WHERE rows_staged > 0 AND $1 IS NOT NULL";
    let argument = || [Vec::<u8>::new().into()];
    let now = two_bigints(STATE, &argument());
    let then = Spi::connect(|client| {
        let query = STATE.to_str().unwrap_or_default();
        client.select(query, Some(1), &argument())?.first().get_two::<i64, i64>()
    })?;
    if now == then.0.zip(then.1) { Ok(()) } else { Err(LoadError::Serialization) }
}
