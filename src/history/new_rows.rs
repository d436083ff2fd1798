//! The rows of a run that are new in a partition, for the bulk path and for COPY.

use std::ops::Range;

use trips_core::columns;
use trips_core::model::partition_bounds::{Bound, PartitionBounds};
use trips_core::model::timestamp::Timestamp;
use trips_core::sort::batch::Batch;

use super::claims::Traces;
use super::copy_form;
use super::existing_keys::ExistingKeys;
use super::{Appended, DerivedCounts, NextBatch};
use crate::error::LoadError;
use crate::pg::copy::Rows;
use crate::pg::heap_append::HeapAppend;
use crate::pg::interrupts;
use crate::progress::Progress;

/// The trips of a run, partition by partition: batches are cut where the partitions' bounds are.
pub struct Walk<'a, 'b> {
    next_batch: &'a mut NextBatch<'b>,
    batch: Batch,
    /// Number of columns of each row: those of the tail are missing if no trip of the run has them.
    pub columns: usize,
    /// Number of trips of the batch that have been taken.
    taken: usize,
    /// Duplicates within the batches that are not reported yet.
    duplicates: usize,
}

impl<'a, 'b> Walk<'a, 'b> {
    /// No batch has been taken.
    pub fn of(next_batch: &'a mut NextBatch<'b>, columns: usize) -> Self {
        Self { next_batch, batch: Batch::default(), columns, taken: 0, duplicates: 0 }
    }

    /// The time of the next trip.
    pub fn next_time(&mut self) -> Result<Option<Timestamp>, LoadError> {
        while self.taken == self.batch.entries.len() {
            interrupts::check();
            // The last batch holds the memory of the run.
            (self.batch, self.taken) = (Batch::default(), 0);
            let Some(batch) = (self.next_batch)()? else { return Ok(None) };
            self.duplicates += batch.duplicates;
            self.batch = batch;
        }
        Ok(self.batch.entries.get(self.taken).map(|entry| entry.date_time))
    }

    /// Takes the next trips of a batch, if they are within these bounds.
    fn next_within(&mut self, bounds: PartitionBounds) -> Result<Option<Range<usize>>, LoadError> {
        if !self.next_time()?.is_some_and(|time| bounds.contains(time)) {
            return Ok(None);
        }
        let rest = &self.batch.entries[self.taken..];
        let count = rest.partition_point(|entry| Bound::At(entry.date_time) < bounds.upper);
        let first = self.taken;
        self.taken += count;
        Ok(Some(first..self.taken))
    }
}

/// The rows that go into a partition: those of a run within its bounds, without those that it has.
pub struct NewRows<'a, 'b, 'c> {
    walk: &'a mut Walk<'b, 'c>,
    bounds: PartitionBounds,
    /// None if the partition is empty and its index need not be scanned.
    known: Option<ExistingKeys<'a>>,
    /// None if the stored rows may differ.
    derived: Option<&'a mut DerivedCounts>,
    traces: &'a mut Traces,
    progress: &'a Progress,
    /// The ranges of new rows in the batch, in bytes.
    new: Vec<Range<usize>>,
    /// The same ranges, in trips.
    new_trips: Vec<Range<usize>>,
    /// The rows that COPY reads, if they differ from those of the batch.
    for_copy: Vec<u8>,
    /// Number of ranges that have been returned.
    given: usize,
    appended: Appended,
    /// The error that ended the batches early; COPY sees the end of its input.
    error: Option<LoadError>,
}

impl<'a, 'b, 'c> NewRows<'a, 'b, 'c> {
    /// The rows within these bounds, which contain the next trip.
    pub fn new(
        walk: &'a mut Walk<'b, 'c>,
        bounds: PartitionBounds,
        known: Option<ExistingKeys<'a>>,
        derived: Option<&'a mut DerivedCounts>,
        traces: &'a mut Traces,
        progress: &'a Progress,
    ) -> Self {
        Self {
            walk,
            bounds,
            known,
            derived,
            traces,
            progress,
            new: Vec::new(),
            new_trips: Vec::new(),
            for_copy: Vec::new(),
            given: 0,
            appended: Appended::default(),
            error: None,
        }
    }

    /// Appends all rows and returns how many.
    pub fn append_to(&mut self, append: &mut HeapAppend<'_>) -> u64 {
        self.progress.publish();
        let mut taken = 0;
        while let Some(range) = self.next_range() {
            taken += append.append(&mut self.walk.batch.rows[range]);
            self.progress.inserted(taken);
        }
        taken
    }

    /// The counts of the trips, or the error that ended them early.
    pub fn finish(self) -> Result<Appended, LoadError> {
        self.error.map_or(Ok(self.appended), Err)
    }

    /// Finds the new trips among these of the batch.
    fn compare(&mut self, trips: Range<usize>) -> Result<(), LoadError> {
        self.new.clear();
        self.new_trips.clear();
        self.given = 0;
        let duplicates = std::mem::take(&mut self.walk.duplicates);
        self.progress.wrote((trips.len() + duplicates) as u64);
        self.appended.duplicates += duplicates as u64;
        for i in trips {
            let entry = &self.walk.batch.entries[i];
            let known = self.known.as_mut().filter(|known| !known.is_over());
            if known.map_or(Ok(false), |known| known.has(entry))? {
                self.appended.duplicates += 1;
                self.traces.claims.add(entry.date_time, &entry.key)?;
                continue;
            }
            match self.new_trips.last_mut() {
                Some(trips) if trips.end == i => trips.end += 1,
                _ => self.new_trips.push(i..i + 1),
            }
        }
        self.walk.batch.report(!self.new_trips.is_empty());
        if self.new_trips.is_empty() { Ok(()) } else { self.take_new() }
    }

    /// Finds the rows of the new trips, and adds the trips to what is derived from them.
    fn take_new(&mut self) -> Result<(), LoadError> {
        self.walk.batch.complete()?;
        let Batch { entries, groups, grid_points, .. } = &mut self.walk.batch;
        let mut derived = self.derived.as_mut();
        let days = derived.as_mut().map(|derived| derived.days.of_batch(groups));
        let mut days = days.transpose()?;
        for trips in &self.new_trips {
            let before = trips.start.checked_sub(1).map_or(0, |before| entries[before].end);
            let end = entries[trips.clone()].last().map_or(before, |entry| entry.end);
            self.new.push(before as usize..end as usize);
            self.appended.inserted += trips.len() as u64;
            for entry in &entries[trips.clone()] {
                self.traces.days.add(entry.date_time.day())?;
                if let Some(days) = &mut days {
                    days.add(entry.date_time.day(), entry.group)?;
                }
            }
        }
        let Some(area_index) = derived.and_then(|derived| derived.area_index.as_mut()) else {
            return Ok(());
        };
        let micros = |i: usize| entries[i].date_time.0;
        let mut trips = self.new_trips.iter();
        trips.try_for_each(|trips| Ok(area_index.add(grid_points, trips.clone(), micros)?))
    }

    /// Index of the next rows in the batch.
    fn next_range(&mut self) -> Option<Range<usize>> {
        while self.given == self.new.len() {
            // The rest follows when the counts and claims are written.
            if self.derived.as_ref().is_some_and(|derived| derived.is_full())
                || self.traces.is_full()
            {
                return None;
            }
            let next = self.walk.next_within(self.bounds);
            let compared = next.and_then(|trips| {
                let Some(trips) = trips else { return Ok(false) };
                self.compare(trips).map(|()| true)
            });
            match compared {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => {
                    self.error = Some(error);
                    return None;
                }
            }
        }
        self.given += 1;
        Some(self.new[self.given - 1].clone())
    }
}

impl Rows for NewRows<'_, '_, '_> {
    fn next_rows(&mut self) -> Option<&[u8]> {
        let range = self.next_range()?;
        let rows = &self.walk.batch.rows[range];
        if self.walk.columns != columns::COUNT {
            return Some(rows);
        }
        if let Err(error) = copy_form::write(rows, &mut self.for_copy) {
            self.error = Some(error.into());
            return None;
        }
        Some(&self.for_copy)
    }
}
