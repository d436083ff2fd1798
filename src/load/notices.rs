//! Notices and warnings of a load.

use pgrx::{PgLogLevel, PgSqlErrorCode, ereport};

use crate::ledger::SameBytes;

/// How many unused columns a notice names.
const MAX_COLUMNS_NAMED: usize = 20;

/// Warns of trips at (0 0), which receivers write when they have no position.
pub fn zero_coordinates(count: u64) {
    if count > 0 {
        ereport!(
            PgLogLevel::WARNING,
            PgSqlErrorCode::ERRCODE_WARNING,
            format!("{count} trips have the coordinate (0 0)"),
            "Receivers without a position write it. SET trips.zero_coordinates = 'stage' refuses such lines, 'keep' takes them without this warning."
        );
    }
}

/// Names the columns of the file that the load ignores.
pub fn unused_columns(columns: &[String]) {
    if columns.is_empty() {
        return;
    }
    let named = columns.len().min(MAX_COLUMNS_NAMED);
    let more = match columns.len() - named {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    ereport!(
        PgLogLevel::NOTICE,
        PgSqlErrorCode::ERRCODE_SUCCESSFUL_COMPLETION,
        format!(
            "columns that are no part of a trip are not read: {}{more}",
            columns[..named].join(", ")
        )
    );
}

/// Points to the staged rows of the load that has the same bytes.
pub fn same_bytes(known: SameBytes) {
    if known.staged > 0 {
        let (load_id, staged) = (known.load_id, known.staged);
        ereport!(
            PgLogLevel::NOTICE,
            PgSqlErrorCode::ERRCODE_SUCCESSFUL_COMPLETION,
            format!(
                "load {load_id} has the same bytes; {staged} of its rows wait in staging: SELECT * FROM trips.merge_staged({load_id})"
            )
        );
    }
}

/// No load monitor follows the load.
pub fn unmonitored() {
    ereport!(
        PgLogLevel::NOTICE,
        PgSqlErrorCode::ERRCODE_CONFIGURATION_LIMIT_EXCEEDED,
        "could not start the load monitor: no background worker slot is free",
        "trips.loads shows loads without a monitor only after they commit. Raise max_worker_processes."
    );
}

/// The ledger does not have the failure yet.
pub fn unrecorded_failure() {
    ereport!(
        PgLogLevel::WARNING,
        PgSqlErrorCode::ERRCODE_CONFIGURATION_LIMIT_EXCEEDED,
        "could not record the failed load in trips.loads yet",
        "The load monitor waits for a lock on trips.loads, or no background worker slot is free."
    );
}
