//! Ledger rows of queued, running and failed loads, which other transactions than the load's own write.

use pgrx::Spi;
use pgrx::datum::DatumWithOid;

use super::{LoadFailure, LoadHeader, LoadInfo, LoadProgress, LoadSource, LoadStatus, bigint};
use crate::error::LoadError;

use crate::pg::locks::Lock;
use crate::pg::plans::{self, Kept};
use crate::pg::relation::Table;
use crate::pg::session::{self, RunsAsOwner};
use crate::progress as running_loads;
use crate::source::FileVersion;

/// Inserts the row of a running load; the load monitor calls it, in a transaction of its own. An earlier completion of
/// the upload may have failed: its parts and its number stay.
pub fn record_running(load: &LoadInfo) -> Result<(), LoadError> {
    let args: [DatumWithOid<'_>; 6] = [
        load.load_id.into(),
        load.source.as_str().into(),
        bigint(load.bytes).into(),
        load.requested_by.as_str().into(),
        load.started_at.into(),
        load.changed_at.into(),
    ];
    plans::run(
        "INSERT INTO trips.loads AS l (load_id, source, bytes_read, state, requested_by, requested_at,
                started_at, file_changed_at)
         SELECT $1, $2, $3, 'running', $4, t.started_at, t.started_at,
                timestamptz '2000-01-01 00:00:00+00' + $6 * interval '1 microsecond'
           FROM (SELECT timestamptz '2000-01-01 00:00:00+00' + $5 * interval '1 microsecond')
                AS t (started_at)
             ON CONFLICT (load_id) DO UPDATE
            SET state = EXCLUDED.state, bytes_read = EXCLUDED.bytes_read,
                started_at = EXCLUDED.started_at, file_changed_at = EXCLUDED.file_changed_at,
                finished_at = NULL, error_code = NULL, error = NULL
          WHERE l.state IN ('queued', 'failed')",
        &args,
    )?;
    delete_failure(load.load_id)
}

/// Inserts the row of a failed load, unless the ledger has it as done. The load monitor calls it, in a transaction of
/// its own: that of the load is lost.
pub fn record_failed(load: &LoadInfo, failure: &LoadFailure) -> Result<(), LoadError> {
    record_failed_end(load, failure, true)
}

/// Records the end of a load that did not report it, unless the ledger has its end.
pub fn record_lost(load: &LoadInfo, failure: &LoadFailure) -> Result<(), LoadError> {
    record_failed_end(load, failure, false)
}

fn record_failed_end(
    load: &LoadInfo,
    failure: &LoadFailure,
    is_known: bool,
) -> Result<(), LoadError> {
    let args: [DatumWithOid<'_>; 12] = [
        load.load_id.into(),
        load.source.as_str().into(),
        failure.digest.map(Vec::from).into(),
        bigint(load.bytes).into(),
        failure.code().into(),
        failure.error.as_str().into(),
        load.requested_by.as_str().into(),
        load.started_at.into(),
        load.changed_at.into(),
        is_known.into(),
        failure.options.as_deref().into(),
        failure.feed.as_deref().into(),
    ];
    let entered = Spi::connect_mut(|client| {
        let query = "INSERT INTO trips.loads AS l (load_id, source, digest, bytes_read, state, error_code, error,
                requested_by, requested_at, started_at, finished_at, file_changed_at,
                options, feed)
         SELECT $1, $2, $3, $4, 'failed', $5, $6, $7, t.started_at, t.started_at, clock_timestamp(),
                timestamptz '2000-01-01 00:00:00+00' + $9 * interval '1 microsecond', $11::jsonb, $12
           FROM (SELECT timestamptz '2000-01-01 00:00:00+00' + $8 * interval '1 microsecond')
                AS t (started_at)
             ON CONFLICT (load_id) DO UPDATE
            SET digest = EXCLUDED.digest, state = EXCLUDED.state, error_code = EXCLUDED.error_code,
                error = EXCLUDED.error, started_at = EXCLUDED.started_at,
                finished_at = EXCLUDED.finished_at, file_changed_at = EXCLUDED.file_changed_at,
                options = EXCLUDED.options, feed = EXCLUDED.feed
          WHERE l.state IN ('queued', 'running') OR l.state = 'failed' AND $10";
        Ok::<_, pgrx::spi::SpiError>(client.update(query, None, &args)?.len())
    })?;
    if entered > 0 { record_report(load.load_id, failure) } else { Ok(()) }
}

/// The privileges of the owner of the complete errors. None if that role is not a member of the ledger's owner, who is
/// the current user: its triggers would run with the ledger owner's privileges.
pub(super) fn as_owner_of_failures() -> Option<(RunsAsOwner, Table)> {
    let table = Table::find_for_insert(c"trips_internal.load_failures")?;
    let may = session::is_member_of(table.owner(), session::current_user());
    may.then(|| (session::run_as_owner(&table), table))
}

/// Records the complete error of a failed load.
fn record_report(load_id: i64, failure: &LoadFailure) -> Result<(), LoadError> {
    let Some(_owner) = as_owner_of_failures() else { return Ok(()) };
    let report = &failure.report;
    let args: [DatumWithOid<'_>; 14] = [
        load_id.into(),
        report.message.as_str().into(),
        report.detail.as_deref().into(),
        report.hint.as_deref().into(),
        report.context.as_deref().into(),
        report.schema_name.as_deref().into(),
        report.table_name.as_deref().into(),
        report.column_name.as_deref().into(),
        report.datatype_name.as_deref().into(),
        report.constraint_name.as_deref().into(),
        i64::from(failure.role).into(),
        failure.member.as_deref().into(),
        failure.record.line_no.map(bigint).into(),
        failure.record.row_group.map(i64::from).into(),
    ];
    Ok(Spi::run_with_args(
        "INSERT INTO trips_internal.load_failures AS f (load_id, message, detail, hint, context, schema_name,
                table_name, column_name, datatype_name, constraint_name, requested_by, member, line_no,
                row_group)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, nullif($11, 0)::oid, $12, $13, $14)
             ON CONFLICT (load_id) DO UPDATE
            SET message = EXCLUDED.message, detail = EXCLUDED.detail, hint = EXCLUDED.hint,
                context = EXCLUDED.context, schema_name = EXCLUDED.schema_name,
                table_name = EXCLUDED.table_name, column_name = EXCLUDED.column_name,
                datatype_name = EXCLUDED.datatype_name, constraint_name = EXCLUDED.constraint_name,
                requested_by = EXCLUDED.requested_by, member = EXCLUDED.member,
                line_no = EXCLUDED.line_no, row_group = EXCLUDED.row_group",
        &args,
    )?)
}

/// A failed load has begun again, or is done.
pub fn delete_failure(load_id: i64) -> Result<(), LoadError> {
    let Some(_owner) = as_owner_of_failures() else { return Ok(()) };
    let query = "DELETE FROM trips_internal.load_failures WHERE load_id = $1";
    Ok(plans::run(query, &[load_id.into()])?)
}

/// Closes the loads that are running in the ledger but have no process: the server stopped, or they ended without a
/// load monitor. `known` are loads that the monitor tracks itself. Queued loads go back to the queue. Returns the
/// closed loads.
pub fn close_abandoned(known: &[i64]) -> Result<Vec<i64>, LoadError> {
    let is_dead = |load_id: &i64| Lock::Load(*load_id).try_lock();
    let dead: Vec<i64> = running(known)?.into_iter().filter(is_dead).collect();
    let server_started = running_loads::server_started();
    for &load_id in &dead {
        let Some(load) = info_of_running(load_id, 0)? else { continue };
        if requeue(load_id)? {
            continue;
        }
        let failure = if server_started.is_some_and(|started| load.started_at > started) {
            LoadFailure::rolled_back()
        } else {
            LoadFailure::new("57P02", "the server stopped during the load")
        };
        record_job_failed(load_id, &failure)?;
    }
    Ok(dead)
}

/// The running loads of the ledger, without the known ones.
pub fn running(known: &[i64]) -> Result<Vec<i64>, LoadError> {
    Spi::connect(|client| {
        let query =
            "SELECT load_id FROM trips.loads WHERE state = 'running' AND load_id <> ALL ($1)
                      ORDER BY load_id";
        let rows = client.select(query, None, &[known.to_vec().into()])?;
        Ok(rows.filter_map(|row| row.get::<i64>(1).transpose()).collect::<Result<Vec<_>, _>>()?)
    })
}

/// The ledger row of a running load, as far as it is needed here.
pub fn info_of_running(load_id: i64, ledger: u32) -> Result<Option<LoadInfo>, LoadError> {
    Spi::connect(|client| {
        let query = "SELECT source, coalesce(bytes_read, 0), requested_by,
                            (extract(epoch FROM started_at - timestamptz '2000-01-01 00:00:00+00')
                             * 1000000)::bigint,
                            (extract(epoch FROM file_changed_at - timestamptz '2000-01-01 00:00:00+00')
                             * 1000000)::bigint
                       FROM trips.loads WHERE load_id = $1 AND state = 'running'";
        let rows = client.select(query, Some(1), &[load_id.into()])?;
        if rows.is_empty() {
            return Ok(None);
        }
        let row = rows.first();
        let bytes = row.get::<i64>(2)?.and_then(|bytes| u64::try_from(bytes).ok());
        Ok(Some(LoadInfo {
            load_id,
            source: row.get::<String>(1)?.unwrap_or_default(),
            bytes: bytes.unwrap_or(0),
            changed_at: row.get::<i64>(5)?,
            requested_by: row.get::<String>(3)?.unwrap_or_default(),
            started_at: row.get::<i64>(4)?.unwrap_or(0),
            ledger,
            one_snapshot: false,
        }))
    })
}

/// The loads among these that are not done in the ledger.
pub fn not_done(loads: &[i64]) -> Result<Vec<i64>, LoadError> {
    Spi::connect(|client| {
        let query = "SELECT u.load_id FROM unnest($1) AS u (load_id)
                      WHERE NOT EXISTS (
                            SELECT FROM trips.loads AS l
                             WHERE l.load_id = u.load_id
                               AND l.state NOT IN ('queued', 'running', 'failed'))";
        let rows = client.select(Kept(query), None, &[loads.to_vec().into()])?;
        Ok(rows.filter_map(|row| row.get::<i64>(1).transpose()).collect::<Result<Vec<_>, _>>()?)
    })
}

/// Returns a load without a process to the queue, if it came from there.
pub fn requeue(load_id: i64) -> Result<bool, LoadError> {
    let updated = Spi::connect_mut(|client| {
        let query = "UPDATE trips.loads AS l SET state = 'queued', started_at = NULL
                      WHERE l.load_id = $1 AND l.state = 'running'
                        AND EXISTS (SELECT FROM trips.queue AS q WHERE q.load_id = l.load_id)";
        Ok::<_, pgrx::spi::SpiError>(client.update(query, None, &[load_id.into()])?.len())
    })?;
    Ok(updated > 0)
}

/// Inserts the row of a queued load.
pub fn record_queued(header: &LoadHeader, source: &LoadSource) -> Result<(), LoadError> {
    let args: [DatumWithOid<'_>; 5] = [
        header.load_id.into(),
        source.name.as_str().into(),
        bigint(source.bytes).into(),
        header.requested_by.as_str().into(),
        header.started_at.into(),
    ];
    Ok(Spi::run_with_args(
        "INSERT INTO trips.loads (load_id, source, bytes_read, state, requested_by, requested_at)
         VALUES ($1, $2, $3, 'queued', $4, $5)",
        &args,
    )?)
}

/// Whether the load was waiting or running when its process ended.
pub fn is_queued(load_id: i64) -> Result<bool, LoadError> {
    let query = "SELECT EXISTS (SELECT FROM trips.loads
                  WHERE load_id = $1 AND state IN ('queued', 'running'))";
    Ok(Spi::get_one_with_args::<bool>(query, &[load_id.into()])? == Some(true))
}

/// The role that requested a load; None if there is no such load.
pub fn requested_by(load_id: i64) -> Result<Option<String>, LoadError> {
    Spi::connect(|client| {
        let query = "SELECT requested_by FROM trips.loads WHERE load_id = $1";
        let rows = client.select(query, Some(1), &[load_id.into()])?;
        if rows.is_empty() { Ok(None) } else { Ok(rows.first().get_one::<String>()?) }
    })
}

/// Records that a queued or running load without a process has failed.
pub fn record_job_failed(load_id: i64, failure: &LoadFailure) -> Result<(), LoadError> {
    let args: [DatumWithOid<'_>; 3] =
        [load_id.into(), failure.code().into(), failure.error.as_str().into()];
    let failed = Spi::connect_mut(|client| {
        let query = "UPDATE trips.loads
                        SET state = 'failed', error_code = $2, error = $3, finished_at = clock_timestamp()
                      WHERE load_id = $1 AND state IN ('queued', 'running')";
        Ok::<_, pgrx::spi::SpiError>(client.update(query, None, &args)?.len())
    })?;
    if failed > 0 { record_report(load_id, failure) } else { Ok(()) }
}

/// A file that no load has loaded in its present state.
#[derive(Debug)]
pub struct NewFile {
    /// The file.
    pub file: FileVersion,
    /// The file has not changed since a temporary failure: it was complete then.
    pub has_failed: bool,
}

/// A file that has stopped the server this often is not retried automatically.
const CRASHES: i64 = 3;

/// The files that no load has loaded in their present state and that are not queued. A failed file counts as new if it
/// has changed since, if it failed with other options than these, or if the failure was temporary. Temporary are: a
/// lost connection or lock, refused credentials, a full disk, a cancel, a stop of the server (up to the third), a file that changed while it
/// was read, and database objects that were not as a load needs them. A file whose rows were staged with other options
/// counts as new once more: its bytes are known, and the load reports the rows.
pub fn not_loaded_yet(files: Vec<FileVersion>, options: &str) -> Result<Vec<NewFile>, LoadError> {
    let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
    let sizes: Vec<i64> = files.iter().map(|file| bigint(file.size)).collect();
    let changes: Vec<i64> = files.iter().map(|file| file.changed_at).collect();
    let versions: Vec<Option<&str>> = files.iter().map(|file| file.version.as_deref()).collect();
    let mut found: Vec<Option<bool>> = vec![None; files.len()];
    Spi::connect(|client| {
        let query = "SELECT f.index, l.failures > 0
               FROM (SELECT path, size, version, index, timestamptz '2000-01-01 00:00:00+00'
                            + changed_at * interval '1 microsecond' AS changed_at
                       FROM unnest($1, $2, $3, $6) WITH ORDINALITY
                            AS f (path, size, changed_at, version, index)) AS f
              CROSS JOIN LATERAL (
                    SELECT count(*) FILTER (WHERE CASE l.state
                               WHEN 'failed' THEN l.error_code !~ '^(08|09|28|40|53|55|57|58030|42P01|42P07)'
                                                  AND l.options = $5::jsonb
                               WHEN 'loaded' THEN l.rows_staged = l.staged_deleted OR l.options IS NULL
                                                  OR l.options = $5::jsonb
                               ELSE true END) AS ends,
                           count(*) FILTER (WHERE l.state = 'failed') AS failures,
                           count(*) FILTER (WHERE l.state = 'failed' AND l.error_code = '57P02') AS crashes
                      FROM trips.loads AS l
                     WHERE l.source = f.path
                       AND (l.state = 'queued'
                            OR l.bytes_read = f.size
                               AND CASE WHEN f.version IS NULL THEN l.file_changed_at = f.changed_at
                                        WHEN l.source_version IS NOT NULL THEN l.source_version = f.version
                                        -- A failed load has no version. Listings may have fractions of seconds.
                                        ELSE date_trunc('second', l.file_changed_at)
                                             = date_trunc('second', f.changed_at) END)) AS l
              WHERE l.ends = 0 AND l.crashes < $4";
        let args = [
            paths.into(),
            sizes.into(),
            changes.into(),
            CRASHES.into(),
            options.into(),
            versions.into(),
        ];
        for row in client.select(query, None, &args)? {
            let index = row.get::<i64>(1)?.and_then(|index| usize::try_from(index - 1).ok());
            if let Some(slot) = index.and_then(|index| found.get_mut(index)) {
                *slot = row.get::<bool>(2)?;
            }
        }
        Ok::<_, LoadError>(())
    })?;
    let new = files.into_iter().zip(found);
    Ok(new
        .filter_map(|(file, has_failed)| Some(NewFile { file, has_failed: has_failed? }))
        .collect())
}

/// The state of these loads, if the ledger has them as done, failed or queued.
pub fn statuses(loads: &[i64]) -> Result<Vec<LoadStatus>, LoadError> {
    let query = "SELECT l.load_id, l.state, l.bytes_read, l.rows_read,
                        l.state IN ('loaded', 'skipped')
                   FROM trips.loads AS l
                  WHERE l.load_id = ANY ($1) AND l.state <> 'running'
                  ORDER BY l.load_id";
    Spi::connect_mut(|client| {
        let rows = client.update(Kept(query), None, &[loads.to_vec().into()])?;
        let missing = || pgrx::spi::SpiError::InvalidPosition;
        rows.map(|row| {
            let number = |i| Ok::<i64, LoadError>(row.get::<i64>(i)?.ok_or_else(missing)?);
            let (bytes_total, rows_read) = (number(3)?, number(4)?);
            let is_done = row.get::<bool>(5)? == Some(true);
            let bytes_done = is_done.then_some(bytes_total);
            let state = row.get::<String>(2)?.ok_or_else(missing)?;
            let progress = LoadProgress { bytes_done, bytes_total, rows_read };
            Ok(LoadStatus { load_id: number(1)?, state, progress })
        })
        .collect()
    })
}
