//! The functions that SQL sees. Their signatures, defaults and comments are in sql/03_functions.sql.
//!
//! Each checks what was asked and who asks, calls a room below, and turns errors into reports.

#![allow(clippy::result_large_err, reason = "pgrx takes an ErrorReport by value, once per call")]

use pgrx::datum::Timestamp as PgTimestamp;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{PgLogLevel, PgSqlErrorCode, Uuid, ereport, pg_extern, pg_sys};
use trips_core::key;
use trips_core::parse::Target;
use trips_core::point::Point;
use trips_core::timestamp::Timestamp;
use trips_core::trip::Trip;

use crate::error::LoadError;
use crate::ledger::{Delivery, Ticket};
use crate::load::deliver::{self, Request};
use crate::load::{self, merge};
use crate::pg::row::LoadRow;
use crate::pg::session;
use crate::pg::worker::{self, Failure};
use crate::settings;

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
    Ok(load_file(&Request { path, target: Target::History, abort_on_error, max_errors, force })?)
}

/// `trips.stage(path) -> trips.loads`
#[pg_extern(sql = false)]
fn stage(path: Option<&str>) -> Result<LoadRow, ErrorReport> {
    session::require_writable(c"trips.stage()");
    let path = path.ok_or(LoadError::NullArgument("path"))?;
    let target = Target::Staging;
    let (abort_on_error, max_errors, force) = (false, None, false);
    Ok(load_file(&Request { path, target, abort_on_error, max_errors, force })?)
}

/// `trips.merge_staged(load_id) -> trips.loads`
#[pg_extern(sql = false)]
fn merge_staged(load_id: Option<i64>) -> Result<Option<LoadRow>, ErrorReport> {
    session::require_writable(c"trips.merge_staged()");
    require_utf8()?;
    let begun = load::begin()?;
    Ok(merge::merge(&begun.ticket, load_id)?)
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

fn require_utf8() -> Result<(), LoadError> {
    if session::database_is_utf8() { Ok(()) } else { Err(LoadError::DatabaseEncoding) }
}

/// Loads a file for the current user, and has the ledger remember it if it fails.
fn load_file(request: &Request<'_>) -> Result<LoadRow, LoadError> {
    require_utf8()?;
    if !session::may_read_server_files(session::current_user()) {
        return Err(LoadError::MayNotRead);
    }
    let begun = load::begin()?;
    let mut delivery = Delivery { source: request.path.to_owned(), ..Delivery::default() };
    let result = deliver::deliver(request, &begun.ticket, &mut delivery);
    if let Err(error) = &result
        && error.is_of_delivery()
    {
        remember(error, &begun.ticket, &delivery);
    }
    result
}

fn remember(error: &LoadError, ticket: &Ticket, delivery: &Delivery) {
    let mut text = error.to_string();
    if let Some(detail) = error.detail() {
        text.push('\n');
        text.push_str(&detail);
    }
    let failure = Failure {
        load_id: ticket.load_id,
        source: delivery.source.clone(),
        digest: delivery.digest,
        bytes: delivery.bytes,
        code: sqlstate(error.code()),
        error: text,
        requested_by: ticket.requested_by.clone(),
        started_at: ticket.started_at.into(),
    };
    if !worker::record_failure(&failure) {
        ereport!(
            PgLogLevel::WARNING,
            PgSqlErrorCode::ERRCODE_CONFIGURATION_LIMIT_EXCEEDED,
            "the ledger does not remember this failure: no background worker could write it",
            "The server's log says why, unless no worker was free: then raise max_worker_processes."
        );
    }
}

/// The five characters of a code: PostgreSQL packs six bits of each into a number.
fn sqlstate(code: PgSqlErrorCode) -> String {
    let packed = code as u32;
    (0..5).filter_map(|i| char::from_u32(((packed >> (6 * i)) & 0x3f) + u32::from('0'))).collect()
}
