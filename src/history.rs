//! The history `trips.hist_trip_data`: what it has, and what goes in.

use std::cmp::Ordering;
use std::ffi::CStr;
use std::ops::Range;

use pgrx::{Spi, check_for_interrupts};
use trips_core::batch::{Batch, Entry};
use trips_core::counts::DailyCounts;
use trips_core::key::TripKey;
use trips_core::timestamp::Timestamp;

use crate::error::LoadError;
use crate::pg::copy::{Rows, copy_rows};
use crate::pg::heap_append::HeapAppend;
use crate::pg::index_scan::KeyScan;
use crate::pg::progress::Progress;
use crate::pg::relation::Table;
use crate::settings;

const COLUMNS: [&CStr; 7] = [
    c"region",
    c"origin_coord",
    c"destination_coord",
    c"date_time",
    c"datasource",
    c"trip_key",
    c"load_id",
];

/// After so many keys of the history that the batch does not have, the scan leaps to the batch's
/// next key: a step costs a fraction of a descent into the index.
const STEPS_BEFORE_LEAP: u32 = 200;

/// From so many trips on, building the indexes of an empty history anew is cheaper than inserting
/// into them row by row.
const WORTH_A_BUILD: usize = 50_000;

/// The history, held for one load: no other load writes to it.
///
/// One load at a time is what makes "not there yet" mean "not there": two loads of the same trips
/// follow each other, and the second sees the rows of the first.
pub struct History {
    table: Table,
}

/// What became of the trips of a run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Appended {
    /// They are new in the history.
    pub inserted: u64,
    /// The history, or the run, had them.
    pub duplicates: u64,
}

/// Gives the batches of a run in order, then none.
pub type NextBatch<'a> = dyn FnMut() -> Result<Option<Batch>, LoadError> + 'a;

impl History {
    /// Waits for other loads to commit and takes the history until this transaction ends.
    pub fn hold() -> Self {
        let table = Table::open_for_insert(c"hist_trip_data");
        table.lock_against_other_loads();
        Self { table }
    }

    /// Appends the trips of a run that are not there yet, and counts them by day and group.
    ///
    /// `whole` is the number of trips when this run is all that comes: into an empty history, a large
    /// one goes without its indexes, which are then built at once.
    pub fn append(
        &self,
        next_batch: &mut NextBatch<'_>,
        whole: Option<usize>,
        counts: &mut DailyCounts,
        progress: &Progress,
    ) -> Result<Appended, LoadError> {
        let in_bulk = HeapAppend::fits(&self.table)
            && whole.is_some_and(|trips| trips >= WORTH_A_BUILD)
            && self.table.is_bare()
            && self.table.try_lock_indexes();
        let known = (!in_bulk).then(|| Known::open(&self.table));
        let mut rows = NewRows {
            next_batch,
            known,
            counts,
            progress,
            batch: Batch::default(),
            new: Vec::new(),
            given: 0,
            started: false,
            appended: Appended::default(),
            error: None,
        };
        let taken = if in_bulk {
            let mut append = HeapAppend::begin(&self.table);
            let taken = rows.append_to(&mut append);
            append.finish();
            taken
        } else {
            copy_rows(&self.table, &COLUMNS, &mut rows)
        };
        let NewRows { appended, error, .. } = rows;
        if let Some(error) = error {
            return Err(error);
        }
        let offered = appended.inserted;
        if taken != offered {
            return Err(LoadError::RowsVanished { table: "hist_trip_data", offered, taken });
        }
        if in_bulk {
            self.build_index()?;
        }
        Ok(appended)
    }

    /// Builds the index of a history that was filled without it, in the memory that the run had.
    fn build_index(&self) -> Result<(), LoadError> {
        let memory = (settings::memory() / 1024).max(64 * 1024);
        let query = "SELECT set_config('maintenance_work_mem', $1, true)";
        let before = Spi::get_one::<String>("SELECT current_setting('maintenance_work_mem')")?;
        Spi::run_with_args(query, &[format!("{memory}kB").into()])?;
        Spi::run("REINDEX TABLE trips.hist_trip_data")?;
        Spi::run_with_args(query, &[before.into()])?;
        Ok(())
    }
}

/// The keys of the history, walked along with the keys of a run.
struct Known<'a> {
    keys: KeyScan<'a>,
    /// Where the walk stands; none before its beginning and behind its end.
    current: Option<(Timestamp, TripKey)>,
    is_begun: bool,
}

impl<'a> Known<'a> {
    fn open(table: &'a Table) -> Self {
        Self { keys: KeyScan::open(table), current: None, is_begun: false }
    }

    /// Whether nothing is left to compare with.
    fn is_over(&self) -> bool {
        self.is_begun && self.current.is_none()
    }

    /// Moves to the first key that is not before the entry's, and says whether it is the entry's.
    fn has(&mut self, entry: &Entry) -> bool {
        if !self.is_begun {
            self.is_begun = true;
            self.keys.seek(entry.date_time, &entry.key);
            self.current = self.keys.advance();
        }
        let mut steps = 0;
        while let Some((date_time, key)) = self.current {
            match entry.cmp_key(date_time, &key) {
                Ordering::Less => return false,
                Ordering::Equal => return true,
                Ordering::Greater => {}
            }
            steps += 1;
            if steps % STEPS_BEFORE_LEAP == 0 {
                check_for_interrupts!();
                self.keys.seek(entry.date_time, &entry.key);
            }
            self.current = self.keys.advance();
        }
        false
    }
}

/// The rows of batches without those that the history has.
struct NewRows<'a, 'b> {
    next_batch: &'a mut NextBatch<'b>,
    /// None when the history is empty and its index is not to be looked at.
    known: Option<Known<'a>>,
    counts: &'a mut DailyCounts,
    progress: &'a Progress,
    batch: Batch,
    /// The stretches of new rows in the batch, in bytes.
    new: Vec<Range<usize>>,
    /// How many of these have been given.
    given: usize,
    started: bool,
    appended: Appended,
    /// What ended the batches too early; COPY is told that they are over.
    error: Option<LoadError>,
}

impl NewRows<'_, '_> {
    /// Finds out which rows of the batch are new.
    fn compare(&mut self) {
        self.new.clear();
        self.given = 0;
        self.appended.duplicates += self.batch.duplicates as u64;
        let mut start = 0;
        for entry in &self.batch.entries {
            let row = start..entry.end as usize;
            start = row.end;
            let known = self.known.as_mut().filter(|known| !known.is_over());
            if known.is_some_and(|known| known.has(entry)) {
                self.appended.duplicates += 1;
                continue;
            }
            self.appended.inserted += 1;
            self.counts.add(entry.date_time.day(), entry.group);
            match self.new.last_mut() {
                Some(last) if last.end == row.start => last.end = row.end,
                _ => self.new.push(row),
            }
        }
    }
}

impl NewRows<'_, '_> {
    /// Appends all rows and returns how many.
    fn append_to(&mut self, append: &mut HeapAppend<'_>) -> u64 {
        let mut taken = 0;
        while let Some(range) = self.next_range() {
            taken += append.append(&mut self.batch.rows[range]);
        }
        taken
    }

    /// Where the next rows stand in the batch.
    fn next_range(&mut self) -> Option<Range<usize>> {
        if !self.started {
            self.started = true;
            self.progress.publish();
        }
        while self.given == self.new.len() {
            check_for_interrupts!();
            match (self.next_batch)() {
                Ok(Some(batch)) => self.batch = batch,
                Ok(None) => return None,
                Err(error) => {
                    self.error = Some(error);
                    return None;
                }
            }
            self.compare();
        }
        self.given += 1;
        Some(self.new[self.given - 1].clone())
    }
}

impl Rows for NewRows<'_, '_> {
    fn next_rows(&mut self) -> Option<&[u8]> {
        let range = self.next_range()?;
        Some(&self.batch.rows[range])
    }
}
