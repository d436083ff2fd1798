//! Feeds, zones and stations.

use pgrx::datum::{Date, Timestamp as PgTimestamp};
use pgrx::iter::TableIterator;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{JsonB, name, pg_extern, pg_sys};
use trips_core::feed::builtin;
use trips_core::feed::zones::nyc_taxi_zones;
use trips_core::model::timestamp::Timestamp;
use trips_core::text::escape::quoted_path;

use super::{policy, text};
use crate::error::{LoadError, RequestError, SourceError};
use crate::feeds::{self, definitions, places, stations, zones};
use crate::limits;
use crate::load::preview::{self, Preview, PreviewTrip};
use crate::pg::jsonb::JsonbText;
use crate::pg::{error_fields, session};
use crate::questions;
use crate::source::Access;

/// `trips_internal.builtin_feeds() -> setof (name, definition)`
#[pg_extern(sql = false, immutable, parallel_safe)]
fn builtin_feeds()
-> TableIterator<'static, (name!(name, &'static str), name!(definition, &'static str))> {
    TableIterator::new(builtin::DOCUMENTS.iter().copied())
}

/// `trips_internal.builtin_zones() -> setof (zone_id, name, region, point)`
#[pg_extern(sql = false, immutable, parallel_safe)]
#[allow(clippy::type_complexity, reason = "the columns of the result")]
fn builtin_zones() -> TableIterator<
    'static,
    (
        name!(zone_id, String),
        name!(name, Option<String>),
        name!(region, Option<String>),
        name!(point, Option<pg_sys::Point>),
    ),
> {
    let row = |zone: trips_core::feed::zones::ZoneRow| {
        (zone.id, zone.name, zone.region, zone.point.map(zones::pg_point))
    };
    TableIterator::new(nyc_taxi_zones().into_iter().map(row))
}

/// `trips.create_feed(name, definition)`
#[pg_extern(sql = false)]
fn create_feed(name: Option<&[u8]>, definition: Option<JsonbText>) -> Result<(), ErrorReport> {
    let _errors = error_fields::preserve();
    session::require_writable(c"trips.create_feed()");
    let name = limits::path("name", text("name", name)?)?;
    let JsonbText(definition) = definition.ok_or(RequestError::NullArgument("definition"))?;
    Ok(definitions::create(name, &definition)?)
}

/// `trips.drop_feed(name)`
#[pg_extern(sql = false)]
fn drop_feed(name: Option<&[u8]>) -> Result<(), ErrorReport> {
    let _errors = error_fields::preserve();
    session::require_writable(c"trips.drop_feed()");
    let name = limits::path("name", text("name", name)?)?;
    Ok(definitions::drop(name)?)
}

/// `trips.load_stations(feed, path, year) -> bigint`
#[pg_extern(sql = false)]
fn load_stations(
    feed: Option<&[u8]>,
    path: Option<&[u8]>,
    year: Option<i32>,
) -> Result<i64, ErrorReport> {
    let _errors = error_fields::preserve();
    session::require_writable(c"trips.load_stations()");
    let feed = limits::path("feed", text("feed", feed)?)?;
    let path = limits::path("path", text("path", path)?)?;
    let access = &Access::of(session::current_user());
    access.require_any(path)?;
    let count = stations::load(feed, path, year, access)?;
    Ok(i64::try_from(count).unwrap_or(i64::MAX))
}

/// `trips.complete_places(feed, since, until) -> bigint`
#[pg_extern(sql = false)]
fn complete_places(
    feed: Option<&[u8]>,
    since: Option<Date>,
    until: Option<Date>,
) -> Result<i64, ErrorReport> {
    let _errors = error_fields::preserve();
    session::require_writable(c"trips.complete_places()");
    let feed = limits::path("feed", text("feed", feed)?)?;
    questions::check_weeks(since, until)?;
    Ok(places::complete(feed, since, until)?)
}

/// `trips.detect_feed(path) -> setof (feed, version, is_chosen, matched, missing, mapping, not_stored, note)`
#[pg_extern(sql = false)]
#[allow(clippy::type_complexity, reason = "the columns of the result")]
fn detect_feed(
    path: Option<&[u8]>,
) -> Result<
    TableIterator<
        'static,
        (
            name!(feed, String),
            name!(version, Option<String>),
            name!(is_chosen, bool),
            name!(matched, i32),
            name!(missing, Vec<String>),
            name!(mapping, Option<JsonB>),
            name!(not_stored, Vec<String>),
            name!(note, &'static str),
        ),
    >,
    ErrorReport,
> {
    let _errors = error_fields::preserve();
    let path = limits::path("path", text("path", path)?)?;
    let access = Access::of(session::current_user());
    access.require_any(path)?;
    let found = feeds::detect(path, &access).map_err(|error| match access.shows_content() {
        true => error,
        false => error.redacted(),
    })?;
    let rows = found.into_iter().map(|found| {
        let mapping = Some(found.mapping).filter(|mapping| !mapping.is_null()).map(JsonB);
        let matched = i32::try_from(found.matched).unwrap_or(i32::MAX);
        (
            found.feed,
            found.version,
            found.is_chosen,
            matched,
            found.missing,
            mapping,
            found.not_stored,
            found.note,
        )
    });
    Ok(TableIterator::new(rows))
}

/// `trips.preview(path, feed, rows, on_change) -> setof (kind, line_no, …, note)`
#[pg_extern(sql = false)]
#[allow(clippy::type_complexity, reason = "the columns of the result")]
fn preview(
    path: Option<&[u8]>,
    feed: Option<&[u8]>,
    rows: Option<i32>,
    on_change: Option<&[u8]>,
) -> Result<
    TableIterator<
        'static,
        (
            name!(kind, &'static str),
            name!(line_no, Option<i64>),
            name!(region, Option<String>),
            name!(origin_coord, Option<pg_sys::Point>),
            name!(destination_coord, Option<pg_sys::Point>),
            name!(date_time, Option<PgTimestamp>),
            name!(datasource, Option<String>),
            name!(ended_at, Option<PgTimestamp>),
            name!(trip_id, Option<String>),
            name!(details, Option<JsonB>),
            name!(error_code, Option<&'static str>),
            name!(note, Option<String>),
        ),
    >,
    ErrorReport,
> {
    let _errors = error_fields::preserve();
    let path = limits::path("path", text("path", path)?)?;
    let feed = feed.map(|name| limits::path("feed", text("feed", Some(name))?)).transpose()?;
    let rows = rows.ok_or(RequestError::NullArgument("rows"))?;
    let count = usize::try_from(rows).ok().filter(|rows| *rows <= preview::MAX_ROWS);
    let count = count.ok_or(RequestError::Rows { rows, limit: preview::MAX_ROWS })?;
    let on_change = policy(on_change)?;
    let access = Access::of(session::current_user());
    if !access.shows_content() {
        return Err(LoadError::from(SourceError::MayNotPreview(path.to_owned())).into());
    }
    let found = preview::preview(path, (feed, on_change), count, &access)?;
    Ok(TableIterator::new(rows_of(found)))
}

/// A row of a preview.
type PreviewRow = (
    &'static str,
    Option<i64>,
    Option<String>,
    Option<pg_sys::Point>,
    Option<pg_sys::Point>,
    Option<PgTimestamp>,
    Option<String>,
    Option<PgTimestamp>,
    Option<String>,
    Option<JsonB>,
    Option<&'static str>,
    Option<String>,
);

/// The rows of a preview, by their kinds.
fn rows_of(found: Preview) -> Vec<PreviewRow> {
    let mut rows = vec![note("feed", None, None, found.summary())];
    rows.extend(found.columns().into_iter().map(|text| note("column", None, None, text)));
    let not_stored = found.feed.not_stored.iter().cloned();
    rows.extend(not_stored.map(|name| note("not stored", None, None, name)));
    rows.extend(found.on_change.map(|text| note("on_change", None, None, text)));
    let mut member = None;
    for trip in found.trips {
        if trip.member != member {
            member.clone_from(&trip.member);
            rows.push(note("member", None, None, trip.member.clone().unwrap_or_default()));
        }
        rows.push(row_of(trip));
    }
    rows.extend(found.rejected.into_iter().map(|(member, bad)| {
        let code = Some(bad.rejection.state.code());
        let text = match &bad.rejection.column {
            Some(column) => format!("column {column}: {}", bad.rejection.reason),
            None => bad.rejection.reason.clone(),
        };
        let text = match member {
            Some(member) => format!("member {}, {text}", quoted_path(&member)),
            None => text,
        };
        note("rejected", i64::try_from(bad.position.number()).ok(), code, text)
    }));
    rows
}

fn note(
    kind: &'static str,
    line: Option<i64>,
    code: Option<&'static str>,
    text: String,
) -> PreviewRow {
    (kind, line, None, None, None, None, None, None, None, None, code, Some(text))
}

fn row_of(trip: PreviewTrip) -> PreviewRow {
    let time = |time: Timestamp| PgTimestamp::try_from(time.0).ok();
    let details = trip.details.and_then(|json| serde_json::from_str(&json).ok()).map(JsonB);
    (
        "trip",
        i64::try_from(trip.position.number()).ok(),
        Some(trip.region),
        trip.origin.map(zones::pg_point),
        trip.destination.map(zones::pg_point),
        time(trip.date_time),
        trip.datasource,
        trip.ended_at.and_then(time),
        trip.trip_id,
        details,
        None,
        trip.note,
    )
}
