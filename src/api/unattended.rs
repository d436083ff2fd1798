//! Loads without somebody who waits: `trips.submit`, `trips.cancel`, and what `trips.ingest_new` is made of.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{PgLogLevel, PgSqlErrorCode, ereport, pg_extern};

use crate::error::LoadError;
use crate::ledger::{self, Delivery};
use crate::pg::error_fields;
use crate::pg::lease::Writers;
use crate::pg::locks::Lock;
use crate::pg::relation::Table;
use crate::pg::session::{self, AsOwner};
use crate::queue::{self, Job, Wake};
use crate::source::listing;
use crate::source::{Access, Source};
use crate::{events, limits, settings};

/// `trips.submit(path, on_error, max_errors, force) -> bigint`
#[pg_extern(sql = false)]
fn submit(
    path: Option<&[u8]>,
    on_error: Option<&[u8]>,
    max_errors: Option<i64>,
    force: Option<bool>,
) -> Result<i64, ErrorReport> {
    let _errors = error_fields::preserve();
    session::require_writable(c"trips.submit()");
    let (abort_on_error, max_errors) =
        super::error_limits(super::text("on_error", on_error)?, max_errors)?;
    let force = force.ok_or(LoadError::NullArgument("force"))?;
    let path = limits::path("path", super::text("path", path)?)?;
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
        role: Some(attempt.ticket.role),
    })?;
    events::publish_at_commit(load_id);
    queue::wake_worker(load_id, Wake::AtCommit);
    Ok(load_id)
}

/// `trips.take_inbox(pattern) -> boolean`
#[pg_extern(sql = false)]
fn take_inbox(pattern: Option<&[u8]>) -> Result<bool, ErrorReport> {
    let _errors = error_fields::preserve();
    session::require_writable(c"trips.ingest_new()");
    let pattern = limits::path("pattern", super::text("pattern", pattern)?)?;
    let role = session::current_user();
    let access = &Access::of_pattern(role, pattern);
    access.require_any(pattern)?;
    listing::require_access(pattern, access)?;
    // Another role holds up its own runs only: each load finds by itself what is known.
    let hash = blake3::hash(&[&role.to_u32().to_le_bytes(), pattern.as_bytes()].concat());
    let number = hash.as_bytes().first_chunk().copied().map_or(0, u64::from_le_bytes);
    Ok(Lock::Inbox(number).try_take())
}

/// `trips.new_files(pattern, after) -> text[]`
#[pg_extern(sql = false)]
fn new_files(pattern: Option<&[u8]>, after: Option<&[u8]>) -> Result<Vec<String>, ErrorReport> {
    let _errors = error_fields::preserve();
    let pattern = limits::path("pattern", super::text("pattern", pattern)?)?;
    let after = after.map(|after| super::text("after", Some(after))).transpose()?;
    let after = after.map(|after| limits::path("after", after)).transpose()?;
    let access = &Access::of_pattern(session::current_user(), pattern);
    access.require_any(pattern)?;
    let mut listing = listing::list(pattern, access, after)?;
    if listing.others > 0 && after.is_none() {
        ereport!(
            PgLogLevel::NOTICE,
            PgSqlErrorCode::ERRCODE_SUCCESSFUL_COMPLETION,
            format!(
                "names that fit the pattern, but are no regular file or no UTF-8: {}",
                listing.others
            )
        );
    }
    if after.is_none() {
        warn_of_unreadable(&listing.unreadable);
    }
    let options = settings::options(false, settings::max_errors());
    loop {
        let last = listing.files.last().map(|file| file.path.clone()).filter(|_| listing.is_cut);
        let new = {
            let ledger = Table::open_for_insert(c"loads");
            let _owner = AsOwner::of(&ledger);
            ledger::not_loaded_yet(listing.files, &options)?
        };
        let paths = new.into_iter().map(|new| new.file.path);
        let written: Vec<String> = paths.filter(|path| is_written(path, access)).collect();
        let Some(last) = last.filter(|_| written.is_empty()) else { return Ok(written) };
        listing = listing::list(pattern, access, Some(&last))?;
    }
}

/// Names what was passed over: its files are left out, and nothing else would tell.
fn warn_of_unreadable((count, told): &(u64, Vec<String>)) {
    for reason in told {
        ereport!(
            PgLogLevel::WARNING,
            PgSqlErrorCode::ERRCODE_WARNING,
            format!("{reason}"),
            "The run passes over it. Make it readable for the server, or exclude it from the pattern."
        );
    }
    let more = count.saturating_sub(told.len() as u64);
    if more > 0 {
        ereport!(
            PgLogLevel::WARNING,
            PgSqlErrorCode::ERRCODE_WARNING,
            format!("{more} more names of the pattern could not be read")
        );
    }
}

/// Whether nobody is known to be writing the file still: half a row would be another trip, for ever.
fn is_written(path: &str, access: &Access) -> bool {
    let is_open = listing::writers(path, access) == Writers::Some;
    if is_open {
        ereport!(
            PgLogLevel::NOTICE,
            PgSqlErrorCode::ERRCODE_SUCCESSFUL_COMPLETION,
            format!("{path} is left for the next run: somebody has it open for writing")
        );
    }
    !is_open
}
