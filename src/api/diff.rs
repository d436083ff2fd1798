//! What a load of a file would do.

use pgrx::datum::Timestamp as PgTimestamp;
use pgrx::iter::TableIterator;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{JsonB, name, pg_extern};
use serde_json::json;
use trips_core::check::reject::BadLine;
use trips_core::model::timestamp::Timestamp;
use trips_core::sort::versions::ChangedValue;

use super::{of_feed, require_utf8, text};
use crate::error::{LoadError, RequestError};
use crate::limits;
use crate::load::diff::{self, Change, Records};
use crate::load::preview;
use crate::pg::relation::Table;
use crate::pg::{error_fields, session};
use crate::source::Access;

/// `trips.diff(path, feed, region, datasource, on_change, examples) -> setof (change, records, first_time, last_time, examples)`
#[pg_extern(sql = false)]
#[allow(clippy::type_complexity, reason = "the columns of the result")]
fn diff(
    path: Option<&[u8]>,
    feed: Option<&[u8]>,
    region: Option<&[u8]>,
    datasource: Option<&[u8]>,
    on_change: Option<&[u8]>,
    examples: Option<i32>,
) -> Result<
    TableIterator<
        'static,
        (
            name!(change, &'static str),
            name!(records, i64),
            name!(first_time, Option<PgTimestamp>),
            name!(last_time, Option<PgTimestamp>),
            name!(examples, Option<JsonB>),
        ),
    >,
    ErrorReport,
> {
    let _errors = error_fields::preserve();
    require_utf8()?;
    let path = limits::path("path", text("path", path)?)?;
    let options = of_feed(feed, region, datasource, on_change)?;
    let rows = examples.ok_or(RequestError::NullArgument("examples"))?;
    let count = usize::try_from(rows).ok().filter(|rows| *rows <= preview::MAX_ROWS);
    let count = count.ok_or(RequestError::Rows { rows, limit: preview::MAX_ROWS })?;
    let access = Access::of(session::current_user());
    access.require_any(path)?;
    // Records are shown to those who may read any file.
    let shown = if access.shows_content() { count } else { 0 };
    let found = diff::diff(path, options, &access, shown);
    let found = if access.shows_content() { found } else { found.map_err(LoadError::redacted) }?;
    let list = |examples: Vec<_>| (!examples.is_empty()).then(|| JsonB(json!(examples)));
    // Old values are those of the history, which not all loaders may read.
    let may_read = Table::find(c"hist_trip_data").is_some_and(session::may_read_all);
    let changes = found.changes.iter().filter(|_| may_read).map(changed).collect();
    let rejected = found.examples.iter().map(example).collect();
    let row = |change, records: &Records, examples| {
        let time = |time: Option<Timestamp>| time.and_then(|t| PgTimestamp::try_from(t.0).ok());
        let (first, last) = records.times.unzip();
        let count = i64::try_from(records.count).unwrap_or(i64::MAX);
        (change, count, time(first), time(last), examples)
    };
    Ok(TableIterator::new(vec![
        row("added", &found.added, None),
        row("changed", &found.changed, list(changes)),
        row("unchanged", &found.unchanged, None),
        row("rejected", &found.rejected, list(rejected)),
    ]))
}

/// A record that corrects a trip.
fn changed(change: &Change) -> serde_json::Value {
    let value = |value: &ChangedValue| json!({ "column": value.column, "old": value.old, "new": value.new });
    json!({
        "member": change.member,
        "line": change.line,
        "trip_id": change.trip_id,
        "date_time": change.date_time.to_string(),
        "values": change.values.iter().map(value).collect::<Vec<_>>(),
    })
}

/// A rejected record.
fn example((member, bad): &(Option<String>, BadLine)) -> serde_json::Value {
    json!({
        "member": member,
        "line": bad.position.number(),
        "column": bad.rejection.column.as_ref().map(|column| column.name().to_owned()),
        "error_code": bad.rejection.state.code(),
        "error": bad.rejection.reason,
    })
}
