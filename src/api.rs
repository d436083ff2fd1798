//! The functions that SQL sees. Their signatures, defaults and comments are in sql/03_functions.sql.
//!
//! Each checks what was asked and who asks, calls a room below, and turns errors into reports.

#![allow(clippy::result_large_err, reason = "pgrx takes an ErrorReport by value, once per call")]

mod areas;
mod changes;

use std::panic::AssertUnwindSafe;

use pgrx::datum::Timestamp as PgTimestamp;
use pgrx::pg_sys::panic::{CaughtError, ErrorReport};
use pgrx::{PgLogLevel, PgSqlErrorCode, PgTryBuilder, Uuid, ereport, pg_extern, pg_sys};
use trips_core::key;
use trips_core::parse::Target;
use trips_core::point::Point;
use trips_core::timestamp::Timestamp;
use trips_core::trip::Trip;

use crate::error::LoadError;
use crate::grants;
use crate::load::deliver::{self, Request};
use crate::load::{Attempt, merge};
use crate::pg::row::LoadRow;
use crate::pg::session;
use crate::settings;
use crate::source::Access;

/// `trips.ingest(path, on_error, max_errors, force) -> trips.loads`
#[pg_extern(sql = false)]
fn ingest(
    path: Option<&str>,
    on_error: Option<&str>,
    max_errors: Option<i64>,
    force: Option<bool>,
) -> Result<LoadRow, ErrorReport> {
    session::require_writable(c"trips.ingest()");
    let abort_on_error = match on_error {
        Some("stage") => false,
        Some("abort") => true,
        Some(other) => return Err(LoadError::OnError(other.to_owned()).into()),
        None => return Err(LoadError::NullArgument("on_error").into()),
    };
    let max_errors = match max_errors {
        None => settings::max_errors(),
        Some(limit) => Some(u64::try_from(limit).map_err(|_| LoadError::MaxErrors(limit))?),
    };
    let force = force.ok_or(LoadError::NullArgument("force"))?;
    let path = path.ok_or(LoadError::NullArgument("path"))?;
    let access = &access_of_caller();
    let target = Target::History;
    Ok(load_file(&Request { path, access, target, abort_on_error, max_errors, force })?)
}

/// `trips.stage(path) -> trips.loads`
#[pg_extern(sql = false)]
fn stage(path: Option<&str>) -> Result<LoadRow, ErrorReport> {
    session::require_writable(c"trips.stage()");
    let path = path.ok_or(LoadError::NullArgument("path"))?;
    let target = Target::Staging;
    let access = &access_of_caller();
    let (abort_on_error, max_errors, force) = (false, None, false);
    Ok(load_file(&Request { path, access, target, abort_on_error, max_errors, force })?)
}

/// `trips.merge_staged(load_id) -> trips.loads`
#[pg_extern(sql = false)]
fn merge_staged(load_id: Option<i64>) -> Result<Option<LoadRow>, ErrorReport> {
    session::require_writable(c"trips.merge_staged()");
    require_utf8()?;
    let attempt = Attempt::begin(merge::SOURCE)?;
    Ok(merge::merge(&attempt.ticket, load_id)?)
}

/// `trips.grant_loader(role)`
#[pg_extern(sql = false)]
fn grant_loader(role: Option<pg_sys::Oid>) -> Result<(), ErrorReport> {
    Ok(grants::loader(role.ok_or(LoadError::NullArgument("role"))?)?)
}

/// `trips.grant_reader(role)`
#[pg_extern(sql = false)]
fn grant_reader(role: Option<pg_sys::Oid>) -> Result<(), ErrorReport> {
    Ok(grants::reader(role.ok_or(LoadError::NullArgument("role"))?)?)
}

/// `trips.trip_key(region, origin_coord, destination_coord, date_time, datasource) -> uuid`
#[pg_extern(sql = false)]
fn trip_key(
    region: Option<&str>,
    origin: Option<pg_sys::Point>,
    destination: Option<pg_sys::Point>,
    date_time: Option<PgTimestamp>,
    datasource: Option<&str>,
) -> Result<Uuid, ErrorReport> {
    let point =
        |point: Option<pg_sys::Point>| point.map(|p| Point { longitude: p.x, latitude: p.y });
    let key = key::of_trip(&Trip {
        region: region.ok_or(LoadError::NullArgument("region"))?,
        origin: point(origin),
        destination: point(destination),
        date_time: Timestamp(date_time.ok_or(LoadError::NullArgument("date_time"))?.into()),
        datasource,
    });
    Ok(Uuid::from_bytes(key))
}

/// Which files the role may load whose rights count now.
fn access_of_caller() -> Access {
    if session::may_read_server_files(session::current_user()) {
        Access::AnyFile
    } else {
        Access::Beneath(settings::data_directories())
    }
}

fn require_utf8() -> Result<(), LoadError> {
    if session::database_is_utf8() { Ok(()) } else { Err(LoadError::DatabaseEncoding) }
}

/// Loads a file for the current user, and has the ledger remember it if it fails.
fn load_file(request: &Request<'_>) -> Result<LoadRow, LoadError> {
    require_utf8()?;
    let may_read = match request.access {
        Access::AnyFile => true,
        Access::Beneath(directories) => !directories.is_empty(),
    };
    if !may_read {
        return Err(LoadError::MayNotRead(request.path.to_owned()));
    }
    let attempt = Attempt::begin(request.path)?;
    // An error of PostgreSQL (a cancel, a full disk, a lost lock) is remembered too, and goes on.
    let observer = AssertUnwindSafe(&attempt);
    let result = PgTryBuilder::new(AssertUnwindSafe(|| deliver::deliver(request, &attempt)))
        .catch_others(move |cause| {
            let (CaughtError::PostgresError(report)
            | CaughtError::ErrorReport(report)
            | CaughtError::RustPanic { ereport: report, .. }) = &cause;
            let mut text = report.message().to_owned();
            append_detail(&mut text, report.detail());
            session::after_error();
            // A second error must not take the place of the first.
            let code = sqlstate(report.sql_error_code());
            PgTryBuilder::new(AssertUnwindSafe(|| observer.fail(code, text)))
                .catch_others(|_| false)
                .execute();
            cause.rethrow()
        })
        .execute();
    let result = match request.access {
        Access::AnyFile => result,
        Access::Beneath(_) => result.map_err(LoadError::without_content),
    };
    match &result {
        Ok(_) => attempt.finish(),
        Err(error) if error.is_of_delivery() => remember(error, &attempt),
        Err(_) => {}
    }
    result
}

fn remember(error: &LoadError, attempt: &Attempt) {
    let mut text = error.to_string();
    append_detail(&mut text, error.detail().as_deref());
    if !attempt.fail(sqlstate(error.code()), text) {
        ereport!(
            PgLogLevel::WARNING,
            PgSqlErrorCode::ERRCODE_CONFIGURATION_LIMIT_EXCEEDED,
            "the ledger does not remember this failure yet: no background worker could write it",
            "It waits for a lock on trips.loads, or no worker was free: then raise max_worker_processes."
        );
    }
}

fn append_detail(text: &mut String, detail: Option<&str>) {
    if let Some(detail) = detail {
        text.push('\n');
        text.push_str(detail);
    }
}

/// The five characters of a code: PostgreSQL packs six bits of each into a number.
fn sqlstate(code: PgSqlErrorCode) -> String {
    let packed = code as u32;
    (0..5).filter_map(|i| char::from_u32(((packed >> (6 * i)) & 0x3f) + u32::from('0'))).collect()
}
