//! The kept trips of one id, and what becomes of its records.

use std::collections::{BTreeMap, TryReserveError};

use super::{Outcome, Place, Resolved, SameId, Watch};
use crate::key::{SameId as Policy, TripKey};
use crate::model::timestamp::Timestamp;
use crate::sort::block::Block;

/// Whether two trips of a run have the same values.
fn are_equal(blocks: &[Block], a: Place, b: Place) -> bool {
    let row = |place: Place| blocks[place.block()].row(blocks[place.block()].ranges()[place.at()]);
    row(a).has_values_of(&row(b))
}

/// Where the values of a kept trip are.
#[derive(Debug, Clone, Copy)]
enum KeptValues {
    /// In the history. If the first record of the run is equal, it may stay in the run. If it is kept apart, no other
    /// record of the run is needed.
    History { equal: Option<Place>, has_version: bool },
    /// In the run.
    Run(Place),
}

/// The kept trips of one id, by their times.
pub(super) struct KeptTrips {
    trips: BTreeMap<Timestamp, KeptValues>,
    window: i64,
    policy: Policy,
}

impl KeptTrips {
    /// Those of the history.
    pub(super) fn of(history: &[(Timestamp, TripKey)], window: i64, policy: Policy) -> Self {
        let values = KeptValues::History { equal: None, has_version: false };
        let kept = |&(time, _): &(Timestamp, TripKey)| (time, values);
        Self { trips: history.iter().map(kept).collect(), window, policy }
    }

    /// The kept trip of a time: of this one, or the first within the window.
    fn near(&self, time: Timestamp) -> Option<(Timestamp, KeptValues)> {
        if let Some(values) = self.trips.get(&time) {
            return Some((time, *values));
        }
        let from = Timestamp(time.0.saturating_sub(self.window));
        let to = Timestamp(time.0.saturating_add(self.window));
        self.trips.range(from..=to).next().map(|(time, values)| (*time, *values))
    }

    /// Decides on the records of the id, in the order of the file.
    pub(super) fn add(
        mut self,
        blocks: &[Block],
        records: &[(SameId, u32)],
        equal: &[u64],
        (resolved, watch): (&mut Resolved, &mut impl Watch),
    ) -> Result<(), TryReserveError> {
        resolved.removed.try_reserve(records.len())?;
        for &(record, number) in records {
            let (place, time) = (record.place, record.date_time);
            let Some((kept, values)) = self.near(time) else {
                self.trips.insert(time, KeptValues::Run(place));
                watch.see(|| record, Outcome::New);
                continue;
            };
            let is_equal = kept == time
                && match values {
                    KeptValues::History { .. } => {
                        equal[number as usize / 64] & (1 << (number % 64)) != 0
                    }
                    KeptValues::Run(other) => are_equal(blocks, place, other),
                };
            let outcome = match (is_equal, values, self.policy) {
                (true, ..) | (false, _, Policy::Keep) => Outcome::Duplicate,
                (false, _, Policy::Stage) => Outcome::Staged,
                (false, KeptValues::History { .. }, Policy::Replace) => Outcome::Corrected(None),
                (false, KeptValues::Run(before), Policy::Replace) => {
                    Outcome::Corrected(Some(before))
                }
            };
            watch.see(|| SameId { kept, ..record }, outcome);
            match (is_equal, values) {
                (true, KeptValues::History { equal: None, has_version: false }) => {
                    let values = KeptValues::History { equal: Some(place), has_version: false };
                    self.trips.insert(kept, values);
                }
                (true, _) => {
                    resolved.duplicates += 1;
                    resolved.removed.push(place);
                }
                (false, _) => self.differs(record, (kept, values), resolved)?,
            }
        }
        Ok(())
    }

    /// Decides on a record with other values than those of a kept trip.
    fn differs(
        &mut self,
        record: SameId,
        (kept, values): (Timestamp, KeptValues),
        resolved: &mut Resolved,
    ) -> Result<(), TryReserveError> {
        match self.policy {
            Policy::Keep => {
                resolved.duplicates += 1;
                resolved.removed.push(record.place);
                // Records of one load leave the history together: the first one of each trip is enough.
                if matches!(values, KeptValues::History { equal: None, has_version: false }) {
                    resolved.versions.try_reserve(1)?;
                    resolved.versions.push((record.place, kept));
                    let values = KeptValues::History { equal: None, has_version: true };
                    self.trips.insert(kept, values);
                }
            }
            Policy::Stage => {
                resolved.removed.push(record.place);
                resolved.to_stage.try_reserve(1)?;
                resolved.to_stage.push(SameId { kept, ..record });
            }
            Policy::Replace => {
                resolved.corrected += 1;
                match values {
                    KeptValues::History { equal, .. } => {
                        resolved.duplicates += u64::from(equal.is_some());
                        resolved.removed.try_reserve(1)?;
                        resolved.removed.extend(equal);
                        resolved.replaced.try_reserve(1)?;
                        resolved.replaced.push((kept, record.key, record.date_time));
                    }
                    KeptValues::Run(before) => {
                        resolved.removed.try_reserve(1)?;
                        resolved.removed.push(before);
                        resolved.passed.try_reserve(1)?;
                        resolved.passed.push((before, record.date_time));
                    }
                }
                self.trips.remove(&kept);
                self.trips.insert(record.date_time, KeptValues::Run(record.place));
            }
        }
        Ok(())
    }
}
