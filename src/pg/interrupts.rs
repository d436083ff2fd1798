//! Reasons to stop: a cancel, the end of the session, the end of memory.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{PgLogLevel, PgSqlErrorCode, PgTryBuilder, pg_sys};

use crate::os::memory;
use crate::pg::error_fields::RAISED_BY;

/// Prepares the process for the end of memory, when the library is loaded.
///
/// It panics once and catches that. The first panic of a thread allocates in C for the end of the
/// thread, and the C library ends the process if it cannot: an error that says that there is no memory must not be it.
pub fn prepare() {
    PgTryBuilder::new(|| panic!("the first one")).catch_others(|_| ()).execute();
    // SAFETY: the functions live as long as the process, and use no argument.
    unsafe {
        pg_sys::RegisterXactCallback(Some(forget_shortage), std::ptr::null_mut());
        pg_sys::RegisterSubXactCallback(Some(forget_shortage_of_savepoint), std::ptr::null_mut());
    }
}

/// A shortage is an error of the transaction that had it. What it has put into a cache stays in the reserve, so that the
/// next transaction would take the shortage for its own.
unsafe extern "C-unwind" fn forget_shortage(
    event: pg_sys::XactEvent::Type,
    _: *mut std::ffi::c_void,
) {
    use pg_sys::XactEvent::{XACT_EVENT_ABORT, XACT_EVENT_COMMIT, XACT_EVENT_PREPARE};
    if matches!(event, XACT_EVENT_ABORT | XACT_EVENT_COMMIT | XACT_EVENT_PREPARE) {
        let _ = memory::take_shortage();
    }
}

unsafe extern "C-unwind" fn forget_shortage_of_savepoint(
    event: pg_sys::SubXactEvent::Type,
    _: pg_sys::SubTransactionId,
    _: pg_sys::SubTransactionId,
    _: *mut std::ffi::c_void,
) {
    if event == pg_sys::SubXactEvent::SUBXACT_EVENT_ABORT_SUB {
        let _ = memory::take_shortage();
    }
}

/// Stops with an error if there is a reason to. Whatever works for long calls it often.
///
/// # Errors
/// ERROR 57014 of PostgreSQL when the statement was cancelled, and FATAL when the session is to end. ERROR 53200 when
/// the system had no memory for an allocation of this library, and the reserve served it.
pub fn check() {
    // SAFETY: a signal handler of this process sets the flag; reading it has no precondition. ProcessInterrupts is called
    // between statements of Rust, in the backend's own thread, as everything in this room; its ERROR unwinds.
    unsafe {
        if pg_sys::InterruptPending != 0 {
            pg_sys::ProcessInterrupts();
        }
    }
    if let Some(bytes) = memory::take_shortage() {
        no_memory(bytes);
    }
}

/// Says that there is no memory for so many bytes.
///
/// # Errors
/// ERROR 53200.
pub fn no_memory(bytes: usize) -> ! {
    let code = PgSqlErrorCode::ERRCODE_OUT_OF_MEMORY;
    ErrorReport::new(code, "out of memory", RAISED_BY)
        .set_detail(format!("Failed on request of size {bytes}."))
        .report(PgLogLevel::ERROR);
    unreachable!("an ERROR does not return")
}
