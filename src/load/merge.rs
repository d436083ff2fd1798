//! Staged rows are merged: valid trips go into the history, the other rows stay in staging.

use trips_core::check::constraints::Constraints;
use trips_core::model::position::PositionKind;

use super::context::LoadContext;
use super::merged_rows::{MergedRows, decide};
use super::retry::Retry;
use super::runs::{Loader, RunBuilder, summarize};
use super::staged_feed::{Found, StagedFeed, read};
use crate::error::{LoadError, RequestError, StagedError};
use crate::feeds::zones;
use crate::history::{History, NewPartitions};
use crate::ledger::{self, LoadHeader, LoadRow, LoadSource, Totals};
use crate::pg::interrupts;
use crate::progress::{Passes, Phase, Progress};
use crate::settings;
use crate::staging::{self, StagedFile};

/// The source of rows that other writers have inserted into staging.
const SOURCE: &str = "trips.stg_trip_data";

/// Merges the staged rows of one load, or of all loads, for the current user. Returns the ledger row of the newest load
/// that it changed, if any.
pub fn merge_staged(only: Option<i64>) -> Result<Option<LoadRow>, LoadError> {
    let context = LoadContext::begin(SOURCE)?;
    let row = merge(&context.header, only, &Retry::default())?;
    context.finish();
    Ok(row)
}

/// Merges the staged rows of one load for the current user, read under other rules. Returns its ledger row.
///
/// # Errors
/// 42704 if the load, or the member, has no such rows; 55000 if the load has another state than `loaded`; 42703 if no
/// record has the columns of the feed.
pub fn retry_staged(load_id: i64, retry: &Retry) -> Result<LoadRow, LoadError> {
    let context = LoadContext::begin(SOURCE)?;
    let row = merge(&context.header, Some(load_id), retry)?;
    context.finish();
    row.ok_or_else(|| RequestError::UnknownLoad(load_id).into())
}

/// Rows of other writers become a load of their own, with this header.
fn merge(
    header: &LoadHeader,
    only: Option<i64>,
    retry: &Retry,
) -> Result<Option<LoadRow>, LoadError> {
    let interval = settings::notice_interval();
    let progress = Progress::begin(header.load_id, header.role, 0, Passes::Reading, interval);
    progress.phase(Phase::Waiting);
    let constraints = settings::constraints()?;
    let history = History::lock_for_load()?;
    let loads = staging::loads(only)?;
    if loads.is_empty()
        && let Some(load_id) = only
    {
        retry.require_member(load_id, &[])?;
        ledger::require_loaded(load_id)?;
        let row = ledger::find_loaded(load_id)?;
        return Ok(Some(row.ok_or(RequestError::UnknownLoad(load_id))?));
    }
    let (mut newest, mut inserted) = (None, 0);
    let mut new_partitions = NewPartitions::allowed();
    for load in loads {
        progress.phase(Phase::Reading);
        let load_id = load.unwrap_or(header.load_id);
        let checks = (&constraints, &mut new_partitions);
        let (totals, days) = merge_load(&history, (load, load_id), retry, checks, &progress)?;
        inserted += totals.inserted + totals.corrected;
        newest = match load {
            Some(load_id) => Some(ledger::add_merged(load_id, totals, &days)?),
            // Other sessions may have locked all of these rows.
            None if totals.read() == 0 => newest,
            None => {
                let source = LoadSource { name: SOURCE.to_owned(), days, ..LoadSource::default() };
                Some(ledger::record_end(header, &source, Some(totals), None)?)
            }
        };
    }
    zones::forget_merged()?;
    summarize(inserted, &progress)?;
    Ok(newest)
}

/// Merges the rows of a load (None: of applications), which become rows of the load of this number.
fn merge_load(
    history: &History,
    (load, load_id): (Option<i64>, i64),
    retry: &Retry,
    (constraints, new_partitions): (&Constraints, &mut NewPartitions),
    progress: &Progress,
) -> Result<(Totals, Vec<(i32, i32)>), LoadError> {
    let mut loader = Loader::new(history, load_id)?;
    let (mut rows_read, mut fits) = (0, false);
    let files = staging::files(load)?;
    retry.require_member(load_id, &files)?;
    for file in files.iter().filter(|file| retry.takes(file)) {
        let mut feed = StagedFeed::of_load(file.load, file.member.as_deref(), retry)?;
        retry.check(file, feed.as_ref())?;
        let checks = (constraints, &mut *new_partitions);
        let reading = (&mut feed, retry);
        merge_file(file, load_id, &mut loader, reading, checks, (progress, &mut rows_read))?;
        fits |= feed.is_none_or(|feed| feed.fits());
    }
    loader.end(progress)?;
    match &retry.feed {
        Some(feed) if rows_read > 0 && !fits => {
            Err(StagedError::Columns { load_id, feed: feed.clone() }.into())
        }
        _ => Ok((loader.totals, loader.take_days())),
    }
}

/// Merges the rows of a file. Equal records are numbered by themselves in each member of an archive.
fn merge_file(
    file: &StagedFile,
    load_id: i64,
    loader: &mut Loader<'_>,
    (feed, retry): (&mut Option<StagedFeed>, &Retry),
    (constraints, new_partitions): (&Constraints, &mut NewPartitions),
    (progress, rows_read): (&Progress, &mut u64),
) -> Result<(), LoadError> {
    // Rows whose five fields were filled in by hand have another identity than records of a feed.
    let (mut run, mut of_feed) =
        (RunBuilder::new(load_id, loader), RunBuilder::new(load_id, loader));
    let positions = if file.has_row_groups { PositionKind::Row } else { PositionKind::Line };
    loader.begin_member(file.member.clone(), positions);
    if let Some(feed) = &*feed {
        loader.set_identity(feed.identity());
        loader.continue_load(load_id, ledger::has_trips(load_id)?);
    }
    let max_record = settings::max_record_size();
    let mut batches = staging::rows(file)?;
    let (mut order, mut undecided) = (0, Vec::new());
    loop {
        interrupts::check();
        let mut merged = MergedRows::default();
        let count = batches.next_batch(max_record, |row| {
            let trip = match read(feed, row, max_record, constraints) {
                Found::Columns => {
                    let reading = (max_record, constraints, retry);
                    return merged.add(row, reading, new_partitions, &mut run);
                }
                Found::Nothing => return Ok(()),
                Found::Trip(trip) => trip,
            };
            // Not the line: other writers may have rows with the same one.
            order += 1;
            merged.add_of_feed((row, order), trip, new_partitions, (&mut of_feed, loader))
        })?;
        *rows_read += count;
        loader.totals.staged += count - merged.trips() as u64;
        merged.apply(load_id, &mut undecided)?;
        progress.read(0, *rows_read);
        let is_last = count == 0;
        if of_feed.is_full() || is_last {
            of_feed.write(loader, is_last, progress)?;
            decide(load_id, std::mem::take(&mut undecided), loader.take_refused())?;
            progress.phase(Phase::Reading);
        }
        if run.is_full() || is_last {
            run.write(loader, is_last, progress)?;
            progress.phase(Phase::Reading);
        }
        if is_last {
            // The other records are still those of the feed of their load.
            let own = feed.as_ref().filter(|feed| !feed.is_other());
            return loader.end_file(load_id, own.map(StagedFeed::name));
        }
    }
}
