//! The period of a query.

use std::ops::RangeInclusive;

use pgrx::datum::Date;

use super::QueryError;

/// The days of the years 1 to 9999, since 2000-01-01. The history has no trips of other years.
pub const YEARS: RangeInclusive<i32> = -730_119..=2_921_939;

/// Checks a period: its dates are finite and in order.
pub fn check_period(since: Option<Date>, until: Option<Date>) -> Result<(), QueryError> {
    for (name, date) in [("since", &since), ("until", &until)] {
        if date.as_ref().is_some_and(|date| !date.is_finite()) {
            return Err(QueryError::InfiniteDate(name));
        }
    }
    match (since, until) {
        (Some(since), Some(until)) if since > until => Err(QueryError::Period { since, until }),
        _ => Ok(()),
    }
}

/// Checks a period whose weeks are rows of the result: its dates are also of the years 1 to 9999.
pub fn check_weeks(since: Option<Date>, until: Option<Date>) -> Result<(), QueryError> {
    for (name, date) in [("since", &since), ("until", &until)] {
        if let Some(date) = date
            && date.is_finite()
            && !YEARS.contains(&date.to_pg_epoch_days())
        {
            return Err(QueryError::Years { name, date: *date });
        }
    }
    check_period(since, until)
}
