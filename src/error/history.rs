//! Errors of the history as a whole, and of changes by hand.

use pgrx::PgSqlErrorCode as Code;

use super::report::{Report, reported};

/// Why the history is not changed.
#[derive(Debug)]
pub enum HistoryError {
    Date { date: String },
    InUse,
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
                format!("a trip of {date} is out of range: expected a date from 0001-01-01 to 9999-12-31"),
            )
            .hint("No question would count it."),
            Self::InUse => Report::new(
                Code::ERRCODE_LOCK_NOT_AVAILABLE,
                "could not obtain the history lock: the load that holds it waits for a lock of this transaction",
            )
            .hint("Roll back, and repeat the transaction. After DETACH PARTITION … CONCURRENTLY, run ALTER TABLE trips.hist_trip_data DETACH PARTITION … FINALIZE."),
            Self::RowSecurity { table } => Report::new(
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                format!("row-level security of table {table} applies to its owner"),
            )
            .hint("What is counted must be all that there is: ALTER TABLE … NO FORCE ROW LEVEL SECURITY, or give the owner BYPASSRLS."),
            Self::OtherOwner { table, owner, of_ledger } => Report::new(
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                format!("{table} belongs to {owner}, who has not the rights of the owner of trips.loads, {of_ledger}"),
            )
            .hint("Triggers on it would run with the rights of that owner: give all tables of the schema trips, and the partitions, to one role."),
        }
    }
}
