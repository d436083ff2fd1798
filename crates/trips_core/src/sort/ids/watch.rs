//! Who compares a file only, counts its records one by one.

use super::{Place, SameId};

/// What becomes of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is a new trip.
    New,
    /// It is a duplicate.
    Duplicate,
    /// It corrects a trip: that of a record of the run, or one of the history or of an earlier run.
    Corrected(Option<Place>),
    /// It is staged.
    Staged,
}

/// Sees what becomes of each record of a run.
pub trait Watch {
    /// A record, with the time of its trip in the history.
    fn see(&mut self, record: impl FnOnce() -> SameId, outcome: Outcome);
}

/// Loads count the rows that they write.
impl Watch for () {
    #[inline]
    fn see(&mut self, _: impl FnOnce() -> SameId, _: Outcome) {}
}
