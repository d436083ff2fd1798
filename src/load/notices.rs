//! Notices and warnings of a load.

use pgrx::PgSqlErrorCode as Code;
use trips_core::text::escape::quoted;

use crate::error::{Report, counted, report_members};
use crate::ledger::SameBytes;
use crate::source::Contents;

/// How many unused columns a notice names.
const MAX_COLUMNS_NAMED: usize = 20;

/// Warns of trips at (0 0), which receivers write when they have no position.
pub fn zero_coordinates(count: u64) {
    if count > 0 {
        Report::new(Code::ERRCODE_WARNING, format!("{} the coordinate (0 0)", counted(count, "trip has", "trips have")))
            .hint("Set trips.zero_coordinates to 'stage' to stage such rows, or to 'keep' to turn this warning off.")
            .warning();
    }
}

/// Reports ends of trips whose zone or station is not known: their coordinates are NULL. Only a feed with station files
/// has something to load: publishers have ids for places that they do not know, such as zone 264 of New York.
pub fn unknown_places(count: u64, has_stations: bool) {
    if count == 0 {
        return;
    }
    let ends = counted(count, "origin or destination is", "origins or destinations are");
    let message = format!("{ends} NULL: zone or station not known");
    let report = Report::new(Code::ERRCODE_SUCCESSFUL_COMPLETION, message);
    let hint =
        "Run trips.load_stations() for the stations of the feed, then trips.complete_places().";
    let report = if has_stations { report.hint(hint) } else { report };
    report.notice();
}

/// Reports values of columns of numbers that are no numbers: `details` has them as texts. `columns` are names and numbers
/// of such values.
pub fn not_numbers(columns: &[(String, u64)]) {
    let count: u64 = columns.iter().map(|(_, count)| count).sum();
    if count == 0 {
        return;
    }
    let message = format!(
        "{} stored as text",
        counted(count, "value of a column of numbers is", "values of columns of numbers are")
    );
    let shown = columns.iter().take(MAX_COLUMNS_NAMED);
    let shown: Vec<String> =
        shown.map(|(name, count)| format!("{} {count}", quoted(name.as_bytes()))).collect();
    let more = if columns.len() > MAX_COLUMNS_NAMED { ", …" } else { "" };
    Report::new(Code::ERRCODE_SUCCESSFUL_COMPLETION, message)
        .detail(format!("Number of such values in details, by column: {}{more}.", shown.join(", ")))
        .hint("Compare jsonb_typeof(details->'column') with 'number' before you cast a value.")
        .notice();
}

/// Reports the members of an archive that are no trips: what loads do not read, and stations.
pub fn passed_over(contents: &Contents<'_>, stations: &[usize]) {
    let passed: Vec<&str> = contents.passed_over().iter().map(|member| &*member.name).collect();
    let stations: Vec<&str> = stations.iter().filter_map(|&at| contents.member(at)).collect();
    report_members(&passed, &stations);
}

/// Reports the names of the columns of the file that the load ignores.
pub fn unused_columns(columns: &[String]) {
    if columns.is_empty() {
        return;
    }
    let named = columns.len().min(MAX_COLUMNS_NAMED);
    let more = match columns.len() - named {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let message = format!(
        "ignoring {} {}{more}",
        if columns.len() == 1 { "column" } else { "columns" },
        columns[..named].join(", ")
    );
    Report::new(Code::ERRCODE_SUCCESSFUL_COMPLETION, message).notice();
}

/// Points to the staged rows of the load that has the same bytes.
pub fn same_bytes(known: SameBytes) {
    if known.staged > 0 {
        let (load_id, staged) = (known.load_id, known.staged);
        let staged = counted(staged, "row", "rows");
        let message = format!("load {load_id} loaded the same file and left {staged} in staging");
        Report::new(Code::ERRCODE_SUCCESSFUL_COMPLETION, message)
            .hint(format!("Run SELECT * FROM trips.merge_staged({load_id})."))
            .notice();
    }
}

/// No load monitor follows the load.
pub fn unmonitored() {
    let message = "could not start the load monitor: no background worker slot is free";
    Report::new(Code::ERRCODE_CONFIGURATION_LIMIT_EXCEEDED, message)
        .detail("trips.loads shows loads without a monitor only after they commit.")
        .hint("Increase max_worker_processes.")
        .notice();
}

/// The ledger does not have the failure yet.
pub fn unrecorded_failure() {
    let message = "could not record the failed load in trips.loads yet";
    Report::new(Code::ERRCODE_WARNING, message)
        .detail("The load monitor waits for a lock on trips.loads, or no background worker slot is free.")
        .hint("End the session that locks trips.loads, or increase max_worker_processes.")
        .warning();
}
