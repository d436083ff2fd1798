//! The functions that SQL sees. Their signatures, defaults and comments are in sql/, in files of the same names.
//!
//! Each checks what was asked and who asks, calls a room below, and turns errors into reports.

#![allow(clippy::result_large_err, reason = "pgrx takes an ErrorReport by value, once per call")]

mod areas;
mod changes;
mod load;
mod partitions;
mod questions;
mod queue;

use pgrx::datum::Timestamp as PgTimestamp;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{Uuid, pg_extern, pg_sys};
use trips_core::format::delimited::parse::Target;
use trips_core::key;
use trips_core::model::point::Point;
use trips_core::model::timestamp::Timestamp;
use trips_core::model::trip::Trip;

use crate::error::{LoadError, UploadError};
use crate::grants;
use crate::ledger::LoadSource;
use crate::load::{LoadContext, Request, load_file, merge_staged as merge_staged_rows};
use crate::pg::error_fields;
use crate::pg::row::LoadRow;
use crate::pg::session;
use crate::source::Access;
use crate::upload;
use crate::{limits, settings};

/// `trips.ingest(path, on_error, max_errors, force) -> trips.loads`
#[pg_extern(sql = false)]
fn ingest(
    path: Option<&[u8]>,
    on_error: Option<&[u8]>,
    max_errors: Option<i64>,
    force: Option<bool>,
) -> Result<LoadRow, ErrorReport> {
    let _errors = error_fields::preserve();
    session::require_writable(c"trips.ingest()");
    let (abort_on_error, max_errors) = error_limits(text("on_error", on_error)?, max_errors)?;
    let force = force.ok_or(LoadError::NullArgument("force"))?;
    let path = limits::path("path", text("path", path)?)?;
    let access = &Access::of(session::current_user());
    let target = Target::History;
    let request = Request { path, access, target, abort_on_error, max_errors, force };
    Ok(load_file(&request, begin(path, access)?)?)
}

/// `trips_internal.ingest_match(pattern, path) -> trips.loads`
#[pg_extern(sql = false)]
fn ingest_match(pattern: Option<&[u8]>, path: Option<&[u8]>) -> Result<LoadRow, ErrorReport> {
    let _errors = error_fields::preserve();
    session::require_writable(c"trips.ingest_new()");
    let pattern = limits::path("pattern", text("pattern", pattern)?)?;
    let path = limits::path("path", text("path", path)?)?;
    let (abort_on_error, max_errors) = error_limits("stage", None)?;
    let access = &Access::of_pattern(session::current_user(), pattern);
    let (target, force) = (Target::History, false);
    let request = Request { path, access, target, abort_on_error, max_errors, force };
    Ok(load_file(&request, begin(path, access)?)?)
}

/// What bad lines are to do, from the arguments `on_error` and `max_errors`.
fn error_limits(on_error: &str, max_errors: Option<i64>) -> Result<(bool, Option<u64>), LoadError> {
    let abort_on_error = match on_error {
        "stage" => false,
        "abort" => true,
        other => return Err(LoadError::OnError(limits::wrong_word(other))),
    };
    let max_errors = match max_errors {
        None => settings::max_errors(),
        Some(limit) => Some(u64::try_from(limit).map_err(|_| LoadError::MaxErrors(limit))?),
    };
    Ok((abort_on_error, max_errors))
}

/// `trips.stage(path) -> trips.loads`
#[pg_extern(sql = false)]
fn stage(path: Option<&[u8]>) -> Result<LoadRow, ErrorReport> {
    let _errors = error_fields::preserve();
    session::require_writable(c"trips.stage()");
    let path = limits::path("path", text("path", path)?)?;
    let target = Target::Staging;
    let access = &Access::of(session::current_user());
    let (abort_on_error, max_errors, force) = (false, None, false);
    let request = Request { path, access, target, abort_on_error, max_errors, force };
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
    Ok(merge_staged_rows(load_id)?)
}

/// `trips.create_upload(source, digest, bytes, reader_options) -> trips.loads`
#[pg_extern(sql = false)]
fn create_upload(
    source: Option<&[u8]>,
    digest: Option<&[u8]>,
    bytes: Option<i64>,
    reader_options: Option<&[u8]>,
) -> Result<LoadRow, ErrorReport> {
    let _errors = error_fields::preserve();
    session::require_writable(c"trips.create_upload()");
    require_utf8()?;
    let source = limits::path("source", text("source", source)?)?;
    let digest = digest.ok_or(LoadError::NullArgument("digest"))?;
    let bytes = bytes.ok_or(LoadError::NullArgument("bytes"))?;
    let reader_options = limits::path("reader_options", text("reader_options", reader_options)?)?;
    let digest =
        digest.try_into().map_err(|_| LoadError::from(UploadError::Digest(digest.len())))?;
    let bytes = u64::try_from(bytes)
        .ok()
        .filter(|&bytes| bytes > 0)
        .ok_or_else(|| LoadError::from(UploadError::Bytes(bytes)))?;
    let source_name = source.to_owned();
    let load_source =
        LoadSource { name: source_name, digest: Some(digest), bytes, ..LoadSource::default() };
    Ok(upload::create(LoadContext::begin(source)?, load_source, reader_options.to_owned())?)
}

/// `trips.upload_part(load_id, part) -> boolean`
#[pg_extern(sql = false)]
fn upload_part(load_id: Option<i64>, part: Option<&[u8]>) -> Result<bool, ErrorReport> {
    let _errors = error_fields::preserve();
    session::require_writable(c"trips.upload_part()");
    let load_id = load_id.ok_or(LoadError::NullArgument("load_id"))?;
    Ok(upload::upload_part(load_id, part.ok_or(LoadError::NullArgument("part"))?)?)
}

/// `trips.complete_upload(load_id) -> trips.loads`
#[pg_extern(sql = false)]
fn complete_upload(load_id: Option<i64>) -> Result<LoadRow, ErrorReport> {
    let _errors = error_fields::preserve();
    session::require_writable(c"trips.complete_upload()");
    require_utf8()?;
    Ok(upload::complete(load_id.ok_or(LoadError::NullArgument("load_id"))?)?)
}

/// `trips.abort_upload(load_id) -> boolean`
#[pg_extern(sql = false)]
fn abort_upload(load_id: Option<i64>) -> Result<bool, ErrorReport> {
    let _errors = error_fields::preserve();
    session::require_writable(c"trips.abort_upload()");
    Ok(upload::abort(load_id.ok_or(LoadError::NullArgument("load_id"))?)?)
}

/// `trips.grant_loader(role)`
#[pg_extern(sql = false)]
fn grant_loader(role: Option<pg_sys::Oid>) -> Result<(), ErrorReport> {
    let _errors = error_fields::preserve();
    Ok(grants::loader(role.ok_or(LoadError::NullArgument("role"))?)?)
}

/// `trips.grant_reader(role)`
#[pg_extern(sql = false)]
fn grant_reader(role: Option<pg_sys::Oid>) -> Result<(), ErrorReport> {
    let _errors = error_fields::preserve();
    Ok(grants::reader(role.ok_or(LoadError::NullArgument("role"))?)?)
}

/// `trips.trip_key(region, origin_coord, destination_coord, date_time, datasource) -> uuid`
#[pg_extern(sql = false)]
fn trip_key(
    region: Option<&[u8]>,
    origin: Option<pg_sys::Point>,
    destination: Option<pg_sys::Point>,
    date_time: Option<PgTimestamp>,
    datasource: Option<&[u8]>,
) -> Result<Uuid, ErrorReport> {
    // The key is that of the bytes in UTF-8. In another encoding they would be others, or none.
    let point =
        |point: Option<pg_sys::Point>| point.map(|p| Point { longitude: p.x, latitude: p.y });
    let key = key::of_trip(&Trip {
        region: text("region", region)?,
        origin: point(origin),
        destination: point(destination),
        date_time: Timestamp(date_time.ok_or(LoadError::NullArgument("date_time"))?.into()),
        datasource: datasource.map(|bytes| text("datasource", Some(bytes))).transpose()?,
    });
    Ok(Uuid::from_bytes(key))
}

/// Begins the load of a file for the current user, if he may load any.
fn begin(path: &str, access: &Access) -> Result<LoadContext, LoadError> {
    require_utf8()?;
    access.require_any(path)?;
    LoadContext::begin(path)
}

/// The text of an argument. The functions take it as bytes: those of a database in another encoding need not be UTF-8.
fn text<'a>(name: &'static str, value: Option<&'a [u8]>) -> Result<&'a str, LoadError> {
    let bytes = value.ok_or(LoadError::NullArgument(name))?;
    require_utf8()?;
    std::str::from_utf8(bytes).map_err(|_| LoadError::DatabaseEncoding)
}

fn require_utf8() -> Result<(), LoadError> {
    if session::database_is_utf8() { Ok(()) } else { Err(LoadError::DatabaseEncoding) }
}
