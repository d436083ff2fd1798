//! Loads without somebody who waits: `trips.submit`, `trips.cancel`, and what `trips.ingest_new` is made of.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{PgLogLevel, PgSqlErrorCode, Spi, ereport, pg_extern};

use crate::error::LoadError;
use crate::ledger::{self, Delivery};
use crate::pg::locks::Lock;
use crate::pg::relation::Table;
use crate::pg::session::{self, AsOwner};
use crate::pg::worker;
use crate::queue::{self, Job};
use crate::source::inbox;
use crate::source::{Access, Source};
use crate::{events, settings};

/// `trips.submit(path, on_error, max_errors, force) -> bigint`
#[pg_extern(sql = false)]
fn submit(
    path: Option<&str>,
    on_error: Option<&str>,
    max_errors: Option<i64>,
    force: Option<bool>,
) -> Result<i64, ErrorReport> {
    session::require_writable(c"trips.submit()");
    let (abort_on_error, max_errors) = super::limits(on_error, max_errors)?;
    let force = force.ok_or(LoadError::NullArgument("force"))?;
    let path = path.ok_or(LoadError::NullArgument("path"))?;
    settings::rules()?;
    let access = &Access::of(session::current_user());
    access.require_any(path)?;
    // A mistyped path is told at once.
    let source = Source::open(path, access)?;
    let attempt = super::begin(path, access)?;
    let load_id = attempt.ticket.load_id;
    let delivery =
        Delivery { source: path.to_owned(), bytes: source.size(), ..Delivery::default() };
    Lock::Queued(load_id).take();
    ledger::enter_queued(&attempt.ticket, &delivery)?;
    queue::enter(&Job {
        load_id,
        path: path.to_owned(),
        abort_on_error,
        max_errors,
        force,
        settings: queue::settings_of_session(),
        attempts: 0,
    })?;
    events::publish_at_commit(load_id);
    start_worker(load_id);
    Ok(load_id)
}

/// The worker waits until this transaction has ended.
fn start_worker(load_id: i64) {
    if settings::max_workers() > 0
        && !worker::start_queue_worker(worker::current_database(), load_id)
    {
        ereport!(
            PgLogLevel::NOTICE,
            PgSqlErrorCode::ERRCODE_CONFIGURATION_LIMIT_EXCEEDED,
            "no background worker is free: the load waits until one is started for another load, or with the server",
            "Raise max_worker_processes."
        );
    }
}

/// `trips.cancel(load_id) -> void`
#[pg_extern(sql = false)]
fn cancel(load_id: Option<i64>) -> Result<(), ErrorReport> {
    session::require_writable(c"trips.cancel()");
    let load_id = load_id.ok_or(LoadError::NullArgument("load_id"))?;
    let caller = session::current_user();
    let ledger = Table::open_for_insert(c"loads");
    let _owner = AsOwner::of(&ledger);
    let asked_by = ledger::requested_by(load_id)?.ok_or(LoadError::UnknownLoad(load_id))?;
    let is_allowed = session::is_member_of(caller, ledger.owner())
        || session::role_of_name(&asked_by).is_some_and(|role| session::is_member_of(caller, role));
    if !is_allowed {
        return Err(LoadError::MayNotCancel(load_id).into());
    }
    if Lock::Load(load_id).try_take() {
        // Nobody is making it.
        if !ledger::is_queued(load_id)? {
            return Err(LoadError::NotRunning(load_id).into());
        }
        queue::remove(load_id)?;
        ledger::fail_job(load_id, "57014", "cancelled before it began")?;
        events::publish_at_commit(load_id);
        return Ok(());
    }
    let holder = holder_of(Lock::Load(load_id))?;
    if holder.is_some_and(session::cancel) {
        Ok(())
    } else {
        Err(LoadError::NotRunning(load_id).into())
    }
}

/// The process that has a lock.
fn holder_of(lock: Lock) -> Result<Option<i32>, LoadError> {
    let [high, low, space] = lock.as_pg_locks_shows_it();
    Spi::connect(|client| {
        let query = "SELECT pid FROM pg_locks
                      WHERE locktype = 'advisory' AND granted
                        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                        AND classid::bigint = $1 AND objid::bigint = $2 AND objsubid = $3";
        let rows = client.select(query, Some(1), &[high.into(), low.into(), space.into()])?;
        if rows.is_empty() { Ok(None) } else { Ok(rows.first().get_one::<i32>()?) }
    })
}

/// `trips.take_inbox(pattern) -> boolean`
#[pg_extern(sql = false)]
fn take_inbox(pattern: Option<&str>) -> Result<bool, ErrorReport> {
    session::require_writable(c"trips.ingest_new()");
    let pattern = pattern.ok_or(LoadError::NullArgument("pattern"))?;
    let hash = blake3::hash(pattern.as_bytes());
    let number = hash.as_bytes().first_chunk().copied().map_or(0, u64::from_le_bytes);
    Ok(Lock::Inbox(number).try_take())
}

/// `trips.new_files(pattern) -> text[]`
#[pg_extern(sql = false)]
fn new_files(pattern: Option<&str>) -> Result<Vec<String>, ErrorReport> {
    let pattern = pattern.ok_or(LoadError::NullArgument("pattern"))?;
    let access = &Access::of(session::current_user());
    access.require_any(pattern)?;
    let listing = inbox::list(pattern, access)?;
    if listing.others > 0 {
        ereport!(
            PgLogLevel::NOTICE,
            PgSqlErrorCode::ERRCODE_SUCCESSFUL_COMPLETION,
            format!(
                "names that fit the pattern, but are no regular file or no UTF-8: {}",
                listing.others
            )
        );
    }
    let ledger = Table::open_for_insert(c"loads");
    let _owner = AsOwner::of(&ledger);
    let new = ledger::not_loaded_yet(listing.files)?;
    Ok(new.into_iter().map(|new| new.file.path).collect())
}
