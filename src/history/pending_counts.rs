//! Days whose counts are pending.
//!
//! A load counts its own rows: the triggers ignore its statements. Changes by triggers, defaults and functions of users
//! within a load are tracked. But while rows of the load are inserted and not yet counted, counting their days would
//! count them twice. So these days are remembered until the load has counted its rows.

use std::cell::{Cell, RefCell};

use pgrx::pg_sys;

use super::Days;
use crate::pg::session;

thread_local! {
    /// The table that a load fills now, and the trigger depth.
    static FILLED: Cell<Option<(pg_sys::Oid, i32)>> = const { Cell::new(None) };
    /// Whether a command of ours is running that fires event triggers.
    static COMMANDS: Cell<bool> = const { Cell::new(false) };
    /// Number of loads of this backend with pending counts: one may run within another's trigger.
    static PENDING: Cell<u32> = const { Cell::new(0) };
    /// Days that were deferred meanwhile.
    static DEFERRED: RefCell<Vec<Days>> = const { RefCell::new(Vec::new()) };
}

/// A value of this thread, until this is dropped; then the previous one.
struct While<T: Copy + 'static> {
    cell: &'static std::thread::LocalKey<Cell<T>>,
    before: T,
}

impl<T: Copy> While<T> {
    fn set(cell: &'static std::thread::LocalKey<Cell<T>>, value: T) -> Self {
        Self { cell, before: cell.replace(value) }
    }
}

impl<T: Copy + 'static> Drop for While<T> {
    fn drop(&mut self) {
        self.cell.set(self.before);
    }
}

/// Fills a table with rows of a load.
pub fn while_filling<T>(table: pg_sys::Oid, work: impl FnOnce() -> T) -> T {
    let _filled = While::set(&FILLED, Some((table, session::trigger_depth())));
    work()
}

/// Runs commands that our event triggers must ignore: a load creates a partition, or refreshes the summary (which
/// creates a table and drops it).
pub fn run_own_command<T>(work: impl FnOnce() -> T) -> T {
    let _commands = While::set(&COMMANDS, true);
    work()
}

/// Whether the statement of the calling trigger is a load's own one that fills this table.
pub fn is_filled_by_load(table: pg_sys::Oid) -> bool {
    FILLED.get() == Some((table, session::trigger_depth() - 1))
}

/// Whether the command of an event trigger is one of ours.
pub fn is_own_command() -> bool {
    COMMANDS.get()
}

/// Defers days, if a load has pending counts; `false` if they can be counted now.
pub fn defer(days: &[Days]) -> bool {
    let is_pending = PENDING.get() > 0;
    if is_pending {
        DEFERRED.with_borrow_mut(|deferred| deferred.extend_from_slice(days));
    }
    is_pending
}

/// A load has pending counts until this is dropped.
pub struct PendingCounts(());

impl PendingCounts {
    /// From now on.
    pub fn begin() -> Self {
        PENDING.set(PENDING.get() + 1);
        Self(())
    }

    /// The rows are counted. Returns the days to count again now, including these.
    pub fn end(self, mut days: Vec<Days>) -> Vec<Days> {
        if PENDING.get() > 1 {
            defer(&days);
            return Vec::new();
        }
        days.extend(DEFERRED.take());
        days
    }
}

impl Drop for PendingCounts {
    fn drop(&mut self) {
        PENDING.set(PENDING.get() - 1);
        // The rest, when the last one is dropped, belongs to a load that has failed.
        if PENDING.get() == 0 {
            DEFERRED.take();
        }
    }
}
