//! The history lock: which transaction may write to the history, and in which order a load takes its locks.
//!
//! It is a lock of its own, on the table as an object (as DDL takes them on objects that are not tables), so that
//! VACUUM and readers do not conflict with it. docs/architecture.md has the lock order.

use std::cell::Cell;
use std::ffi::CStr;

use pgrx::pg_sys;

use super::partitions::Created;
use super::{HISTORY, History};
use crate::error::{HistoryError, LoadError};
use crate::pg::relation::Table;
use crate::pg::table_locks::{self, LockResult, Mode};
use crate::pg::{interrupts, locks};

/// The tables that a load writes to, in the order in which it locks them.
const WRITTEN: [&CStr; 9] = [
    HISTORY,
    c"stg_trip_data",
    c"daily_trip_counts",
    c"weekly_trip_counts",
    c"summarized_trip_data",
    c"trips_internal.area_directory",
    c"trips_internal.area_pages",
    c"trips_internal.claims",
    // At its commit.
    c"events",
];

/// Attempts of a load to acquire all of its locks, before it fails. Each attempt waits, unless PostgreSQL lets it
/// overtake others: the number of attempts must be limited.
const ROUNDS: usize = 1_000;

const CLASS: pg_sys::Oid = pg_sys::RelationRelationId;

impl History {
    /// Waits for other loads, and for transactions that have locked a table that a load writes to. Then acquires the
    /// history lock until the transaction ends. It holds none of these locks while it waits for another.
    pub fn lock_for_load() -> Result<Self, LoadError> {
        let history = oid()?;
        let take_tables = || table_locks::try_lock_all_ahead(&WRITTEN);
        for _ in 0..ROUNDS {
            interrupts::check();
            let held = Self { created: Created::default() };
            match table_locks::lock_object(CLASS, history, take_tables)? {
                LockResult::Locked => return Ok(held),
                LockResult::GiveUp => return Err(HistoryError::InUse.into()),
                LockResult::NotAvailable(table) => {
                    if take_from(table, history)? {
                        return Ok(held);
                    }
                }
            }
        }
        Err(HistoryError::InUse.into())
    }

    /// Only to compare with it: without any lock, so that other loads may change it meanwhile.
    pub fn to_compare() -> Self {
        Self { created: Created::default() }
    }

    /// Acquires the history lock if it is free.
    pub fn try_lock_for_load() -> Result<Option<Self>, LoadError> {
        let history = oid()?;
        if !locks::try_lock_object(CLASS, history) {
            return Ok(None);
        }
        if table_locks::try_lock_all(&WRITTEN).is_err() {
            locks::unlock_object(CLASS, history);
            return Ok(None);
        }
        Ok(Some(Self { created: Created::default() }))
    }

    /// Locks the history against loads until this transaction ends, for changes by hand. The load that has the lock may
    /// need a lock of this transaction: the error is raised here, and not in the load.
    pub fn lock_for_change() -> Result<(), LoadError> {
        // Its lock stays. The table is closed, because an open table cannot get partitions.
        let history = Table::open_for_insert(HISTORY).oid();
        if locks::lock_object(CLASS, history) { Ok(()) } else { Err(HistoryError::InUse.into()) }
    }
}

fn oid() -> Result<pg_sys::Oid, LoadError> {
    // Opened only to raise the error that it is missing.
    Ok(Table::find(HISTORY).unwrap_or_else(|| Table::open_for_insert(HISTORY).oid()))
}

/// Waits for a table that was not free, and acquires the other locks if they are free then; `false` if the history is
/// not.
///
/// PostgreSQL may have let us overtake others that wait for the table: so the other locks are acquired at once or not
/// at all. The load then waits for the next one that is not free.
fn take_from(mut table: pg_sys::Oid, history: pg_sys::Oid) -> Result<bool, LoadError> {
    for _ in 0..ROUNDS {
        interrupts::check();
        let next = Cell::new(None);
        let take_rest = || {
            if !locks::try_lock_object(CLASS, history) {
                return false;
            }
            next.set(table_locks::try_lock_all_ahead(&WRITTEN).err());
            next.get().is_none()
        };
        if table_locks::lock_if(table, Mode::RowExclusive, take_rest)? {
            return Ok(true);
        }
        match next.get() {
            Some(next) => table = next,
            None => return Ok(false),
        }
    }
    Err(HistoryError::InUse.into())
}
