//! What the runs of a load have corrected: the counts of the ledger, and the days to count again.

use std::collections::BTreeSet;

use trips_core::model::timestamp::Timestamp;
use trips_core::sort::ids::Resolved;

use crate::history::Days;

/// The most days that are counted again by themselves.
const MOST_DAYS: usize = 10_000;

/// The corrections of a load.
#[derive(Debug, Default)]
pub struct Corrections {
    /// Records of the run that correct a trip.
    corrected: u64,
    /// Records of the run that a later one has corrected: they are in no batch.
    passed: u64,
    /// Days of trips that left the history.
    days: BTreeSet<i32>,
    /// There are more days.
    has_more: bool,
}

impl Corrections {
    /// Adds those of a run.
    pub fn add(&mut self, known: &Resolved) {
        self.corrected += known.corrected;
        self.passed += known.passed.len() as u64;
        let mut last = None;
        for day in known.replaced.iter().map(|(time, ..): &(Timestamp, _, _)| time.day()) {
            if last.replace(day) != Some(day) && !self.has_more {
                self.days.insert(day);
                self.has_more = self.days.len() > MOST_DAYS;
            }
        }
    }

    /// The records of the run that are new, and those that correct a trip. The history has taken so many rows.
    pub fn of_run(&mut self, inserted: u64) -> (u64, u64) {
        let (corrected, passed) =
            (std::mem::take(&mut self.corrected), std::mem::take(&mut self.passed));
        // Each corrected trip has one row of the run; its other records have none.
        ((inserted + passed).saturating_sub(corrected), corrected)
    }

    /// The days to count again.
    pub fn take_days(&mut self) -> Vec<Days> {
        let days: Vec<i32> = std::mem::take(&mut self.days).into_iter().collect();
        if std::mem::take(&mut self.has_more) {
            return vec![Days::ALL];
        }
        let ranges = days.chunk_by(|a, b| a + 1 == *b);
        ranges
            .map(|days| Days { first: days.first().copied(), last: days.last().copied() })
            .collect()
    }
}
