//! The sink of a load: trips and rejected rows in, history and staging out, in bounded memory.

use trips_core::counts::DailyCounts;
use trips_core::run::Run;
use trips_core::staged::StagedRows;
use trips_core::trip::Trip;

use crate::error::LoadError;
use crate::history::History;
use crate::ledger::Totals;
use crate::pg::progress::{Phase, Progress};
use crate::{settings, staging, summary};

/// Collects the trips of one load into sorted runs and writes each run when memory is used up.
pub struct Loader<'a> {
    history: &'a History,
    load_id: i64,
    /// Bytes that a run and the staged rows may take together.
    memory: usize,
    run: Run,
    staged: StagedRows,
    counts: DailyCounts,
    totals: Totals,
    rows_read: u64,
}

impl<'a> Loader<'a> {
    /// A sink for this load.
    pub fn new(history: &'a History, load_id: i64) -> Self {
        Self {
            history,
            load_id,
            memory: settings::memory(),
            run: Run::default(),
            staged: StagedRows::default(),
            counts: DailyCounts::default(),
            totals: Totals::default(),
            rows_read: 0,
        }
    }

    /// The load's number.
    pub fn load_id(&self) -> i64 {
        self.load_id
    }

    /// Rows given so far.
    pub fn rows_read(&self) -> u64 {
        self.rows_read
    }

    /// Takes a trip.
    pub fn push(&mut self, trip: &Trip<'_>) {
        self.rows_read += 1;
        self.run.push(trip, self.load_id);
    }

    /// Where rows for staging go; each that is added counts as read.
    pub fn stage(&mut self) -> &mut StagedRows {
        self.rows_read += 1;
        self.totals.staged += 1;
        &mut self.staged
    }

    /// A row that is in staging already stays there.
    pub fn keep_staged(&mut self) {
        self.rows_read += 1;
        self.totals.staged += 1;
    }

    /// Writes what is collected if it takes all the memory there is.
    pub fn flush_if_full(&mut self, progress: &mut Progress) -> Result<(), LoadError> {
        if self.run.bytes() + self.staged.bytes() < self.memory {
            return Ok(());
        }
        self.flush(progress)?;
        progress.phase(Phase::Reading);
        Ok(())
    }

    /// Writes the rest and brings the summary up to date.
    pub fn finish(mut self, progress: &mut Progress) -> Result<Totals, LoadError> {
        self.flush(progress)?;
        progress.phase(Phase::Summarizing);
        summary::add(self.counts)?;
        Ok(self.totals)
    }

    fn flush(&mut self, progress: &mut Progress) -> Result<(), LoadError> {
        progress.rows(self.rows_read);
        progress.phase(Phase::Comparing);
        let doubles = self.run.sort() + self.history.drop_known(&mut self.run);
        self.totals.duplicate += doubles as u64;
        progress.phase(Phase::Inserting);
        self.totals.inserted += self.history.append(&self.run, &mut self.counts, progress)?;
        self.run.clear();
        staging::append(&self.staged)?;
        self.staged.clear();
        Ok(())
    }
}
