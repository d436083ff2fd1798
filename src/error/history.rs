//! What others may not do to the history.

use pgrx::PgSqlErrorCode;
use thiserror::Error;
use trips_core::model::timestamp::Timestamp;

/// Why a change of the history by hand is refused.
#[derive(Debug, Error)]
pub enum HistoryError {
    #[error("the partition {table} of the history is not a plain table")]
    NotPlain { table: String },
    #[error("a trip of {date} is out of range: expected a date from 0001-01-01 to 9999-12-31")]
    Date { date: String },
    #[error(
        "could not obtain the history lock: the load that holds it waits for a lock of this transaction"
    )]
    InUse,
    #[error("the load needs {wanted} new partitions of the history, more than {limit}")]
    TooManyPartitions { wanted: usize, limit: usize },
    #[error("no partition can be created for {time}: {table} is being detached from the history")]
    Detaching { table: String, time: Timestamp },
    #[error("the partition of the history for {time} was changed by another session")]
    NoPartition { time: Timestamp },
    #[error("row-level security of table {table} applies to its owner")]
    RowSecurity { table: String },
}

impl HistoryError {
    /// The kind of the error.
    pub fn code(&self) -> PgSqlErrorCode {
        match self {
            Self::NotPlain { .. } => PgSqlErrorCode::ERRCODE_WRONG_OBJECT_TYPE,
            Self::Date { .. } => PgSqlErrorCode::ERRCODE_DATETIME_FIELD_OVERFLOW,
            Self::InUse => PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE,
            Self::TooManyPartitions { .. } => PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
            Self::Detaching { .. } | Self::NoPartition { .. } | Self::RowSecurity { .. } => {
                PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE
            }
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NotPlain { .. } => {
                "Neither loads nor what counts their trips look into tables that are divided again, or are on another server: attach plain tables."
            }
            Self::Date { .. } => "No question would count it.",
            Self::TooManyPartitions { .. } => {
                "Check the dates of the file. If they are right, raise trips.max_new_partitions, or create wider partitions by hand."
            }
            Self::Detaching { .. } => {
                "End it with ALTER TABLE trips.hist_trip_data DETACH PARTITION … FINALIZE, and repeat the load."
            }
            Self::NoPartition { .. } => "Repeat the load.",
            Self::RowSecurity { .. } => {
                "What is counted must be all that there is: ALTER TABLE … NO FORCE ROW LEVEL SECURITY, or give the owner BYPASSRLS."
            }
            Self::InUse => {
                "Roll back, and repeat the transaction. After DETACH PARTITION … CONCURRENTLY, run ALTER TABLE trips.hist_trip_data DETACH PARTITION … FINALIZE."
            }
        }
    }
}
