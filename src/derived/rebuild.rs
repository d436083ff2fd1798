//! All derived data computed again: after a restore, a repair, or damage.

use pgrx::PgSqlErrorCode;

use super::changes::require_newest_snapshot;
use super::{areas, daily_counts, view};
use crate::error::{LoadError, Report};
use crate::history::{self, Days, History, Moved, owners};
use crate::ledger;
use crate::pg::relation::Table;
use crate::pg::session;

/// Computes all derived data again.
pub fn rebuild() -> Result<(), LoadError> {
    let history = Table::open_for_insert(c"hist_trip_data");
    let _owner = session::run_as_owner(&history);
    drop(history);
    History::lock_for_change()?;
    history::create_all_triggers()?;
    require_newest_snapshot()?;
    daily_counts::count_again(Days::ALL)?;
    view::refresh()?;
    // Queries with the active snapshot do not see the moves of a repair yet.
    session::with_new_snapshot(areas::fill)?;
    warn_of_damaged_partitions()
}

/// Moves misplaced trips, and computes all derived data again.
pub fn repair_partitions() -> Result<Vec<Moved>, LoadError> {
    let history = Table::open_for_insert(c"hist_trip_data");
    let _owner = session::run_as_owner(&history);
    owners::require_one_owner(history.owner())?;
    drop(history);
    History::lock_for_change()?;
    require_newest_snapshot()?;
    let moved = history::with_counts_deferred(history::move_misplaced)?;
    for &(load_id, count) in moved.iter().flat_map(|moved| &moved.duplicates) {
        ledger::add_duplicates(load_id, count)?;
    }
    rebuild()?;
    Ok(moved)
}

/// Warns that trips are misplaced: counts of them are in doubt.
fn warn_of_damaged_partitions() -> Result<(), LoadError> {
    let damaged = history::damaged_partitions()?;
    if let Some(first) = damaged.first() {
        Report::new(
            PgSqlErrorCode::ERRCODE_DATA_CORRUPTED,
            match damaged.len() {
                1 => format!("partition {first} contains trips outside its bounds"),
                count => format!(
                    "{count} partitions contain trips outside their bounds, the first is {first}"
                ),
            },
        )
        .detail("Queries may not find such trips.")
        .hint("Run SELECT * FROM trips.repair_partitions().")
        .warning();
    }
    Ok(())
}
