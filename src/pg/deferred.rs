//! Code of the tables' owners that would run at the end of a transaction, as whoever ends it: deferred
//! triggers and constraints, and the queries of cursors that are held over the end.
//!
//! A worker of ours ends its transactions as a superuser. So what a scope with an owner's rights has put off runs
//! before these rights go, and nothing is left for the end. (SET CONSTRAINTS ALL IMMEDIATE is not enough: the
//! owner's own trigger may defer again.)

use std::cell::Cell;

use pgrx::pg_sys;

thread_local! {
    /// No statement of a user surrounds what runs now.
    static IS_OUTSIDE: Cell<bool> = const { Cell::new(false) };
}

/// This process is a worker of ours: no statement surrounds what it does.
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

/// Runs all that is put off to the end of the transaction, as the current user; within a statement, nothing:
/// there it is the user's transaction, and runs at its end as PostgreSQL has it.
pub fn run_now() {
    if !IS_OUTSIDE.get() {
        return;
    }
    // SAFETY: as at the commit, no query is at work, and none of our own cursors is open; what one trigger defers,
    // or opens, is run by the next round. PostgreSQL's commit does the same, and finds nothing left.
    unsafe {
        loop {
            pg_sys::AfterTriggerFireDeferred();
            if !pg_sys::PreCommit_Portals(false) {
                break;
            }
        }
    }
}
