//! Trips counted by day and group, for the roll-up.

use std::collections::HashMap;

/// Counts of trips by day (days since 2000-01-01) and group (see [`crate::batch::Groups`]).
///
/// Trips come in the order of time: the counts of one day are in a list, those of the days before in
/// a map.
#[derive(Debug, Default)]
pub struct DailyCounts {
    day: i32,
    of_day: Vec<u64>,
    /// The groups that have a count in `of_day`.
    touched: Vec<u32>,
    before: HashMap<(i32, u32), u64>,
}

impl DailyCounts {
    /// Counts one trip.
    pub fn add(&mut self, day: i32, group: u32) {
        if day != self.day {
            self.end_day();
            self.day = day;
        }
        let at = group as usize;
        if at >= self.of_day.len() {
            self.of_day.resize(at + 1, 0);
        }
        if self.of_day[at] == 0 {
            self.touched.push(group);
        }
        self.of_day[at] += 1;
    }

    fn end_day(&mut self) {
        for group in self.touched.drain(..) {
            let count = std::mem::take(&mut self.of_day[group as usize]);
            *self.before.entry((self.day, group)).or_default() += count;
        }
    }

    /// Takes the counts out, ordered by day and group.
    pub fn take_sorted(&mut self) -> Vec<(i32, u32, u64)> {
        self.end_day();
        let mut counts: Vec<_> =
            self.before.drain().map(|((day, group), count)| (day, group, count)).collect();
        counts.sort_unstable();
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_groups_are_counted() {
        let mut counts = DailyCounts::default();
        for (day, group) in [(0, 1), (0, 1), (2, 0), (0, 3), (0, 1), (2, 0)] {
            counts.add(day, group);
        }
        assert_eq!(counts.take_sorted(), [(0, 1, 3), (0, 3, 1), (2, 0, 2)]);
        assert!(counts.take_sorted().is_empty());
    }
}
