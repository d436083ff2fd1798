//! Loads that are taken back.

use pgrx::pg_extern;
use pgrx::pg_sys::panic::ErrorReport;
use trips_core::format::parser::Target;

use super::load::begin;
use super::{load_options, of_feed, require_utf8, text};
use crate::error::RequestError;
use crate::ledger::LoadRow;
use crate::limits;
use crate::load::{Request, load_file};
use crate::pg::{error_fields, session};
use crate::retract;
use crate::source::Access;

/// `trips.retract(load_id, cascade) -> trips.loads`
#[pg_extern(sql = false)]
fn retract(load_id: Option<i64>, cascade: Option<bool>) -> Result<LoadRow, ErrorReport> {
    let _errors = error_fields::preserve();
    session::require_writable(c"trips.retract()");
    require_utf8()?;
    let load_id = load_id.ok_or(RequestError::NullArgument("load_id"))?;
    let cascade = cascade.ok_or(RequestError::NullArgument("cascade"))?;
    Ok(retract::retract(load_id, cascade)?)
}

/// `trips.replace(path, load_id, on_error, max_errors, force, feed, region, datasource, on_change)
/// -> trips.loads`
#[pg_extern(sql = false)]
#[allow(clippy::too_many_arguments, reason = "those of trips.ingest, and the load")]
fn replace(
    path: Option<&[u8]>,
    load_id: Option<i64>,
    on_error: Option<&[u8]>,
    max_errors: Option<i64>,
    force: Option<bool>,
    feed: Option<&[u8]>,
    region: Option<&[u8]>,
    datasource: Option<&[u8]>,
    on_change: Option<&[u8]>,
) -> Result<LoadRow, ErrorReport> {
    let _errors = error_fields::preserve();
    session::require_writable(c"trips.replace()");
    let given = of_feed(feed, region, datasource, on_change)?;
    let options = load_options(text("on_error", on_error)?, max_errors, given)?;
    let force = force.ok_or(RequestError::NullArgument("force"))?;
    let path = limits::path("path", text("path", path)?)?;
    let load_id = load_id.ok_or(RequestError::NullArgument("load_id"))?;
    let access = &Access::of(session::current_user());
    access.require_any(path)?;
    retract::retract(load_id, false)?;
    let request =
        Request { path, access, target: Target::History, force, is_automatic: false, options };
    Ok(load_file(&request, begin(path, access)?)?)
}
