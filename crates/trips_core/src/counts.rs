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

/// A datasource, or its absence, and how many trips.
type Datasources = HashMap<Option<String>, u64>;

/// Counts of trips by [`Group`].
#[derive(Debug, Default)]
pub struct DailyCounts {
    days: HashMap<i32, HashMap<String, Datasources>>,
    /// The key to look up with, so that a group that is there costs no allocation.
    datasource: Option<String>,
}

impl DailyCounts {
    /// Counts one trip.
    pub fn add(&mut self, day: i32, region: &str, datasource: Option<&str>) {
        match (&mut self.datasource, datasource) {
            (Some(key), Some(datasource)) => datasource.clone_into(key),
            (key, datasource) => *key = datasource.map(str::to_owned),
        }
        let regions = self.days.entry(day).or_default();
        if !regions.contains_key(region) {
            regions.insert(region.to_owned(), Datasources::new());
        }
        let Some(datasources) = regions.get_mut(region) else { return };
        match datasources.get_mut(&self.datasource) {
            Some(count) => *count += 1,
            None => {
                datasources.insert(self.datasource.clone(), 1);
            }
        }
    }

    /// Whether nothing was counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.days.is_empty()
    }

    /// Takes the groups out, in order, each with its count.
    pub fn take_sorted(&mut self) -> Vec<(Group, u64)> {
        let mut groups = Vec::new();
        for (day, regions) in self.days.drain() {
            for (region, datasources) in regions {
                for (datasource, count) in datasources {
                    groups.push((Group { day, region: region.clone(), datasource }, count));
                }
            }
        }
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
        let sorted = counts.take_sorted();
        let seen: Vec<_> = sorted
            .iter()
            .map(|(g, n)| (g.day, g.region.as_str(), g.datasource.as_deref(), *n))
            .collect();
        assert_eq!(
            seen,
            [(1, "b", Some("x"), 1), (2, "a", None, 1), (2, "b", None, 2), (2, "b", Some(""), 1)]
        );
        assert!(counts.is_empty());
    }
}
