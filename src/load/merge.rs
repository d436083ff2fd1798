//! Staged rows are promoted: what has become a trip goes into the history, the rest stays.

use pgrx::check_for_interrupts;

use super::loader::Loader;
use crate::error::LoadError;
use crate::history::History;
use crate::ledger::{self, Ticket, Totals};
use crate::pg::progress::{Phase, Progress};
use crate::pg::row::LoadRow;
use crate::staging::{StagedRow, Staging};

/// Promotes the staged rows of one load, or of all; rows of outside writers become a load of their
/// own, under this ticket. Returns the ledger row of the newest load that it touched, if any.
pub fn merge(ticket: &Ticket, only: Option<i64>) -> Result<Option<LoadRow>, LoadError> {
    let mut progress = Progress::begin(ticket.load_id, 0);
    progress.phase(Phase::Waiting);
    let history = History::hold();
    let staging = Staging::hold();
    let mut loads = staging.loads(only)?;
    if loads.is_empty()
        && let Some(load_id) = only
    {
        if !ledger::exists(load_id)? {
            return Err(LoadError::UnknownLoad(load_id));
        }
        loads.push(only);
    }
    let mut newest = None;
    for load in loads {
        let load_id = load.unwrap_or(ticket.load_id);
        progress.phase(Phase::Reading);
        let totals = merge_load(&history, &staging, load, load_id, &mut progress)?;
        newest = Some(ledger::book_merge(ticket, load_id, totals)?);
    }
    Ok(newest)
}

fn merge_load(
    history: &History,
    staging: &Staging,
    load: Option<i64>,
    load_id: i64,
    progress: &mut Progress,
) -> Result<Totals, LoadError> {
    let mut loader = Loader::new(history, load_id);
    let mut batches = staging.rows(load)?;
    loop {
        check_for_interrupts!();
        let rows = batches.next_batch()?;
        if rows.is_empty() {
            return loader.finish(progress);
        }
        take(&rows, staging, &mut loader)?;
        progress.rows(loader.rows_read());
        loader.flush_if_full(progress)?;
    }
}

/// Settles a batch: trips leave staging for the run, the others learn why they stay.
fn take(rows: &[StagedRow], staging: &Staging, loader: &mut Loader<'_>) -> Result<(), LoadError> {
    let (mut promoted, mut rejected) = (Vec::new(), Vec::new());
    for row in rows {
        let Some(texts) = row.texts() else {
            loader.keep_staged();
            continue;
        };
        match texts.validate() {
            Ok(trip) => {
                loader.push(&trip);
                promoted.push(row);
            }
            Err(rejection) => {
                loader.keep_staged();
                rejected.push((row, rejection));
            }
        }
    }
    staging.delete(&promoted)?;
    staging.reject(loader.load_id(), &rejected)
}
