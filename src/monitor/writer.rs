//! The writes of the monitor. Each is a transaction of its own, which waits only briefly for locks, and whose errors
//! end nothing else.

use std::cell::RefCell;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use super::open_loads::OpenLoad;
use crate::error::LoadError;
use crate::events;
use crate::ledger::{self, LoadFailure, LoadInfo, LoadProgress, LoadStatus};
use crate::pg::relation::Table;
use crate::pg::session;
use crate::pg::{extension, worker};
use crate::progress::{self, Phase, RunningLoad};

/// How long a transaction of the monitor waits for another session's lock on the ledger or on a row of it.
const LOCK_TIMEOUT: Duration = Duration::from_millis(250);
/// Minimum time between two `running` events of a load.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(500);
/// Temporary errors: a lock, a deadlock, a serialization failure, a cancel, a lack of resources (a full disk).
const TRANSIENT: [&str; 5] = ["55P03", "40P01", "40001", "57014", "53"];

/// The result of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is committed.
    Done,
    /// A lock was not available in time: the work can be retried.
    Locked,
    /// The extension does not exist, or is not the expected one.
    Absent,
    /// An error was raised, which is in the server's log.
    Refused,
}

/// Writes the `running` row if `is_asked`, and sends the first event. The session does not wait for the disk.
pub fn enter_running(info: &LoadInfo, is_asked: bool, bytes_total: i64) -> Outcome {
    worker::without_flush(|| {
        in_ledger(Some(info.ledger), || {
            if is_asked {
                ledger::record_running(info)?;
            }
            Ok(vec![running_at(info.load_id, beginning(bytes_total))])
        })
    })
}

fn running_at(load_id: i64, progress: LoadProgress) -> LoadStatus {
    LoadStatus { load_id, state: "running".into(), progress }
}

/// The progress of a load that begins.
pub fn beginning(bytes_total: i64) -> LoadProgress {
    LoadProgress { bytes_done: Some(0), bytes_total, rows_read: 0 }
}

/// Records a failure that the session has reported, and sends its event.
pub fn enter_failed(info: &LoadInfo, failure: &LoadFailure) -> Outcome {
    in_ledger(Some(info.ledger), || {
        ledger::record_failed(info, failure)?;
        ledger::statuses(&[info.load_id])
    })
}

/// Records a load whose transaction has ended without a report, and sends its event. A queued load whose worker has
/// died goes back to the queue instead.
pub fn enter_lost(info: &LoadInfo, failure: &LoadFailure) -> Outcome {
    in_ledger(Some(info.ledger), || {
        if !ledger::requeue(info.load_id)? {
            ledger::record_lost(info, failure)?;
        }
        ledger::statuses(&[info.load_id])
    })
}

/// The loads among these that are not done in the ledger; `None` if that could not be found out.
pub fn not_done(loads: &[i64]) -> Option<Vec<i64>> {
    let found = RefCell::default();
    let outcome = in_ledger(None, || {
        found.replace(ledger::not_done(loads)?);
        Ok(Vec::new())
    });
    match outcome {
        Outcome::Locked => None,
        // A recorded end stays as it is.
        Outcome::Refused => Some(loads.to_vec()),
        Outcome::Done | Outcome::Absent => Some(found.into_inner()),
    }
}

/// The running loads of the ledger, without the known ones.
pub fn running(known: &[i64]) -> Vec<LoadInfo> {
    let found = RefCell::new(Vec::new());
    in_ledger(None, || {
        let ledger = Table::open_for_insert(c"loads").oid().to_u32();
        let mut infos = Vec::new();
        for load_id in ledger::running(known)? {
            infos.extend(ledger::info_of_running(load_id, ledger)?);
        }
        found.replace(infos);
        Ok(Vec::new())
    });
    found.into_inner()
}

/// Closes the loads that were running when the server stopped, and sends their events.
pub fn close_dead(known: &[i64]) {
    in_ledger(None, || {
        let closed = ledger::close_abandoned(known)?;
        if closed.is_empty() { Ok(Vec::new()) } else { ledger::statuses(&closed) }
    });
}

/// Sends events for the progress of running loads, if they have progressed since the last event and that is long enough
/// ago.
pub fn publish_progress(running: &mut [&mut OpenLoad]) {
    let is_due = |load: &&mut OpenLoad| {
        load.reported.is_some_and(|(when, _)| when.elapsed() >= PROGRESS_INTERVAL)
    };
    if !running.iter().any(is_due) {
        return;
    }
    let mut reported = Vec::new();
    in_database(|| {
        let at_work = progress::running_loads();
        for load in running.iter().filter(|load| is_due(load)) {
            let Some((_, last)) = load.reported else { continue };
            // While PostgreSQL builds an index, the numbers do not change. Hashed bytes are not done.
            let found = at_work
                .iter()
                .find(|found| found.load_id == load.info.load_id)
                .filter(|found| !Phase::Hashing.is_of(found));
            let Some(&RunningLoad { bytes: [bytes_done, _], rows_read, .. }) = found else {
                continue;
            };
            let bytes_total = load.bytes_total();
            let position = LoadProgress { bytes_done: Some(bytes_done), bytes_total, rows_read };
            if position != last {
                reported.push((load.info.load_id, position));
            }
        }
        let statuses: Vec<LoadStatus> =
            reported.iter().map(|&(load_id, position)| running_at(load_id, position)).collect();
        if statuses.is_empty() { Ok(()) } else { events::publish(&statuses) }
    });
    for (load_id, position) in reported {
        if let Some(load) = running.iter_mut().find(|load| load.info.load_id == load_id) {
            load.reported = Some((Instant::now(), position));
        }
    }
}

/// Deletes events that are older than the setting allows.
pub fn delete_old_events() {
    in_database(events::delete_old);
}

/// Works on the ledger with the privileges of its owner, then sends the events that the work returns, with the
/// privileges of the owner of the events. Does nothing if the extension is not there (it was created in the loading
/// transaction, or dropped meanwhile), or if its ledger is not the expected one.
fn in_ledger(
    ledger: Option<u32>,
    work: impl Fn() -> Result<Vec<LoadStatus>, LoadError>,
) -> Outcome {
    let attempt = |is_published: bool| {
        let mut is_there = false;
        let outcome = in_database(|| {
            let table = Table::open_for_insert(c"loads");
            is_there = ledger.is_none_or(|ledger| ledger == table.oid().to_u32());
            if !is_there {
                return Ok(());
            }
            let statuses = {
                let _owner = session::run_as_owner(&table);
                work()?
            };
            if statuses.is_empty() || !is_published {
                return Ok(());
            }
            events::publish(&statuses)
        });
        if outcome == Outcome::Done && !is_there { Outcome::Absent } else { outcome }
    };
    // An error of the events must not lose the ledger row.
    match attempt(true) {
        Outcome::Refused => attempt(false),
        outcome => outcome,
    }
}

/// Works in a transaction of its own, if the extension exists.
fn in_database(work: impl FnOnce() -> Result<(), LoadError>) -> Outcome {
    let work = AssertUnwindSafe(|| match extension::begin_work(ledger::TABLE) {
        Ok(true) => {
            work().unwrap_or_else(LoadError::raise);
            true
        }
        Ok(false) => false,
        Err(error) => LoadError::from(error).raise(),
    });
    match worker::with_lock_timeout(LOCK_TIMEOUT, || worker::try_transaction(work)) {
        Ok(true) => Outcome::Done,
        Ok(false) => Outcome::Absent,
        Err(failed) if TRANSIENT.iter().any(|code| failed.error.code.starts_with(code)) => {
            Outcome::Locked
        }
        Err(failed) => {
            failed.log();
            Outcome::Refused
        }
    }
}
