//! What may be asked: the arguments of the questions, checked before anything is read.

use std::ops::RangeInclusive;

use pgrx::PgSqlErrorCode;
use pgrx::datum::{Date, Interval};
use pgrx::pg_sys::panic::ErrorReport;
use thiserror::Error;
use trips_core::text::escape::quoted;
use trips_h3::{H3Error, Resolution};

use crate::limits;

/// Microseconds of a day.
const DAY: i128 = 86_400_000_000;

/// The days of the years 1 to 9999, since 2000-01-01: trips of other years are not in the history.
pub const YEARS: RangeInclusive<i32> = -730_119..=2_921_939;

/// Why a question cannot be answered.
#[derive(Debug, Error)]
pub enum QuestionError {
    #[error(
        "since is {since} and until is {until}: expected a period that does not end before it begins"
    )]
    Period { since: Date, until: Date },
    #[error("{0} is infinite: expected a date")]
    InfiniteDate(&'static str),
    #[error("{name} is {date}: expected a date of the years 1 to 9999")]
    Years { name: &'static str, date: Date },
    #[error("{0}")]
    Cell(H3Error),
    #[error("bucket is {0}: expected a length that a day can be divided into")]
    Bucket(Interval),
    #[error("match is {}: expected origin, destination, both or either", quoted(.0.as_bytes()))]
    Match(String),
    #[error("at_least is {0}: expected 1 or more")]
    AtLeast(i64),
    #[error("{0} must not be NULL")]
    Null(&'static str),
}

impl From<H3Error> for QuestionError {
    fn from(error: H3Error) -> Self {
        Self::Cell(error)
    }
}

impl QuestionError {
    fn code(&self) -> PgSqlErrorCode {
        match self {
            Self::Null(_) => PgSqlErrorCode::ERRCODE_NULL_VALUE_NOT_ALLOWED,
            Self::Cell(H3Error::Name) => PgSqlErrorCode::ERRCODE_INVALID_TEXT_REPRESENTATION,
            _ => PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
        }
    }

    fn hint(&self) -> &'static str {
        match self {
            Self::Period { .. } => "Both dates are inside the period. Are they swapped?",
            Self::InfiniteDate(_) => {
                "Leave it out: the period then begins or ends with the trips themselves."
            }
            Self::Years { .. } => {
                "No trip lies outside of these years. Leave the date out: the period then begins or ends with the trips themselves."
            }
            Self::Cell(H3Error::Resolution(_)) => {
                "9, a cell of about 0.1 square kilometres, is a city block or two; each step is seven times finer."
            }
            Self::Cell(H3Error::Name) => {
                "trips.h3_cell(place, resolution) gives the name of a cell."
            }
            Self::Bucket(_) => {
                "The whole day, an hour, half of one, 15 minutes: anything above zero that fits into 24 hours without a rest."
            }
            Self::Match(_) => {
                "It says which end of a trip must lie in the area: origin, destination, both of them, or either."
            }
            Self::AtLeast(_) => "It is the least number of trips of a group: 1 gives all groups.",
            Self::Null(_) => "Leave it out to take its default.",
        }
    }
}

impl From<QuestionError> for ErrorReport {
    fn from(error: QuestionError) -> Self {
        Self::new(error.code(), error.to_string(), "trips_pipeline").set_hint(error.hint())
    }
}

/// A period, as far as it is given, must be one.
pub fn check_period(since: Option<Date>, until: Option<Date>) -> Result<(), QuestionError> {
    for (name, date) in [("since", &since), ("until", &until)] {
        if date.as_ref().is_some_and(|date| !date.is_finite()) {
            return Err(QuestionError::InfiniteDate(name));
        }
    }
    match (since, until) {
        (Some(since), Some(until)) if since > until => Err(QuestionError::Period { since, until }),
        _ => Ok(()),
    }
}

/// A period of which every week is a row of the answer must be one that trips can have.
pub fn check_weeks(since: Option<Date>, until: Option<Date>) -> Result<(), QuestionError> {
    for (name, date) in [("since", &since), ("until", &until)] {
        if let Some(date) = date
            && date.is_finite()
            && !YEARS.contains(&date.to_pg_epoch_days())
        {
            return Err(QuestionError::Years { name, date: *date });
        }
    }
    check_period(since, until)
}

/// How trips are grouped.
pub fn check_grouping(
    resolution: Option<i32>,
    bucket: Option<Interval>,
    ends: Option<&str>,
    at_least: Option<i64>,
) -> Result<(), QuestionError> {
    Resolution::try_from(resolution.ok_or(QuestionError::Null("resolution"))?)?;
    check_bucket(bucket.ok_or(QuestionError::Null("bucket"))?)?;
    match ends.ok_or(QuestionError::Null("match"))? {
        "origin" | "destination" | "both" | "either" => {}
        other => return Err(QuestionError::Match(limits::wrong_word(other))),
    }
    match at_least.ok_or(QuestionError::Null("at_least"))? {
        1.. => Ok(()),
        few => Err(QuestionError::AtLeast(few)),
    }
}

/// A month has no fixed length, and the last bucket of a day must be as long as the others.
fn check_bucket(bucket: Interval) -> Result<(), QuestionError> {
    let length = i128::from(bucket.days()) * DAY + i128::from(bucket.micros());
    if bucket.months() == 0 && length > 0 && DAY % length == 0 {
        Ok(())
    } else {
        Err(QuestionError::Bucket(bucket))
    }
}
