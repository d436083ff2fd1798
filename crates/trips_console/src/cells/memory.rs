//! The slices that are in memory, and those that pages wait for.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Period, Slice};
use crate::answer::ApiError;

/// Memory for all slices.
const MEMORY: usize = 48 << 20;
/// Cells of slices do not get larger than those of this resolution, because of memory.
const COARSEST: i32 = 5;

pub struct Kept {
    pub slice: Arc<Slice>,
    /// When it was used last: a number that grows. 0: it was counted ahead, and no page has wanted it.
    pub used: u64,
}

pub struct Memory {
    pub slices: HashMap<Period, Kept>,
    /// Periods to count, with their versions. The newest comes first.
    pub waiting: HashMap<Period, String>,
    /// The last count that failed, and why. Only a page that wants this period is told.
    pub failure: Option<(Period, ApiError)>,
    pub uses: u64,
    /// Bytes that the slices may take.
    memory: usize,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            slices: HashMap::new(),
            waiting: HashMap::new(),
            failure: None,
            uses: 0,
            memory: MEMORY,
        }
    }
}

impl Memory {
    pub fn has(&self, period: &Period, version: &str) -> bool {
        self.slices.get(period).is_some_and(|kept| kept.slice.version == version)
    }

    /// Bytes of all slices.
    fn size(&self) -> usize {
        self.slices.values().map(|kept| kept.slice.size()).sum()
    }

    /// Keeps a slice that no page has wanted yet, if there is room: false if not.
    pub fn keep_ahead(&mut self, period: Period, slice: Slice) -> bool {
        let has_room = self.size() + slice.size() <= self.memory;
        if has_room {
            self.slices.insert(period, Kept { slice: Arc::new(slice), used: 0 });
        }
        has_room
    }

    /// Keeps a slice. If there is not enough memory for all, those go first that were counted ahead and that no page has
    /// wanted. Then the largest slices get larger cells; then those go that were not used for the longest time.
    ///
    /// # Errors
    /// When the last request needs all of them. Without an error, its page would have them counted again for ever.
    pub fn keep(&mut self, period: Period, slice: Slice) -> Result<(), ApiError> {
        self.failure.take_if(|failed| failed.0 == period);
        let used = self.uses;
        self.slices.insert(period, Kept { slice: Arc::new(slice), used });
        while self.size() > self.memory {
            let oldest = self.slices.iter().map(|(period, kept)| (kept.used, *period)).min();
            match oldest.filter(|_| self.slices.len() > 1) {
                Some((0, oldest)) => {
                    self.slices.remove(&oldest);
                }
                _ if self.make_coarser() => (),
                None => break,
                Some((last_used, _)) if last_used == used => {
                    self.slices.remove(&period);
                    return Err(ApiError::busy(
                        "the counts of this period need more memory than the page may use",
                        "Choose a shorter period.",
                    ));
                }
                Some((_, oldest)) => {
                    self.slices.remove(&oldest);
                }
            }
        }
        Ok(())
    }

    /// Makes the cells of the largest slice larger; false if all have the largest ones.
    fn make_coarser(&mut self) -> bool {
        let fine = self.slices.values_mut().filter(|kept| kept.slice.resolution() > COARSEST);
        let Some(largest) = fine.max_by_key(|kept| kept.slice.size()) else { return false };
        largest.slice = Arc::new(largest.slice.coarser());
        true
    }
}

#[cfg(test)]
mod tests {
    use super::super::slice::Builder;
    use super::*;
    use crate::date::Date;

    fn month(number: u32) -> Period {
        let date = |day: u32| Date::parse(&format!("2024-{number:02}-{day:02}")).unwrap();
        (date(1), date(28))
    }

    /// The counts of trips that begin in a number of cells.
    fn slice(cells: i64) -> Slice {
        let mut builder = Builder::default();
        for cell in 0..cells {
            let row = ["3", "a", "x", &cell.to_string(), "1"].map(|text| Some(text.to_owned()));
            builder.add(row.to_vec());
        }
        builder.finish("v".into())
    }

    fn kept(memory: &Memory) -> Vec<Period> {
        let mut periods: Vec<_> = memory.slices.keys().copied().collect();
        periods.sort_unstable();
        periods
    }

    #[test]
    fn counts_ahead_take_no_room_from_those_that_pages_want() {
        let mut memory = Memory { memory: 3 * slice(100).size(), ..Memory::default() };
        memory.uses = 1;
        memory.keep(month(1), slice(100)).unwrap();
        assert!(memory.keep_ahead(month(2), slice(100)));
        assert!(memory.keep_ahead(month(3), slice(100)));
        assert!(!memory.keep_ahead(month(4), slice(100)), "there is no room");
        assert_eq!(kept(&memory), [1, 2, 3].map(month));
        memory.uses = 2;
        memory.keep(month(5), slice(100)).unwrap();
        assert_eq!(kept(&memory), [1, 3, 5].map(month), "one of those that no page has wanted");
        assert!(memory.slices.values().all(|kept| kept.slice.resolution() == 8));
    }

    #[test]
    fn a_period_that_needs_all_of_the_memory_is_an_error() {
        let mut memory = Memory { memory: 3 * slice(1).size() / 2, ..Memory::default() };
        memory.uses = 1;
        memory.keep(month(1), slice(1)).unwrap();
        assert!(memory.keep(month(2), slice(1)).is_err());
        assert_eq!(kept(&memory), [month(1)]);
        // Another request may have the memory.
        memory.uses = 2;
        memory.keep(month(2), slice(1)).unwrap();
        assert_eq!(kept(&memory), [month(2)]);
    }

    #[test]
    fn a_failure_stays_until_its_period_is_counted() {
        let failure = Some((month(1), ApiError::busy("a", "b")));
        let mut memory = Memory { failure, ..Memory::default() };
        memory.keep(month(2), slice(1)).unwrap();
        assert!(memory.failure.is_some());
        memory.keep(month(1), slice(1)).unwrap();
        assert!(memory.failure.is_none());
    }
}
