//! Keeps derived data right when the history is changed by hand.
//!
//! The triggers of the history and of its partitions call this room. Before a statement, it acquires the history lock.
//! After it, it counts the touched days again.

mod refresh;

use std::ffi::CString;

use pgrx::{PgTrigger, Spi, pg_sys};

pub use self::refresh::{refresh_begins, refreshed};
use super::{areas, daily_counts, view};
use crate::error::LoadError;
use crate::history::{self, Days, History, owners, pending_counts};
use crate::ledger;
use crate::pg::relation::Table;
use crate::pg::session;
use crate::pg::{event_trigger, locks, spi, transition_tables};

/// The rows that a statement has touched.
#[derive(Debug)]
pub enum Touched {
    /// These days.
    Days(Vec<i32>),
    /// Any day of the table, if it is a partition of the history.
    Partition,
    /// Any day.
    Everything,
}

/// The days (since 2000-01-01) of the rows that the statement of a trigger has inserted, updated or deleted, in order.
/// Days outside of the years 1 to 9999 count as the first or the last of these. `None` when the trigger has no
/// transition tables.
pub fn changed_days(trigger: &PgTrigger<'_>) -> Option<Vec<i32>> {
    let names = transition_tables::names(trigger);
    let rows = names.iter().map(|name| format!("SELECT c.date_time FROM {name} AS c"));
    let rows = rows.reduce(|all, rows| format!("{all} UNION ALL {rows}"))?;
    let query = format!(
        "SELECT DISTINCT least(greatest(c.date_time, '0001-01-01'), '9999-12-31')::date - date '2000-01-01'
           FROM ({rows}) AS c ORDER BY 1"
    );
    let query = CString::new(query).unwrap_or_default();
    let mut days = Vec::new();
    spi::query_in_trigger(trigger, &query, |row| days.extend(row.get::<i32>(1)));
    Some(days)
}

/// A statement begins: it waits for loads, and loads wait for its transaction.
pub fn begin() -> Result<(), LoadError> {
    History::lock_for_change()
}

/// A statement that has filled or changed this table has ended.
pub fn end(table: pg_sys::Oid, touched: Touched, adds_rows: bool) -> Result<(), LoadError> {
    // A load counts its own rows. While a dump is restored, derived data is restored with the rows, and the triggers of
    // the partitions come last.
    if pending_counts::is_filled_by_load(table)
        || session::is_restoring() && !history::has_change_triggers()?
    {
        return Ok(());
    }
    let days = match touched {
        Touched::Days(days) => ranges(&days),
        Touched::Everything => vec![Days::ALL],
        Touched::Partition => history::days_of(table).into_iter().collect(),
    };
    if days.is_empty() {
        return Ok(());
    }
    let history = Table::open_for_insert(c"hist_trip_data");
    let _owner = session::run_as_owner(&history);
    if adds_rows {
        history::require_sane_dates()?;
    }
    count_again_or_defer(&days)
}

/// An ATTACH to the history begins, if the command is one. It waits for loads before it takes the lock that they may
/// need.
pub fn partition_comes(call: pg_sys::FunctionCallInfo) -> Result<(), LoadError> {
    if let Some(history) = Table::find(c"hist_trip_data")
        && event_trigger::will_attach_to(call, history)
        && !pending_counts::is_own_command()
        && !session::is_restoring()
    {
        History::lock_for_change()?;
    }
    Ok(())
}

/// A command has ended that may have created, attached, detached or dropped partitions.
///
/// Such a command has locked the history. Other commands have not: this is found out without a query, and without any
/// privilege on our schema.
pub fn partitions_altered(loses: bool) -> Result<(), LoadError> {
    let Some(history) = Table::find(c"hist_trip_data") else { return Ok(()) };
    // A dump restores partitions, triggers and counts in its own order.
    if !locks::holds_ddl_lock(history)
        || pending_counts::is_own_command()
        || session::is_restoring()
    {
        return Ok(());
    }
    // It may have been dropped, too.
    let Some(counts) = Table::find_for_insert(c"daily_trip_counts") else { return Ok(()) };
    History::lock_for_change()?;
    // Each table may have its own owner, and the command may have changed it.
    let counted = {
        let _owner = session::run_as_owner(&counts);
        if loses { daily_counts::days()? } else { Vec::new() }
    };
    let history = Table::open_for_insert(c"hist_trip_data");
    let _owner = session::run_as_owner(&history);
    // An open table cannot lose the triggers of its partitions.
    drop(history);
    if !loses {
        history::require_plain_partitions()?;
    }
    let mut days = history::sync_triggers()?;
    if !days.is_empty() {
        history::require_sane_dates()?;
    }
    days.extend(ranges(&history::without_own_partition(counted)));
    count_again_or_defer(&days)
}

/// Counts days again. If a load has pending counts, it does this after its own rows.
fn count_again_or_defer(days: &[Days]) -> Result<(), LoadError> {
    if days.is_empty() || pending_counts::defer(days) { Ok(()) } else { count_again(days) }
}

/// All rows must be visible to be counted.
pub fn require_newest_snapshot() -> Result<(), LoadError> {
    owners::require_all_rows()?;
    if session::has_one_snapshot() && ledger::has_newer_loads()? {
        return Err(LoadError::Serialization);
    }
    // Loads are in the ledger. Changes by hand update one row: PostgreSQL raises 40001 where the snapshot is older.
    let changes = Table::open_for_insert(c"trips_internal.history_changes");
    let _owner = session::run_as_owner(&changes);
    Ok(Spi::run(
        "UPDATE trips_internal.history_changes SET changed_by = pg_current_xact_id()
          WHERE changed_by IS DISTINCT FROM pg_current_xact_id()",
    )?)
}

/// Counts days again, and rebuilds the area index where that is cheap.
///
/// A trigger of a user on the counts may change the history meanwhile. Its changes are counted within the statement that
/// fires it, area index included. So the index follows when all days are counted: from the deletion of a week to its
/// rebuild, no such trigger fires. One on the index itself may fire: [`areas::write`] then deletes its weeks again.
pub fn count_again(days: &[Days]) -> Result<(), LoadError> {
    count_days(days, Some(areas::WORTH_FILLING))
}

/// As [`count_again`], and rebuilds the area index of all their weeks.
pub fn count_all_again(days: &[Days]) -> Result<(), LoadError> {
    count_days(days, None)
}

fn count_days(days: &[Days], worth_filling: Option<i64>) -> Result<(), LoadError> {
    require_newest_snapshot()?;
    days.iter().try_for_each(|&days| daily_counts::count_again(days))?;
    days.iter().try_for_each(|&days| areas::delete_weeks(days))?;
    areas::refill(days, worth_filling)?;
    view::refresh_if_not_kept()
}

/// Consecutive days as ranges.
fn ranges(days: &[i32]) -> Vec<Days> {
    let ranges = days.chunk_by(|a, b| a + 1 == *b);
    ranges.map(|days| Days { first: days.first().copied(), last: days.last().copied() }).collect()
}
