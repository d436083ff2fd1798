//! Staged records: why they wait, and a second reading.

use pgrx::iter::TableIterator;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{JsonB, name, pg_extern};
use trips_core::explain::MAX_EXAMPLES;
use trips_core::feed::choice::Options;
use trips_core::mend::rules::{Rules, Times};
use trips_core::model::time_form::DayMonthOrder;

use super::{of_feed, require_utf8, text};
use crate::error::{LoadError, RequestError, StagedError, UploadError};
use crate::ledger::LoadRow;
use crate::limits;
use crate::load::{self, Retry};
use crate::pg::relation::Table;
use crate::pg::{error_fields, session};
use crate::upload;

/// `trips.explain_staged(load_id, examples) -> setof (column_name, error_code, reason, records, examples, proposal, retry, member)`
#[pg_extern(sql = false, stable)]
#[allow(clippy::type_complexity, reason = "the columns of the result")]
fn explain_staged(
    load_id: Option<i64>,
    examples: Option<i32>,
) -> Result<
    TableIterator<
        'static,
        (
            name!(column_name, Option<String>),
            name!(error_code, Option<String>),
            name!(reason, Option<String>),
            name!(records, i64),
            name!(examples, JsonB),
            name!(proposal, Option<String>),
            name!(retry, Option<String>),
            name!(member, Option<String>),
        ),
    >,
    ErrorReport,
> {
    let _errors = error_fields::preserve();
    require_utf8()?;
    let load_id = load_id.ok_or(RequestError::NullArgument("load_id"))?;
    let examples = examples.ok_or(RequestError::NullArgument("examples"))?;
    let count = usize::try_from(examples).ok().filter(|count| *count <= MAX_EXAMPLES);
    let limit = MAX_EXAMPLES;
    let count = count.ok_or(LoadError::from(StagedError::Examples { examples, limit }))?;
    let shows_values = Table::find(c"stg_trip_data").is_some_and(session::may_read_all);
    let rows = load::explain(load_id, count, shows_values)?;
    Ok(TableIterator::new(rows.into_iter().map(|(member, found)| {
        (
            found.column,
            found.code,
            found.kind,
            i64::try_from(found.records).unwrap_or(i64::MAX),
            JsonB(found.examples.into()),
            found.proposal,
            found.retry,
            member,
        )
    })))
}

/// `trips.retry_staged(load_id, feed, swap_coordinates, date_order, decimal_comma, time_form, region, datasource, member,
/// on_change) -> trips.loads`
#[pg_extern(sql = false)]
#[allow(clippy::too_many_arguments, reason = "the arguments of the SQL function")]
fn retry_staged(
    load_id: Option<i64>,
    feed: Option<&[u8]>,
    swap_coordinates: Option<bool>,
    date_order: Option<&[u8]>,
    decimal_comma: Option<bool>,
    time_form: Option<&[u8]>,
    region: Option<&[u8]>,
    datasource: Option<&[u8]>,
    member: Option<&[u8]>,
    on_change: Option<&[u8]>,
) -> Result<LoadRow, ErrorReport> {
    let _errors = error_fields::preserve();
    session::require_writable(c"trips.retry_staged()");
    require_utf8()?;
    let load_id = load_id.ok_or(RequestError::NullArgument("load_id"))?;
    let given = of_feed(feed, region, datasource, on_change)?;
    let time_form = optional("time_form", time_form)?;
    let rules = Rules {
        swap_coordinates: swap_coordinates.ok_or(RequestError::NullArgument("swap_coordinates"))?,
        decimal_comma: decimal_comma.ok_or(RequestError::NullArgument("decimal_comma"))?,
        times: times(optional("date_order", date_order)?, time_form)?,
    };
    let owned = |text: Option<&str>| text.map(str::to_owned);
    let options = Options {
        region: owned(given.region),
        datasource: owned(given.datasource),
        on_change: given.on_change,
    };
    let member = owned(optional("member", member)?);
    let (feed, time_form) = (owned(given.feed), owned(time_form));
    let retry = Retry { rules, time_form, feed, options, member };
    if upload::is_open(load_id)? {
        return Err(LoadError::from(UploadError::NotStaged(load_id)).into());
    }
    Ok(load::retry_staged(load_id, &retry)?)
}

fn optional<'a>(
    argument: &'static str,
    value: Option<&'a [u8]>,
) -> Result<Option<&'a str>, LoadError> {
    let value = value.map(|value| text(argument, Some(value))).transpose()?;
    value.map(|value| limits::path(argument, value)).transpose()
}

/// How times are read, by two arguments of which one may be given.
fn times(date_order: Option<&str>, time_form: Option<&str>) -> Result<Option<Times>, LoadError> {
    match (date_order, time_form) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err(StagedError::OrderAndForm.into()),
        (Some(word), None) => Ok(Some(Times::of_order(order_of(word)?))),
        (None, Some(form)) => {
            let times = Times::of_pattern(form).map_err(|expected| StagedError::TimeForm {
                form: limits::wrong_word(form),
                expected,
            });
            Ok(Some(times?))
        }
    }
}

/// The order that a word of the argument `date_order` means.
fn order_of(word: &str) -> Result<DayMonthOrder, LoadError> {
    match word {
        "DMY" => Ok(DayMonthOrder::DayFirst),
        "MDY" => Ok(DayMonthOrder::MonthFirst),
        _ => Err(StagedError::DateOrder(limits::wrong_word(word)).into()),
    }
}
