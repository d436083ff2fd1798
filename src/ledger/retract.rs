//! Ledger rows of loads that are retracted.

use pgrx::datum::DatumWithOid;
use pgrx::{Spi, pg_sys};

use super::{LoadRow, returned_row};
use crate::error::LoadError;

/// A load, as far as a retract needs it.
#[derive(Debug, Clone)]
pub struct Retractable {
    /// Its state.
    pub state: String,
    /// The requesting role, if it still exists with this name.
    pub role: Option<pg_sys::Oid>,
    /// Number of its trips, by its counts.
    pub trips: i64,
    /// The days of its trips.
    pub days: Vec<Days>,
}

/// A range of days since 2000-01-01, both ends inside; None is unbounded.
pub type Days = (Option<i32>, Option<i32>);

/// The row of a load. A locked row cannot change before the transaction ends.
pub fn find_to_retract(load_id: i64, locks: bool) -> Result<Option<Retractable>, LoadError> {
    let mut found = Spi::connect_mut(|client| {
        let lock = if locks { "FOR UPDATE" } else { "" };
        // The OID, because another role may have the name now; the name, because a restored OID may be another role's.
        let query = format!(
            "SELECT l.state, (SELECT r.oid FROM pg_roles AS r
                               WHERE r.oid = l.requested_by_oid AND r.rolname = l.requested_by),
                    l.rows_inserted + l.rows_corrected - l.rows_deleted
               FROM trips.loads AS l WHERE l.load_id = $1 {lock}"
        );
        let mut rows = client.update(&query, Some(1), &[load_id.into()])?;
        let Some(row) = rows.next() else { return Ok(None) };
        Ok::<_, LoadError>(Some(Retractable {
            state: row.get(1)?.unwrap_or_default(),
            role: row.get(2)?,
            trips: row.get(3)?.unwrap_or(0),
            days: Vec::new(),
        }))
    })?;
    if let Some(load) = found.as_mut().filter(|_| locks) {
        load.days = days_of(load_id)?;
    }
    Ok(found)
}

fn days_of(load_id: i64) -> Result<Vec<Days>, LoadError> {
    Spi::connect(|client| {
        let query =
            "SELECT lower(d.days) - date '2000-01-01', upper(d.days) - date '2000-01-01' - 1
                       FROM trips.loads AS l CROSS JOIN LATERAL unnest(l.days) AS d (days)
                      WHERE l.load_id = $1";
        let rows = client.select(query, None, &[load_id.into()])?;
        rows.map(|row| Ok((row.get(1)?, row.get(2)?))).collect()
    })
}

/// What a load gets from a retracted one. All of it was counted as duplicates.
#[derive(Debug, Clone, Copy, Default)]
pub struct Gained {
    /// Trips that it is the first to have inserted now.
    pub inserted: i64,
    /// Trips that it is the first to have corrected now.
    pub corrected: i64,
    /// Days of the trips, in addition to those of the retracted load.
    pub days: Option<(i32, i32)>,
}

/// Counts what a load gets from another. The days of its trips may be any of the other's.
pub fn take_over(load_id: i64, from: i64, gained: Gained) -> Result<(), LoadError> {
    let (first, last) = gained.days.unzip();
    let args: [DatumWithOid<'_>; 6] = [
        load_id.into(),
        from.into(),
        gained.inserted.into(),
        gained.corrected.into(),
        first.into(),
        last.into(),
    ];
    Ok(Spi::run_with_args(
        "UPDATE trips.loads AS l
            SET rows_inserted = l.rows_inserted + $3, rows_corrected = l.rows_corrected + $4,
                rows_duplicate = l.rows_duplicate - $3 - $4,
                days = (SELECT CASE WHEN count(*) > 1000 THEN datemultirange(range_merge(range_agg(r.days)))
                                    ELSE range_agg(r.days) END
                          FROM (SELECT unnest(o.days) FROM trips.loads AS o WHERE o.load_id IN ($1, $2)
                                UNION ALL
                                SELECT daterange(date '2000-01-01' + $5, date '2000-01-01' + $6 + 1)
                                 WHERE $5 IS NOT NULL) AS r (days))
          WHERE l.load_id = $1",
        &args,
    )?)
}

/// Records that a load is retracted. Its counts stay. Its bytes may be loaded again, unless a forced load has them: then
/// that one counts as the first.
pub fn record_retracted(load_id: i64, retracted_by: &str) -> Result<LoadRow, LoadError> {
    let row = returned_row(
        "UPDATE trips.loads AS l
            SET state = 'retracted', retracted_at = clock_timestamp(), retracted_by = $2
          WHERE l.load_id = $1
         RETURNING l",
        &[load_id.into(), retracted_by.into()],
    )?;
    Spi::run_with_args(
        "WITH forced AS (SELECT min(f.load_id) AS first FROM trips.loads AS f
                          WHERE f.same_as = $1 AND f.state = 'loaded')
         UPDATE trips.loads AS l SET same_as = nullif(forced.first, l.load_id)
           FROM forced WHERE l.same_as = $1 AND l.state = 'loaded'",
        &[load_id.into()],
    )?;
    Ok(row)
}

/// Whether the transaction's own snapshot is older than a commit that has changed a finished load: its trips, claims or
/// staged rows would be missing.
pub fn has_newer_changes() -> Result<bool, LoadError> {
    const STATE: &std::ffi::CStr =
        c"SELECT count(*), coalesce(sum(l.xmin::text::bigint), 0)::bigint FROM trips.loads AS l
           WHERE l.state IN ('loaded', 'retracted') AND $1 IS NOT NULL";
    let now = super::two_bigints(STATE, &[Vec::<u8>::new().into()]);
    let then = Spi::connect(|client| {
        let query = STATE.to_str().unwrap_or_default();
        client.select(query, Some(1), &[Vec::<u8>::new().into()])?.first().get_two::<i64, i64>()
    })?;
    Ok(now != then.0.zip(then.1))
}
