//! Code of the tables' owners that PostgreSQL would run at the end of a transaction, as the committing role: deferred
//! triggers and constraints, and the queries of WITH HOLD cursors.
//!
//! A worker of ours ends its transactions as a superuser. So this code runs before a scope drops the owner's
//! privileges. (SET CONSTRAINTS ALL IMMEDIATE is not enough: the owner's own trigger may defer again.)

use std::cell::Cell;

use pgrx::pg_sys;

thread_local! {
    /// No user statement is running.
    static IS_OUTSIDE: Cell<bool> = const { Cell::new(false) };
}

/// This process is a worker of ours: it runs no user statement.
pub fn this_is_a_worker() {
    IS_OUTSIDE.set(true);
}

/// Works outside of any statement, as a callback at the end of a transaction does.
pub fn outside_statements<T>(work: impl FnOnce() -> T) -> T {
    struct Before(bool);
    impl Drop for Before {
        fn drop(&mut self) {
            IS_OUTSIDE.set(self.0);
        }
    }
    let _before = Before(IS_OUTSIDE.replace(true));
    work()
}

/// Runs all code that is deferred to the end of the transaction, as the current user. Within a user statement it does
/// nothing: the code then runs at the end of the user's transaction, as PostgreSQL defines.
pub fn run_now() {
    if !IS_OUTSIDE.get() {
        return;
    }
    // SAFETY: as at the commit, no query is running, and none of our own cursors is open. What one trigger defers or
    // opens is run by the next round. PostgreSQL's commit does the same, and finds nothing left.
    unsafe {
        loop {
            pg_sys::AfterTriggerFireDeferred();
            if !pg_sys::PreCommit_Portals(false) {
                break;
            }
        }
    }
}
