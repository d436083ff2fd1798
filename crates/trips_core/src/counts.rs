//! Trips counted by region, datasource and day, for the roll-up.

use std::collections::HashMap;

/// What is counted together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Group {
    /// Days since 2000-01-01.
    pub day: i32,
    /// The region.
    pub region: String,
    /// The datasource, if it is known.
    pub datasource: Option<String>,
}

/// Counts of trips by [`Group`].
#[derive(Debug, Default)]
pub struct DailyCounts {
    // A day has few groups: a short list is found and searched faster than a text is hashed.
    days: HashMap<i32, Vec<(String, Option<String>, u64)>>,
}

impl DailyCounts {
    /// Counts one trip.
    pub fn add(&mut self, day: i32, region: &str, datasource: Option<&str>) {
        let groups = self.days.entry(day).or_default();
        let same = |group: &&mut (String, Option<String>, u64)| {
            group.0 == region && group.1.as_deref() == datasource
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.2 += 1,
            None => groups.push((region.to_owned(), datasource.map(str::to_owned), 1)),
        }
    }

    /// Whether nothing was counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.days.is_empty()
    }

    /// The groups in order, each with its count.
    #[must_use]
    pub fn into_sorted(self) -> Vec<(Group, u64)> {
        let flat = self.days.into_iter().flat_map(|(day, groups)| {
            groups
                .into_iter()
                .map(move |(region, datasource, n)| (Group { day, region, datasource }, n))
        });
        let mut groups: Vec<_> = flat.collect();
        groups.sort_unstable();
        groups
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_counted_and_sorted() {
        let mut counts = DailyCounts::default();
        for (day, region, source) in [
            (2, "b", None),
            (1, "b", Some("x")),
            (2, "b", None),
            (2, "b", Some("")),
            (2, "a", None),
        ] {
            counts.add(day, region, source);
        }
        let sorted = counts.into_sorted();
        let seen: Vec<_> = sorted
            .iter()
            .map(|(g, n)| (g.day, g.region.as_str(), g.datasource.as_deref(), *n))
            .collect();
        assert_eq!(
            seen,
            [(1, "b", Some("x"), 1), (2, "a", None, 1), (2, "b", None, 2), (2, "b", Some(""), 1)]
        );
    }
}
