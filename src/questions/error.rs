//! Errors of arguments of query functions.

use pgrx::PgSqlErrorCode;
use pgrx::datum::{Date, Interval};
use pgrx::pg_sys::panic::ErrorReport;
use thiserror::Error;
use trips_areas::AreaError;
use trips_core::text::escape::quoted;
use trips_h3::H3Error;

/// An invalid argument of a query function.
#[derive(Debug, Error)]
pub enum QueryError {
    #[error("{0} must not be null")]
    Null(&'static str),
    #[error("{0} must be a finite date")]
    InfiniteDate(&'static str),
    #[error("{name} {date} is not in the years 1 to 9999")]
    Years { name: &'static str, date: Date },
    #[error("since {since} is after until {until}")]
    Period { since: Date, until: Date },
    #[error(transparent)]
    Area(#[from] AreaError),
    #[error("invalid value for argument match: {}", quoted(.0.as_bytes()))]
    Match(String),
    #[error(transparent)]
    Cell(#[from] H3Error),
    #[error("invalid value for argument bucket: {0}")]
    Bucket(Interval),
    #[error("invalid value for argument at_least: {0}")]
    AtLeast(i64),
}

impl QueryError {
    fn code(&self) -> PgSqlErrorCode {
        match self {
            Self::Null(_) => PgSqlErrorCode::ERRCODE_NULL_VALUE_NOT_ALLOWED,
            Self::Area(AreaError::NotFinite(..) | AreaError::OutOfRange(..)) => {
                PgSqlErrorCode::ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE
            }
            Self::Cell(H3Error::Name) => PgSqlErrorCode::ERRCODE_INVALID_TEXT_REPRESENTATION,
            _ => PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
        }
    }

    fn hint(&self) -> &'static str {
        match self {
            Self::Null("area" | "west" | "south" | "east" | "north")
            | Self::Area(AreaError::NotFinite(..)) => {
                "Use trips.area(west, south, east, north) with degrees, WGS 84."
            }
            Self::Null(_) => "Omit the argument to use its default.",
            Self::InfiniteDate(_) | Self::Years { .. } => {
                "Omit the date: the period then begins with the first trip, or ends with the last one."
            }
            Self::Period { .. } => "Use a since date that is not after the until date.",
            Self::Area(AreaError::OutOfRange(..)) => {
                "Write west, south, east, north in this order, in degrees."
            }
            Self::Area(AreaError::Inverted(..)) => {
                "Write west, south, east, north in this order. Only west may be greater than east: such an area crosses the antimeridian."
            }
            Self::Match(_) => {
                "Choose which end of a trip must be in the area: origin, destination, both, or at least one of them (either)."
            }
            Self::Cell(H3Error::Resolution(_)) => {
                "Begin with 9, cells of about 0.1 square kilometres. Each step divides a cell into seven."
            }
            Self::Cell(H3Error::Name) => {
                "Use a name that trips.h3_cell(coord, resolution) returns."
            }
            Self::Bucket(_) => {
                "Choose a part of 24 hours that leaves no remainder, such as an hour, 30 minutes or 15 minutes."
            }
            Self::AtLeast(_) => "Set the least number of trips of a group; 1 returns all groups.",
        }
    }
}

impl From<QueryError> for ErrorReport {
    fn from(error: QueryError) -> Self {
        Self::new(error.code(), error.to_string(), "trips_pipeline").set_hint(error.hint())
    }
}
