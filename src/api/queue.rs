//! The queue, and the steps of `trips.ingest_new`.

use pgrx::pg_extern;
use pgrx::pg_sys::panic::ErrorReport;

use trips_core::format::parser::Target;

use super::load::begin;
use super::{load_options, of_feed, text};
use crate::error::RequestError;
use crate::ledger::LoadRow;
use crate::limits;
use crate::load::{self, load_file};
use crate::pg::error_fields;
use crate::pg::session;
use crate::queue::cancel::cancel_load;
use crate::queue::new_files;
use crate::queue::submit::{self, Submission};
use crate::source::Access;

/// `trips.submit(path, on_error, max_errors, force, feed, region, datasource, on_change) -> bigint`
#[pg_extern(sql = false)]
#[allow(clippy::too_many_arguments, reason = "the arguments of the SQL function")]
fn submit(
    path: Option<&[u8]>,
    on_error: Option<&[u8]>,
    max_errors: Option<i64>,
    force: Option<bool>,
    feed: Option<&[u8]>,
    region: Option<&[u8]>,
    datasource: Option<&[u8]>,
    on_change: Option<&[u8]>,
) -> Result<i64, ErrorReport> {
    let _errors = error_fields::preserve();
    session::require_writable(c"trips.submit()");
    let given = of_feed(feed, region, datasource, on_change)?;
    let options = load_options(text("on_error", on_error)?, max_errors, given)?;
    let force = force.ok_or(RequestError::NullArgument("force"))?;
    let path = limits::path("path", text("path", path)?)?;
    Ok(submit::submit(&Submission { path, force, options })?)
}

/// `trips.cancel(load_id) -> void`
#[pg_extern(sql = false)]
fn cancel(load_id: Option<i64>) -> Result<(), ErrorReport> {
    let _errors = error_fields::preserve();
    session::require_writable(c"trips.cancel()");
    Ok(cancel_load(load_id.ok_or(RequestError::NullArgument("load_id"))?)?)
}

/// `trips_internal.try_lock_pattern(pattern) -> boolean`
#[pg_extern(sql = false)]
fn try_lock_pattern(pattern: Option<&[u8]>) -> Result<bool, ErrorReport> {
    let _errors = error_fields::preserve();
    session::require_writable(c"trips.ingest_new()");
    Ok(new_files::try_lock_pattern(limits::path("pattern", text("pattern", pattern)?)?)?)
}

/// `trips_internal.ingest_match(pattern, path, feed, region, datasource, on_change) -> trips.loads`
#[pg_extern(sql = false)]
fn ingest_match(
    pattern: Option<&[u8]>,
    path: Option<&[u8]>,
    feed: Option<&[u8]>,
    region: Option<&[u8]>,
    datasource: Option<&[u8]>,
    on_change: Option<&[u8]>,
) -> Result<LoadRow, ErrorReport> {
    let _errors = error_fields::preserve();
    session::require_writable(c"trips.ingest_new()");
    let pattern = limits::path("pattern", text("pattern", pattern)?)?;
    let path = limits::path("path", text("path", path)?)?;
    let options = load_options("stage", None, of_feed(feed, region, datasource, on_change)?)?;
    let access = &Access::of_pattern(session::current_user(), pattern);
    let (target, force, is_automatic) = (Target::History, false, true);
    let request = load::Request { path, access, target, force, is_automatic, options };
    Ok(load_file(&request, begin(path, access)?)?)
}

/// `trips_internal.new_files(pattern, after, feed, region, datasource, on_change) -> text[]`
#[pg_extern(sql = false)]
fn new_files(
    pattern: Option<&[u8]>,
    after: Option<&[u8]>,
    feed: Option<&[u8]>,
    region: Option<&[u8]>,
    datasource: Option<&[u8]>,
    on_change: Option<&[u8]>,
) -> Result<Vec<String>, ErrorReport> {
    let _errors = error_fields::preserve();
    let pattern = limits::path("pattern", text("pattern", pattern)?)?;
    let after = after.map(|after| text("after", Some(after))).transpose()?;
    let after = after.map(|after| limits::path("after", after)).transpose()?;
    let options = load_options("stage", None, of_feed(feed, region, datasource, on_change)?)?;
    Ok(new_files::find(pattern, after, options)?)
}
