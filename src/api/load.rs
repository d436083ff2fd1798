//! Loads of files, and running loads.

use pgrx::datum::Timestamp as PgTimestamp;
use pgrx::iter::TableIterator;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{Uuid, name, pg_extern, pg_sys};
use trips_core::format::parser::Target;
use trips_core::key;
use trips_core::model::point::Point;
use trips_core::model::timestamp::Timestamp;
use trips_core::model::trip::Trip;

use super::{load_options, of_feed, require_utf8, text};
use crate::error::{LoadError, RequestError, UploadError};
use crate::ledger::LoadRow;
use crate::limits;
use crate::load::{self, LoadContext, Request, load_file};
use crate::pg::error_fields;
use crate::pg::session;
use crate::queue::running;
use crate::source::Access;
use crate::upload;

/// `trips.ingest(path, on_error, max_errors, force, feed, region, datasource, on_change)
/// -> trips.loads`
#[pg_extern(sql = false)]
#[allow(clippy::too_many_arguments, reason = "the arguments of the SQL function")]
fn ingest(
    path: Option<&[u8]>,
    on_error: Option<&[u8]>,
    max_errors: Option<i64>,
    force: Option<bool>,
    feed: Option<&[u8]>,
    region: Option<&[u8]>,
    datasource: Option<&[u8]>,
    on_change: Option<&[u8]>,
) -> Result<LoadRow, ErrorReport> {
    let _errors = error_fields::preserve();
    session::require_writable(c"trips.ingest()");
    let given = of_feed(feed, region, datasource, on_change)?;
    let options = load_options(text("on_error", on_error)?, max_errors, given)?;
    let force = force.ok_or(RequestError::NullArgument("force"))?;
    let path = limits::path("path", text("path", path)?)?;
    let access = &Access::of(session::current_user());
    let target = Target::History;
    let is_automatic = false;
    let request = Request { path, access, target, force, is_automatic, options };
    Ok(load_file(&request, begin(path, access)?)?)
}

/// `trips.stage(path, feed, region, datasource) -> trips.loads`
#[pg_extern(sql = false)]
fn stage(
    path: Option<&[u8]>,
    feed: Option<&[u8]>,
    region: Option<&[u8]>,
    datasource: Option<&[u8]>,
) -> Result<LoadRow, ErrorReport> {
    let _errors = error_fields::preserve();
    session::require_writable(c"trips.stage()");
    let path = limits::path("path", text("path", path)?)?;
    let target = Target::Staging;
    let access = &Access::of(session::current_user());
    let options = of_feed(feed, region, datasource, None)?;
    let force = false;
    let is_automatic = false;
    let request = Request { path, access, target, force, is_automatic, options };
    Ok(load_file(&request, begin(path, access)?)?)
}

/// `trips.merge_staged(load_id) -> trips.loads`
#[pg_extern(sql = false)]
fn merge_staged(load_id: Option<i64>) -> Result<Option<LoadRow>, ErrorReport> {
    let _errors = error_fields::preserve();
    session::require_writable(c"trips.merge_staged()");
    require_utf8()?;
    if let Some(load_id) = load_id
        && upload::is_open(load_id)?
    {
        return Err(LoadError::from(UploadError::NotStaged(load_id)).into());
    }
    Ok(load::merge_staged(load_id)?)
}

/// `trips.trip_key(region, origin_coord, destination_coord, date_time, datasource) -> uuid`
#[pg_extern(sql = false, immutable, parallel_safe)]
fn trip_key(
    region: Option<&[u8]>,
    origin_coord: Option<pg_sys::Point>,
    destination_coord: Option<pg_sys::Point>,
    date_time: Option<PgTimestamp>,
    datasource: Option<&[u8]>,
) -> Result<Uuid, ErrorReport> {
    // The key is that of the bytes in UTF-8. In another encoding they would differ, or not exist.
    let point =
        |point: Option<pg_sys::Point>| point.map(|p| Point { longitude: p.x, latitude: p.y });
    let key = key::of_trip(&Trip {
        region: text("region", region)?,
        origin: point(origin_coord),
        destination: point(destination_coord),
        date_time: Timestamp(date_time.ok_or(RequestError::NullArgument("date_time"))?.into()),
        datasource: datasource.map(|bytes| text("datasource", Some(bytes))).transpose()?,
    });
    Ok(Uuid::from_bytes(key))
}

/// `trips_internal.running_loads() -> (load_id, pid, phase, bytes_done, bytes_total, rows_read, started)`
#[pg_extern(sql = false, stable, parallel_restricted)]
fn running_loads() -> TableIterator<
    'static,
    (
        name!(load_id, i64),
        name!(pid, i32),
        name!(phase, i32),
        name!(bytes_done, i64),
        name!(bytes_total, i64),
        name!(rows_read, i64),
        name!(started, i64),
    ),
> {
    let _errors = error_fields::preserve();
    let rows = running::visible_loads().into_iter().map(|load| {
        let [done, all] = load.bytes;
        let phase = i32::try_from(load.phase).unwrap_or_default();
        (load.load_id, load.pid, phase, done, all, load.rows_read, load.started)
    });
    TableIterator::new(rows)
}

/// Begins the load of a file for the current user, who must have access to some files.
pub(super) fn begin(path: &str, access: &Access) -> Result<LoadContext, LoadError> {
    require_utf8()?;
    access.require_any(path)?;
    LoadContext::begin(path)
}
