//! Values of columns of numbers that are no numbers: details keep them as texts.

use crate::feed::definition::{ColumnId, Definition};

/// How many such values some trips have, by their columns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NotNumbers(Vec<(ColumnId, u64)>);

impl NotNumbers {
    /// Adds those of a trip: one value for each of the columns.
    #[inline]
    pub fn add(&mut self, columns: &[ColumnId]) {
        for column in columns {
            self.add_count(*column, 1);
        }
    }

    /// Adds those of other trips.
    pub fn join(&mut self, other: &Self) {
        for (column, count) in &other.0 {
            self.add_count(*column, *count);
        }
    }

    fn add_count(&mut self, column: ColumnId, count: u64) {
        match self.0.binary_search_by_key(&column, |(known, _)| *known) {
            Ok(at) => self.0[at].1 += count,
            Err(at) => self.0.insert(at, (column, count)),
        }
    }

    /// The name of each column that has such values, and their number, in the order of their names.
    #[must_use]
    pub fn named(&self, feed: &Definition) -> Vec<(String, u64)> {
        self.0.iter().map(|(column, count)| (feed.get(*column).name.clone(), *count)).collect()
    }
}
