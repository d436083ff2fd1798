//! Trips that are deleted on request.

use pgrx::datum::Timestamp as PgTimestamp;
use pgrx::iter::TableIterator;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{name, pg_extern};
use trips_core::check::conditions::Conditions;
use trips_core::model::timestamp::Timestamp;

use super::{require_utf8, text};
use crate::deletion;
use crate::error::{LoadError, RequestError};
use crate::limits;
use crate::pg::{error_fields, session};

/// `trips.delete_trips(region, before, since, datasource, trip_id) -> (trips, …, partitions)`
#[pg_extern(sql = false)]
#[allow(clippy::type_complexity, reason = "the columns of the result")]
fn delete_trips(
    region: Option<&[u8]>,
    before: Option<PgTimestamp>,
    since: Option<PgTimestamp>,
    datasource: Option<&[u8]>,
    trip_id: Option<&[u8]>,
) -> Result<
    TableIterator<
        'static,
        (name!(trips, i64), name!(staged, i64), name!(errors, i64), name!(partitions, Vec<String>)),
    >,
    ErrorReport,
> {
    let _errors = error_fields::preserve();
    session::require_writable(c"trips.delete_trips()");
    require_utf8()?;
    let conditions = Conditions {
        region: condition("region", region)?,
        datasource: condition("datasource", datasource)?,
        trip_id: condition("trip_id", trip_id)?,
        since: time("since", since)?,
        before: time("before", before)?,
    };
    if conditions.is_empty() {
        return Err(LoadError::from(RequestError::NoCondition).into());
    }
    if conditions.since.zip(conditions.before).is_some_and(|(since, before)| since >= before) {
        return Err(LoadError::from(RequestError::Period).into());
    }
    let deleted = deletion::delete_trips(&conditions)?;
    let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let row =
        (count(deleted.trips), count(deleted.staged), count(deleted.errors), deleted.partitions);
    Ok(TableIterator::once(row))
}

fn condition(name: &'static str, value: Option<&[u8]>) -> Result<Option<String>, LoadError> {
    let Some(value) = value else { return Ok(None) };
    Ok(Some(limits::condition(name, text(name, Some(value))?)?.to_owned()))
}

fn time(name: &'static str, time: Option<PgTimestamp>) -> Result<Option<Timestamp>, LoadError> {
    let Some(time) = time else { return Ok(None) };
    if time.is_infinity() || time.is_neg_infinity() {
        return Err(RequestError::InfiniteTime(name).into());
    }
    Ok(Some(Timestamp(time.into())))
}
