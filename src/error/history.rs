//! What others may not do to the history.

use pgrx::PgSqlErrorCode;
use thiserror::Error;

/// Why a change of the history by hand is refused.
#[derive(Debug, Error)]
pub enum HistoryError {
    #[error("the partition {table} of the history is not a plain table")]
    NotPlain { table: String },
    #[error("a trip of {date} is out of range: expected a date from 0001-01-01 to 9999-12-31")]
    Date { date: String },
    #[error("a load is at work that waits to make a partition of the history")]
    InUse,
}

impl HistoryError {
    /// The kind of the error.
    pub fn code(&self) -> PgSqlErrorCode {
        match self {
            Self::NotPlain { .. } => PgSqlErrorCode::ERRCODE_WRONG_OBJECT_TYPE,
            Self::Date { .. } => PgSqlErrorCode::ERRCODE_DATETIME_FIELD_OVERFLOW,
            Self::InUse => PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NotPlain { .. } => {
                "Neither loads nor what counts their trips look into tables that are divided again, or are on another server: attach plain tables."
            }
            Self::Date { .. } => "No question would count it.",
            Self::InUse => {
                "Repeat the command when the load is done. A partition that is being detached concurrently: ALTER TABLE trips.hist_trip_data DETACH PARTITION … FINALIZE."
            }
        }
    }
}
