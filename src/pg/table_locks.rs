//! Locks on tables that a load acquires before PostgreSQL's own functions do, so that a deadlock never ends the load.
//!
//! PostgreSQL ends the process whose deadlock check finds the cycle. A load waits in a subtransaction: if its check
//! finds a cycle, the load cancels the statement that holds the lock and waits for the load, and waits again.

use std::cell::Cell;
use std::ffi::CStr;

use pgrx::pg_sys::panic::CaughtError;
use pgrx::spi::SpiError;
use pgrx::{PgSqlErrorCode, Spi, pg_sys};

use super::locks::{self, Lock};
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
    /// ACCESS EXCLUSIVE: to drop or truncate a table.
    AccessExclusive,
}

impl Mode {
    fn number(self) -> pg_sys::LOCKMODE {
        let mode = match self {
            Self::RowExclusive => pg_sys::RowExclusiveLock,
            Self::ShareUpdateExclusive => pg_sys::ShareUpdateExclusiveLock,
            Self::Share => pg_sys::ShareLock,
            Self::ShareRowExclusive => pg_sys::ShareRowExclusiveLock,
            Self::Exclusive => pg_sys::ExclusiveLock,
            Self::AccessExclusive => pg_sys::AccessExclusiveLock,
        };
        mode as pg_sys::LOCKMODE
    }

    /// The modes that it conflicts with, as pg_locks names them: those of the list from this one on. (SHARE does not
    /// conflict with itself. A holder of SHARE is not waited for, and so not found.)
    fn conflicting(self) -> &'static [&'static str] {
        const MODES: [&str; 8] = [
            "AccessShareLock",
            "RowShareLock",
            "RowExclusiveLock",
            "ShareUpdateExclusiveLock",
            "ShareLock",
            "ShareRowExclusiveLock",
            "ExclusiveLock",
            "AccessExclusiveLock",
        ];
        match self {
            Self::RowExclusive => &MODES[4..],
            Self::ShareUpdateExclusive => &MODES[3..],
            Self::Share | Self::ShareRowExclusive => &MODES[2..],
            Self::Exclusive => &MODES[1..],
            Self::AccessExclusive => &MODES,
        }
    }
}

/// Locks a table until the transaction ends, if this needs no wait.
pub fn try_lock(table: pg_sys::Oid, mode: Mode) -> bool {
    // SAFETY: an oid and a mode. A dropped table can be locked; the code that opens it reports that it is missing.
    unsafe { pg_sys::ConditionalLockRelationOid(table, mode.number()) }
}

/// Takes a lock on a table until the transaction ends. A statement that holds a conflicting lock and waits for this
/// transaction is cancelled; others are waited for.
pub fn lock(table: pg_sys::Oid, mode: Mode) -> Result<(), SpiError> {
    if !try_lock(table, mode) {
        wait(table, mode, || End::Keep)?;
    }
    Ok(())
}

/// As [`lock`], on a table and its indexes.
pub fn lock_with_indexes(table: pg_sys::Oid, mode: Mode) -> Result<(), SpiError> {
    lock(table, mode)?;
    let indexes = Table::open_oid_for_insert(table).indexes();
    indexes.into_iter().try_for_each(|index| lock(index, mode))
}

/// Waits for a lock on a table. The lock stays if `and_then` returns true. Returns whether it stays.
pub fn lock_if(
    table: pg_sys::Oid,
    mode: Mode,
    and_then: impl Fn() -> bool,
) -> Result<bool, SpiError> {
    let end = wait(table, mode, || if and_then() { End::Keep } else { End::Undo })?;
    Ok(end == End::Keep)
}

fn wait(table: pg_sys::Oid, mode: Mode, and_then: impl Fn() -> End) -> Result<End, SpiError> {
    let mut canceled = Vec::new();
    let end = loop {
        let lock = || {
            // SAFETY: as in `try_lock`.
            unsafe { pg_sys::LockRelationOid(table, mode.number()) };
            and_then()
        };
        match subtransaction::attempt(lock) {
            Ok(end) => break end,
            Err(error) if is_deadlock(&error) => cancel_waiters(table, mode, &mut canceled)?,
            Err(error) => error.rethrow(),
        }
    };
    canceled.into_iter().for_each(|pid| Lock::Yield(pid).unlock());
    Ok(end)
}

/// Takes ROW EXCLUSIVE on all of these tables of the schema `trips` until the transaction ends, or on none. The
/// first that is not free is returned.
pub fn try_lock_all(tables: &[&CStr]) -> Result<(), pg_sys::Oid> {
    lock_all(tables, |table| try_lock(table, Mode::RowExclusive))
}

/// As [`try_lock_all`], in a subtransaction whose deadlocks are caught. If this transaction already has another lock on
/// a table, it locks the table although others wait for it: they wait for this transaction.
pub fn try_lock_all_ahead(tables: &[&CStr]) -> Result<(), pg_sys::Oid> {
    lock_all(tables, |table| {
        let is_free = try_lock(table, Mode::RowExclusive);
        let comes_first = || {
            locks::holds_any(table)
                && !locks::has_conflicting_holder(table, Mode::RowExclusive.number())
        };
        if !is_free && comes_first() {
            // SAFETY: as in `try_lock`.
            unsafe { pg_sys::LockRelationOid(table, Mode::RowExclusive.number()) };
            return true;
        }
        is_free
    })
}

fn lock_all(tables: &[&CStr], try_lock: impl Fn(pg_sys::Oid) -> bool) -> Result<(), pg_sys::Oid> {
    let mut locked = Vec::with_capacity(tables.len());
    // The code that opens the table reports a missing one.
    for table in tables.iter().filter_map(|name| Table::find(name)) {
        if !try_lock(table) {
            for other in locked {
                // SAFETY: the lock was locked above, for the same resource owner.
                unsafe { pg_sys::UnlockRelationOid(other, Mode::RowExclusive.number()) };
            }
            return Err(table);
        }
        locked.push(table);
    }
    Ok(())
}

/// The result of a wait for an object's lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockResult {
    /// The lock is acquired, and so are the tables.
    Locked,
    /// This table was not free, and no lock is held.
    NotAvailable(pg_sys::Oid),
    /// The holder of the lock waits for this transaction, which must end.
    GiveUp,
}

/// Waits for a lock on an object that is not a table, and then acquires it with the locks that `and_then` acquires, or
/// none of them. It cancels a statement that causes a deadlock, but no other load.
pub fn lock_object(
    class: pg_sys::Oid,
    object: pg_sys::Oid,
    and_then: impl Fn() -> Result<(), pg_sys::Oid>,
) -> Result<LockResult, SpiError> {
    let mut canceled = Vec::new();
    let waited = loop {
        let not_free = Cell::new(None);
        let lock = || {
            let mode = pg_sys::ExclusiveLock as pg_sys::LOCKMODE;
            // SAFETY: locks an oid of a catalog in a transaction.
            unsafe { pg_sys::LockDatabaseObject(class, object, 0, mode) };
            not_free.set(and_then().err());
            if not_free.get().is_none() { End::Keep } else { End::Undo }
        };
        match subtransaction::attempt(lock) {
            Ok(_) => break not_free.get().map_or(LockResult::Locked, LockResult::NotAvailable),
            Err(error) if is_deadlock(&error) => {
                if !cancel_between(object, &mut canceled)? {
                    break LockResult::GiveUp;
                }
            }
            Err(error) if is_cancel(&error) && Lock::must_yield() => break LockResult::GiveUp,
            Err(error) => error.rethrow(),
        }
    };
    canceled.into_iter().for_each(|pid| Lock::Yield(pid).unlock());
    Ok(waited)
}

fn code_of(error: &CaughtError) -> PgSqlErrorCode {
    let (CaughtError::PostgresError(report)
    | CaughtError::ErrorReport(report)
    | CaughtError::RustPanic { ereport: report, .. }) = error;
    report.sql_error_code()
}

fn is_deadlock(error: &CaughtError) -> bool {
    code_of(error) == PgSqlErrorCode::ERRCODE_T_R_DEADLOCK_DETECTED
}

fn is_cancel(error: &CaughtError) -> bool {
    code_of(error) == PgSqlErrorCode::ERRCODE_QUERY_CANCELED
}

/// The processes that each process waits for (`waits`), and those that wait for us (`behind`).
const WAITS: &str = "WITH RECURSIVE waits AS MATERIALIZED (
       SELECT DISTINCT l.pid, b.pid AS blocker
         FROM pg_locks AS l CROSS JOIN LATERAL unnest(pg_blocking_pids(l.pid)) AS b (pid)
        WHERE NOT l.granted),
     behind (pid) AS (
       SELECT w.pid FROM waits AS w WHERE w.blocker = pg_backend_pid()
        UNION
       SELECT w.pid FROM waits AS w JOIN behind AS b ON w.blocker = b.pid)";

/// Cancels a statement that has the object's lock, or that its holder waits for, and that waits for us; `false` if all
/// of them are loads.
fn cancel_between(object: pg_sys::Oid, canceled: &mut Vec<i32>) -> Result<bool, SpiError> {
    let [.., at_work] = Lock::Cancelable(0).in_pg_locks();
    let query = format!(
        "{WAITS}, ahead (pid, way) AS (
           SELECT l.pid, 0 FROM pg_locks AS l
            WHERE l.locktype = 'object' AND l.granted AND l.pid <> pg_backend_pid()
              AND l.classid = 'pg_class'::regclass AND l.objid = $1 AND l.objsubid = 0
              AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
            UNION
           SELECT w.blocker, a.way + 1 FROM ahead AS a JOIN waits AS w ON w.pid = a.pid WHERE a.way < 20)
         SELECT a.pid, EXISTS (SELECT FROM pg_locks AS l
                                WHERE l.pid = a.pid AND l.locktype = 'advisory' AND l.objsubid = $2 AND l.granted)
           FROM ahead AS a JOIN behind AS b ON b.pid = a.pid
          WHERE a.pid <> pg_backend_pid()
          ORDER BY 2, a.way LIMIT 1"
    );
    let found = Spi::connect(|client| {
        let found = client.select(&query, Some(1), &[object.into(), at_work.into()])?;
        if found.is_empty() { Ok((None, None)) } else { found.first().get_two::<i32, bool>() }
    })?;
    match found {
        (Some(pid), Some(false)) => cancel(pid, canceled),
        (Some(_), _) => return Ok(false),
        // There is no cycle any more.
        (None, _) => {}
    }
    Ok(true)
}

/// Cancels the statement of a process, which finds the reason by the mark.
fn cancel(pid: i32, canceled: &mut Vec<i32>) {
    if !canceled.contains(&pid) && Lock::Yield(pid).try_lock() {
        canceled.push(pid);
    }
    session::cancel(pid);
    pgrx::log!(
        "canceled the statement of process {pid}: a load waits for its transaction, which waits for the load"
    );
}

/// Cancels the statements that wait for this transaction and hold the lock. Statements that wait for the history lock
/// find the mark, and report it.
fn cancel_waiters(table: pg_sys::Oid, mode: Mode, canceled: &mut Vec<i32>) -> Result<(), SpiError> {
    let found = Spi::connect(|client| {
        let query = format!("{WAITS}
             SELECT l.pid, bool_or(l.granted)
               FROM pg_locks AS l JOIN behind AS b ON b.pid = l.pid
              WHERE l.locktype = 'relation' AND l.relation = $1 AND l.mode = ANY ($2) AND l.pid <> pg_backend_pid()
                AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
              GROUP BY l.pid ORDER BY 2 DESC");
        let modes: Vec<&str> = mode.conflicting().to_vec();
        let rows = client.select(&query, None, &[table.into(), modes.into()])?;
        rows.map(|row| Ok((row.get::<i32>(1)?, row.get::<bool>(2)? == Some(true))))
            .collect::<Result<Vec<_>, SpiError>>()
    })?;
    // A process that only waits for the table before us does not matter while another one has it.
    let is_held = found.iter().any(|&(_, has_it)| has_it);
    let in_the_way = found.into_iter().filter(|&(_, has_it)| has_it || !is_held);
    in_the_way.filter_map(|(pid, _)| pid).for_each(|pid| cancel(pid, canceled));
    Ok(())
}
