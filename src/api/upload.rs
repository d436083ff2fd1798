//! Multipart uploads.

use pgrx::pg_extern;
use pgrx::pg_sys::panic::ErrorReport;

use super::{policy, require_utf8, text};
use crate::error::{LoadError, RequestError, UploadError};
use crate::ledger::{LoadRow, LoadSource};
use crate::limits;
use crate::load::LoadContext;
use crate::pg::error_fields;
use crate::pg::session;
use crate::upload;

/// `trips.create_upload(source, digest, bytes, reader_options, on_change) -> trips.loads`
#[pg_extern(sql = false)]
fn create_upload(
    source: Option<&[u8]>,
    digest: Option<&[u8]>,
    bytes: Option<i64>,
    reader_options: Option<&[u8]>,
    on_change: Option<&[u8]>,
) -> Result<LoadRow, ErrorReport> {
    let _errors = error_fields::preserve();
    session::require_writable(c"trips.create_upload()");
    require_utf8()?;
    let source = limits::path("source", text("source", source)?)?;
    let digest = digest.ok_or(RequestError::NullArgument("digest"))?;
    let bytes = bytes.ok_or(RequestError::NullArgument("bytes"))?;
    let reader_options = limits::path("reader_options", text("reader_options", reader_options)?)?;
    let digest =
        digest.try_into().map_err(|_| LoadError::from(UploadError::Digest(digest.len())))?;
    let bytes = u64::try_from(bytes)
        .ok()
        .filter(|&bytes| bytes > 0)
        .ok_or_else(|| LoadError::from(UploadError::Bytes(bytes)))?;
    let on_change = policy(on_change)?;
    let source_name = source.to_owned();
    let load_source =
        LoadSource { name: source_name, digest: Some(digest), bytes, ..LoadSource::default() };
    let context = LoadContext::begin(source)?;
    Ok(upload::create(context, load_source, reader_options.to_owned(), on_change)?)
}

/// `trips.upload_part(load_id, part) -> boolean`
#[pg_extern(sql = false)]
fn upload_part(load_id: Option<i64>, part: Option<&[u8]>) -> Result<bool, ErrorReport> {
    let _errors = error_fields::preserve();
    session::require_writable(c"trips.upload_part()");
    let load_id = load_id.ok_or(RequestError::NullArgument("load_id"))?;
    Ok(upload::upload_part(load_id, part.ok_or(RequestError::NullArgument("part"))?)?)
}

/// `trips.complete_upload(load_id) -> trips.loads`
#[pg_extern(sql = false)]
fn complete_upload(load_id: Option<i64>) -> Result<LoadRow, ErrorReport> {
    let _errors = error_fields::preserve();
    session::require_writable(c"trips.complete_upload()");
    require_utf8()?;
    Ok(upload::complete(load_id.ok_or(RequestError::NullArgument("load_id"))?)?)
}

/// `trips.abort_upload(load_id) -> boolean`
#[pg_extern(sql = false)]
fn abort_upload(load_id: Option<i64>) -> Result<bool, ErrorReport> {
    let _errors = error_fields::preserve();
    session::require_writable(c"trips.abort_upload()");
    Ok(upload::abort(load_id.ok_or(RequestError::NullArgument("load_id"))?)?)
}
