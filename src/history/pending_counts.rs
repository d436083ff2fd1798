//! What is in the history and not in the books yet.
//!
//! A load books its own rows: the triggers pass over its statements. What the triggers, defaults and functions of
//! others do to the history within a load is theirs, and followed; but while the load's rows are there and not yet
//! counted, counting anew would count them twice: the days are kept until the load has booked its rows.

use std::cell::{Cell, RefCell};

use pgrx::pg_sys;

use super::Days;
use crate::pg::session;

thread_local! {
    /// The table that a load fills now, and how deep in triggers it does so.
    static FILLED: Cell<Option<(pg_sys::Oid, i32)>> = const { Cell::new(None) };
    /// Whether a command of ours is at work that event triggers hear of.
    static COMMANDS: Cell<bool> = const { Cell::new(false) };
    /// How many loads of this backend have rows that are not booked: one may be within another's trigger.
    static PENDING: Cell<u32> = const { Cell::new(0) };
    /// What others have deferred meanwhile.
    static DEFERRED: RefCell<Vec<Days>> = const { RefCell::new(Vec::new()) };
}

/// A value of this thread, until this goes; then it is what it was before.
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

/// Runs commands that our event triggers are not to follow: a load makes a partition, the summary is refreshed
/// (which makes a table and drops it).
pub fn run_own_command<T>(work: impl FnOnce() -> T) -> T {
    let _commands = While::set(&COMMANDS, true);
    work()
}

/// Whether the statement whose trigger calls us is a load's own one that fills this table.
pub fn is_filled_by_load(table: pg_sys::Oid) -> bool {
    FILLED.get() == Some((table, session::trigger_depth() - 1))
}

/// Whether the command that an event trigger hears of is one of ours.
pub fn is_own_command() -> bool {
    COMMANDS.get()
}

/// Keeps days for later, if a load has rows that are not booked; `false` when they can be counted now.
pub fn defer(days: &[Days]) -> bool {
    let is_pending = PENDING.get() > 0;
    if is_pending {
        DEFERRED.with_borrow_mut(|deferred| deferred.extend_from_slice(days));
    }
    is_pending
}

/// A load has rows in the history that are not booked, until this goes.
pub struct PendingCounts(());

impl PendingCounts {
    /// From now on.
    pub fn begin() -> Self {
        PENDING.set(PENDING.get() + 1);
        Self(())
    }

    /// They are booked. Returns what is to be counted anew now, these days among them.
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
        // What is left when the last one goes belongs to a load that has failed.
        if PENDING.get() == 0 {
            DEFERRED.take();
        }
    }
}
