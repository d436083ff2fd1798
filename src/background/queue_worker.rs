//! The queue worker: takes a slot, runs queued loads, and ends when none is left.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use pgrx::Spi;
use trips_core::format::parser::Target;

use super::{in_database, try_in_database};
use crate::error::{LoadError, QueueError, RequestError};
use crate::events;
use crate::ledger::{self, LoadFailure};
use crate::load::{LoadContext, Request, load_file};
use crate::pg::extension;
use crate::pg::locks::{Lock, SessionLock};
use crate::pg::session;
use crate::pg::worker::{self, Failed};
use crate::queue::{self, QueuedLoad};
use crate::settings;
use crate::source::Access;

/// A load that has ended this many workers is not begun again.
const MAX_ATTEMPTS: i32 = 5;
/// A commit releases its locks within this many hundredths of a second.
const LOCK_CHECKS: u32 = 20;
/// Delay before a worker retries a load that it could not begin: it doubles each time.
const BACKOFF: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(60)];

/// The main function of a queue worker: runs queued loads, then ends. `after` is the load for which it was started; its
/// session may not have committed yet.
pub fn work_on_queue(after: i64) {
    if after > 0 {
        let waited = worker::try_transaction(|| Lock::Queued(after).lock());
        waited.unwrap_or_else(|failed| failed.log());
    }
    let mut queue_worker =
        QueueWorker { after, skipped: BTreeSet::new(), has_failed_to_read: false };
    let mut pause = BACKOFF[0];
    let mut backoff_lock = None;
    loop {
        let slots = 0..settings::max_workers();
        let Some(slot) = slots.into_iter().find_map(|p| SessionLock::try_lock(Lock::WorkerSlot(p)))
        else {
            // Running workers check again after they have released their slot.
            return;
        };
        while queue_worker.run_next() {
            pause = BACKOFF[0];
        }
        drop(slot);
        if queue_worker.find().is_some() {
            continue;
        }
        if !queue_worker.has_failed() {
            return;
        }
        // One waiting worker is enough.
        backoff_lock = backoff_lock.or_else(|| SessionLock::try_lock(Lock::QueueRetry));
        if backoff_lock.is_none() {
            return;
        }
        worker::sleep(pause);
        pause = (pause * 2).min(BACKOFF[1]);
        worker::reload_settings();
        queue_worker.skipped.clear();
    }
}

/// A process without further work checks for queued loads without a worker: when they were queued, no worker slot may
/// have been free. Its own slot is free, if no other is.
pub fn resume_queue() {
    if !start_worker_for_queue() {
        work_on_queue(0);
    }
}

/// Starts a worker if queued loads have none; `false` if a worker is needed and no slot is free.
pub fn start_worker_for_queue() -> bool {
    let slots = || {
        (0..settings::max_workers()).any(|slot| !Lock::WorkerSlot(slot).is_held_by_transaction())
    };
    if in_database(queue::waiting).is_none_or(|loads| loads.is_empty()) || !slots() {
        return true;
    }
    let mut queue_worker =
        QueueWorker { after: 0, skipped: BTreeSet::new(), has_failed_to_read: false };
    queue_worker.find().is_none() || queue::start_worker(worker::current_database(), 0)
}

/// The queue, as a worker sees it.
struct QueueWorker {
    /// The load for which it was started.
    after: i64,
    /// Loads that it could neither begin nor delete from the queue.
    skipped: BTreeSet<i64>,
    /// The queue could not be read.
    has_failed_to_read: bool,
}

impl QueueWorker {
    /// Whether it must retry something.
    fn has_failed(&self) -> bool {
        self.has_failed_to_read || !self.skipped.is_empty()
    }

    /// The first queued load without a worker.
    fn find(&mut self) -> Option<i64> {
        worker::clear_cancel();
        let waiting = try_in_database(queue::waiting);
        self.has_failed_to_read = waiting.is_err();
        let waiting = waiting.unwrap_or_else(|failed| {
            failed.log();
            None
        });
        let mut waiting = waiting.unwrap_or_default().into_iter();
        waiting.find_map(|(load_id, is_begun)| {
            // A session that has just committed, or rolled back a cancel, releases its locks one by one. The worker
            // waits for a load that is locked and not begun, so that it does not skip an earlier load.
            let checks = if is_begun && load_id != self.after { 1 } else { LOCK_CHECKS };
            (!self.skipped.contains(&load_id) && will_be_free(load_id, checks)).then_some(load_id)
        })
    }

    /// Runs the first queued load without a worker; `false` if there is none.
    fn run_next(&mut self) -> bool {
        let Some(load_id) = self.find() else { return false };
        // A cancel from here on is meant for this load; an earlier one was meant for another load.
        worker::clear_cancel();
        let Some(_lock) = SessionLock::try_lock(Lock::Load(load_id)) else { return true };
        if !run_locked(load_id) {
            self.skipped.insert(load_id);
        }
        true
    }
}

/// Whether no process has the load, or will release it soon. The lock is not acquired for this: `trips.cancel` must not
/// find a process that only checks.
fn will_be_free(load_id: i64, checks: u32) -> bool {
    for attempt in 0..checks {
        if attempt > 0 {
            worker::sleep(Duration::from_millis(10));
        }
        if !Lock::Load(load_id).is_held_by_transaction() {
            return true;
        }
    }
    false
}

/// Runs a load whose lock this process has; `false` if it is still in the queue afterwards.
fn run_locked(load_id: i64) -> bool {
    // In a transaction of its own, so that the attempt counts even if the load stops the server.
    let begun = try_in_database(|| {
        let job = queue::begin(load_id)?;
        if job.is_some() && !ledger_says_queued(load_id)? {
            queue::delete(load_id)?;
            return Ok(None);
        }
        Ok(job)
    });
    let job = match begun {
        Ok(Some(Some(job))) => job,
        Ok(_) => return true,
        Err(failed) => {
            failed.log();
            return failed.is_cancel() && fail_with_retries(load_id, &failed);
        }
    };
    // A cancel since then is still pending.
    let made = worker::try_next_transaction(AssertUnwindSafe(|| {
        run(&job).unwrap_or_else(LoadError::raise);
    }));
    match made {
        Ok(()) => true,
        Err(failed) => {
            failed.log();
            fail_with_retries(load_id, &failed)
        }
    }
}

fn ledger_says_queued(load_id: i64) -> Result<bool, LoadError> {
    let _owner = ledger::as_owner();
    ledger::is_queued(load_id)
}

/// Runs a load with the file privileges and the settings of the requesting role.
fn run(job: &QueuedLoad) -> Result<(), LoadError> {
    extension::begin_work(ledger::TABLE)?;
    queue::delete(job.load_id)?;
    let (asked_by, owner) = {
        let (_owner, ledger) = ledger::as_owner();
        let asked_by = ledger::requested_by(job.load_id)?;
        (asked_by.ok_or(RequestError::UnknownLoad(job.load_id))?, ledger.owner())
    };
    if job.attempts > MAX_ATTEMPTS {
        return Err(QueueError::GivenUp(MAX_ATTEMPTS).into());
    }
    // Code of the tables' owners may have run since; the rest is ours.
    session::use_own_names()?;
    let role = job.role.or_else(|| session::role_of_name(&asked_by));
    let role = role.filter(|&role| session::is_role(role) && may_submit(role));
    let role = role.ok_or_else(|| QueueError::MayNotLoad(asked_by.clone()))?;
    job.apply_settings()?;
    // The owner of the tables can write another requesting role there. That must not give him access to more files.
    let access = &Access::of(if session::may_read_server_files(owner) { role } else { owner });
    let context = LoadContext::resume(&job.path, job.load_id, role)?;
    let request = Request {
        path: &job.path,
        access,
        target: Target::History,
        is_automatic: false,
        force: job.force,
        options: job.options.get(),
    };
    load_file(&request, context).map(drop)
}

fn may_submit(role: pgrx::pg_sys::Oid) -> bool {
    let query = "SELECT has_function_privilege($1, 'trips.submit(text,text,bigint,boolean,text,text,text,text)', 'EXECUTE')";
    matches!(Spi::get_one_with_args::<bool>(query, &[role.into()]), Ok(Some(true)))
}

/// Deletes a failed load from the queue, also if it is cancelled again meanwhile.
fn fail_with_retries(load_id: i64, failed: &Failed) -> bool {
    (0..3).any(|_| in_database(|| fail(load_id, failed)).is_some())
}

/// The load has failed: it leaves the queue, and the ledger records the failure, unless it already has.
fn fail(load_id: i64, failed: &Failed) -> Result<(), LoadError> {
    queue::delete(load_id)?;
    let statuses = {
        let _owner = ledger::as_owner();
        ledger::record_job_failed(load_id, &LoadFailure::of_caught((*failed.error).clone()))?;
        ledger::statuses(&[load_id])?
    };
    events::publish(&statuses)
}
