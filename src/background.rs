//! Loads without a session: what the workers of the queue do, and the one that watches a folder; and who starts them.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use pgrx::{PgLogLevel, PgSqlErrorCode, Spi, ereport};
use trips_core::parse::Target;

use crate::error::LoadError;
use crate::events;
use crate::ledger;
use crate::load::{Attempt, Request, load_file};
use crate::pg::extension;
use crate::pg::locks::{HeldLock, Lock};
use crate::pg::relation::Table;
use crate::pg::session::{self, AsOwner};
use crate::pg::worker::{self, Failed};
use crate::queue::{self, Job};
use crate::settings;
use crate::source::Access;
use crate::witness::Failure;

pub mod launcher;
mod watch;

/// What has ended so many workers is not begun again.
const ATTEMPTS: i32 = 5;
/// A commit has given its locks back within so many hundredths of a second.
const RELEASED_WITHIN: u32 = 20;
/// How long the launcher, and who watches a folder, wait for what is not there.
const RETRY: Duration = Duration::from_secs(5);

/// The main function of a worker of the queue: makes what waits, then ends. `after` is the load for which
/// it was started; its session may not have committed yet.
pub fn work_on_queue(after: i64) {
    let _ = worker::try_transaction(|| Lock::Queued(after).take());
    loop {
        let places = 0..settings::max_workers();
        let Some(place) = places.into_iter().find_map(|p| HeldLock::try_take(Lock::Worker(p)))
        else {
            // Those at work look again when they have given up their place.
            return;
        };
        while make_next() {}
        drop(place);
        if !is_anything_free() {
            return;
        }
    }
}

/// Works on the tables in a transaction of its own; `None` when that failed, which is in the log, or the
/// extension is not there.
fn in_database<T>(work: impl FnOnce() -> Result<T, LoadError>) -> Option<T> {
    let result = worker::try_transaction(AssertUnwindSafe(|| {
        let is_there = prepare().unwrap_or_else(LoadError::raise);
        is_there.then(|| work().unwrap_or_else(LoadError::raise))
    }));
    result.unwrap_or_else(|failed| {
        failed.log();
        None
    })
}

/// Names mean PostgreSQL's own from here on, whatever the database's owner has set; whether the
/// extension is there.
fn prepare() -> Result<bool, LoadError> {
    Spi::run("SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true)")?;
    let is_held = extension::hold();
    let is_there = Spi::get_one::<bool>("SELECT to_regclass('trips.queue') IS NOT NULL")?;
    Ok(is_held && is_there == Some(true))
}

/// The loads that wait, or that a worker is making; and whether one has begun them.
fn loads_in_queue() -> Vec<(i64, bool)> {
    in_database(queue::waiting).unwrap_or_default()
}

fn is_anything_free() -> bool {
    let is_free = |(load_id, _)| HeldLock::try_take(Lock::Load(load_id)).is_some();
    loads_in_queue().into_iter().any(is_free)
}

/// Makes the first load that waits and that nobody is making; `false` when there is none.
fn make_next() -> bool {
    let taken = loads_in_queue().into_iter().find_map(take);
    let Some((load_id, _lock)) = taken else { return false };
    // In a transaction of its own: what ends the server has been counted.
    let begun = in_database(|| {
        let job = queue::begin(load_id)?;
        if job.is_some() && !ledger_says_queued(load_id)? {
            queue::remove(load_id)?;
            return Ok(None);
        }
        Ok(job)
    });
    // A job that cannot even be looked at would be met again at once.
    let Some(begun) = begun else { return false };
    let Some(job) = begun else { return true };
    let made =
        worker::try_transaction(AssertUnwindSafe(|| make(&job).unwrap_or_else(LoadError::raise)));
    if let Err(failed) = made {
        failed.log();
        in_database(|| give_up(load_id, &failed));
    }
    true
}

/// Takes a load, unless somebody is making it. A session that has just committed gives its locks back one after the
/// other: a load that nobody has begun is waited for, so that an earlier one is not passed over.
fn take((load_id, is_begun): (i64, bool)) -> Option<(i64, HeldLock)> {
    for _ in 0..if is_begun { 1 } else { RELEASED_WITHIN } {
        if let Some(lock) = HeldLock::try_take(Lock::Load(load_id)) {
            return Some((load_id, lock));
        }
        worker::wait(Duration::from_millis(10));
    }
    None
}

fn as_owner_of_ledger() -> (AsOwner, Table) {
    let ledger = Table::open_for_insert(c"loads");
    (AsOwner::of(&ledger), ledger)
}

fn ledger_says_queued(load_id: i64) -> Result<bool, LoadError> {
    let _owner = as_owner_of_ledger();
    ledger::is_queued(load_id)
}

/// Makes a load as the role that asked for it would: with its rights on files and its settings.
fn make(job: &Job) -> Result<(), LoadError> {
    prepare()?;
    queue::remove(job.load_id)?;
    let (asked_by, owner) = {
        let (_owner, ledger) = as_owner_of_ledger();
        let asked_by = ledger::requested_by(job.load_id)?;
        (asked_by.ok_or(LoadError::UnknownLoad(job.load_id))?, ledger.owner())
    };
    if job.attempts > ATTEMPTS {
        return Err(LoadError::GivenUp(ATTEMPTS));
    }
    let role = session::role_of_name(&asked_by).filter(|&role| may_submit(role));
    let role = role.ok_or_else(|| LoadError::MayNotLoad(asked_by.clone()))?;
    job.apply_settings()?;
    // Who owns the tables can write there who asked for what: that gives him no file that is not his.
    let access = &Access::of(if session::may_read_server_files(owner) { role } else { owner });
    let attempt = Attempt::resume(&job.path, job.load_id, asked_by)?;
    let request = Request {
        path: &job.path,
        access,
        target: Target::History,
        abort_on_error: job.abort_on_error,
        max_errors: job.max_errors,
        force: job.force,
    };
    load_file(&request, attempt).map(drop)
}

fn may_submit(role: pgrx::pg_sys::Oid) -> bool {
    let query =
        "SELECT has_function_privilege($1, 'trips.submit(text,text,bigint,boolean)', 'EXECUTE')";
    matches!(Spi::get_one_with_args::<bool>(query, &[role.into()]), Ok(Some(true)))
}

/// The load has failed: it does not wait any more, and the ledger says why, if nobody has said it yet.
fn give_up(load_id: i64, failed: &Failed) -> Result<(), LoadError> {
    queue::remove(load_id)?;
    let standings = {
        let _owner = as_owner_of_ledger();
        let failure = Failure::new(failed.code.clone(), failed.text.clone(), None);
        ledger::fail_job(load_id, &failure.code, &failure.error)?;
        ledger::standings(&[load_id])?
    };
    events::publish(&standings)
}

/// Says something in the server's log.
fn tell(text: &str) {
    ereport!(PgLogLevel::LOG, PgSqlErrorCode::ERRCODE_WARNING, format!("trips_pipeline: {text}"));
}

/// The main function of who watches the folder, in the database into which its files are loaded; ends when another
/// database is set, or no folder.
pub fn watch_folder() {
    let database = settings::watch_database();
    let mut place = None;
    while let Some(folder) = settings::watched_folder()
        && settings::watch_database() == database
    {
        // A launcher that was started again has started another watcher.
        place = place.or_else(|| HeldLock::try_take(Lock::Watcher));
        if place.is_some() {
            watch::watch(&folder);
        } else {
            worker::wait(RETRY);
            worker::reload_settings();
        }
    }
}
