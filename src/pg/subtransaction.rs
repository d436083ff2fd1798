//! Work that may fail without ending the transaction.

use std::panic::AssertUnwindSafe;

use pgrx::pg_sys::panic::CaughtError;
use pgrx::{PgTryBuilder, pg_sys};

/// How a subtransaction ends whose work has succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It belongs to the transaction.
    Keep,
    /// It is rolled back.
    Undo,
}

/// Works in a subtransaction, and decides how it ends. An error of PostgreSQL rolls it back, releases its locks, and is
/// returned.
pub fn attempt(work: impl FnOnce() -> End) -> Result<End, Box<CaughtError>> {
    // SAFETY: we are in a transaction, and not in parallel mode. As in PL/pgSQL, the caller continues with its own
    // memory context and resource owner.
    let (memory, owner) = unsafe {
        let before = (pg_sys::CurrentMemoryContext, pg_sys::CurrentResourceOwner);
        pg_sys::BeginInternalSubTransaction(std::ptr::null());
        pg_sys::MemoryContextSwitchTo(before.0);
        before
    };
    let result = PgTryBuilder::new(AssertUnwindSafe(|| Ok(work())))
        .catch_others(|cause| Err(Box::new(cause)))
        .execute();
    // SAFETY: ends the subtransaction that was begun above: `work` leaves none open. An error that is not caught here
    // (a panic of Rust) ends the transaction with all of them.
    unsafe {
        if matches!(result, Ok(End::Keep)) {
            pg_sys::ReleaseCurrentSubTransaction();
        } else {
            pg_sys::RollbackAndReleaseCurrentSubTransaction();
        }
        pg_sys::MemoryContextSwitchTo(memory);
        pg_sys::CurrentResourceOwner = owner;
    }
    result
}
