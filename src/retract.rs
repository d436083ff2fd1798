//! A load is taken back: what only it has brought goes, what other loads have as well passes to them.

use crate::derived::changes;
use crate::error::{LoadError, RequestError, RetractError};
use crate::events;
use crate::feeds::zones;
use crate::history::{self, Days, Gain, Gains, History, Passing};
use crate::ledger::{self, Gained, LoadRow, Retractable};
use crate::load::OwnerPrivileges;
use crate::pg::{interrupts, session};
use crate::queue::running::Caller;
use crate::staging;

/// Retracts a load for the current user, with `cascade` after the later loads that have corrected its trips. Returns the row
/// of the load.
pub fn retract(load_id: i64, cascade: bool) -> Result<LoadRow, LoadError> {
    let (caller, retracted_by) = (Caller::now(), session::role_name(session::current_user()));
    let _privileges = OwnerPrivileges::acquire()?;
    // A role without the privilege waits for no load.
    require(&caller, load_id, ledger::find_to_retract(load_id, false)?)?;
    let _history = History::lock_for_load()?;
    if session::has_one_snapshot() && ledger::has_newer_changes()? {
        return Err(LoadError::Serialization);
    }
    // The last one is retracted first; those before it wait for it.
    let mut waiting = vec![load_id];
    loop {
        interrupts::check();
        let Some(&load_id) = waiting.last() else {
            return Err(RequestError::UnknownLoad(load_id).into());
        };
        let load = require(&caller, load_id, ledger::find_to_retract(load_id, true)?)?;
        if let Some(&by) = history::corrected_by(load_id)?.first() {
            let is_cyclic = waiting.contains(&by);
            if !cascade || is_cyclic {
                return Err(RetractError::Corrected { load_id, by, is_cyclic }.into());
            }
            waiting.push(by);
            continue;
        }
        take_back(load_id, &load)?;
        let row = ledger::record_retracted(load_id, &retracted_by)?;
        events::publish_at_commit(load_id);
        waiting.pop();
        if waiting.is_empty() {
            return Ok(row);
        }
    }
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

/// Removes what the load has brought. The history is locked, and no other load has corrected its trips.
fn take_back(load_id: i64, load: &Retractable) -> Result<(), LoadError> {
    staging::delete_of(load_id)?;
    zones::forget_merged()?;
    history::delete_claims_of(load_id)?;
    history::delete_kept_versions(load_id)?;
    let days = load.days.iter().map(|&(first, last)| Days { first, last }).collect::<Vec<_>>();
    let (gains, days) = history::while_removing(|| remove_trips(load_id, load, &days))?;
    if !days.is_empty() {
        // Queries with the active snapshot do not see what was removed.
        session::with_new_snapshot(|| changes::count_again(&days))?;
    }
    for (other, Gain { inserted, corrected, days }) in gains {
        ledger::take_over(other, load_id, Gained { inserted, corrected, days })?;
    }
    ledger::delete_failure(load_id)
}

/// Passes the trips of a load to others, or deletes them. Returns what the others get.
fn remove_trips(load_id: i64, load: &Retractable, days: &[Days]) -> Result<Gains, LoadError> {
    let mut gains = Gains::new();
    let mut add = |some: Gains| {
        let inserted = some.values().map(|gain| gain.inserted).sum::<i64>();
        some.into_iter().for_each(|(other, gain)| gains.entry(other).or_default().add(gain));
        inserted
    };
    let mut found = history::join_corrections(load_id)?;
    let passing = Passing::of(load_id)?;
    let mut rewritten = passing.rewrite()?;
    found += rewritten.deleted + add(std::mem::take(&mut rewritten.gains));
    found += add(passing.take_over(false, &rewritten)?);
    add(history::pass_on_corrections(load_id)?);
    found += history::undo_corrections(load_id)?;
    found += add(history::raise_kept_versions(load_id)?);
    found += history::delete_trips_of(load_id, days)?;
    // Changes by hand may have moved trips to other days.
    if found < load.trips {
        add(passing.take_over(true, &rewritten)?);
        history::delete_trips_of(load_id, &[Days::ALL])?;
    }
    Ok(gains)
}
