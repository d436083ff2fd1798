//! A small background worker that writes what must outlive an error.
//!
//! The transaction of a load that fails is lost with all it wrote. The ledger's row of it is written
//! by another process, which the failing backend starts and waits for before it raises its error.

use pgrx::bgworkers::{BackgroundWorker, BackgroundWorkerBuilder};
use pgrx::{Spi, pg_guard, pg_sys};
use serde::{Deserialize, Serialize};

use super::relation::Table;
use super::session::AsOwner;
use crate::ledger;

/// A failed load as the ledger will have it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Failure {
    /// Number of the load.
    pub load_id: i64,
    /// Path of the file.
    pub source: String,
    /// BLAKE3 of its bytes, if they were read.
    pub digest: Option<[u8; 32]>,
    /// Size of the file, bytes.
    pub bytes: u64,
    /// SQLSTATE.
    pub code: String,
    /// What happened.
    pub error: String,
    /// The role that asked for the load.
    pub requested_by: String,
    /// When the load began: microseconds since 2000-01-01 UTC.
    pub started_at: i64,
}

/// Has a worker enter the failure, as the owner of the ledger, and waits until it has.
///
/// Returns whether it was entered. It is not when there is no free slot (max_worker_processes), or when
/// the ledger cannot be written within two seconds; then the failure is told by the error alone.
pub fn record_failure(failure: &Failure) -> bool {
    let Ok(message) = serde_json::to_vec(failure) else {
        return false;
    };
    // SAFETY: reads a variable of the backend.
    let database = unsafe { pg_sys::MyDatabaseId };
    // SAFETY: the segment is created here with room for the head and the message, and is mapped
    // until it is detached below. The worker attaches it by its handle while we wait, and has ended
    // when we read the head again.
    unsafe {
        let segment = pg_sys::dsm_create(size_of::<Head>() + message.len(), 0);
        let address = pg_sys::dsm_segment_address(segment).cast::<u8>();
        address.cast::<Head>().write(Head { length: message.len(), entered: false });
        let body = address.add(size_of::<Head>());
        std::ptr::copy_nonoverlapping(message.as_ptr(), body, message.len());
        let worker = BackgroundWorkerBuilder::new("trips_pipeline ledger")
            .set_library("$libdir/trips_pipeline")
            .set_function("trips_record_failure")
            .set_argument(Some(pg_sys::Datum::from(pg_sys::dsm_segment_handle(segment))))
            .set_extra(&database.to_u32().to_string())
            .set_notify_pid(pg_sys::MyProcPid)
            .enable_spi_access()
            .load_dynamic();
        if let Ok(worker) = worker {
            // Whatever it says: the worker has ended, and has logged why if it could not write.
            let _ = worker.wait_for_shutdown();
        }
        let entered = address.cast::<Head>().read().entered;
        pg_sys::dsm_detach(segment);
        entered
    }
}

/// What the segment begins with.
#[repr(C)]
struct Head {
    /// Bytes of the message that follows.
    length: usize,
    /// The worker's answer: its transaction has committed.
    entered: bool,
}

/// The worker's main function; PostgreSQL finds it by this name.
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn trips_record_failure(argument: pg_sys::Datum) {
    let Ok(database) = BackgroundWorker::get_extra().parse::<u32>() else { return };
    // SAFETY: a background worker begins with its signals blocked and unblocks them once; PostgreSQL's
    // own handlers are in place. Without them no timeout would fire.
    unsafe { pg_sys::BackgroundWorkerUnblockSignals() }
    // As the superuser of the cluster, because the ledger's owner may not be allowed to log in.
    BackgroundWorker::connect_worker_to_spi_by_oid(Some(pg_sys::Oid::from(database)), None);
    let entered = BackgroundWorker::transaction(|| {
        read_message(argument)
            .is_some_and(|failure| enter(&failure).unwrap_or_else(|error| pgrx::error!("{error}")))
    });
    if entered {
        // The transaction has committed.
        tell_entered(argument);
    }
}

/// Enters the failure, with the rights of the ledger's owner, unless the extension is not there (it
/// was created in the transaction that is lost).
fn enter(failure: &Failure) -> Result<bool, crate::error::LoadError> {
    // The database's owner may have set any search_path for it, and we are a superuser still: these
    // names need their schema. A lock on the ledger that the failing transaction holds would never be
    // given to us while it waits for us.
    Spi::run(
        "SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true),
                pg_catalog.set_config('lock_timeout', '2s', true)",
    )?;
    let is_there = Spi::get_one::<bool>("SELECT to_regclass('trips.loads') IS NOT NULL")?;
    if is_there != Some(true) {
        return Ok(false);
    }
    let table = Table::open_for_insert(c"loads");
    let _owner = AsOwner::of(&table);
    ledger::enter_failed(failure)?;
    Ok(true)
}

/// Attaches the segment, if its maker still waits, and gives its address to `f`.
fn with_segment<R>(argument: pg_sys::Datum, f: impl FnOnce(*mut u8) -> R) -> Option<R> {
    // SAFETY: the argument is the handle of the segment that record_failure made and keeps until
    // this process ends; it is mapped while `f` runs.
    unsafe {
        let handle = pg_sys::dsm_handle::try_from(argument.value()).ok()?;
        let segment = pg_sys::dsm_attach(handle);
        if segment.is_null() {
            return None;
        }
        let result = f(pg_sys::dsm_segment_address(segment).cast());
        pg_sys::dsm_detach(segment);
        Some(result)
    }
}

fn tell_entered(argument: pg_sys::Datum) {
    // SAFETY: the segment begins with a Head; its maker reads it after this process has ended.
    with_segment(argument, |address| unsafe { (*address.cast::<Head>()).entered = true });
}

fn read_message(argument: pg_sys::Datum) -> Option<Failure> {
    // SAFETY: the segment begins with a Head, and `length` bytes of the message follow it.
    with_segment(argument, |address| unsafe {
        let length = (*address.cast::<Head>()).length;
        let message = std::slice::from_raw_parts(address.add(size_of::<Head>()), length);
        serde_json::from_slice(message).ok()
    })?
}
