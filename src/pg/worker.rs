//! The process of a load's witness: how it is started, and its main function.

use std::time::Duration;

use pgrx::bgworkers::{BackgroundWorker, BackgroundWorkerBuilder};
use pgrx::{pg_guard, pg_sys};

use super::board::Board;
use super::compat;
use crate::witness;

/// How long PostgreSQL waits before it starts a witness again that a crash or an error has ended.
const RESTART: Duration = Duration::from_secs(5);

/// Starts a witness of this database that knows the board; `false` when there is no free slot
/// (`max_worker_processes`).
pub fn start_witness(board: &Board) -> bool {
    // SAFETY: reads a variable of the backend.
    let database = unsafe { pg_sys::MyDatabaseId };
    BackgroundWorkerBuilder::new("trips_pipeline witness")
        .set_type("trips_pipeline witness")
        .set_library("$libdir/trips_pipeline")
        .set_function("trips_witness")
        .set_argument(Some(pg_sys::Datum::from(board.handle())))
        .set_extra(&database.to_u32().to_string())
        .set_restart_time(Some(RESTART))
        .enable_spi_access()
        .load_dynamic()
        .is_ok()
}

/// The witness's main function; PostgreSQL finds it by this name.
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn trips_witness(argument: pg_sys::Datum) {
    let Ok(database) = BackgroundWorker::get_extra().parse::<u32>() else { return };
    // SAFETY: a background worker begins with its signals blocked and unblocks them once, when its handlers
    // are in place. The default one for SIGTERM would end the process wherever it is, in the middle of an
    // allocation too: ours leaves a note, as that of a session does.
    unsafe {
        compat::handle_signal(libc::SIGTERM, terminate);
        pg_sys::BackgroundWorkerUnblockSignals();
    }
    // As the superuser of the cluster, because the ledger's owner may not be allowed to log in.
    BackgroundWorker::connect_worker_to_spi_by_oid(Some(pg_sys::Oid::from(database)), None);
    let board = u32::try_from(argument.value()).ok().and_then(Board::attach);
    witness::watch(board);
}

/// The handler of SIGTERM: the process ends at the next look for interrupts.
unsafe extern "C-unwind" fn terminate(signal: i32) {
    // SAFETY: `die` is the handler of PostgreSQL's own sessions; it sets flags and the latch.
    unsafe { pg_sys::die(signal) }
}

/// Waits until the latch is set, but not longer than this; then it is reset.
pub fn wait(timeout: Duration) {
    let events = pg_sys::WL_LATCH_SET | pg_sys::WL_TIMEOUT | pg_sys::WL_EXIT_ON_PM_DEATH;
    let milliseconds = i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX);
    // SAFETY: waits on the latch of this process; the event tells monitoring that it is an extension.
    unsafe {
        pg_sys::WaitLatch(
            pg_sys::MyLatch,
            events.cast_signed(),
            milliseconds,
            pg_sys::PG_WAIT_EXTENSION,
        );
        pg_sys::ResetLatch(pg_sys::MyLatch);
    }
    pgrx::check_for_interrupts!();
}
