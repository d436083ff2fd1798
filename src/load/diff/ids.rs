//! Records of feeds with ids: they are new, or correct a trip, or have its values.

use trips_core::check::reject::BadLine;
use trips_core::model::position::Position;
use trips_core::model::timestamp::Timestamp;
use trips_core::pool::Run;
use trips_core::sort::block::Block;
use trips_core::sort::ids::{Outcome, Place, SameId, Watch};
use trips_core::sort::versions::{self, ChangedValue};

use super::super::same_id;
use super::{Comparison, Diff, of_file};
use crate::error::{FileName, LoadError};

/// A record that would correct a trip.
#[derive(Debug)]
pub struct Change {
    /// The member of an archive.
    pub member: Option<String>,
    /// The first line of the record, or its number.
    pub line: u64,
    /// The id of the trip, if the feed stores it.
    pub trip_id: Option<String>,
    /// The time of the trip.
    pub date_time: Timestamp,
    /// The values that differ; empty if those of the trip are in an earlier part of the file.
    pub values: Vec<ChangedValue>,
}

/// Counts the records of a run, and remembers the first of them.
struct Counted<'d> {
    diff: &'d mut Diff,
    /// The most examples of all runs.
    most: usize,
    changed: Vec<(SameId, Option<Place>)>,
    staged: Vec<SameId>,
}

impl Watch for Counted<'_> {
    fn see(&mut self, record: impl FnOnce() -> SameId, outcome: Outcome) {
        let record = record();
        let diff = &mut *self.diff;
        let records = match outcome {
            Outcome::New => &mut diff.added,
            Outcome::Duplicate => &mut diff.unchanged,
            Outcome::Corrected(_) => &mut diff.changed,
            Outcome::Staged => &mut diff.rejected,
        };
        records.add(record.date_time);
        match outcome {
            Outcome::Corrected(before) if diff.changes.len() + self.changed.len() < self.most => {
                self.changed.push((record, before));
            }
            Outcome::Staged if diff.examples.len() + self.staged.len() < self.most => {
                self.staged.push(record);
            }
            _ => {}
        }
    }
}

impl Comparison {
    /// Compares a run whose trips have ids; `false` if they have none.
    pub(super) fn compare_ids(
        &mut self,
        file: &FileName,
        run: &mut Run,
        is_last: bool,
    ) -> Result<bool, LoadError> {
        let (diff, most) = (&mut self.diff, self.most_examples);
        let mut counted = Counted { diff, most, changed: Vec::new(), staged: Vec::new() };
        let watched = (&mut self.trial, &mut counted);
        let known =
            self.identity.try_known_ids(&self.history, &run.blocks, run.is_last, watched)?;
        let Some(mut known) = known else { return Ok(false) };
        let Counted { mut changed, mut staged, .. } = counted;
        changed.sort_unstable_by_key(|(record, _)| record.line);
        staged.sort_unstable_by_key(|record| record.line);
        for record in changed {
            let change = self.change(file, &run.blocks, record)?;
            self.diff.changes.push(change);
        }
        for record in staged {
            let text = run.blocks[record.place.block()].text(record.line);
            let id = text.map_or("", |text| text.id);
            let rejection = same_id::rejection(&self.history, &run.blocks, &record, id)?;
            let bad = BadLine { position: Position::line(record.line), rejection };
            self.diff.examples.push((file.member.clone(), bad));
        }
        let replaced = std::mem::take(&mut known.replaced);
        known.apply(&mut run.blocks);
        if !is_last {
            self.trial.add(&replaced, &run.blocks).map_err(of_file)?;
        }
        Ok(true)
    }

    fn change(
        &self,
        file: &FileName,
        blocks: &[Block],
        (record, before): (SameId, Option<Place>),
    ) -> Result<Change, LoadError> {
        let SameId { line, place, key, kept, .. } = record;
        let mut values = Vec::new();
        if let Some(before) = before {
            values = versions::changed_values(&versions::values(blocks, before), blocks, place);
        } else {
            self.history.each_known(&[(kept, key)], |_, row| {
                values = versions::changed_values(row.values()?, blocks, place);
                Ok(())
            })?;
        }
        let trip_id = versions::trip_id(blocks, place);
        Ok(Change { member: file.member.clone(), line, trip_id, date_time: kept, values })
    }
}
