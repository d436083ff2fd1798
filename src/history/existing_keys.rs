//! The keys of the history, walked in parallel with the keys of a run.

use std::cmp::Ordering;
use std::collections::TryReserveError;

use trips_core::key::TripKey;
use trips_core::model::timestamp::Timestamp;
use trips_core::sort::batch::BatchEntry;

use crate::pg::index_scan::{Key, KeyScan};
use crate::pg::interrupts;
use crate::pg::relation::Table;
use crate::pg::stored_row::StoredColumns;

/// After this many keys of the history that the batch does not have, the scan jumps to the batch's next key: a step
/// costs a fraction of a descent into the index. The second number applies after a jump, the third after two or more: if a
/// small batch is compared with a large history, its next key is far, too.
const STEPS_BEFORE_LEAP: [u32; 3] = [64, 8, 1];

/// Keys that are read ahead of the batch's after a jump, and at most: each time twice as many.
const FIRST_AHEAD: usize = 1;
const MOST_AHEAD: usize = 512;

/// The keys of a partition of the history, walked in parallel with the keys of a run.
pub struct ExistingKeys<'a> {
    keys: KeyScan<'a>,
    /// The current key; None before the beginning and after the end.
    current: Option<(Timestamp, u128)>,
    /// Keys that the scan has passed, and how many of them the walk has passed.
    ahead: (Vec<Key>, usize),
    /// So many keys are read ahead next; none if the rows of the keys are read.
    next_ahead: Option<usize>,
    is_begun: bool,
    /// How many keys in turn the scan has jumped to.
    leaps: usize,
}

impl<'a> ExistingKeys<'a> {
    /// Opens the primary key of a partition.
    pub fn open(table: &'a Table) -> Self {
        Self::over(KeyScan::open(table, true), Some(FIRST_AHEAD))
    }

    /// The same for a walk that reads rows.
    pub fn open_with_rows(table: &'a Table) -> Self {
        Self::over(KeyScan::open(table, false), None)
    }

    fn over(keys: KeyScan<'a>, next_ahead: Option<usize>) -> Self {
        let (current, ahead, is_begun, leaps) = (None, (Vec::new(), 0), false, 0);
        Self { keys, current, ahead, next_ahead, is_begun, leaps }
    }

    fn seek(&mut self, time: Timestamp, wanted: &TripKey) {
        self.keys.seek(time.0, wanted);
        let (ahead, at) = &mut self.ahead;
        ahead.clear();
        *at = 0;
        self.next_ahead = self.next_ahead.map(|_| FIRST_AHEAD);
    }

    fn count_leap(&mut self, has_leapt: bool) {
        self.leaps = if has_leapt { self.leaps.saturating_add(1) } else { 0 };
    }

    #[inline]
    fn advance(&mut self) -> Result<(), TryReserveError> {
        let (ahead, at) = &mut self.ahead;
        let key = match (ahead.get(*at), self.next_ahead) {
            (Some(key), _) => {
                *at += 1;
                Some(*key)
            }
            (None, None) => self.keys.advance(),
            (None, Some(count)) => {
                ahead.clear();
                self.keys.read_ahead(ahead, count)?;
                self.next_ahead = Some((count * 2).min(MOST_AHEAD));
                *at = 1;
                ahead.first().copied()
            }
        };
        self.current = key.map(|(micros, key)| (Timestamp(micros), u128::from_be_bytes(key)));
        Ok(())
    }

    /// Replaces `out` by the values of the row whose key was found last. Returns whether there is such a row.
    ///
    /// # Panics
    /// When the walk does not read rows: the scan is past the key.
    pub fn read_row(
        &mut self,
        columns: &StoredColumns,
        out: &mut Vec<u8>,
    ) -> Result<bool, TryReserveError> {
        assert!(self.next_ahead.is_none(), "the walk was opened without rows");
        self.keys.read_row(columns, out)
    }

    /// Whether all entries are compared.
    pub fn is_over(&self) -> bool {
        self.is_begun && self.current.is_none()
    }

    /// Moves to the first key that is not before the entry's, and returns whether the two are equal.
    ///
    /// # Errors
    /// When there is no memory.
    #[inline]
    pub fn has(&mut self, entry: &BatchEntry) -> Result<bool, TryReserveError> {
        self.has_key(entry.date_time, &entry.key)
    }

    /// The same for a time and a key.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn has_key(&mut self, time: Timestamp, wanted: &TripKey) -> Result<bool, TryReserveError> {
        let key = u128::from_be_bytes(*wanted);
        if !self.is_begun {
            self.is_begun = true;
            // A file of all trips of a partition begins where that does.
            let first = self.keys.first_from(&(time.0, *wanted));
            self.current = first.map(|(micros, key)| (Timestamp(micros), u128::from_be_bytes(key)));
        }
        let patience = STEPS_BEFORE_LEAP[self.leaps.min(2)];
        let mut steps = 0;
        while let Some(current) = self.current {
            match (time, key).cmp(&current) {
                Ordering::Less => {
                    // Entries without a step give no information about distances.
                    if steps > 0 {
                        self.count_leap(steps > patience);
                    }
                    return Ok(false);
                }
                Ordering::Equal => {
                    self.count_leap(steps > patience);
                    return Ok(true);
                }
                Ordering::Greater => {}
            }
            steps += 1;
            // After a jump, no key is before that of the entry.
            if steps == patience + 1 {
                interrupts::check();
                self.seek(time, wanted);
            }
            self.advance()?;
        }
        Ok(false)
    }
}
