//! Errors of a partition of the history.

use pgrx::PgSqlErrorCode as Code;
use trips_core::model::partition_bounds::PartitionBounds;
use trips_core::model::timestamp::Timestamp;

use super::report::{Report, counted, reported};

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
                format!("partition {table} of the history is not a plain table"),
            )
            .hint("Attach plain tables only, not partitioned or foreign tables."),
            Self::Name { table, bounds, beside } => {
                let beside = match &beside[..] {
                    [] => String::new(),
                    names => format!(", beside {}", names.join(" and ")),
                };
                Report::new(
                    Code::ERRCODE_DUPLICATE_TABLE,
                    format!("cannot create partition {table}: a table with this name already exists"),
                )
                .detail(format!("A partition is needed for values {bounds}{beside}."))
                .hint("Attach the table to trips.hist_trip_data, or rename it.")
            }
            Self::Column { table, column, has_other_type } => {
                let (code, what) = if *has_other_type {
                    (Code::ERRCODE_DATATYPE_MISMATCH, "has the wrong type")
                } else {
                    (Code::ERRCODE_UNDEFINED_COLUMN, "does not exist")
                };
                Report::new(code, format!("column {column} of table {table} {what}"))
                    .hint("Compare its columns with docs/reference.md. After an upgrade, run ALTER EXTENSION trips_pipeline UPDATE.")
            }
            Self::Key { table } => Report::new(
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                format!("partition {table} of the history has no primary key (date_time, trip_key)"),
            )
            .hint("Run ALTER TABLE … ADD PRIMARY KEY (date_time, trip_key)."),
            Self::TooMany { wanted, limit } => Report::new(
                Code::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
                format!(
                    "load needs {} of the history, the limit is {limit}",
                    counted(*wanted, "new partition", "new partitions")
                ),
            )
            .hint("Check the dates of the file. If they are correct, increase trips.max_new_partitions or create wider partitions."),
            Self::Detaching { table, time } => Report::new(
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                format!("cannot create a partition for {time}: partition {table} is being detached"),
            )
            .hint("Run ALTER TABLE trips.hist_trip_data DETACH PARTITION … FINALIZE, and repeat the load."),
            Self::Changed { time } => Report::new(
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                format!("partition for {time} was changed by another session"),
            )
            .hint("Repeat the load."),
        }
    }
}
