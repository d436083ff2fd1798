//! Errors of a call or a setting.

use pgrx::PgSqlErrorCode as Code;
use trips_core::text::escape::{quoted, quoted_path};

use super::report::{Report, reported};

/// Why a call is refused before anything is loaded.
#[derive(Debug)]
pub enum RequestError {
    NullArgument(&'static str),
    OnError(String),
    MaxErrors(i64),
    TooLong { argument: &'static str, bytes: usize, limit: usize },
    RelativePath(String),
    Pattern { pattern: String, error: String },
    UnknownLoad(i64),
    Dates { earliest: String, latest: String },
    DatabaseEncoding,
}

reported!(RequestError);

impl RequestError {
    /// SQLSTATE, message, DETAIL and HINT.
    pub fn report(&self) -> Report {
        match self {
            Self::NullArgument(name) => {
                Report::new(Code::ERRCODE_NULL_VALUE_NOT_ALLOWED, format!("{name} must not be NULL"))
            }
            Self::OnError(word) => Report::new(
                Code::ERRCODE_INVALID_PARAMETER_VALUE,
                format!("on_error is {}: expected stage or abort", quoted(word.as_bytes())),
            )
            .hint("stage keeps bad lines in trips.stg_trip_data and loads the rest; abort refuses the file at the first."),
            Self::MaxErrors(limit) => Report::new(
                Code::ERRCODE_INVALID_PARAMETER_VALUE,
                format!("max_errors is {limit}: expected 0 or more, or NULL for the setting trips.max_errors"),
            ),
            Self::TooLong { argument, bytes, limit } => {
                Report::new(Code::ERRCODE_INVALID_PARAMETER_VALUE, format!("{argument} is too long"))
                    .detail(format!("{argument} has {bytes} bytes; the limit is {limit}."))
                    .hint("Use a shorter one: no file system takes a longer path.")
            }
            Self::RelativePath(path) => Report::new(
                Code::ERRCODE_INVALID_NAME,
                format!("path {} is not absolute", quoted_path(path)),
            )
            .hint("Give the whole path, from /, as the server sees it. The server's current directory is its data directory."),
            Self::Pattern { pattern, error } => Report::new(
                Code::ERRCODE_INVALID_PARAMETER_VALUE,
                format!("{} is no pattern of file names: {error}", quoted_path(pattern)),
            )
            .hint("'/data/inbox/*.csv' names all files there that end in .csv."),
            Self::UnknownLoad(load_id) => {
                Report::new(Code::ERRCODE_UNDEFINED_OBJECT, format!("load {load_id} is unknown"))
                    .hint("SELECT load_id, source FROM trips.loads shows the loads.")
            }
            Self::Dates { earliest, latest } => Report::new(
                Code::ERRCODE_INVALID_PARAMETER_VALUE,
                format!(
                    "trips.earliest_date is {} and trips.latest_date is {}: expected two dates, the first not after the second",
                    quoted(earliest.as_bytes()),
                    quoted(latest.as_bytes())
                ),
            )
            .hint("SET trips.earliest_date = '1970-01-01'; SET trips.latest_date = '2099-12-31'."),
            Self::DatabaseEncoding => Report::new(
                Code::ERRCODE_FEATURE_NOT_SUPPORTED,
                "the database is not encoded in UTF8",
            )
            .hint("Create the database with ENCODING 'UTF8'."),
        }
    }
}
