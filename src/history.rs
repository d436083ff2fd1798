//! The history `trips.hist_trip_data`: what it has, and what goes in.

use std::ffi::CStr;

use pgrx::check_for_interrupts;
use trips_core::counts::DailyCounts;
use trips_core::run::{Entry, Run};

use crate::error::LoadError;
use crate::pg::copy::{Rows, copy_rows};
use crate::pg::index_scan::KeyScan;
use crate::pg::progress::Progress;
use crate::pg::relation::Table;

const COLUMNS: [&CStr; 7] = [
    c"region",
    c"origin_coord",
    c"destination_coord",
    c"date_time",
    c"datasource",
    c"trip_key",
    c"load_id",
];

/// After so many keys of the history that the run does not have, the scan leaps to the run's next
/// key: a step costs a fraction of a descent into the index.
const STEPS_BEFORE_LEAP: u32 = 200;

/// The history, held for one load: no other load writes to it.
///
/// One load at a time is what makes "not there yet" mean "not there": two loads of the same trips
/// follow each other, and the second sees the rows of the first.
pub struct History {
    table: Table,
}

impl History {
    /// Waits for other loads to commit and takes the history until this transaction ends.
    pub fn hold() -> Self {
        let table = Table::open_for_insert(c"hist_trip_data");
        table.lock_against_other_loads();
        Self { table }
    }

    /// Drops from a sorted run the trips that the history has. Returns how many.
    pub fn drop_known(&self, run: &mut Run) -> usize {
        if run.is_empty() {
            return 0;
        }
        let mut keys = KeyScan::open(&self.table);
        let first = run.entries()[0];
        keys.seek(first.date_time, &first.key);
        let mut current = keys.advance();
        let mut seen = 0_u32;
        run.retain(|entry| {
            seen = seen.wrapping_add(1);
            if seen.is_multiple_of(1024) {
                check_for_interrupts!();
            }
            !catch_up(&mut keys, &mut current, entry)
        })
    }

    /// Appends the trips of a run, in its order, and counts them by region, datasource and day.
    pub fn append(
        &self,
        run: &Run,
        counts: &mut DailyCounts,
        progress: &Progress,
    ) -> Result<u64, LoadError> {
        if run.is_empty() {
            return Ok(0);
        }
        for (i, entry) in run.entries().iter().enumerate() {
            if i.is_multiple_of(1024) {
                check_for_interrupts!();
            }
            let (region, datasource) = run.names(entry);
            counts.add(entry.date_time.day(), region, datasource);
        }
        let mut rows = RunRows { run, next: 0, progress };
        let (offered, taken) = (run.len() as u64, copy_rows(&self.table, &COLUMNS, &mut rows));
        if taken != offered {
            return Err(LoadError::RowsVanished { table: "hist_trip_data", offered, taken });
        }
        Ok(taken)
    }
}

type Key = (trips_core::timestamp::Timestamp, trips_core::key::TripKey);

/// Moves the scan to the first key that is not before the entry's, and says whether it is the entry's.
fn catch_up(keys: &mut KeyScan<'_>, current: &mut Option<Key>, entry: &Entry) -> bool {
    let mut steps = 0;
    while let Some((date_time, key)) = *current {
        match entry.cmp_key(date_time, &key) {
            std::cmp::Ordering::Less => return false,
            std::cmp::Ordering::Equal => return true,
            std::cmp::Ordering::Greater => {}
        }
        steps += 1;
        if steps % STEPS_BEFORE_LEAP == 0 {
            check_for_interrupts!();
            keys.seek(entry.date_time, &entry.key);
        }
        *current = keys.advance();
    }
    false
}

struct RunRows<'a> {
    run: &'a Run,
    next: usize,
    progress: &'a Progress,
}

impl Rows for RunRows<'_> {
    fn next_row(&mut self) -> Option<&[u8]> {
        if self.next == 0 {
            self.progress.publish();
        }
        let entry = self.run.entries().get(self.next)?;
        self.next += 1;
        Some(self.run.row(entry))
    }
}
