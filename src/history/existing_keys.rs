//! The keys of the history, walked in parallel with the keys of a run.

use std::cmp::Ordering;
use std::collections::TryReserveError;

use pgrx::check_for_interrupts;
use trips_core::key::TripKey;
use trips_core::model::timestamp::Timestamp;
use trips_core::sort::batch::BatchEntry;

use crate::pg::index_scan::KeyScan;
use crate::pg::relation::Table;
use crate::pg::stored_row::StoredColumns;

/// After this many keys of the history that the batch does not have, the scan jumps to the batch's next key: a step
/// costs a fraction of a descent into the index.
const STEPS_BEFORE_LEAP: u32 = 64;
/// The same when the key before needed a jump: if a small batch is compared with a large history, its next key is far,
/// too.
const STEPS_AFTER_LEAP: u32 = 8;

/// The keys of a partition of the history, walked in parallel with the keys of a run.
pub struct ExistingKeys<'a> {
    keys: KeyScan<'a>,
    /// The current key; None before the beginning and after the end.
    current: Option<(Timestamp, TripKey)>,
    is_begun: bool,
    /// Whether the scan jumped to the last key.
    has_leapt: bool,
}

impl<'a> ExistingKeys<'a> {
    /// Opens the primary key of a partition.
    pub fn open(table: &'a Table) -> Self {
        Self { keys: KeyScan::open(table), current: None, is_begun: false, has_leapt: false }
    }

    fn advance(&mut self) -> Option<(Timestamp, TripKey)> {
        self.keys.advance().map(|(micros, key)| (Timestamp(micros), key))
    }

    /// Replaces `out` by the values of the row whose key was found last. Returns whether there is such a row.
    pub fn read_row(
        &mut self,
        columns: &StoredColumns,
        out: &mut Vec<u8>,
    ) -> Result<bool, TryReserveError> {
        self.keys.read_row(columns, out)
    }

    /// Whether all entries are compared.
    pub fn is_over(&self) -> bool {
        self.is_begun && self.current.is_none()
    }

    /// Moves to the first key that is not before the entry's, and returns whether the two are equal.
    pub fn has(&mut self, entry: &BatchEntry) -> bool {
        self.has_key(entry.date_time, &entry.key)
    }

    /// The same for a time and a key.
    pub fn has_key(&mut self, time: Timestamp, wanted: &TripKey) -> bool {
        if !self.is_begun {
            self.is_begun = true;
            self.keys.seek(time.0, wanted);
            self.current = self.advance();
        }
        let patience = if self.has_leapt { STEPS_AFTER_LEAP } else { STEPS_BEFORE_LEAP };
        let mut steps = 0;
        while let Some((date_time, key)) = self.current {
            match (time, wanted).cmp(&(date_time, &key)) {
                Ordering::Less => {
                    // Entries without a step give no information about distances.
                    self.has_leapt = steps > patience || (steps == 0 && self.has_leapt);
                    return false;
                }
                Ordering::Equal => {
                    self.has_leapt = steps > patience;
                    return true;
                }
                Ordering::Greater => {}
            }
            steps += 1;
            // After a jump, no key is before that of the entry.
            if steps == patience + 1 {
                check_for_interrupts!();
                self.keys.seek(time.0, wanted);
            }
            self.current = self.advance();
        }
        false
    }
}
