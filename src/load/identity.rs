//! The identity of the trips of a load, as far as one batch cannot decide it: ids at other times, and the numbers of equal
//! records over several runs.

use std::io;

use trips_core::feed::definition::{IdentityRule, SameId as Policy};
use trips_core::sort::batch::Batch;
use trips_core::sort::block::Block;
use trips_core::sort::ids::{RunIds, SameId};
use trips_core::sort::occurrences::Occurrences;

use crate::error::LoadError;
use crate::history::History;
use crate::pg::temp_file::TempFile;

type MakeFile = fn() -> io::Result<TempFile>;

/// The identity of the trips of one load.
#[derive(Default)]
pub struct LoadIdentity {
    /// Days of the window in which ids are looked for, and what happens to those that are found; None if the feed has no
    /// ids.
    ids: Option<(u16, Policy)>,
    /// Present if the n-th equal record of a file is a trip of its own.
    occurrences: Option<Occurrences<TempFile, MakeFile>>,
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
                Self { ids: Some((window_days, policy)), ..Self::default() }
            }
        }
    }

    /// Removes the trips of a run whose ids are known at another time, in the history or in the run.
    pub fn remove_known_ids(
        &self,
        history: &History,
        blocks: &mut [Block],
    ) -> Result<KnownIds, LoadError> {
        let Some((window_days, policy)) = self.ids else { return Ok(KnownIds::default()) };
        let mut ids = RunIds::of(blocks)?;
        history.find_same_ids(&mut ids, window_days)?;
        let trips = ids.remove_from(blocks)?;
        Ok(match policy {
            Policy::Keep => KnownIds { duplicates: trips.len() as u64, to_stage: Vec::new() },
            Policy::Stage => KnownIds { duplicates: 0, to_stage: trips },
        })
    }

    /// Numbers the equal records of the next batch of a run.
    pub fn number(&mut self, batch: &mut Batch, is_last_run: bool) -> Result<(), LoadError> {
        let Some(occurrences) = &mut self.occurrences else { return Ok(()) };
        occurrences.number(batch, is_last_run).map_err(of_file)
    }

    /// Ends a run that is not the last one.
    pub fn end_run(&mut self) -> Result<(), LoadError> {
        self.occurrences.as_mut().map_or(Ok(()), Occurrences::end_run).map_err(of_file)
    }
}

/// The trips of a run whose ids are known at another time.
#[derive(Debug, Default)]
pub struct KnownIds {
    /// Number of those that count as duplicates.
    pub duplicates: u64,
    /// Those that are staged.
    pub to_stage: Vec<SameId>,
}

/// PostgreSQL itself reports the errors of the file system.
fn of_file(error: io::Error) -> LoadError {
    match error.kind() {
        io::ErrorKind::OutOfMemory => LoadError::OutOfMemory,
        _ => LoadError::TemporaryFile(error),
    }
}
