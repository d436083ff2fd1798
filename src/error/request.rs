//! Errors of a call or a setting.

use pgrx::PgSqlErrorCode as Code;
use trips_core::text::escape::{quoted, quoted_path};

use super::report::{Report, reported};

/// Why a call is refused before anything is loaded.
#[derive(Debug)]
pub enum RequestError {
    NullArgument(&'static str),
    OnError(String),
    OnChange(String),
    MaxErrors(i64),
    Rows { rows: i32, limit: usize },
    TooLong { argument: &'static str, bytes: usize, limit: usize },
    Name { argument: &'static str, reason: String },
    NoCondition,
    Condition { argument: &'static str, reason: String },
    InfiniteTime(&'static str),
    Period,
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
            Self::NullArgument(name) => Report::new(
                Code::ERRCODE_NULL_VALUE_NOT_ALLOWED,
                format!("{name} must not be null"),
            ),
            Self::OnError(word) => invalid("on_error", &quoted(word.as_bytes()))
                .hint("Use 'stage' to stage bad rows, or 'abort' to fail at the first one."),
            Self::OnChange(word) => invalid("on_change", &quoted(word.as_bytes()))
                .hint("Use 'keep', 'replace' or 'stage', or NULL for the policy of the feed."),
            Self::MaxErrors(limit) => invalid("max_errors", limit)
                .hint("Use 0 or more, or NULL for the setting trips.max_errors."),
            Self::Rows { rows, limit } => invalid("rows", rows).hint(format!("Use 0 to {limit}.")),
            Self::TooLong { argument, bytes, limit } => refused(format!("{argument} is too long"))
                .detail(format!("The argument has {bytes} bytes; the limit is {limit} bytes."))
                .hint("Use a shorter value."),
            Self::Name { argument, reason } => {
                refused(format!("invalid value for argument {argument}: {reason}"))
                    .hint("Use a name as in a file, or NULL for the value of the feed.")
            }
            Self::NoCondition => refused("trips.delete_trips() needs a condition".to_owned()).hint(
                "Use at least one of the arguments region, before, since, datasource and trip_id.",
            ),
            Self::Condition { argument, reason } => {
                refused(format!("invalid value for argument {argument}: {reason}"))
                    .hint("Use a value as trips.hist_trip_data has it, or NULL for no condition.")
            }
            Self::InfiniteTime(argument) => refused(format!("{argument} must be a finite time"))
                .hint("Omit the argument for no limit on that side."),
            Self::Period => refused("since must be earlier than before".to_owned())
                .hint("Use a time for since that is earlier than that for before."),
            Self::RelativePath(path) => Report::new(
                Code::ERRCODE_INVALID_NAME,
                format!("path {} is not absolute", quoted_path(path)),
            )
            .hint("Use an absolute path of the server."),
            Self::Pattern { pattern, error } => {
                refused(format!("invalid file name pattern {}: {error}", quoted_path(pattern)))
                    .hint("Use a pattern such as '/data/inbox/*.csv'.")
            }
            Self::UnknownLoad(load_id) => Report::new(
                Code::ERRCODE_UNDEFINED_OBJECT,
                format!("load {load_id} does not exist"),
            )
            .hint("Query trips.loads for the numbers of loads."),
            Self::Dates { earliest, latest } => refused(format!(
                "trips.earliest_date {} is after trips.latest_date {}",
                quoted(earliest.as_bytes()),
                quoted(latest.as_bytes())
            ))
            .hint(
                "Set trips.earliest_date to an earlier date, or trips.latest_date to a later one.",
            ),
            Self::DatabaseEncoding => {
                Report::new(Code::ERRCODE_FEATURE_NOT_SUPPORTED, "database encoding is not UTF8")
                    .hint("Use a database that was created with ENCODING 'UTF8'.")
            }
        }
    }
}

fn refused(message: String) -> Report {
    Report::new(Code::ERRCODE_INVALID_PARAMETER_VALUE, message)
}

fn invalid(argument: &str, value: &impl std::fmt::Display) -> Report {
    refused(format!("invalid value for argument {argument}: {value}"))
}
