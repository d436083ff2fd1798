//! The identity of the trips of a load, as far as one batch cannot decide it: ids at other times, and the numbers of equal
//! records over several runs and merges.

use std::io;

use trips_core::feed::definition::IdentityRule;
use trips_core::key::Scheme;
use trips_core::sort::batch::Batch;
use trips_core::sort::block::Block;
use trips_core::sort::ids::{Resolved, Watch};
use trips_core::sort::occurrences::{EqualRecords, Occurrences};
use trips_core::sort::trial::Trial;

use super::known_ids::KnownIds;
use crate::error::LoadError;
use crate::history::History;
use crate::pg::temp_file::TempFile;

pub type MakeFile = fn() -> io::Result<TempFile>;

/// The identity of the trips of one load.
#[derive(Default)]
pub struct LoadIdentity {
    /// Present if the feed has ids.
    ids: Option<KnownIds>,
    /// Present if the n-th equal record of a file is a trip of its own.
    occurrences: Option<Occurrences<TempFile, MakeFile>>,
    /// Present in a merge of a load: its other records may be trips already.
    continued: Option<Continued>,
}

/// The records of a merge for which the history is asked how many equal ones the load has inserted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// None: the load has inserted no trips.
    None,
    /// Those that do not say it themselves. The trips may be of another member of the archive.
    Silent,
    /// All.
    All,
}

/// The records of a load that are trips already.
#[derive(Debug)]
struct Continued {
    load_id: i64,
    asked: Asked,
    /// What the records of the run say.
    said: Vec<EqualRecords>,
    is_sorted: bool,
}

impl LoadIdentity {
    /// That of a feed.
    pub fn of(rule: &IdentityRule) -> Self {
        match *rule {
            IdentityRule::Content | IdentityRule::Columns { occurrence: false, .. } => {
                Self::default()
            }
            IdentityRule::Columns { occurrence: true, .. } => {
                let make: MakeFile = || Ok(TempFile::create());
                Self { occurrences: Some(Occurrences::new(make)), ..Self::default() }
            }
            IdentityRule::SourceId { window_days, policy, .. } => {
                Self { ids: Some(KnownIds::new(window_days, policy)), ..Self::default() }
            }
        }
    }

    /// Decides on the records of a run whose ids are known, in the history or in the run.
    pub fn resolve_known_ids(
        &mut self,
        history: &History,
        blocks: &[Block],
        is_last_run: bool,
    ) -> Result<Resolved, LoadError> {
        let has_ids = blocks.iter().any(|block| block.scheme() == Scheme::SourceId);
        match self.ids.as_mut().filter(|_| has_ids) {
            Some(ids) => ids.resolve(history, blocks, is_last_run),
            None => Ok(Resolved::default()),
        }
    }

    /// The same for a run that is only compared: `watch` sees what becomes of each record. None if the run has no ids.
    pub fn try_known_ids(
        &mut self,
        history: &History,
        blocks: &[Block],
        is_last_run: bool,
        (trial, watch): (&mut Trial<TempFile, MakeFile>, &mut impl Watch),
    ) -> Result<Option<Resolved>, LoadError> {
        let has_ids = blocks.iter().any(|block| block.scheme() == Scheme::SourceId);
        let ids = self.ids.as_mut().filter(|_| has_ids);
        ids.map(|ids| ids.try_resolve(history, blocks, is_last_run, (trial, watch))).transpose()
    }

    /// The history takes the records of a run. Later runs follow.
    pub fn add_known_ids(&mut self, blocks: &[Block]) -> Result<(), LoadError> {
        self.ids.as_mut().map_or(Ok(()), |ids| ids.add(blocks))
    }

    /// The trips are further records of the file of this load.
    pub fn continue_load(&mut self, load_id: i64, asked: Asked) {
        if self.occurrences.is_some() {
            self.continued = Some(Continued { load_id, asked, said: Vec::new(), is_sorted: true });
        }
    }

    /// So many records of the file that are equal to one of the next run are trips already.
    pub fn continue_after(&mut self, equal: EqualRecords) -> Result<(), LoadError> {
        let Some(continued) = &mut self.continued else { return Ok(()) };
        continued.said.try_reserve(1)?;
        continued.said.push(equal);
        continued.is_sorted = false;
        Ok(())
    }

    /// Numbers the equal records of the next batch of a run. The last run leaves no list of its records.
    pub fn number(
        &mut self,
        history: &History,
        batch: &mut Batch,
        is_last_run: bool,
    ) -> Result<(), LoadError> {
        let Some(occurrences) = &mut self.occurrences else { return Ok(()) };
        let continued = match &mut self.continued {
            Some(continued) => continued.before(history, batch)?,
            None => Vec::new(),
        };
        occurrences.number(batch, is_last_run, &continued).map_err(of_file)
    }

    /// Whether equal records of a file are trips of their own.
    pub fn counts_occurrences(&self) -> bool {
        self.occurrences.is_some()
    }

    /// Whether a run has left a list of its records.
    pub fn has_lists(&self) -> bool {
        self.occurrences.as_ref().is_some_and(Occurrences::has_lists)
    }

    /// Counts the records of all runs that left a list. The keys are sorted.
    pub fn count_all(&mut self, keys: &mut [EqualRecords]) -> Result<(), LoadError> {
        self.occurrences.as_mut().map_or(Ok(()), |all| all.count_all(keys)).map_err(of_file)
    }

    /// Ends a run of records that are numbered, unless it is the last one.
    pub fn end_run(&mut self) -> Result<(), LoadError> {
        if let Some(continued) = &mut self.continued {
            continued.said = Vec::new();
        }
        self.occurrences.as_mut().map_or(Ok(()), Occurrences::end_run).map_err(of_file)
    }
}

impl Continued {
    /// The equal records of the load that are trips already, for each record of a batch.
    fn before(&mut self, history: &History, batch: &Batch) -> Result<Vec<EqualRecords>, LoadError> {
        if !self.is_sorted {
            self.said.sort_unstable();
            self.is_sorted = true;
        }
        let mut keys = batch.equal_records()?;
        let mut silent = Vec::new();
        keys.retain_mut(|key| match self.said_of(key) {
            Some(records) => {
                key.records = records;
                true
            }
            None => {
                silent.push(*key);
                false
            }
        });
        if self.asked != Asked::None {
            history.count_records_of(self.load_id, &mut silent)?;
        }
        if self.asked == Asked::All {
            history.count_records_of(self.load_id, &mut keys)?;
        }
        keys.append(&mut silent);
        keys.sort_unstable();
        keys.retain(|key| key.records > 0);
        Ok(keys)
    }

    /// The greatest number that a record of the run says for this key.
    fn said_of(&self, key: &EqualRecords) -> Option<u64> {
        let of_key = |said: &EqualRecords| (said.date_time, said.base);
        let after = self.said.partition_point(|said| of_key(said) <= of_key(key));
        let last = &self.said[after.checked_sub(1)?];
        (of_key(last) == of_key(key)).then_some(last.records)
    }
}

/// PostgreSQL itself reports the errors of the file system.
pub fn of_file(error: io::Error) -> LoadError {
    match error.kind() {
        io::ErrorKind::OutOfMemory => LoadError::OutOfMemory,
        _ => LoadError::TemporaryFile(error),
    }
}
