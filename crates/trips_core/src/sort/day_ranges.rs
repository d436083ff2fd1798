//! The days with trips of a load, as a limited number of ranges.

use std::collections::TryReserveError;

/// Ranges that are kept. Beyond, the closest ones are joined.
pub const MOST_RANGES: usize = 1000;

/// Ranges of days since 2000-01-01, both ends inside.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DayRanges {
    /// Not sorted beyond the last call of [`DayRanges::take`]; the last range grows most often.
    ranges: Vec<(i32, i32)>,
}

impl DayRanges {
    /// Adds a day.
    ///
    /// # Errors
    /// When there is no memory.
    #[inline]
    pub fn add(&mut self, day: i32) -> Result<(), TryReserveError> {
        self.add_range(day, day)
    }

    /// Adds the days from the first to the last.
    ///
    /// # Errors
    /// When there is no memory.
    #[inline]
    pub fn add_range(&mut self, first: i32, last: i32) -> Result<(), TryReserveError> {
        if let Some((from, to)) = self.ranges.last_mut()
            && first >= *from
            && first <= to.saturating_add(1)
        {
            *to = last.max(*to);
            return Ok(());
        }
        if self.ranges.len() >= 2 * MOST_RANGES {
            self.join();
        }
        self.ranges.try_reserve(1)?;
        self.ranges.push((first, last.max(first)));
        Ok(())
    }

    /// Takes the ranges, sorted and apart from each other.
    #[must_use]
    pub fn take(&mut self) -> Vec<(i32, i32)> {
        self.join();
        std::mem::take(&mut self.ranges)
    }

    /// Sorts the ranges, and joins those that touch, and then the closest ones if there are too many.
    fn join(&mut self) {
        self.ranges.sort_unstable();
        self.join_closer_than(1);
        let excess = self.ranges.len().saturating_sub(MOST_RANGES);
        if excess > 0 {
            let mut gaps: Vec<i64> =
                self.ranges.windows(2).map(|pair| gap(pair[0], pair[1])).collect();
            gaps.sort_unstable();
            let limit = gaps[excess - 1];
            self.join_closer_than(limit);
        }
    }

    /// Joins neighbours whose gap is at most this long.
    fn join_closer_than(&mut self, limit: i64) {
        let mut joined: usize = 0;
        for i in 1..self.ranges.len() {
            let next = self.ranges[i];
            let last = &mut self.ranges[joined];
            if gap(*last, next) <= limit {
                last.1 = last.1.max(next.1);
            } else {
                joined += 1;
                self.ranges[joined] = next;
            }
        }
        self.ranges.truncate(joined + 1);
    }
}

/// Days from the end of a range to the begin of the next.
fn gap(before: (i32, i32), after: (i32, i32)) -> i64 {
    i64::from(after.0) - i64::from(before.1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn few_days_are_kept_exactly(days in prop::collection::vec(-400..400_i32, 0..300)) {
            let mut ranges = DayRanges::default();
            days.iter().for_each(|&day| ranges.add(day).unwrap());
            let taken = ranges.take();
            let mut sorted = days.clone();
            sorted.sort_unstable();
            sorted.dedup();
            let all: Vec<i32> = taken.iter().flat_map(|&(first, last)| first..=last).collect();
            prop_assert_eq!(all, sorted);
            prop_assert!(taken.windows(2).all(|pair| gap(pair[0], pair[1]) > 1));
        }

        #[test]
        fn many_days_are_contained(step in 2..400_i32, count in 1_900..4_500_i32, extremes in any::<bool>()) {
            let mut ranges = DayRanges::default();
            let days: Vec<i32> = (0..count).map(|i| (i * 7919 % count) * step).collect();
            days.iter().for_each(|&day| ranges.add(day).unwrap());
            if extremes {
                ranges.add_range(i32::MIN, i32::MIN + 1).unwrap();
                ranges.add(i32::MAX).unwrap();
            }
            let taken = ranges.take();
            prop_assert!(taken.len() <= MOST_RANGES);
            let has = |day: i32| taken.iter().any(|&(first, last)| (first..=last).contains(&day));
            prop_assert!(days.iter().all(|&day| has(day)));
            prop_assert!(!extremes || has(i32::MAX) && taken[0] == (i32::MIN, i32::MIN + 1));
        }
    }
}
