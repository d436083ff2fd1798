//! The common end of all loads: runs of trips into the history, counts into the roll-up, the summary.

use std::sync::Arc;

use trips_core::model::trip::Trip;
use trips_core::sort::batch::{self, RunBlocks};
use trips_core::sort::block::Block;
use trips_core::sort::counts::DailyCounts;
use trips_core::sort::groups::GroupCache;
use trips_core::wire::staged_row::StagedRows;

use crate::derived::{areas, changes, daily_counts, view};
use crate::error::LoadError;
use crate::history::pending_counts::PendingCounts;
use crate::history::{Days, History, NextBatch, Tally};
use crate::ledger::{self, Totals};
use crate::pg::session;
use crate::progress::{Phase, Progress};
use crate::{settings, staging};

/// Counts of a run are written before its end when they reach this many bytes, or half of the memory of a run.
const COUNTED: usize = 16 * 1024 * 1024;
/// Counts that one statement writes: PostgreSQL copies them several times.
const BYTES_AT_ONCE: usize = 512 * 1024;

/// Writes the runs of one load and counts its rows.
pub struct Loader<'a> {
    history: &'a History,
    tally: Tally,
    /// Days to count again.
    uncounted: Vec<Days>,
    /// Set while rows are in the history and not counted.
    unbooked: Option<PendingCounts>,
    /// Numbers of rows so far, by target.
    pub totals: Totals,
}

impl<'a> Loader<'a> {
    /// The load has no pending counts.
    pub fn new(history: &'a History) -> Result<Self, LoadError> {
        let places = settings::keeps_areas().then(areas::start_builder).transpose()?;
        let (days, most_bytes) = (DailyCounts::default(), settings::memory().min(COUNTED) / 2);
        let tally = Tally { days, write_days, most_bytes, places };
        let totals = Totals::default();
        Ok(Self { history, tally, uncounted: Vec::new(), unbooked: None, totals })
    }

    /// Whether batches need the grid points of their trips.
    pub fn keeps_grid_points(&self) -> bool {
        self.tally.places.is_some()
    }

    /// Appends the batches of a run, which are made of these blocks.
    pub fn append(
        &mut self,
        blocks: &RunBlocks,
        next_batch: &mut NextBatch<'_>,
        progress: &Progress,
    ) -> Result<(), LoadError> {
        progress.phase(Phase::Inserting);
        self.unbooked.get_or_insert_with(PendingCounts::begin);
        let appended = self.history.append(blocks, next_batch, &mut self.tally, progress)?;
        self.totals.inserted += appended.inserted;
        self.totals.duplicate += appended.duplicates;
        self.uncounted.extend(appended.uncounted);
        Ok(())
    }

    /// Writes the counts to the roll-up, and the collected grid points to the area index.
    pub fn count(&mut self, progress: &Progress) -> Result<(), LoadError> {
        if let Some(places) = &mut self.tally.places {
            areas::write(places, Some(progress))?;
            progress.phase(Phase::Inserting);
        }
        write_days(&mut self.tally.days)?;
        let days = std::mem::take(&mut self.uncounted);
        let days = self.unbooked.take().map(|unbooked| unbooked.end(days)).unwrap_or_default();
        if days.is_empty() { Ok(()) } else { changes::count_again(&days) }
    }

    /// Appends rows to staging, while the file is read.
    pub fn stage(&mut self, rows: &StagedRows, progress: &Progress) -> Result<(), LoadError> {
        if rows.is_empty() {
            return Ok(());
        }
        self.totals.staged += rows.len() as u64;
        staging::append(rows, progress)?;
        progress.phase(Phase::Reading);
        Ok(())
    }
}

/// Writes counts to the roll-up, in slices.
fn write_days(days: &mut DailyCounts) -> Result<(), LoadError> {
    days.take()?.slices(BYTES_AT_ONCE).try_for_each(|slice| daily_counts::add(&slice))
}

/// Collects trips that come one by one into runs, without threads.
pub struct Collector {
    load_id: i64,
    keeps_grid_points: bool,
    blocks: Vec<Block>,
    /// The block to which single trips are added.
    last: Block,
    /// Memory of the other parts of the run until their trips are written.
    bytes: usize,
}

/// A block with this many bytes is full.
const BYTES_OF_BLOCK: usize = 1024 * 1024;
/// Approximate number of trips of a batch.
const TRIPS_IN_BATCH: usize = 8 * 1024;

impl Collector {
    /// An empty collection for this load.
    pub fn new(load_id: i64, loader: &Loader<'_>) -> Self {
        let (keeps_grid_points, blocks, last) =
            (loader.keeps_grid_points(), Vec::new(), Block::default());
        Self { load_id, keeps_grid_points, blocks, last, bytes: 0 }
    }

    /// Adds a trip.
    pub fn push(&mut self, trip: &Trip<'_>) -> Result<(), LoadError> {
        self.last.push(trip)?;
        if self.last.bytes() < BYTES_OF_BLOCK {
            return Ok(());
        }
        let mut block = std::mem::take(&mut self.last);
        block.sort()?;
        self.push_block(block)
    }

    /// Adds trips that are already sorted.
    pub fn push_block(&mut self, block: Block) -> Result<(), LoadError> {
        self.bytes += block.cost(self.keeps_grid_points);
        self.blocks.try_reserve(1)?;
        self.blocks.push(block);
        Ok(())
    }

    /// Whether a run's memory is used up.
    pub fn is_full(&self) -> bool {
        self.bytes + self.last.bytes() >= settings::memory()
    }

    /// Writes the collected trips.
    pub fn write(&mut self, loader: &mut Loader<'_>, progress: &Progress) -> Result<(), LoadError> {
        let mut last = std::mem::take(&mut self.last);
        last.sort()?;
        self.push_block(last)?;
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
        loader.append(&blocks, &mut next_batch, progress)?;
        loader.count(progress)
    }
}

/// Ends loads that have inserted this many rows: derived data is right then, or the load fails.
///
/// With a snapshot from before another load's commit, derived data could lack that load's trips.
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
