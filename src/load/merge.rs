//! Staged rows are merged: valid trips go into the history, the other rows stay in staging.

use pgrx::check_for_interrupts;
use trips_core::check::constraints::Constraints;
use trips_core::check::reject::Rejection;
use trips_core::feed::program::FeedTrip;
use trips_core::model::error::SqlState;
use trips_core::model::position::Position;

use super::context::LoadContext;
use super::runs::{Loader, RunBuilder, summarize};
use super::staged_feed::StagedFeed;
use crate::error::{LoadError, RequestError};
use crate::history::{History, NewPartitions};
use crate::ledger::{self, LoadHeader, LoadRow, LoadSource, Totals};
use crate::progress::{Passes, Phase, Progress};
use crate::settings;
use crate::staging::{self, StagedRow};

/// The source of rows that other writers have inserted into staging.
const SOURCE: &str = "trips.stg_trip_data";

/// Merges the staged rows of one load, or of all loads, for the current user. Returns the ledger row of the newest load
/// that it changed, if any.
pub fn merge_staged(only: Option<i64>) -> Result<Option<LoadRow>, LoadError> {
    let context = LoadContext::begin(SOURCE)?;
    let row = merge(&context.header, only)?;
    context.finish();
    Ok(row)
}

/// Rows of other writers become a load of their own, with this header.
fn merge(header: &LoadHeader, only: Option<i64>) -> Result<Option<LoadRow>, LoadError> {
    let interval = settings::notice_interval();
    let progress = Progress::begin(header.load_id, header.role, 0, Passes::Reading, interval);
    progress.phase(Phase::Waiting);
    let constraints = settings::constraints()?;
    let history = History::lock_for_load()?;
    let loads = staging::loads(only)?;
    if loads.is_empty()
        && let Some(load_id) = only
    {
        let row = ledger::find_loaded(load_id)?;
        return Ok(Some(row.ok_or(RequestError::UnknownLoad(load_id))?));
    }
    let (mut newest, mut inserted) = (None, 0);
    let mut new_partitions = NewPartitions::allowed();
    for load in loads {
        progress.phase(Phase::Reading);
        let load_id = load.unwrap_or(header.load_id);
        let totals =
            merge_load(&history, load, load_id, &constraints, &mut new_partitions, &progress)?;
        inserted += totals.inserted;
        newest = match load {
            Some(load_id) => Some(ledger::add_merged(load_id, totals)?),
            // Other sessions may have locked all of these rows.
            None if totals.read() == 0 => newest,
            None => {
                let source = LoadSource { name: SOURCE.to_owned(), ..LoadSource::default() };
                Some(ledger::record_end(header, &source, Some(totals), None)?)
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
    constraints: &Constraints,
    new_partitions: &mut NewPartitions,
    progress: &Progress,
) -> Result<Totals, LoadError> {
    let mut loader = Loader::new(history)?;
    // Rows whose five fields were filled in by hand have another identity than records of a feed.
    let (mut run, mut of_feed) =
        (RunBuilder::new(load_id, &loader), RunBuilder::new(load_id, &loader));
    let mut feed = StagedFeed::of_load(load)?;
    if let Some(feed) = &feed {
        loader.set_identity(feed.identity());
    }
    let max_record = settings::max_record_size();
    let mut batches = staging::rows(load)?;
    let mut rows_read = 0;
    loop {
        check_for_interrupts!();
        let mut merged = MergedRows::default();
        let count = batches.next_batch(max_record, |row| {
            let trip = match (&row.record, &mut feed) {
                (None, _) => {
                    return merged.add(row, max_record, constraints, new_partitions, &mut run);
                }
                (Some(record), Some(feed)) => {
                    feed.trip(record, Position::line(row.line), constraints)
                }
                (Some(_), None) => Err(unknown_feed()),
            };
            merged.add_of_feed(row, trip, new_partitions, &mut of_feed)
        })?;
        if count == 0 {
            run.write(&mut loader, true, progress)?;
            of_feed.write(&mut loader, true, progress)?;
            return Ok(loader.totals);
        }
        rows_read += count;
        loader.totals.staged += count - merged.promoted.len() as u64;
        merged.apply(load_id)?;
        progress.read(0, rows_read);
        if of_feed.is_full() {
            of_feed.write(&mut loader, false, progress)?;
            progress.phase(Phase::Reading);
        }
        if run.is_full() {
            run.write(&mut loader, false, progress)?;
            progress.phase(Phase::Reading);
        }
    }
}

/// Why a record of a feed stays that does not exist any more.
fn unknown_feed() -> Rejection {
    Rejection::of_record(SqlState::UndefinedObject, "the feed of the load does not exist")
}

/// What a merge does with some staged rows, by their ctid.
#[derive(Debug, Default)]
struct MergedRows {
    promoted: Vec<String>,
    rejected: Vec<(String, Rejection)>,
    raw: Vec<String>,
}

impl MergedRows {
    /// Checks a row. A trip goes to the run unless it needs one new partition too many.
    fn add(
        &mut self,
        row: &StagedRow,
        max_record: usize,
        constraints: &Constraints,
        new_partitions: &mut NewPartitions,
        run: &mut RunBuilder,
    ) -> Result<(), LoadError> {
        let ctid = row.ctid.clone();
        if row.is_raw {
            self.raw.push(ctid);
            return Ok(());
        }
        let texts = row.texts(max_record);
        match texts.as_ref().map_err(Clone::clone).and_then(|texts| texts.validate(constraints)) {
            Ok(trip) => match new_partitions.refuse(trip.date_time)? {
                None => {
                    run.push(&trip, &[])?;
                    self.promoted.push(ctid);
                }
                Some(rejection) => self.rejected.push((ctid, rejection)),
            },
            Err(rejection) => self.rejected.push((ctid, rejection)),
        }
        Ok(())
    }

    /// The same for a record of a feed.
    fn add_of_feed(
        &mut self,
        row: &StagedRow,
        trip: Result<FeedTrip<'_>, Rejection>,
        new_partitions: &mut NewPartitions,
        run: &mut RunBuilder,
    ) -> Result<(), LoadError> {
        let ctid = row.ctid.clone();
        let refused = match &trip {
            Ok(trip) => new_partitions.refuse(trip.trip.date_time)?,
            Err(rejection) => Some(rejection.clone()),
        };
        match (trip, refused) {
            (Ok(trip), None) => {
                run.push_feed(&trip.trip, trip.tail, trip.identity, row.line)?;
                self.promoted.push(ctid);
            }
            (_, Some(rejection)) => self.rejected.push((ctid, rejection)),
            (Err(rejection), None) => self.rejected.push((ctid, rejection)),
        }
        Ok(())
    }

    /// Deletes the trips from staging; the other rows get the reason why they stay.
    fn apply(&self, load_id: i64) -> Result<(), LoadError> {
        staging::delete(&self.promoted)?;
        staging::reject(load_id, &self.rejected)?;
        staging::adopt(load_id, &self.raw)
    }
}
