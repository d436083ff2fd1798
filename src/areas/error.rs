//! Why a question about an area has no answer.

use pgrx::PgSqlErrorCode;
use pgrx::pg_sys::panic::ErrorReport;
use thiserror::Error;
use trips_core::areas::{AreaError, Ends};
use trips_core::text::escape::quoted;

/// What is wrong with a question.
#[derive(Debug, Error)]
pub enum QuestionError {
    #[error("{0} must not be NULL")]
    NullArgument(&'static str),
    #[error(transparent)]
    Area(#[from] AreaError),
    #[error("match is {}: expected {}", quoted(.0.as_bytes()), Ends::WORDS.join(", "))]
    Match(String),
    #[error("{0} is infinite: expected a date, or NULL")]
    InfiniteDate(&'static str),
    #[error("{0} is outside of the years 1 to 9999")]
    Years(&'static str),
    #[error("since is after until: the period has no day")]
    EmptyPeriod,
}

impl QuestionError {
    fn code(&self) -> PgSqlErrorCode {
        use PgSqlErrorCode as Code;
        match self {
            Self::NullArgument(_) => Code::ERRCODE_NULL_VALUE_NOT_ALLOWED,
            Self::Area(AreaError::NotFinite(..) | AreaError::OutOfRange(..)) => {
                Code::ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE
            }
            Self::Area(AreaError::Inverted(..))
            | Self::Match(_)
            | Self::InfiniteDate(_)
            | Self::Years(_)
            | Self::EmptyPeriod => Code::ERRCODE_INVALID_PARAMETER_VALUE,
        }
    }

    fn hint(&self) -> &'static str {
        match self {
            Self::NullArgument("area") | Self::Area(AreaError::NotFinite(..)) => {
                "SELECT trips.weekly_avg(trips.area(west, south, east, north)) with degrees, WGS 84."
            }
            Self::NullArgument(_) => "Leave it out for the default.",
            Self::Area(AreaError::OutOfRange(..)) => {
                "The order is west, south, east, north, in degrees."
            }
            Self::Area(AreaError::Inverted(..)) => {
                "The order is west, south, east, north. Only west may be greater than east: such an area crosses the antimeridian."
            }
            Self::Match(_) => {
                "origin: trips that begin in the area; destination: that end there; both; either: one of the two, or both."
            }
            Self::InfiniteDate(_) | Self::Years(_) => {
                "NULL, or leaving it out, takes the week of the area's own first or last trip."
            }
            Self::EmptyPeriod => "Both dates are inside; exchange them.",
        }
    }
}

impl From<QuestionError> for ErrorReport {
    fn from(error: QuestionError) -> Self {
        Self::new(error.code(), error.to_string(), "trips_pipeline").set_hint(error.hint())
    }
}
