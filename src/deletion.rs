//! Trips that are deleted on request: privacy, and limits of storage time. Whatever the tables have of them goes.
//!
//! Their load still has their bytes in the ledger. So the same file does not bring them back.

mod staged;

use std::collections::BTreeMap;

use trips_core::check::conditions::Conditions;

use crate::derived::changes;
use crate::error::LoadError;
use crate::feeds::zones;
use crate::history::pending_counts::PendingCounts;
use crate::history::{self, Days, DeletedTrips, History};
use crate::ledger::{self, DeletedOfLoad};
use crate::load::OwnerPrivileges;
use crate::pg::session;

/// What was deleted.
#[derive(Debug, Default)]
pub struct Deleted {
    /// Number of trips of the history.
    pub trips: u64,
    /// Number of staged rows.
    pub staged: u64,
    /// Number of complete errors of failed loads.
    pub errors: u64,
    /// Names of the partitions that were dropped.
    pub partitions: Vec<String>,
}

/// Deletes the trips that meet the conditions.
///
/// # Errors
/// 40001 if a load has committed since the snapshot of this transaction; 42809, 55000 and 55P03 when trips would be left.
pub fn delete_trips(conditions: &Conditions) -> Result<Deleted, LoadError> {
    let _privileges = OwnerPrivileges::acquire()?;
    let history = History::lock_for_load()?;
    changes::require_newest_snapshot()?;
    ledger::require_newest_staged()?;
    history::require_plain_partitions()?;
    let mut of_loads: BTreeMap<i64, DeletedOfLoad> = BTreeMap::new();
    let errors = ledger::delete_failures(conditions)?;
    let mut deleted = Deleted { errors, ..Deleted::default() };
    for (load, rows) in staged::delete(conditions)? {
        deleted.staged += rows;
        if let Some(load) = load {
            of_loads.entry(load).or_default().staged += rows;
        }
    }
    zones::forget_merged()?;
    // While the trips are there that they are versions of.
    let versions = history.delete_versions(conditions)?;
    for (load, rows) in versions.of_loads {
        of_loads.entry(load).or_default().trips += rows;
    }
    let mut days = versions.days;
    let (some, whole) = with_counts(|| {
        let (rows, whole) = history.delete_trips(conditions)?;
        Ok((deleted.add(rows, &mut of_loads), whole))
    })?;
    days.extend(some);
    let (some, ()) = with_counts(|| {
        let rows = history.drop_partitions(&whole, conditions)?;
        Ok((deleted.add(rows, &mut of_loads), ()))
    })?;
    days.extend(some);
    history::forget_deleted(&days)?;
    ledger::add_deleted(&of_loads)?;
    Ok(deleted)
}

impl Deleted {
    /// Adds trips of the history, and returns their days.
    fn add(
        &mut self,
        rows: DeletedTrips,
        of_loads: &mut BTreeMap<i64, DeletedOfLoad>,
    ) -> Vec<Days> {
        for (load, trips) in rows.of_loads {
            self.trips += trips;
            of_loads.entry(load).or_default().trips += trips;
        }
        self.partitions.extend(rows.dropped);
        rows.days
    }
}

/// Changes the history. Then all days are counted again that the work returns, and those that triggers of users have
/// changed meanwhile. They are returned.
fn with_counts<T>(
    work: impl FnOnce() -> Result<(Vec<Days>, T), LoadError>,
) -> Result<(Vec<Days>, T), LoadError> {
    let pending = PendingCounts::begin();
    let (days, result) = work()?;
    let days = pending.end(days);
    if !days.is_empty() {
        // Queries with the active snapshot do not see what was deleted.
        session::with_new_snapshot(|| changes::count_all_again(&days))?;
    }
    Ok((days, result))
}
