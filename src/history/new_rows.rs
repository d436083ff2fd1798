//! The rows of a period that are new, for whoever appends them.

use std::ops::Range;

use pgrx::check_for_interrupts;
use trips_core::batch::Batch;
use trips_core::period::Period;

use super::known::Known;
use super::{Appended, NextBatch, Tally};
use crate::error::LoadError;
use crate::pg::copy::Rows;
use crate::pg::heap_append::HeapAppend;
use crate::pg::progress::Progress;

/// The batches of a run, one period after the other.
pub struct Periods<'a, 'b> {
    next_batch: &'a mut NextBatch<'b>,
    /// The first batch of the next period.
    waiting: Option<Batch>,
}

impl<'a, 'b> Periods<'a, 'b> {
    /// Nothing is taken yet.
    pub fn of(next_batch: &'a mut NextBatch<'b>) -> Self {
        Self { next_batch, waiting: None }
    }

    /// The next period that has trips, and how many its first batch has.
    pub fn advance(&mut self) -> Result<Option<(Period, usize)>, LoadError> {
        if self.waiting.is_none() {
            self.waiting = self.next_with_trips()?;
        }
        let of = |batch: &Batch| Some((batch.period()?, batch.entries.len()));
        Ok(self.waiting.as_ref().and_then(of))
    }

    /// The next batch, if it is of this period.
    fn next_of(&mut self, period: Period) -> Result<Option<Batch>, LoadError> {
        if self.waiting.is_none() {
            self.waiting = self.next_with_trips()?;
        }
        Ok(self.waiting.take_if(|batch| batch.period() == Some(period)))
    }

    fn next_with_trips(&mut self) -> Result<Option<Batch>, LoadError> {
        loop {
            check_for_interrupts!();
            match (self.next_batch)()? {
                Some(batch) if batch.entries.is_empty() => {}
                batch => return Ok(batch),
            }
        }
    }
}

/// The rows of a period's batches without those that the history has.
pub struct NewRows<'a, 'b, 'c> {
    batches: &'a mut Periods<'b, 'c>,
    period: Period,
    /// None when the partition is empty and its index is not to be looked at.
    known: Option<Known<'a>>,
    /// None when what is stored may be something else.
    tally: Option<&'a mut Tally>,
    progress: &'a Progress,
    batch: Batch,
    /// The stretches of new rows in the batch, in bytes.
    new: Vec<Range<usize>>,
    /// The same stretches, in trips.
    new_trips: Vec<Range<usize>>,
    /// How many of these have been given.
    given: usize,
    started: bool,
    appended: Appended,
    /// What ended the batches too early; COPY is told that they are over.
    error: Option<LoadError>,
}

impl<'a, 'b, 'c> NewRows<'a, 'b, 'c> {
    /// The rows of this period, which is the next one.
    pub fn new(
        batches: &'a mut Periods<'b, 'c>,
        period: Period,
        known: Option<Known<'a>>,
        tally: Option<&'a mut Tally>,
        progress: &'a Progress,
    ) -> Self {
        Self {
            batches,
            period,
            known,
            tally,
            progress,
            batch: Batch::default(),
            new: Vec::new(),
            new_trips: Vec::new(),
            given: 0,
            started: false,
            appended: Appended::default(),
            error: None,
        }
    }

    /// Appends all rows and returns how many.
    pub fn append_to(&mut self, append: &mut HeapAppend<'_>) -> u64 {
        let mut taken = 0;
        while let Some(range) = self.next_range() {
            taken += append.append(&mut self.batch.rows[range]);
            self.progress.inserted(taken);
        }
        taken
    }

    /// What became of the trips, or what ended them too early.
    pub fn finish(self) -> Result<Appended, LoadError> {
        self.error.map_or(Ok(self.appended), Err)
    }

    /// Finds out which rows of the batch are new.
    fn compare(&mut self) -> Result<(), LoadError> {
        self.new.clear();
        self.new_trips.clear();
        self.given = 0;
        self.progress.wrote((self.batch.entries.len() + self.batch.duplicates) as u64);
        self.appended.duplicates += self.batch.duplicates as u64;
        let mut start = 0;
        for (i, entry) in self.batch.entries.iter().enumerate() {
            let row = start..entry.end as usize;
            start = row.end;
            let known = self.known.as_mut().filter(|known| !known.is_over());
            if known.is_some_and(|known| known.has(entry)) {
                self.appended.duplicates += 1;
                continue;
            }
            self.appended.inserted += 1;
            if let Some(tally) = &mut self.tally {
                tally.days.add(entry.date_time.day(), entry.group);
            }
            match (self.new.last_mut(), self.new_trips.last_mut()) {
                (Some(last), Some(trips)) if last.end == row.start => {
                    last.end = row.end;
                    trips.end = i + 1;
                }
                _ => {
                    self.new.push(row);
                    self.new_trips.push(i..i + 1);
                }
            }
        }
        let Some(places) = self.tally.as_mut().and_then(|tally| tally.places.as_mut()) else {
            return Ok(());
        };
        let mut trips = self.new_trips.iter();
        trips.try_for_each(|trips| Ok(places.add(&mut self.batch, trips.clone())?))
    }

    /// Where the next rows stand in the batch.
    fn next_range(&mut self) -> Option<Range<usize>> {
        if !self.started {
            self.started = true;
            self.progress.publish();
        }
        while self.given == self.new.len() {
            match self.batches.next_of(self.period) {
                Ok(Some(batch)) => self.batch = batch,
                Ok(None) => return None,
                Err(error) => {
                    self.error = Some(error);
                    return None;
                }
            }
            if let Err(error) = self.compare() {
                self.error = Some(error);
                return None;
            }
        }
        self.given += 1;
        Some(self.new[self.given - 1].clone())
    }
}

impl Rows for NewRows<'_, '_, '_> {
    fn next_rows(&mut self) -> Option<&[u8]> {
        let range = self.next_range()?;
        Some(&self.batch.rows[range])
    }
}
