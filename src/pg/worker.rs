//! A small background worker that writes what must outlive an error.
//!
//! The transaction of a load that fails is lost with all it wrote. The ledger's row of it is written
//! by another process, which the failing backend starts and waits for before it raises its error.

use pgrx::bgworkers::{BackgroundWorker, BackgroundWorkerBuilder};
use pgrx::{Spi, pg_guard, pg_sys};
use serde::{Deserialize, Serialize};

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
/// Returns whether a worker could be started; without a free slot (max_worker_processes) the failure
/// is told by the error alone.
pub fn record_failure(failure: &Failure, owner: pg_sys::Oid) -> bool {
    let Ok(message) = serde_json::to_vec(failure) else {
        return false;
    };
    // SAFETY: reads a variable of the backend.
    let database = unsafe { pg_sys::MyDatabaseId };
    // SAFETY: the segment is created here with room for the length and the message, and is mapped
    // until it is detached below. The worker attaches it by its handle while we wait.
    unsafe {
        let segment = pg_sys::dsm_create(size_of::<usize>() + message.len(), 0);
        let address = pg_sys::dsm_segment_address(segment).cast::<u8>();
        address.cast::<usize>().write(message.len());
        let body = address.add(size_of::<usize>());
        std::ptr::copy_nonoverlapping(message.as_ptr(), body, message.len());
        let worker = BackgroundWorkerBuilder::new("trips_pipeline ledger")
            .set_library("trips_pipeline")
            .set_function("trips_record_failure")
            .set_argument(Some(pg_sys::Datum::from(pg_sys::dsm_segment_handle(segment))))
            .set_extra(&format!("{} {}", database.to_u32(), owner.to_u32()))
            .set_notify_pid(pg_sys::MyProcPid)
            .enable_spi_access()
            .load_dynamic();
        let started = worker.is_ok();
        if let Ok(worker) = worker {
            // Whatever it says: the worker has ended, and has logged why if it could not write.
            let _ = worker.wait_for_shutdown();
        }
        pg_sys::dsm_detach(segment);
        started
    }
}

/// The worker's main function; PostgreSQL finds it by this name.
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn trips_record_failure(argument: pg_sys::Datum) {
    let mut ids = BackgroundWorker::get_extra().split(' ').filter_map(|id| id.parse::<u32>().ok());
    let (Some(database), Some(owner)) = (ids.next(), ids.next()) else {
        return;
    };
    let oid = |id| Some(pg_sys::Oid::from(id));
    BackgroundWorker::connect_worker_to_spi_by_oid(oid(database), oid(owner));
    BackgroundWorker::transaction(|| {
        let Some(failure) = read_message(argument) else {
            return;
        };
        enter(&failure).unwrap_or_else(|error| pgrx::error!("{error}"));
    });
}

/// Enters the failure unless the extension is not there (it was created in the lost transaction).
fn enter(failure: &Failure) -> Result<(), crate::error::LoadError> {
    // A lock on the ledger that the failing transaction holds would never be given to us while it
    // waits for us.
    Spi::run(
        "SELECT set_config('search_path', 'pg_catalog, pg_temp', true),
                set_config('lock_timeout', '2s', true)",
    )?;
    let is_there = Spi::get_one::<bool>("SELECT to_regclass('trips.loads') IS NOT NULL")?;
    if is_there == Some(true) { ledger::enter_failed(failure) } else { Ok(()) }
}

fn read_message(argument: pg_sys::Datum) -> Option<Failure> {
    // SAFETY: the argument is the handle of the segment that record_failure made and keeps until
    // this process ends; it begins with the length of the message that follows.
    unsafe {
        let handle = pg_sys::dsm_handle::try_from(argument.value()).ok()?;
        let segment = pg_sys::dsm_attach(handle);
        if segment.is_null() {
            return None;
        }
        let address = pg_sys::dsm_segment_address(segment).cast::<u8>();
        let length = address.cast::<usize>().read();
        let message = std::slice::from_raw_parts(address.add(size_of::<usize>()), length);
        let failure = serde_json::from_slice(message).ok();
        pg_sys::dsm_detach(segment);
        failure
    }
}
