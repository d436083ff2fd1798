//! What all loads end with: runs of trips into the history, counts into the roll-up, the summary.

use trips_core::batch::{self, GroupCache, Groups};
use trips_core::block::Block;
use trips_core::counts::DailyCounts;
use trips_core::staged::StagedRows;
use trips_core::trip::Trip;

use crate::areas;
use crate::error::LoadError;
use crate::history::booking::Unbooked;
use crate::history::{Days, History, NextBatch, Tally};
use crate::ledger::{self, Totals};
use crate::pg::progress::{Phase, Progress};
use crate::pg::session;
use crate::summary::{self, GroupNames};
use crate::{changes, settings, staging};

/// Writes the runs of one load and keeps its books.
pub struct Loader<'a> {
    history: &'a History,
    tally: Tally,
    /// Days that are to be counted anew.
    uncounted: Vec<Days>,
    /// There while rows are in the history and not in the books.
    unbooked: Option<Unbooked>,
    /// Where the rows went so far.
    pub totals: Totals,
}

impl<'a> Loader<'a> {
    /// The books of a load are empty.
    pub fn new(history: &'a History) -> Result<Self, LoadError> {
        let places = settings::keeps_areas().then(areas::collector).transpose()?;
        let tally = Tally { days: DailyCounts::default(), places };
        let totals = Totals::default();
        Ok(Self { history, tally, uncounted: Vec::new(), unbooked: None, totals })
    }

    /// Whether batches must have the places of their trips.
    pub fn keeps_places(&self) -> bool {
        self.tally.places.is_some()
    }

    /// Appends the batches of a run, which are made of these blocks.
    pub fn append(
        &mut self,
        blocks: &[Block],
        next_batch: &mut NextBatch<'_>,
        progress: &Progress,
    ) -> Result<(), LoadError> {
        progress.phase(Phase::Inserting);
        self.unbooked.get_or_insert_with(Unbooked::begin);
        let appended = self.history.append(blocks, next_batch, &mut self.tally, progress)?;
        self.totals.inserted += appended.inserted;
        self.totals.duplicate += appended.duplicates;
        self.uncounted.extend(appended.uncounted);
        Ok(())
    }

    /// Moves what was counted to the roll-up, and what was collected to the areas.
    pub fn count(&mut self, names: &GroupNames, progress: &Progress) -> Result<(), LoadError> {
        if let Some(places) = &mut self.tally.places {
            areas::write(places, Some(progress))?;
            progress.phase(Phase::Inserting);
        }
        summary::add(&mut self.tally.days, names)?;
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

/// Trips that come one by one, collected into runs without the help of threads.
pub struct Collector {
    load_id: i64,
    groups: Groups,
    blocks: Vec<Block>,
    bytes: usize,
}

/// Trips in a block, before the next one is begun.
const TRIPS_IN_BLOCK: usize = 32 * 1024;
/// Trips of a batch, about.
const TRIPS_IN_BATCH: usize = 8 * 1024;

impl Collector {
    /// Collects nothing yet, for this load.
    pub fn new(load_id: i64) -> Self {
        Self { load_id, groups: Groups::default(), blocks: Vec::new(), bytes: 0 }
    }

    /// Takes a trip.
    pub fn push(&mut self, trip: &Trip<'_>) -> Result<(), LoadError> {
        if self.blocks.last().is_none_or(|block| block.len() >= TRIPS_IN_BLOCK) {
            self.bytes += self.blocks.last().map_or(0, Block::bytes);
            self.blocks.push(Block::default());
        }
        let last = self.blocks.len() - 1;
        Ok(self.blocks[last].push(trip)?)
    }

    /// Takes trips that are together already.
    pub fn push_block(&mut self, block: Block) {
        self.bytes += block.bytes();
        self.blocks.push(block);
        // What comes one by one goes into another block.
        self.blocks.push(Block::default());
    }

    /// Whether a run's memory is used up.
    pub fn is_full(&self) -> bool {
        self.bytes >= settings::memory()
    }

    /// Writes what is collected.
    pub fn write(&mut self, loader: &mut Loader<'_>, progress: &Progress) -> Result<(), LoadError> {
        let mut blocks = std::mem::take(&mut self.blocks);
        self.bytes = 0;
        blocks.iter_mut().try_for_each(Block::sort)?;
        let mut stretches = batch::stretches(&blocks, TRIPS_IN_BATCH).into_iter();
        let mut groups = GroupCache::new(&self.groups);
        let keeps_places = loader.keeps_places();
        let mut next_batch = || {
            let Some(stretch) = stretches.next() else { return Ok(None) };
            Ok(Some(batch::build(&blocks, stretch, self.load_id, keeps_places, &mut groups)?))
        };
        loader.append(&blocks, &mut next_batch, progress)?;
        loader.count(&self.groups.names(), progress)
    }
}

/// Brings the summary up to date after loads that have inserted so many rows.
///
/// Under a snapshot from before another load's commit the view would lack that load's trips.
pub fn summarize(inserted: u64, progress: &Progress) -> Result<(), LoadError> {
    if inserted == 0 {
        return Ok(());
    }
    if session::has_one_snapshot() && ledger::has_moved_on()? {
        return Err(LoadError::Serialization);
    }
    progress.phase(Phase::Summarizing);
    summary::refresh()
}
