//! Locks on tables that a load takes before PostgreSQL's own functions do, so that a deadlock never ends the load.
//!
//! PostgreSQL ends the process whose deadlock check finds the cycle. A load waits in a subtransaction: when its
//! check finds a cycle, the load cancels the statement that holds the lock and waits for the load, and waits again.

use std::ffi::CStr;

use pgrx::pg_sys::panic::CaughtError;
use pgrx::spi::SpiError;
use pgrx::{PgSqlErrorCode, Spi, pg_sys};

use super::locks::Lock;
use super::relation::Table;
use super::session;
use super::subtransaction::{self, End};

/// A table-level lock mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// ROW EXCLUSIVE: to insert.
    RowExclusive,
    /// SHARE UPDATE EXCLUSIVE: to attach a partition.
    ShareUpdateExclusive,
    /// SHARE: to build an index.
    Share,
    /// SHARE ROW EXCLUSIVE: to create a trigger.
    ShareRowExclusive,
    /// EXCLUSIVE: to refresh a materialized view concurrently.
    Exclusive,
}

impl Mode {
    fn number(self) -> pg_sys::LOCKMODE {
        let mode = match self {
            Self::RowExclusive => pg_sys::RowExclusiveLock,
            Self::ShareUpdateExclusive => pg_sys::ShareUpdateExclusiveLock,
            Self::Share => pg_sys::ShareLock,
            Self::ShareRowExclusive => pg_sys::ShareRowExclusiveLock,
            Self::Exclusive => pg_sys::ExclusiveLock,
        };
        mode as pg_sys::LOCKMODE
    }

    /// The modes that it conflicts with, as pg_locks names them: those of the list from this place on. (SHARE does not
    /// conflict with itself; whoever holds that is not waited for, and so not found.)
    fn conflicting(self) -> &'static [&'static str] {
        const MODES: [&str; 7] = [
            "RowShareLock",
            "RowExclusiveLock",
            "ShareUpdateExclusiveLock",
            "ShareLock",
            "ShareRowExclusiveLock",
            "ExclusiveLock",
            "AccessExclusiveLock",
        ];
        match self {
            Self::RowExclusive => &MODES[3..],
            Self::ShareUpdateExclusive => &MODES[2..],
            Self::Share | Self::ShareRowExclusive => &MODES[1..],
            Self::Exclusive => &MODES,
        }
    }
}

/// Takes a lock on a table until the transaction ends, if nobody has to be waited for.
pub fn try_take(table: pg_sys::Oid, mode: Mode) -> bool {
    // SAFETY: an oid and a mode. A table that is gone can be locked, and is missed by whoever opens it.
    unsafe { pg_sys::ConditionalLockRelationOid(table, mode.number()) }
}

/// Takes a lock on a table until the transaction ends. A statement that holds a conflicting lock and waits for this
/// transaction is cancelled; others are waited for.
pub fn take(table: pg_sys::Oid, mode: Mode) -> Result<(), SpiError> {
    if !try_take(table, mode) {
        wait(table, mode, || End::Keep)?;
    }
    Ok(())
}

/// As [`take`], on a table and its indexes.
pub fn take_with_indexes(table: pg_sys::Oid, mode: Mode) -> Result<(), SpiError> {
    take(table, mode)?;
    let indexes = Table::open_oid_for_insert(table).indexes();
    indexes.into_iter().try_for_each(|index| take(index, mode))
}

/// Waits for a lock on a table; it stays if `and_then` says so. Returns whether it does.
pub fn take_if(
    table: pg_sys::Oid,
    mode: Mode,
    and_then: impl Fn() -> bool,
) -> Result<bool, SpiError> {
    let end = wait(table, mode, || if and_then() { End::Keep } else { End::Undo })?;
    Ok(end == End::Keep)
}

fn wait(
    table: pg_sys::Oid,
    mode: Mode,
    and_then: impl Fn() -> End,
) -> Result<End, SpiError> {
    let mut asked = Vec::new();
    let end = loop {
        let lock = || {
            // SAFETY: as in `try_take`.
            unsafe { pg_sys::LockRelationOid(table, mode.number()) };
            and_then()
        };
        match subtransaction::attempt(lock) {
            Ok(end) => break end,
            Err(error) if is_deadlock(&error) => ask_to_give_way(table, mode, &mut asked)?,
            Err(error) => error.rethrow(),
        }
    };
    asked.into_iter().for_each(|pid| Lock::GiveWay(pid).give_back());
    Ok(end)
}

/// Takes ROW EXCLUSIVE on all of these tables of the schema `trips` until the transaction ends, or on none. The
/// first that is not free is returned.
pub fn try_take_all(tables: &[&CStr]) -> Result<(), pg_sys::Oid> {
    let mut taken = Vec::with_capacity(tables.len());
    // What is missing is told by whoever opens it.
    for table in tables.iter().filter_map(|name| Table::find(name)) {
        if !try_take(table, Mode::RowExclusive) {
            for other in taken {
                // SAFETY: the lock was taken above, for the same resource owner.
                unsafe { pg_sys::UnlockRelationOid(other, Mode::RowExclusive.number()) };
            }
            return Err(table);
        }
        taken.push(table);
    }
    Ok(())
}

fn is_deadlock(error: &CaughtError) -> bool {
    let (CaughtError::PostgresError(report)
    | CaughtError::ErrorReport(report)
    | CaughtError::RustPanic { ereport: report, .. }) = error;
    report.sql_error_code() == PgSqlErrorCode::ERRCODE_T_R_DEADLOCK_DETECTED
}

/// Cancels the statements that wait for this transaction while theirs has the lock. Those that wait for the history
/// find the mark, and say so.
fn ask_to_give_way(table: pg_sys::Oid, mode: Mode, asked: &mut Vec<i32>) -> Result<(), SpiError> {
    let found = Spi::connect(|client| {
        let query = "WITH RECURSIVE waits AS MATERIALIZED (
               SELECT DISTINCT l.pid, b.pid AS blocker
                 FROM pg_locks AS l CROSS JOIN LATERAL unnest(pg_blocking_pids(l.pid)) AS b (pid)
                WHERE NOT l.granted),
             behind (pid) AS (
               SELECT w.pid FROM waits AS w WHERE w.blocker = pg_backend_pid()
                UNION
               SELECT w.pid FROM waits AS w JOIN behind AS b ON w.blocker = b.pid)
             SELECT l.pid, bool_or(l.granted)
               FROM pg_locks AS l JOIN behind AS b ON b.pid = l.pid
              WHERE l.locktype = 'relation' AND l.relation = $1 AND l.mode = ANY ($2) AND l.pid <> pg_backend_pid()
                AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
              GROUP BY l.pid ORDER BY 2 DESC";
        let modes: Vec<&str> = mode.conflicting().to_vec();
        let rows = client.select(query, None, &[table.into(), modes.into()])?;
        rows.map(|row| Ok((row.get::<i32>(1)?, row.get::<bool>(2)? == Some(true))))
            .collect::<Result<Vec<_>, SpiError>>()
    })?;
    // Who only waits for the table in front of us does not matter while somebody has it.
    let is_held = found.iter().any(|&(_, has_it)| has_it);
    for (pid, has_it) in found {
        let Some(pid) = pid.filter(|_| has_it || !is_held) else { continue };
        if !asked.contains(&pid) && Lock::GiveWay(pid).try_take() {
            asked.push(pid);
        }
        session::cancel(pid);
        pgrx::log!(
            "canceled the statement of process {pid}: a load waits for its transaction, which waits for the load"
        );
    }
    Ok(())
}
