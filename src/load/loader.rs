//! The sink of a load: trips and rejected rows in, history and staging out, in bounded memory.

use trips_core::counts::DailyCounts;
use trips_core::run::Run;
use trips_core::staged::StagedRows;
use trips_core::trip::Trip;

use crate::error::LoadError;
use crate::history::History;
use crate::ledger::{self, Totals};
use crate::pg::progress::{Phase, Progress};
use crate::pg::session;
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
    pub fn push(&mut self, trip: &Trip<'_>) -> Result<(), LoadError> {
        self.rows_read += 1;
        Ok(self.run.push(trip, self.load_id)?)
    }

    /// Where a record of so many bytes goes that is staged; it counts as read.
    pub fn stage(&mut self, record: usize) -> Result<&mut StagedRows, LoadError> {
        self.rows_read += 1;
        self.totals.staged += 1;
        self.staged.reserve(record)?;
        Ok(&mut self.staged)
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

    /// Writes the rest. The summary is left to the caller, who may have more loads to write.
    pub fn finish(mut self, progress: &mut Progress) -> Result<Totals, LoadError> {
        self.flush(progress)?;
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
        summary::add(&mut self.counts)?;
        staging::append(&self.staged)?;
        self.staged.clear();
        Ok(())
    }
}

/// Brings the summary up to date after loads that have inserted so many rows.
///
/// Under a snapshot from before another load's commit the view would lack that load's trips.
pub fn summarize(inserted: u64, progress: &mut Progress) -> Result<(), LoadError> {
    if inserted == 0 {
        return Ok(());
    }
    if session::has_one_snapshot() && ledger::has_moved_on()? {
        return Err(LoadError::Serialization);
    }
    progress.phase(Phase::Summarizing);
    summary::refresh()
}
