//! A load is taken back: what only it has brought goes, what other loads have as well passes to them.

use crate::derived::changes;
use crate::error::{LoadError, RequestError, RetractError};
use crate::events;
use crate::feeds::zones;
use crate::history::{self, Days, History};
use crate::ledger::{self, LoadRow, Retractable};
use crate::load::OwnerPrivileges;
use crate::pg::session;
use crate::queue::running::Caller;
use crate::staging;

/// Retracts a load for the current user.
pub fn retract(load_id: i64) -> Result<LoadRow, LoadError> {
    let (caller, retracted_by) = (Caller::now(), session::role_name(session::current_user()));
    let _privileges = OwnerPrivileges::acquire()?;
    // A role without the privilege waits for no load.
    require(&caller, load_id, ledger::find_to_retract(load_id, false)?)?;
    let _history = History::lock_for_load()?;
    if session::has_one_snapshot() && ledger::has_newer_changes()? {
        return Err(LoadError::Serialization);
    }
    let load = require(&caller, load_id, ledger::find_to_retract(load_id, true)?)?;
    take_back(load_id, &load)?;
    let row = ledger::record_retracted(load_id, &retracted_by)?;
    events::publish_at_commit(load_id);
    Ok(row)
}

/// Fails unless this is a load that the caller can retract.
fn require(
    caller: &Caller,
    load_id: i64,
    load: Option<Retractable>,
) -> Result<Retractable, LoadError> {
    let load = load.ok_or(RequestError::UnknownLoad(load_id))?;
    if !caller.may_cancel(load.role) {
        return Err(RetractError::MayNotRetract(load_id).into());
    }
    if load.state != "loaded" {
        return Err(RetractError::State { load_id, state: load.state }.into());
    }
    Ok(load)
}

/// Removes what the load has brought. The history is locked.
fn take_back(load_id: i64, load: &Retractable) -> Result<(), LoadError> {
    staging::delete_of(load_id)?;
    zones::forget_merged()?;
    history::delete_claims_of(load_id)?;
    let days = load.days.iter().map(|&(first, last)| Days { first, last }).collect::<Vec<_>>();
    let (taken, days) = history::while_removing(|| {
        let mut taken = history::take_over(load_id, false)?;
        let mut found = taken.values().sum::<i64>();
        found += history::delete_trips_of(load_id, &days)?;
        // Changes by hand may have moved trips to other days.
        if found < load.trips {
            for (other, trips) in history::take_over(load_id, true)? {
                *taken.entry(other).or_default() += trips;
            }
            history::delete_trips_of(load_id, &[Days::ALL])?;
        }
        Ok(taken)
    })?;
    if !days.is_empty() {
        // Queries with the active snapshot do not see what was removed.
        session::with_new_snapshot(|| changes::count_again(&days))?;
    }
    for (other, trips) in taken {
        ledger::take_over(other, load_id, trips)?;
    }
    ledger::delete_failure(load_id)
}
