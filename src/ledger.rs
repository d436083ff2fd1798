//! The ledger `trips.loads`: one row per load.

mod deletion;
mod failure;
mod members;
mod retract;
mod status;
mod types;

use std::ffi::CStr;

use pgrx::datum::{DatumWithOid, TimestampWithTimeZone};
use pgrx::heap_tuple::PgHeapTuple;
use pgrx::{AllocatedByRust, Spi, pg_sys};
use trips_core::feed::choice::Options;
use trips_core::key::SameId;

use crate::error::{LoadError, RequestError, StagedError};
use crate::pg::plans::{Kept, Sql};
use crate::pg::relation::Table;
use crate::pg::row::row_type;
use crate::pg::session::{self, RunsAsOwner};
use crate::pg::spi::{self, Snapshot};

pub use self::deletion::{
    DeletedOfLoad, add_deleted, arrival_of, delete_failures, require_newest_staged,
};
pub use self::failure::LoadFailure;
pub use self::members::{LoadMember, record_members};
pub use self::retract::{
    Gained, Retractable, find_to_retract, has_newer_changes, record_retracted, take_over,
};
pub use self::status::{
    NewFile, close_abandoned, delete_failure, info_of_running, is_queued, not_done, not_loaded_yet,
    record_failed, record_job_failed, record_lost, record_queued, record_running, requested_by,
    requeue, running, statuses,
};
pub use self::types::{
    LoadHeader, LoadInfo, LoadProgress, LoadSource, LoadStatus, SameBytes, Totals, UsedFeed,
};

row_type!(
    /// A row of the ledger.
    LoadRow,
    "trips.loads"
);

type Tuple = PgHeapTuple<'static, AllocatedByRust>;

/// The ledger, with its schema.
pub const TABLE: &str = "trips.loads";

/// Runs as the owner of the ledger, with its lock for inserts.
pub fn as_owner() -> (RunsAsOwner, Table) {
    let ledger = Table::open_for_insert(c"loads");
    (session::run_as_owner(&ledger), ledger)
}

/// Takes the next number.
pub fn begin(role: pg_sys::Oid) -> Result<LoadHeader, LoadError> {
    let (load_id, started_at) = Spi::connect_mut(|client| {
        let row = client
            .update(
                Kept("SELECT nextval('trips.loads_load_id_seq'::regclass), clock_timestamp()"),
                Some(1),
                &[],
            )?
            .first();
        row.get_two::<i64, TimestampWithTimeZone>()
    })?;
    let missing = || pgrx::spi::SpiError::InvalidPosition;
    Ok(LoadHeader {
        load_id: load_id.ok_or_else(missing)?,
        started_at: started_at.ok_or_else(missing)?,
        requested_by: session::role_name(role),
        role,
    })
}

/// Begins a load that has its number already: it was queued.
pub fn resume(load_id: i64, role: pg_sys::Oid) -> Result<LoadHeader, LoadError> {
    let started_at = Spi::get_one::<TimestampWithTimeZone>("SELECT clock_timestamp()")?;
    let started_at = started_at.ok_or(pgrx::spi::SpiError::InvalidPosition)?;
    Ok(LoadHeader { load_id, started_at, requested_by: session::role_name(role), role })
}

/// The first load of these bytes, among all that are committed now. A file of another size is another file, independent
/// of its claimed digest.
pub fn same_bytes(digest: &[u8; 32], bytes: u64) -> Option<SameBytes> {
    two_bigints(
        c"SELECT load_id, rows_staged - staged_deleted FROM trips.loads
           WHERE bytes_read = $1 AND digest = $2 AND state = 'loaded' AND same_as IS NULL",
        &[bigint(bytes).into(), digest.as_slice().into()],
    )
    .map(|(load_id, staged)| SameBytes { load_id, staged, is_retracted: false })
}

/// The first load of this version of an object, among all that are committed now. Its bytes need not be fetched.
pub fn same_object(source: &LoadSource) -> Option<SameBytes> {
    let version = source.version.as_deref()?;
    two_bigints(
        c"SELECT load_id, rows_staged - staged_deleted FROM trips.loads
           WHERE source = $1 AND bytes_read = $2 AND source_version = $3 AND state = 'loaded'
           ORDER BY load_id",
        &[source.name.as_str().into(), bigint(source.bytes).into(), version.into()],
    )
    .map(|(load_id, staged)| SameBytes { load_id, staged, is_retracted: false })
}

/// The last load of these bytes, which is retracted.
pub fn retracted_bytes(digest: &[u8; 32], bytes: u64) -> Option<SameBytes> {
    two_bigints(
        c"SELECT load_id, rows_staged FROM trips.loads
           WHERE bytes_read = $1 AND digest = $2 AND state = 'retracted' ORDER BY load_id DESC",
        &[bigint(bytes).into(), digest.as_slice().into()],
    )
    .map(|(load_id, _)| SameBytes { load_id, staged: 0, is_retracted: true })
}

/// Whether a load has loaded a file of this size: only then can the bytes be known. Retracted loads count if they are
/// wanted.
pub fn has_size(bytes: u64, or_retracted: bool) -> bool {
    let loaded = two_bigints(
        c"SELECT load_id, rows_staged FROM trips.loads
           WHERE bytes_read = $1 AND state = 'loaded' AND same_as IS NULL LIMIT 1",
        &[bigint(bytes).into()],
    );
    let retracted = || {
        two_bigints(
            c"SELECT load_id, rows_staged FROM trips.loads WHERE bytes_read = $1 AND state = 'retracted' LIMIT 1",
            &[bigint(bytes).into()],
        )
    };
    loaded.is_some() || or_retracted && retracted().is_some()
}

/// Inserts the row of a load that is done, or skipped because of `same_as` if it has no totals.
pub fn record_end(
    header: &LoadHeader,
    source: &LoadSource,
    totals: Option<Totals>,
    same_as: Option<i64>,
) -> Result<LoadRow, LoadError> {
    let state = if totals.is_some() { "loaded" } else { "skipped" };
    let totals = totals.unwrap_or_default();
    let (first_days, last_days) = bounds_of_days(&source.days);
    let args: [DatumWithOid<'_>; 20] = [
        header.load_id.into(),
        source.name.as_str().into(),
        source.digest.map(Vec::from).into(),
        bigint(source.bytes).into(),
        state.into(),
        bigint(totals.read()).into(),
        bigint(totals.inserted).into(),
        bigint(totals.duplicate).into(),
        bigint(totals.staged).into(),
        same_as.into(),
        header.requested_by.as_str().into(),
        header.started_at.into(),
        source.changed_at.into(),
        source.options.as_deref().into(),
        source.feed.as_deref().into(),
        source.version.as_deref().into(),
        header.role.into(),
        first_days.into(),
        last_days.into(),
        bigint(totals.corrected).into(),
    ];
    returned_row(
        "INSERT INTO trips.loads AS l (load_id, source, digest, bytes_read, state, rows_read,
                rows_inserted, rows_duplicate, rows_staged, same_as, requested_by, requested_at,
                started_at, finished_at, file_changed_at, options, feed, source_version, requested_by_oid, commit_no, days,
                rows_corrected)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12, clock_timestamp(),
                 timestamptz '2000-01-01 00:00:00+00' + $13 * interval '1 microsecond', $14::jsonb, $15, $16,
                 CASE $5 WHEN 'loaded' THEN $17 END,
                 CASE $5 WHEN 'loaded' THEN nextval('trips.loads_commit_no_seq'::regclass) END,
                 (SELECT range_agg(daterange(date '2000-01-01' + d.first, date '2000-01-01' + d.last + 1))
                    FROM unnest($18::int[], $19::int[]) AS d (first, last)), $20)
             ON CONFLICT (load_id) DO UPDATE
            SET source = EXCLUDED.source, digest = EXCLUDED.digest,
                bytes_read = EXCLUDED.bytes_read, state = EXCLUDED.state,
                rows_read = EXCLUDED.rows_read, rows_inserted = EXCLUDED.rows_inserted,
                rows_duplicate = EXCLUDED.rows_duplicate,
                rows_corrected = EXCLUDED.rows_corrected, rows_staged = EXCLUDED.rows_staged,
                same_as = EXCLUDED.same_as, started_at = EXCLUDED.started_at,
                finished_at = EXCLUDED.finished_at, file_changed_at = EXCLUDED.file_changed_at,
                options = EXCLUDED.options, feed = EXCLUDED.feed,
                source_version = EXCLUDED.source_version, requested_by_oid = EXCLUDED.requested_by_oid,
                commit_no = EXCLUDED.commit_no, days = EXCLUDED.days, error_code = NULL, error = NULL
         RETURNING l",
        &args,
    )
}

/// The future row of a load, as far as it is known. It is not in the ledger yet.
pub fn unrecorded_row(header: &LoadHeader, source: &LoadSource) -> Result<LoadRow, LoadError> {
    let args: [DatumWithOid<'_>; 6] = [
        header.load_id.into(),
        source.name.as_str().into(),
        source.digest.map(Vec::from).into(),
        bigint(source.bytes).into(),
        header.requested_by.as_str().into(),
        header.started_at.into(),
    ];
    returned_row(
        "SELECT l FROM jsonb_populate_record(NULL::trips.loads, jsonb_build_object(
                  'load_id', $1::bigint, 'source', $2::text, 'digest', $3::bytea, 'bytes_read', $4::bigint,
                  'state', 'running', 'rows_read', 0, 'rows_inserted', 0, 'rows_duplicate', 0,
                  'rows_corrected', 0, 'rows_staged', 0, 'rows_deleted', 0, 'staged_deleted', 0,
                  'requested_by', $5::text, 'requested_at', $6::timestamptz)) AS l",
        &args,
    )
}

/// Updates the counts of a load after a merge of its staged rows; `totals.staged` of them stay there.
///
/// If rows were deleted from staging by hand, the ledger keeps their count. If rows were added by hand, it adds them.
pub fn add_merged(load_id: i64, totals: Totals, days: &[(i32, i32)]) -> Result<LoadRow, LoadError> {
    let (first_days, last_days) = bounds_of_days(days);
    let args: [DatumWithOid<'_>; 7] = [
        load_id.into(),
        bigint(totals.inserted).into(),
        bigint(totals.duplicate).into(),
        bigint(totals.staged).into(),
        bigint(totals.corrected).into(),
        first_days.into(),
        last_days.into(),
    ];
    returned_row(
        "UPDATE trips.loads AS l
            SET days = (SELECT CASE WHEN count(*) > 1000 THEN datemultirange(range_merge(range_agg(r.days)))
                                    ELSE range_agg(r.days) END
                          FROM (SELECT unnest(l.days)
                                UNION ALL
                                SELECT daterange(date '2000-01-01' + d.first, date '2000-01-01' + d.last + 1)
                                  FROM unnest($6::int[], $7::int[]) AS d (first, last)) AS r (days)),
                rows_inserted = l.rows_inserted + $2,
                rows_duplicate = l.rows_duplicate + $3,
                rows_corrected = l.rows_corrected + $5,
                rows_staged = greatest(l.rows_staged - $2 - $3 - $5, $4 + l.staged_deleted),
                rows_read = l.rows_inserted + $2 + l.rows_duplicate + $3 + l.rows_corrected + $5
                            + greatest(l.rows_staged - $2 - $3 - $5, $4 + l.staged_deleted)
          WHERE l.load_id = $1
         RETURNING l",
        &args,
    )
}

/// Counts trips of a load, which were counted as inserted, as duplicates.
pub fn add_duplicates(load_id: i64, count: i64) -> Result<(), LoadError> {
    let args: [DatumWithOid<'_>; 2] = [load_id.into(), count.into()];
    Spi::run_with_args(
        "UPDATE trips.loads AS l
            SET rows_inserted = l.rows_inserted - $2, rows_duplicate = l.rows_duplicate + $2
          WHERE l.load_id = $1 AND l.rows_inserted >= $2",
        &args,
    )?;
    Ok(())
}

/// The row of a load that is done; None if there is no such load.
pub fn find_loaded(load_id: i64) -> Result<Option<LoadRow>, LoadError> {
    let row = Spi::connect_mut(|client| {
        let query = "SELECT l FROM trips.loads AS l WHERE l.load_id = $1 AND l.state = 'loaded'";
        let found = client.update(query, Some(1), &[load_id.into()])?;
        if found.is_empty() { Ok(None) } else { found.first().get_one::<Tuple>() }
    })?;
    Ok(row.map(LoadRow::from))
}

/// Fails unless a load is done.
///
/// # Errors
/// 42704 if the ledger does not have it; 55000 if it has another state.
pub fn require_loaded(load_id: i64) -> Result<(), LoadError> {
    let state = spi::first(
        c"SELECT l.state FROM trips.loads AS l WHERE l.load_id = $1",
        &[load_id.into()],
        Snapshot::Statement,
        |row| row.text(1).unwrap_or_default(),
    );
    match state {
        None => Err(RequestError::UnknownLoad(load_id).into()),
        Some(state) if state == "loaded" => Ok(()),
        Some(state) => Err(StagedError::NotLoaded { load_id, state }.into()),
    }
}

/// The feed of a load, or of a member of its archive; None if it has none.
pub fn feed_of(load_id: i64, member: Option<&str>) -> Result<Option<UsedFeed>, LoadError> {
    Spi::connect(|client| {
        let query = "SELECT coalesce(m.feed, l.feed), l.options ->> 'region', l.options ->> 'datasource',
                            l.options ->> 'on_change'
                       FROM trips.loads AS l
                       LEFT JOIN trips.load_members AS m ON m.load_id = l.load_id AND m.member = $2::text
                      WHERE l.load_id = $1 AND coalesce(m.feed, l.feed) IS NOT NULL";
        let mut found = client.select(query, Some(1), &[load_id.into(), member.into()])?;
        let Some(row) = found.next() else { return Ok(None) };
        let feed = row.get(1)?.unwrap_or_default();
        let on_change = row.get::<String>(4)?.and_then(|word| SameId::of_word(&word));
        let options = Options { region: row.get(2)?, datasource: row.get(3)?, on_change };
        Ok(Some(UsedFeed { feed, options }))
    })
}

/// Whether a load has inserted trips.
pub fn has_trips(load_id: i64) -> Result<bool, LoadError> {
    let query = "SELECT count(*) > 0 FROM trips.loads AS l
          WHERE l.load_id = $1 AND l.rows_inserted + l.rows_corrected > 0";
    Ok(Spi::get_one_with_args::<bool>(query, &[load_id.into()])?.unwrap_or(false))
}

/// Whether the transaction's own snapshot is older than another load's commit.
///
/// Derived data of all loads (roll-up, summary) could not be written correctly with it.
pub fn has_newer_loads() -> Result<bool, LoadError> {
    const STATE: &CStr =
        // Each retract changes the sum: its trips pass to other loads, or its state changes.
        c"SELECT count(*), (coalesce(sum(rows_inserted + rows_corrected), 0) + count(retracted_at))::bigint
            FROM trips.loads WHERE rows_inserted + rows_corrected > 0 AND $1 IS NOT NULL";
    let now = two_bigints(STATE, &[Vec::<u8>::new().into()]);
    // The active snapshot is older than the changes of the calling statement.
    let then = session::with_new_snapshot(|| {
        Spi::connect(|client| {
            let query = STATE.to_str().unwrap_or_default();
            client.select(query, Some(1), &[Vec::<u8>::new().into()])?.first().get_two::<i64, i64>()
        })
    })?;
    Ok(now != then.0.zip(then.1))
}

/// The two bigints of the first row of a query with the latest snapshot.
fn two_bigints(query: &'static CStr, arguments: &[DatumWithOid<'_>]) -> Option<(i64, i64)> {
    let numbers = |row: &spi::Row<'_>| row.get(1).zip(row.get(2));
    spi::first(Sql::Kept(query), arguments, Snapshot::Latest, numbers).flatten()
}

fn returned_row(query: &'static str, args: &[DatumWithOid<'_>]) -> Result<LoadRow, LoadError> {
    // No limit: it would end the statement at its row, before users' statement triggers fire.
    let row = Spi::connect_mut(|client| {
        client.update(Kept(query), None, args)?.first().get_one::<Tuple>()
    })?;
    Ok(row.ok_or(pgrx::spi::SpiError::InvalidPosition)?.into())
}

/// The first and the last days of ranges, as arrays. NULL is unbounded.
fn bounds_of_days(days: &[(i32, i32)]) -> (Vec<Option<i32>>, Vec<Option<i32>>) {
    let first = days.iter().map(|days| Some(days.0).filter(|&day| day > i32::MIN)).collect();
    (first, days.iter().map(|days| Some(days.1).filter(|&day| day < i32::MAX)).collect())
}

fn bigint(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
