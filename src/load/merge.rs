//! Staged rows are promoted: what has become a trip goes into the history, the rest stays.

use pgrx::check_for_interrupts;
use trips_core::rules::Rules;

use super::attempt::Attempt;
use super::loader::{Collector, Loader, summarize};
use super::outside;
use crate::error::LoadError;
use crate::history::History;
use crate::ledger::{self, Delivery, Ticket, Totals};
use crate::pg::progress::{Passes, Phase, Progress};
use crate::pg::row::LoadRow;
use crate::settings;
use crate::staging::{self, StagedRow};

/// Where rows of outside writers come from, as the ledger says it.
const SOURCE: &str = "trips.stg_trip_data";

/// Promotes the staged rows of one load, or of all, or the parts of one delivery, for the current user.
/// Returns the ledger row of the newest load that it touched, if any.
pub fn merge_staged(only: Option<i64>) -> Result<Option<LoadRow>, LoadError> {
    if let Some(load_id) = only
        && let Some(row) = outside::merge(load_id)?
    {
        return Ok(Some(row));
    }
    let attempt = Attempt::begin(SOURCE)?;
    let row = merge(&attempt.ticket, only)?;
    attempt.finish();
    Ok(row)
}

/// Rows of outside writers become a load of their own, under this ticket.
fn merge(ticket: &Ticket, only: Option<i64>) -> Result<Option<LoadRow>, LoadError> {
    let interval = settings::notice_interval();
    let progress = Progress::begin(ticket.load_id, ticket.role, 0, Passes::Reading, interval);
    progress.phase(Phase::Waiting);
    let rules = settings::rules()?;
    let history = History::hold()?;
    let loads = staging::loads(only)?;
    if loads.is_empty()
        && let Some(load_id) = only
    {
        let row = ledger::loaded(load_id)?;
        return row.map(Some).ok_or(LoadError::UnknownLoad(load_id));
    }
    let (mut newest, mut inserted) = (None, 0);
    for load in loads {
        progress.phase(Phase::Reading);
        let load_id = load.unwrap_or(ticket.load_id);
        let totals = merge_load(&history, load, load_id, &rules, &progress)?;
        inserted += totals.inserted;
        newest = match load {
            Some(load_id) => Some(ledger::book_merge(load_id, totals)?),
            // All of them may have been locked by others who are at work on them.
            None if totals.read() == 0 => newest,
            None => {
                let delivery = Delivery { source: SOURCE.to_owned(), ..Delivery::default() };
                Some(ledger::enter(ticket, &delivery, Some(totals), None)?)
            }
        };
    }
    summarize(inserted, &progress)?;
    Ok(newest)
}

fn merge_load(
    history: &History,
    load: Option<i64>,
    load_id: i64,
    rules: &Rules,
    progress: &Progress,
) -> Result<Totals, LoadError> {
    let mut loader = Loader::new(history)?;
    let mut collector = Collector::new(load_id, &loader);
    let mut batches = staging::rows(load)?;
    let mut rows_read = 0;
    loop {
        check_for_interrupts!();
        let rows = batches.next_batch()?;
        if rows.is_empty() {
            collector.write(&mut loader, progress)?;
            return Ok(loader.totals);
        }
        rows_read += rows.len() as u64;
        loader.totals.staged += take(&rows, load_id, rules, &mut collector)?;
        progress.read(0, rows_read);
        if collector.is_full() {
            collector.write(&mut loader, progress)?;
            progress.phase(Phase::Reading);
        }
    }
}

/// Settles some rows: trips leave staging for the collector, the others learn why they stay. Returns
/// how many stay.
fn take(
    rows: &[StagedRow],
    load_id: i64,
    rules: &Rules,
    collector: &mut Collector,
) -> Result<u64, LoadError> {
    let (mut promoted, mut rejected, mut raw) = (Vec::new(), Vec::new(), Vec::new());
    for row in rows {
        let Some(texts) = row.texts() else {
            raw.push(row);
            continue;
        };
        match texts.validate(rules) {
            Ok(trip) => {
                collector.push(&trip)?;
                promoted.push(row);
            }
            Err(rejection) => rejected.push((row, rejection)),
        }
    }
    staging::delete(&promoted)?;
    staging::reject(load_id, &rejected)?;
    staging::adopt(load_id, &raw)?;
    Ok((rows.len() - promoted.len()) as u64)
}
