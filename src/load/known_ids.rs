//! The ids of the history near the trips of a load.
//!
//! A run reads the keys of the history within the window of its trips. If these are many for the trips of a run, the
//! next runs would read most of them again. So from then on they are kept in lists, and each key is read once.

use trips_core::key::SameId as Policy;
use trips_core::model::timestamp::Timestamp;
use trips_core::sort::block::Block;
use trips_core::sort::id_lists::IdLists;
use trips_core::sort::ids::{Resolved, RunIds, Watch};
use trips_core::sort::trial::Trial;

use super::identity::{MakeFile, of_file};
use crate::error::LoadError;
use crate::history::History;
use crate::pg::temp_file::TempFile;
use crate::settings;

/// Keys of the history for each trip of a run, from which on lists cost less.
const LONG_SCAN: u64 = 16;
/// Part of the memory of a run, and the most bytes, for keys that are in no list yet.
const PART_OF_MEMORY: usize = 16;
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// How the trips of a load are compared with the history.
pub struct KnownIds {
    window_days: u16,
    policy: Policy,
    was_long: bool,
    lists: Option<HistoryLists>,
}

/// The keys of the history in a range of time, and of the runs.
struct HistoryLists {
    lists: IdLists<TempFile, MakeFile>,
    /// The range.
    covered: Option<(Timestamp, Timestamp)>,
}

impl KnownIds {
    /// Those of a feed with this window and policy.
    pub fn new(window_days: u16, policy: Policy) -> Self {
        Self { window_days, policy, was_long: false, lists: None }
    }

    /// Decides on the records of a run whose ids are known, in the history or in the run.
    pub fn resolve(
        &mut self,
        history: &History,
        blocks: &[Block],
        is_last_run: bool,
    ) -> Result<Resolved, LoadError> {
        let mut ids = RunIds::of(blocks, self.window_days)?;
        if let Some(range) = ids.time_range() {
            self.find(history, &mut ids, range, is_last_run)?;
        }
        // A trip of a list may have left the history.
        let (known, mut marks) = ids.known()?;
        history.each_known(known, |number, row| {
            marks.found(blocks, (number, &known[number]), || row.values())
        })?;
        Ok(ids.resolve(blocks, self.policy)?)
    }

    /// The same for a run that is only compared. Earlier runs would have changed some trips of the history.
    pub fn try_resolve(
        &mut self,
        history: &History,
        blocks: &[Block],
        is_last_run: bool,
        (trial, watch): (&mut Trial<TempFile, MakeFile>, &mut impl Watch),
    ) -> Result<Resolved, LoadError> {
        let mut ids = RunIds::of(blocks, self.window_days)?;
        if let Some(range) = ids.time_range() {
            self.find(history, &mut ids, range, is_last_run)?;
        }
        let changes = trial.changes(&mut ids).map_err(of_file)?;
        let (known, mut marks) = ids.known()?;
        history.each_known(known, |number, row| match changes.have(&known[number]) {
            true => Ok(()),
            false => marks.found(blocks, (number, &known[number]), || row.values()),
        })?;
        changes.found(&mut ids, blocks)?;
        Ok(ids.resolve_seen(blocks, self.policy, watch)?)
    }

    /// The records of a run that the history takes: later runs have to know them.
    pub fn add(&mut self, blocks: &[Block]) -> Result<(), LoadError> {
        self.lists.as_mut().map_or(Ok(()), |all| all.lists.add_blocks(blocks)).map_err(of_file)
    }

    /// Notes the trips of the history in this range.
    fn find(
        &mut self,
        history: &History,
        ids: &mut RunIds,
        range: (Timestamp, Timestamp),
        is_last_run: bool,
    ) -> Result<(), LoadError> {
        if self.lists.is_none() && self.was_long && !is_last_run {
            self.lists = Some(HistoryLists::new());
        }
        let Some(lists) = &mut self.lists else {
            let note = |time, key: &_| Ok(ids.existing(time, key)?);
            let count = history.each_key(range, note)?;
            self.was_long = count > LONG_SCAN.saturating_mul(ids.len() as u64);
            return Ok(());
        };
        lists.cover(history, range)?;
        lists.lists.find(ids).map_err(of_file)
    }
}

impl HistoryLists {
    fn new() -> Self {
        let make: MakeFile = || Ok(TempFile::create());
        let bytes = (settings::work_mem() / PART_OF_MEMORY).min(MOST_BYTES);
        Self { lists: IdLists::new(make, bytes), covered: None }
    }

    /// Reads the keys of the history in a range that were not read yet.
    fn cover(
        &mut self,
        history: &History,
        (first, last): (Timestamp, Timestamp),
    ) -> Result<(), LoadError> {
        let lists = &mut self.lists;
        let mut read = |from: Timestamp, to: Timestamp| {
            let add = |time, key: &_| lists.add(time, key).map_err(of_file);
            history.each_key((from, to), add).map(|_| ())
        };
        let Some((begin, end)) = self.covered else {
            read(first, last)?;
            self.covered = Some((first, last));
            return Ok(());
        };
        read(first, Timestamp(begin.0 - 1))?;
        read(Timestamp(end.0 + 1), last)?;
        self.covered = Some((begin.min(first), end.max(last)));
        Ok(())
    }
}
