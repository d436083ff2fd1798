//! The runs of a load: trips into the history, counts into what is derived from it.

use std::sync::Arc;

use trips_core::check::reject::{RejectedColumn, Rejection};
use trips_core::feed::definition::IdentityRule;
use trips_core::key::Identity;
use trips_core::model::error::{SqlState, ValueError};
use trips_core::model::trip::Trip;
use trips_core::sort::batch::{self, RunBlocks};
use trips_core::sort::block::Block;
use trips_core::sort::counts::DailyCounts;
use trips_core::sort::groups::GroupCache;
use trips_core::sort::ids::SameId;
use trips_core::wire::staged_row::StagedRows;

use super::identity::LoadIdentity;
use crate::derived::{areas, changes, daily_counts, view};
use crate::error::LoadError;
use crate::history::pending_counts::PendingCounts;
use crate::history::{Days, DerivedCounts, History, NextBatch};
use crate::ledger::{self, Totals};
use crate::pg::session;
use crate::progress::{Phase, Progress};
use crate::{settings, staging};

/// Counts of a run are flushed in halves of this size, or of the memory of a run if that is less.
const COUNTED: usize = 16 * 1024 * 1024;
/// Counts that one statement flushes: PostgreSQL copies them several times.
const BYTES_AT_ONCE: usize = 512 * 1024;

/// Writes the runs of one load.
pub struct Loader<'a> {
    history: &'a History,
    derived: DerivedCounts,
    /// Days to count again.
    to_recount: Vec<Days>,
    /// Present while the history has rows that are not counted yet.
    pending: Option<PendingCounts>,
    identity: LoadIdentity,
    /// The member of an archive that is being read.
    member: Option<String>,
    /// Where the rows of the load went so far.
    pub totals: Totals,
}

impl<'a> Loader<'a> {
    /// A load without runs so far.
    pub fn new(history: &'a History) -> Result<Self, LoadError> {
        let area_index = settings::maintains_area_index().then(areas::start_builder).transpose()?;
        let (days, max_bytes) = (DailyCounts::default(), settings::work_mem().min(COUNTED) / 2);
        let derived = DerivedCounts { days, flush_days, max_bytes, area_index };
        let (to_recount, pending, totals) = (Vec::new(), None, Totals::default());
        let identity = LoadIdentity::default();
        Ok(Self { history, derived, to_recount, pending, identity, member: None, totals })
    }

    /// Sets the identity of the trips: that of their feed. By default it is the content of the trips.
    pub fn set_identity(&mut self, rule: &IdentityRule) {
        self.identity = LoadIdentity::of(rule);
    }

    /// Begins a member of an archive, or a file that is none.
    pub fn begin_member(&mut self, member: Option<String>) {
        self.member = member;
    }

    /// Takes the trips out of a run whose ids are known at another time: they are duplicates, or staged.
    pub fn remove_known_ids(
        &mut self,
        load_id: i64,
        blocks: &mut [Block],
        progress: &Progress,
    ) -> Result<(), LoadError> {
        let known = self.identity.remove_known_ids(self.history, blocks)?;
        self.totals.duplicate += known.duplicates;
        progress.wrote(known.duplicates + known.to_stage.len() as u64);
        let mut rows = StagedRows::default();
        for trip in &known.to_stage {
            rows.reserve(0)?;
            rows.push_rejected(load_id, (trip.line, &[]), None, &same_id(trip));
        }
        self.stage(&rows, progress)
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
        let identity = &mut self.identity;
        let mut next_numbered = || {
            let mut batch = next_batch()?;
            batch.as_mut().map_or(Ok(()), |batch| identity.number(batch, is_last_run))?;
            Ok(batch)
        };
        let derived = &mut self.derived;
        let appended = self.history.append(blocks, &mut next_numbered, derived, progress)?;
        if !is_last_run {
            self.identity.end_run()?;
        }
        self.totals.inserted += appended.inserted;
        self.totals.duplicate += appended.duplicates;
        self.to_recount.extend(appended.to_recount);
        Ok(())
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

    /// Appends rows to staging.
    pub fn stage(&mut self, rows: &StagedRows, progress: &Progress) -> Result<(), LoadError> {
        if rows.is_empty() {
            return Ok(());
        }
        self.totals.staged += rows.len() as u64;
        staging::append(rows, self.member.as_deref(), progress)?;
        progress.phase(Phase::Reading);
        Ok(())
    }
}

/// Why a trip is staged whose id is known at another time.
fn same_id(trip: &SameId) -> Rejection {
    let reason = format!(
        "the trip starts at {}, but another one with its id starts at {}",
        trip.date_time, trip.kept
    );
    let error = ValueError::new(SqlState::UniqueViolation, reason);
    Rejection::of_value(RejectedColumn::Feed("trip_id".into()), error)
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

    /// Adds a trip of a feed, from the record that begins in this line.
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
        loader.remove_known_ids(self.load_id, &mut self.blocks, progress)?;
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

/// Updates the materialized view at the end of a load that has inserted rows.
///
/// # Errors
/// 40001 if another load has committed since the snapshot of this transaction: its trips would be missing.
pub fn summarize(inserted: u64, progress: &Progress) -> Result<(), LoadError> {
    if inserted == 0 {
        return Ok(());
    }
    if session::has_one_snapshot() && ledger::has_newer_loads()? {
        return Err(LoadError::Serialization);
    }
    progress.phase(Phase::Summarizing);
    view::refresh_if_not_kept()
}
