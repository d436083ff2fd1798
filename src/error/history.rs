//! Errors of the history as a whole, and of changes by hand.

use pgrx::PgSqlErrorCode as Code;

use super::report::{Report, counted, reported};

/// Why the history is not changed.
#[derive(Debug)]
pub enum HistoryError {
    Date { date: String },
    DamagedClaims { number: i64 },
    InUse,
    Detaching { table: String },
    NotDeleted { table: String, trips: u64 },
    RowSecurity { table: String },
    OtherOwner { table: String, owner: String, of_ledger: String },
}

reported!(HistoryError);

impl HistoryError {
    /// SQLSTATE, message, DETAIL and HINT.
    pub fn report(&self) -> Report {
        match self {
            Self::Date { date } => Report::new(
                Code::ERRCODE_DATETIME_FIELD_OVERFLOW,
                format!("date_time {date} is out of range"),
            )
            .detail("date_time must be from 0001-01-01 to 9999-12-31."),
            Self::DamagedClaims { number } => Report::new(
                Code::ERRCODE_DATA_CORRUPTED,
                format!("block {number} of table trips_internal.claims is damaged"),
            )
            .hint("Delete the block; loads whose trips it has do not get them from a retracted load."),
            Self::InUse => Report::new(
                Code::ERRCODE_LOCK_NOT_AVAILABLE,
                "could not obtain the history lock",
            )
            .detail("The load that holds it waits for a lock of this transaction.")
            .hint("Roll back and repeat the transaction. After DETACH PARTITION … CONCURRENTLY, run ALTER TABLE trips.hist_trip_data DETACH PARTITION … FINALIZE."),
            Self::Detaching { table } => Report::new(
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                format!("partition {table} is being detached"),
            )
            .detail("Queries of the history do not see its trips.")
            .hint("Run ALTER TABLE trips.hist_trip_data DETACH PARTITION … FINALIZE, and repeat the call."),
            Self::NotDeleted { table, trips } => Report::new(
                Code::ERRCODE_TRIGGERED_ACTION_EXCEPTION,
                format!(
                    "could not delete {} from partition {table}",
                    counted(*trips, "trip", "trips")
                ),
            )
            .hint("Drop the trigger of the table that suppresses deletions."),
            Self::RowSecurity { table } => Report::new(
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                format!("row-level security of table {table} applies to its owner"),
            )
            .detail("Loads must read all rows of the table.")
            .hint("Run ALTER TABLE … NO FORCE ROW LEVEL SECURITY, or grant the owner BYPASSRLS."),
            Self::OtherOwner { table, owner, of_ledger } => Report::new(
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                format!("table {table} is owned by {owner}, which is not a member of {of_ledger}, the owner of trips.loads"),
            )
            .detail(format!("Triggers of the table would run with the privileges of {of_ledger}."))
            .hint("Use ALTER TABLE … OWNER TO, so that one role owns all tables and partitions of the extension."),
        }
    }
}
