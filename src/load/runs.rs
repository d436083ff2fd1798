//! The runs of a load: trips into the history, counts into what is derived from it.

use std::collections::TryReserveError;
use std::sync::Arc;

use trips_core::check::reject::Rejection;
use trips_core::feed::choice::Options;
use trips_core::feed::definition::IdentityRule;
use trips_core::key::Identity;
use trips_core::model::position::PositionKind;
use trips_core::model::trip::Trip;
use trips_core::sort::batch::{self, RunBlocks};
use trips_core::sort::block::Block;
use trips_core::sort::counts::DailyCounts;
use trips_core::sort::groups::GroupCache;
use trips_core::sort::ids::SameId;
use trips_core::sort::occurrences::EqualRecords;
use trips_core::sort::record_texts::RecordText;
use trips_core::wire::staged_row::StagedRows;

use super::corrections::Corrections;
use super::error_limit::LateErrors;
use super::identity::{Asked, LoadIdentity};
use super::staged_feed::StagedFeed;
use super::{occurrences, same_id};
use crate::derived::{areas, changes, daily_counts, view};
use crate::error::LoadError;
use crate::history::pending_counts::PendingCounts;
use crate::history::{Days, DerivedCounts, History, NextBatch, Traces};
use crate::ledger::{self, Totals};
use crate::pg::session;
use crate::progress::{Phase, Progress};
use crate::settings;
use crate::staging::{self, StagedFile};

/// Counts of a run are flushed in halves of this size, or of the memory of a run if that is less.
const COUNTED: usize = 16 * 1024 * 1024;
/// Rows for staging are written when they have this many bytes.
const STAGED_AT_ONCE: usize = 1024 * 1024;
/// Counts that one statement flushes: PostgreSQL copies them several times.
const BYTES_AT_ONCE: usize = 512 * 1024;

/// Writes the runs of one load.
pub struct Loader<'a> {
    history: &'a History,
    derived: DerivedCounts,
    /// What a retract of the load needs to know.
    traces: Traces,
    /// Days to count again.
    to_recount: Vec<Days>,
    /// Present while the history has rows that are not counted yet.
    pending: Option<PendingCounts>,
    identity: LoadIdentity,
    /// What the load has corrected.
    corrections: Corrections,
    /// The member of an archive that is being read, and what its positions count.
    member: (Option<String>, PositionKind),
    /// The rows of the load that were staged before this member.
    staged_before: u64,
    /// Whether no earlier load or merge has made trips of the records of the load.
    is_whole: bool,
    /// Present in a merge: the records of a run that stay in staging.
    refused: Option<Vec<(u64, Rejection)>>,
    /// Where the rows of the load went so far.
    pub totals: Totals,
}

impl<'a> Loader<'a> {
    /// A load without runs so far.
    pub fn new(history: &'a History, load_id: i64) -> Result<Self, LoadError> {
        let area_index = settings::maintains_area_index().then(areas::start_builder).transpose()?;
        let (days, max_bytes) = (DailyCounts::default(), settings::work_mem().min(COUNTED) / 2);
        let derived = DerivedCounts { days, flush_days, max_bytes, area_index };
        let (to_recount, pending, totals) = (Vec::new(), None, Totals::default());
        let (identity, corrections) = (LoadIdentity::default(), Corrections::default());
        let (member, refused, is_whole) = ((None, PositionKind::Line), None, true);
        Ok(Self {
            history,
            derived,
            traces: Traces::of(load_id),
            to_recount,
            pending,
            identity,
            corrections,
            member,
            staged_before: 0,
            is_whole,
            refused,
            totals,
        })
    }

    /// Sets the identity of the trips: that of their feed. By default it is the content of the trips.
    pub fn set_identity(&mut self, rule: &IdentityRule) {
        self.identity = LoadIdentity::of(rule);
        self.traces.set_corrects(rule.corrects());
    }

    /// Begins a member of an archive, or a file that is none, whose positions count this.
    pub fn begin_member(&mut self, member: Option<String>, positions: PositionKind) {
        self.member = (member, positions);
        self.staged_before = self.totals.staged;
    }

    /// Takes the records out of a run whose ids are known: they are duplicates, or staged. Trips that a record corrects
    /// leave the history. Returns the records that are staged.
    pub fn resolve_known_ids(
        &mut self,
        load_id: i64,
        blocks: &mut [Block],
        is_last_run: bool,
        progress: &Progress,
    ) -> Result<LateErrors, LoadError> {
        let mut known = self.identity.resolve_known_ids(self.history, blocks, is_last_run)?;
        self.totals.duplicate += known.duplicates;
        progress.wrote(known.duplicates + known.to_stage.len() as u64);
        let errors = self.stage_same_ids(load_id, &known.to_stage, blocks, progress)?;
        self.history.write_versions(load_id, blocks, &known.versions, progress)?;
        known.replaced.sort_unstable();
        self.corrections.add(&known);
        self.history.remove_corrected(load_id, &known.replaced)?;
        self.history.write_passed(load_id, blocks, &known.passed, progress)?;
        known.apply(blocks);
        blocks.iter_mut().for_each(Block::drop_texts);
        if !is_last_run {
            self.identity.add_known_ids(blocks)?;
        }
        Ok(errors)
    }

    /// Stages records of a run. Those of a merge stay in staging.
    fn stage_same_ids(
        &mut self,
        load_id: i64,
        to_stage: &[SameId],
        blocks: &[Block],
        progress: &Progress,
    ) -> Result<LateErrors, LoadError> {
        let (mut rows, mut errors) = (StagedRows::default(), LateErrors::default());
        for trip in to_stage {
            // A part of an upload has no texts of its trips.
            let without = RecordText { line: trip.line, ..RecordText::default() };
            let text = blocks[trip.place.block()].text(trip.line).unwrap_or(without);
            let reason = same_id::rejection(self.history, blocks, trip, text.id)?;
            if let Some(refused) = &mut self.refused {
                refused.try_reserve(1)?;
                refused.push((trip.line, reason));
                self.totals.staged += 1;
                continue;
            }
            errors.add(trip.line, &reason);
            rows.push_rejected_record(load_id, (text.line, text.raw), text.json, &reason)?;
            if rows.bytes() > STAGED_AT_ONCE {
                self.stage(&std::mem::take(&mut rows), progress)?;
            }
        }
        self.stage(&rows, progress)?;
        Ok(errors)
    }

    /// The trips are further records of the file of this load, which are staged. They stay there if a trip with their id
    /// has another time: see [`Loader::take_refused`]. The history does not say of which member a trip is.
    pub fn continue_load(&mut self, load_id: i64, has_trips: bool) {
        let asked = match (has_trips, &self.member.0) {
            (false, _) => Asked::None,
            (true, Some(_)) => Asked::Silent,
            (true, None) => Asked::All,
        };
        self.identity.continue_load(load_id, asked);
        self.is_whole = !has_trips;
        self.refused = Some(Vec::new());
    }

    /// The numbers of the records of the last run that stay in staging, in their order, and why.
    pub fn take_refused(&mut self) -> Vec<(u64, Rejection)> {
        self.refused.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// So many records of that file that are equal to one of the next run are trips already.
    pub fn continue_after(&mut self, equal: EqualRecords) -> Result<(), LoadError> {
        self.identity.continue_after(equal)
    }

    /// Ends a file, or a member of an archive, whose runs are written: its staged records get the number of their equal
    /// records that are trips. A merge continues after it.
    pub fn end_file(&mut self, load_id: i64, feed: Option<&str>) -> Result<(), LoadError> {
        // A merge asks the history about records of members that do not say it.
        let says_none = self.member.0.is_some() && self.is_whole;
        let is_known = says_none || self.identity.has_lists();
        let Some(name) = feed.filter(|_| self.leaves_lists() && is_known) else {
            return Ok(());
        };
        let Some(mut feed) = StagedFeed::named(name, Options::default())? else { return Ok(()) };
        let (member, positions) = self.member.clone();
        let has_row_groups = positions == PositionKind::Row;
        let file = StagedFile { load: Some(load_id), member, has_row_groups };
        occurrences::number_staged(&file, &mut feed, &mut self.identity, says_none)
    }

    /// Whether the counts of all runs are needed after the last run, for staged records.
    fn leaves_lists(&self) -> bool {
        self.identity.counts_occurrences() && self.totals.staged > self.staged_before
    }

    /// Whether batches need the grid points of their trips.
    pub fn keeps_grid_points(&self) -> bool {
        self.derived.area_index.is_some()
    }

    /// Appends the batches of a run, which are built from these blocks.
    pub fn append(
        &mut self,
        blocks: &RunBlocks,
        next_batch: &mut NextBatch<'_>,
        is_last_run: bool,
        progress: &Progress,
    ) -> Result<(), LoadError> {
        progress.phase(Phase::Inserting);
        self.pending.get_or_insert_with(PendingCounts::begin);
        let is_numbered = blocks.borrow().iter().any(Block::counts_occurrences);
        let leaves_no_list = is_last_run && !self.leaves_lists();
        let (identity, history) = (&mut self.identity, self.history);
        let mut next_numbered = || {
            let mut batch = next_batch()?;
            let number = |batch| identity.number(history, batch, leaves_no_list);
            batch.as_mut().map_or(Ok(()), number)?;
            Ok(batch)
        };
        let kept = (&mut self.derived, &mut self.traces);
        let appended = self.history.append(blocks, &mut next_numbered, kept, progress)?;
        if is_numbered && !leaves_no_list {
            self.identity.end_run()?;
        }
        let (inserted, corrected) = self.corrections.of_run(appended.inserted);
        self.totals.inserted += inserted;
        self.totals.corrected += corrected;
        self.totals.duplicate += appended.duplicates;
        self.to_recount.extend(appended.to_recount);
        Ok(())
    }

    /// Takes the days on which the load has inserted trips.
    pub fn take_days(&mut self) -> Vec<(i32, i32)> {
        self.traces.days.take()
    }

    /// Flushes the counts of the run to the daily counts, and its grid points to the area index.
    pub fn count(&mut self, progress: &Progress) -> Result<(), LoadError> {
        if let Some(area_index) = &mut self.derived.area_index {
            areas::write(area_index, Some(progress))?;
            progress.phase(Phase::Inserting);
        }
        flush_days(&mut self.derived.days)?;
        let days = std::mem::take(&mut self.to_recount);
        let days = self.pending.take().map(|pending| pending.end(days)).unwrap_or_default();
        if days.is_empty() { Ok(()) } else { changes::count_again(&days) }
    }

    /// Ends the load, or a merge of some of its records: days of corrected trips are counted again, and the
    /// materialized view follows.
    pub fn end(&mut self, progress: &Progress) -> Result<(), LoadError> {
        let days = self.corrections.take_days();
        if !days.is_empty() {
            progress.phase(Phase::Summarizing);
            changes::count_again(&days)?;
        }
        Ok(())
    }

    /// Appends rows to staging.
    pub fn stage(&mut self, rows: &StagedRows, progress: &Progress) -> Result<(), LoadError> {
        if rows.is_empty() {
            return Ok(());
        }
        self.totals.staged += rows.len() as u64;
        staging::append(rows, &self.member, progress)?;
        progress.phase(Phase::Reading);
        Ok(())
    }
}

/// Flushes counts to the daily counts, some at a time.
fn flush_days(days: &mut DailyCounts) -> Result<(), LoadError> {
    days.take()?.slices(BYTES_AT_ONCE).try_for_each(|slice| daily_counts::add(&slice))
}

/// Builds runs from single trips, without threads.
pub struct RunBuilder {
    load_id: i64,
    keeps_grid_points: bool,
    blocks: Vec<Block>,
    /// The block to which single trips are added.
    last: Block,
    /// Memory of the other blocks until their trips are written.
    bytes: usize,
}

/// Size of a block, bytes.
const BYTES_OF_BLOCK: usize = 1024 * 1024;
/// Approximate number of trips in a batch.
const TRIPS_IN_BATCH: usize = 8 * 1024;

impl RunBuilder {
    /// An empty run of this load.
    pub fn new(load_id: i64, loader: &Loader<'_>) -> Self {
        let (keeps_grid_points, blocks, last) =
            (loader.keeps_grid_points(), Vec::new(), Block::default());
        Self { load_id, keeps_grid_points, blocks, last, bytes: 0 }
    }

    /// Adds a trip, with the encoded values of its tail, if it has any.
    pub fn push(&mut self, trip: &Trip<'_>, tail: &[u8]) -> Result<(), LoadError> {
        self.last.push(trip, tail)?;
        self.end_block()
    }

    /// Keeps the texts of the record whose trip is added next, in case that it is staged again.
    pub fn keep_text(&mut self, order: u64, text: &RecordText<'_>) -> Result<(), TryReserveError> {
        self.last.keep_text(order, text)
    }

    /// Adds a trip of a feed, from the record that begins in this line or has this number.
    pub fn push_feed(
        &mut self,
        trip: &Trip<'_>,
        tail: &[u8],
        identity: Identity<'_>,
        line: u64,
    ) -> Result<(), LoadError> {
        self.last.push_feed(trip, tail, identity, line)?;
        self.end_block()
    }

    /// Begins another block if the last one is full.
    fn end_block(&mut self) -> Result<(), LoadError> {
        if self.last.bytes() < BYTES_OF_BLOCK {
            return Ok(());
        }
        let mut block = std::mem::take(&mut self.last);
        block.sort()?;
        self.push_block(block)
    }

    /// Adds a sorted block.
    pub fn push_block(&mut self, block: Block) -> Result<(), LoadError> {
        self.bytes += block.cost(self.keeps_grid_points);
        self.blocks.try_reserve(1)?;
        self.blocks.push(block);
        Ok(())
    }

    /// Whether the run has used its memory.
    pub fn is_full(&self) -> bool {
        self.bytes + self.last.bytes() >= settings::work_mem()
    }

    /// Writes the run and begins the next, unless it is the last one.
    pub fn write(
        &mut self,
        loader: &mut Loader<'_>,
        is_last: bool,
        progress: &Progress,
    ) -> Result<(), LoadError> {
        let mut last = std::mem::take(&mut self.last);
        last.sort()?;
        self.push_block(last)?;
        loader.resolve_known_ids(self.load_id, &mut self.blocks, is_last, progress)?;
        let blocks = RunBlocks::new(Arc::new(std::mem::take(&mut self.blocks)));
        self.bytes = 0;
        let mut time_ranges = batch::time_ranges(&blocks.borrow(), TRIPS_IN_BATCH).into_iter();
        let (load_id, keeps_grid_points) = (self.load_id, self.keeps_grid_points);
        let mut groups = GroupCache::default();
        let mut next_batch = || {
            let Some(time_range) = time_ranges.next() else {
                blocks.take();
                return Ok(None);
            };
            let blocks = blocks.borrow();
            Ok(Some(batch::build(&blocks, time_range, load_id, keeps_grid_points, &mut groups)?))
        };
        loader.append(&blocks, &mut next_batch, is_last, progress)?;
        loader.count(progress)
    }
}

/// Updates the materialized view at the end of a load that has inserted or corrected rows.
///
/// # Errors
/// 40001 if another load has committed since the snapshot of this transaction: its trips would be missing.
pub fn summarize(changed: u64, progress: &Progress) -> Result<(), LoadError> {
    if changed == 0 {
        return Ok(());
    }
    if session::has_one_snapshot() && ledger::has_newer_loads()? {
        return Err(LoadError::Serialization);
    }
    progress.phase(Phase::Summarizing);
    view::refresh_if_not_kept()
}
