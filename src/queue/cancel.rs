//! `trips.cancel`: ends a queued or running load.

use std::time::Duration;

use pgrx::pg_sys;

use super::Wake;
use super::running::{self, Caller, holder_of};
use crate::error::{LoadError, QueueError, RequestError};
use crate::events;
use crate::ledger::{self, LoadFailure};
use crate::pg::locks::Lock;
use crate::pg::{interrupts, session};
use crate::progress;

/// Attempts, and the interval between them, to find a load whose lock a process holds and that does not run.
const ATTEMPTS: u32 = 20;
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Cancels a load for the current user.
pub fn cancel_load(load_id: i64) -> Result<(), LoadError> {
    let caller = Caller::now();
    if cancel_running(load_id, &caller)? {
        return Ok(());
    }
    let _owner = ledger::as_owner();
    let asked_by = ledger::requested_by(load_id)?;
    let is_entered = asked_by.is_some();
    if let Some(name) = asked_by {
        caller.require(role_of(load_id, &name)?, load_id)?;
    }
    for _ in 0..ATTEMPTS {
        if let Some(load) = running::find(load_id) {
            // The ledger may not show it yet.
            caller.require(Some(load.requested_by), load_id)?;
            session::cancel(load.pid);
            return Ok(());
        }
        // While PostgreSQL builds an index, the progress slots do not show the load.
        if let Some(pid) = holder_of(Lock::Cancelable(load_id))? {
            if !is_entered {
                caller.require(progress::user_of(pid), load_id)?;
            }
            session::cancel(pid);
            return Ok(());
        }
        let holder = holder_of(Lock::Load(load_id))?;
        match holder {
            None if !is_entered => return Err(RequestError::UnknownLoad(load_id).into()),
            // It will reach the load, or end with the cancel.
            Some(pid) if is_entered && super::WORKER.is_of(pid) => {
                session::cancel(pid);
                return Ok(());
            }
            None if Lock::Load(load_id).try_lock() => return cancel_queued(load_id),
            // A session before or after its load, or a worker that closes the loads of a stopped server.
            _ => std::thread::sleep(POLL_INTERVAL),
        }
        interrupts::check();
    }
    Err(QueueError::NotRunning(load_id).into())
}

/// Cancels a load that is in the progress slots; `false` if the ledger must be queried. It takes no lock on the ledger,
/// which another session may have locked.
fn cancel_running(load_id: i64, caller: &Caller) -> Result<bool, LoadError> {
    let pid = match running::find(load_id) {
        Some(load) => {
            caller.require(Some(load.requested_by), load_id)?;
            Some(load.pid)
        }
        None => holder_of(Lock::Cancelable(load_id))?
            .filter(|&pid| caller.may_cancel(progress::user_of(pid))),
    };
    Ok(pid.is_some_and(session::cancel))
}

/// The role that requested a load of the ledger: from the queue, from the load itself, or of its process. The name
/// counts only if nothing else is known; then the load has ended, or comes from a dump.
fn role_of(load_id: i64, name: &str) -> Result<Option<pg_sys::Oid>, LoadError> {
    if let Some(role) = super::role_of(load_id)? {
        return Ok(Some(role));
    }
    if let Some(load) = running::find(load_id) {
        return Ok(Some(load.requested_by));
    }
    let session = holder_of(Lock::Cancelable(load_id))?.and_then(progress::user_of);
    Ok(session.or_else(|| session::role_of_name(name)))
}

/// Deletes a queued load that no worker has begun.
fn cancel_queued(load_id: i64) -> Result<(), LoadError> {
    if !ledger::is_queued(load_id)? {
        return Err(QueueError::NotRunning(load_id).into());
    }
    // After a rollback the load is queued again, and a worker that found it locked may have ended.
    Lock::Queued(load_id).lock();
    super::wake_worker(load_id, Wake::AtEnd);
    super::delete(load_id)?;
    ledger::record_job_failed(load_id, &LoadFailure::new("57014", "canceled before it started"))?;
    events::publish_at_commit(load_id);
    Ok(())
}
