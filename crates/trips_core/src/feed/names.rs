//! The names of a feed's columns, as records are searched for them: a record with such names may be another header.

use crate::feed::definition::{ColumnId, Definition, Required};
use crate::text::whitespace;

/// The most columns that are searched for: a set of them is the bits of a `u128`.
const MAX_COLUMNS: usize = 128;

/// The names of the columns that some version of a feed requires.
#[derive(Debug, Clone)]
pub(crate) struct FieldNames {
    /// Every spelling, in lower case, with the number of its column.
    spellings: Vec<(Vec<u8>, u8)>,
    /// The same, of letters and digits only.
    letters: Vec<(Vec<u8>, u8)>,
    /// The smallest number of columns that a version requires.
    pub(crate) count: usize,
    shortest: usize,
}

impl FieldNames {
    pub(crate) fn of(feed: &Definition) -> Self {
        let mut columns: Vec<ColumnId> =
            feed.versions.iter().flat_map(|v| &v.required).map(Required::column).collect();
        columns.sort_unstable();
        columns.dedup();
        columns.truncate(MAX_COLUMNS);
        let count = feed.versions.iter().map(|version| version.required.len()).min().unwrap_or(0);
        let spellings: Vec<(Vec<u8>, u8)> = (0_u8..)
            .zip(columns)
            .flat_map(|(number, id)| feed.get(id).folded.iter().map(move |name| (name, number)))
            .map(|(name, number)| (name.clone().into_bytes(), number))
            .collect();
        let only_letters = |(name, at): &(Vec<u8>, u8)| (letters(name).collect::<Vec<u8>>(), *at);
        let letters: Vec<_> =
            spellings.iter().map(only_letters).filter(|(name, _)| !name.is_empty()).collect();
        let shortest = letters.iter().map(|(name, _)| name.len()).min().unwrap_or(0);
        Self { spellings, letters, count, shortest }
    }

    /// The number of the column that a text seems to name. Only letters and digits count, and a prefix up to the last
    /// dot does not (`#Region`, `[Origin Coord]`, `trips.date_time`).
    pub(crate) fn resembles(&self, value: &[u8]) -> Option<u8> {
        if value.len() < self.shortest {
            return None;
        }
        let name = memchr::memrchr(b'.', value).map_or(value, |point| &value[point + 1..]);
        let first = letters(name).next()?;
        let is_it = |spelling: &&(Vec<u8>, u8)| {
            spelling.0.first() == Some(&first) && letters(name).eq(spelling.0.iter().copied())
        };
        self.letters.iter().find(is_it).map(|(_, column)| *column)
    }

    /// All ways to split a name off the end of a field: the rest before it, and the name.
    pub(crate) fn at_the_end_of<'v>(
        &self,
        value: &'v [u8],
    ) -> impl Iterator<Item = (&'v [u8], &'v [u8])> {
        let value = whitespace::trim_name(value);
        let split = move |(name, _): &(Vec<u8>, u8)| {
            let (before, end) = value.split_at_checked(value.len().checked_sub(name.len())?)?;
            end.eq_ignore_ascii_case(name).then_some((before, end))
        };
        self.spellings.iter().filter_map(split)
    }

    /// All ways to split a name off the beginning of a field: the name, and the rest after it.
    pub(crate) fn at_the_beginning_of<'v>(
        &self,
        value: &'v [u8],
    ) -> impl Iterator<Item = (&'v [u8], &'v [u8])> {
        let value = whitespace::trim_name(value);
        let split = move |(name, _): &(Vec<u8>, u8)| {
            let (begin, behind) = value.split_at_checked(name.len())?;
            begin.eq_ignore_ascii_case(name).then_some((begin, behind))
        };
        self.spellings.iter().filter_map(split)
    }
}

/// The letters and digits of a name, in lower case.
fn letters(name: &[u8]) -> impl Iterator<Item = u8> {
    name.iter().filter(|byte| byte.is_ascii_alphanumeric()).map(u8::to_ascii_lowercase)
}
