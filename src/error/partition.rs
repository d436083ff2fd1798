//! Errors of a partition of the history.

use pgrx::PgSqlErrorCode as Code;
use trips_core::model::partition_bounds::PartitionBounds;
use trips_core::model::timestamp::Timestamp;

use super::report::{Report, reported};

/// Why a partition cannot be used or created.
#[derive(Debug)]
pub enum PartitionError {
    NotPlain { table: String },
    Name { table: String, bounds: PartitionBounds, beside: Vec<String> },
    Column { table: String, column: String, has_other_type: bool },
    Key { table: String },
    TooMany { wanted: usize, limit: usize },
    Detaching { table: String, time: Timestamp },
    Changed { time: Timestamp },
}

reported!(PartitionError);

impl PartitionError {
    /// SQLSTATE, message, DETAIL and HINT.
    pub fn report(&self) -> Report {
        match self {
            Self::NotPlain { table } => Report::new(
                Code::ERRCODE_WRONG_OBJECT_TYPE,
                format!("the partition {table} of the history is not a plain table"),
            )
            .hint("Neither loads nor what counts their trips look into tables that are divided again, or are on another server: attach plain tables."),
            Self::Name { table, bounds, beside } => {
                let beside = match &beside[..] {
                    [] => String::new(),
                    names => format!(", beside {}", names.join(" and ")),
                };
                Report::new(
                    Code::ERRCODE_DUPLICATE_TABLE,
                    format!("the table {table} is in the way of a partition of the history"),
                )
                .detail(format!("A partition is needed for values {bounds}{beside}."))
                .hint("If it was detached from trips.hist_trip_data, attach it again or rename it.")
            }
            Self::Column { table, column, has_other_type } => {
                let (code, what) = if *has_other_type {
                    (Code::ERRCODE_DATATYPE_MISMATCH, "has not the type that the history has")
                } else {
                    (Code::ERRCODE_UNDEFINED_COLUMN, "is missing")
                };
                Report::new(code, format!("column {column} of {table} {what}"))
                    .hint("docs/reference.md has the columns of the history. If the library is newer than the tables: ALTER EXTENSION trips_pipeline UPDATE.")
            }
            Self::Key { table } => Report::new(
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                format!("the partition {table} of the history has no primary key (date_time, trip_key)"),
            )
            .hint("It tells which trips are there: ALTER TABLE … ADD PRIMARY KEY (date_time, trip_key)."),
            Self::TooMany { wanted, limit } => Report::new(
                Code::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
                format!("the load needs {wanted} new partitions of the history, more than {limit}"),
            )
            .hint("Check the dates of the file. If they are right, raise trips.max_new_partitions, or create wider partitions by hand."),
            Self::Detaching { table, time } => Report::new(
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                format!("no partition can be created for {time}: {table} is being detached from the history"),
            )
            .hint("End it with ALTER TABLE trips.hist_trip_data DETACH PARTITION … FINALIZE, and repeat the load."),
            Self::Changed { time } => Report::new(
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                format!("the partition of the history for {time} was changed by another session"),
            )
            .hint("Repeat the load."),
        }
    }
}
