//! The plan of a file: the fields of each column of a trip, resolved once from its header.

use std::borrow::Cow;
use std::sync::Arc;

use crate::columns::{KEY_COUNT, TripColumn};
use crate::feed::{Feed, SourceNames};
use crate::text::escape::quoted;
use crate::text::whitespace;

/// The source of the value of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnSource {
    /// A field of the record, by its position from 0.
    Field(usize),
    /// Two fields, of a longitude and of a latitude in degrees.
    FieldPair {
        /// Position of the longitude.
        longitude: usize,
        /// Position of the latitude.
        latitude: usize,
    },
}

/// How the records of one file become trips.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Number of fields of a record of this file.
    pub field_count: usize,
    /// The names of the fields, escaped and quoted, that no column uses.
    pub unused: Vec<String>,
    /// The source of each column, in the order of [`TripColumn::ALL`].
    sources: [ColumnSource; KEY_COUNT],
    /// The fields that no column uses.
    unused_fields: Vec<usize>,
    /// The names that detection of a later header needs.
    names: Arc<FieldNames>,
}

/// The names of a feed's fields, as names are compared.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FieldNames {
    feed: Feed,
    /// Every spelling, with the number of its field.
    spellings: Vec<(Vec<u8>, u8)>,
    /// The same, of letters and digits only.
    letters: Vec<(Vec<u8>, u8)>,
    /// Number of fields of the feed.
    pub(crate) count: usize,
    shortest: usize,
}

/// Why the fields of a header do not give a plan.
#[derive(Debug)]
pub(crate) enum Unresolved {
    /// Fields of the feed are missing: their names, alternatives joined by "or".
    Missing(Vec<String>),
    /// A field of the feed is there twice, with these numbers from 1.
    Duplicate { name: String, first: usize, second: usize },
}

impl Plan {
    /// The plan for a file of a feed whose fields have these names.
    pub(crate) fn of_header<'v>(
        feed: &Feed,
        names: impl Iterator<Item = Cow<'v, [u8]>>,
    ) -> Result<Self, Unresolved> {
        Self::of_names(&FieldNames::of(feed), names)
    }

    /// As [`Plan::of_header`], with prepared names of the feed.
    pub(crate) fn of_names<'v>(
        names: &Arc<FieldNames>,
        values: impl Iterator<Item = Cow<'v, [u8]>>,
    ) -> Result<Self, Unresolved> {
        let found: Vec<String> = values.map(|value| normal(&value)).collect();
        let mut finder = Finder { names: &found, used: vec![false; found.len()], missing: vec![] };
        let mut sources = [ColumnSource::Field(0); KEY_COUNT];
        for (source, column) in sources.iter_mut().zip(TripColumn::ALL) {
            *source = match names.feed.names_of(column) {
                SourceNames::Field(names) => ColumnSource::Field(finder.find(names)?),
                SourceNames::FieldPair { longitude, latitude } => ColumnSource::FieldPair {
                    longitude: finder.find(longitude)?,
                    latitude: finder.find(latitude)?,
                },
            };
        }
        let Finder { used, missing, .. } = finder;
        if !missing.is_empty() {
            return Err(Unresolved::Missing(missing));
        }
        let unused_fields: Vec<usize> = (0..found.len()).filter(|&at| !used[at]).collect();
        let unused = unused_fields.iter().map(|&at| quoted(found[at].as_bytes())).collect();
        Ok(Self { field_count: found.len(), unused, sources, unused_fields, names: names.clone() })
    }

    /// The source of a column.
    #[must_use]
    #[inline]
    pub fn source(&self, column: TripColumn) -> ColumnSource {
        self.sources[column as usize]
    }

    /// The names of the feed's fields.
    pub(crate) fn names(&self) -> &Arc<FieldNames> {
        &self.names
    }

    /// Whether both read records in the same way.
    #[must_use]
    pub fn reads_as(&self, other: &Self) -> bool {
        self.positions() == other.positions()
    }

    /// The number of fields, and the positions of the feed's fields: the arguments of [`Plan::of_positions`].
    pub(crate) fn positions(&self) -> Vec<usize> {
        let mut positions = vec![self.field_count];
        for source in self.sources {
            match source {
                ColumnSource::Field(at) => positions.push(at),
                ColumnSource::FieldPair { longitude, latitude } => {
                    positions.extend([longitude, latitude])
                }
            }
        }
        positions
    }

    /// The plan of the same feed with these positions; None if they are not valid.
    pub(crate) fn of_positions(&self, positions: &[usize]) -> Option<Self> {
        let (&field_count, fields) = positions.split_first()?;
        let distinct = fields.iter().enumerate().all(|(i, at)| !fields[..i].contains(at));
        if !distinct
            || fields.len() != self.names.count
            || fields.iter().any(|&at| at >= field_count)
        {
            return None;
        }
        let mut next = fields.iter().copied();
        let mut sources = self.sources;
        for source in &mut sources {
            *source = match source {
                ColumnSource::Field(_) => ColumnSource::Field(next.next()?),
                ColumnSource::FieldPair { .. } => {
                    ColumnSource::FieldPair { longitude: next.next()?, latitude: next.next()? }
                }
            };
        }
        let unused_fields = (0..field_count).filter(|at| !fields.contains(at)).collect();
        let (names, unused) = (self.names.clone(), Vec::new());
        Some(Self { field_count, unused, sources, unused_fields, names })
    }

    /// The fields that no column uses.
    pub(crate) fn unused_fields(&self) -> &[usize] {
        &self.unused_fields
    }
}

impl FieldNames {
    fn of(feed: &Feed) -> Arc<Self> {
        let mut fields = Vec::new();
        for column in TripColumn::ALL {
            match feed.names_of(column) {
                SourceNames::Field(names) => fields.push(names),
                SourceNames::FieldPair { longitude, latitude } => {
                    fields.extend([longitude, latitude]);
                }
            }
        }
        let count = fields.len();
        let spellings: Vec<(Vec<u8>, u8)> = (0_u8..)
            .zip(fields)
            .flat_map(|(at, names)| names.iter().map(move |name| (name, at)))
            .map(|(name, at)| (normal(name.as_bytes()).into_bytes(), at))
            .collect();
        let only_letters = |(name, at): &(Vec<u8>, u8)| (letters(name).collect::<Vec<u8>>(), *at);
        let letters: Vec<_> = spellings.iter().map(only_letters).collect();
        let shortest = letters.iter().map(|(name, _)| name.len()).min().unwrap_or(0);
        Arc::new(Self { feed: feed.clone(), spellings, letters, count, shortest })
    }

    /// The number of the field that a text seems to name. Only letters and digits count, and a prefix up to the last
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

/// A column's name in the form for comparisons.
fn normal(name: &[u8]) -> String {
    String::from_utf8_lossy(whitespace::trim_name(name)).to_ascii_lowercase()
}

struct Finder<'a> {
    names: &'a [String],
    used: Vec<bool>,
    missing: Vec<String>,
}

impl Finder<'_> {
    /// The position of the field with one of these names; 0, and a note, if it is missing.
    fn find(&mut self, spellings: &[String]) -> Result<usize, Unresolved> {
        let is_it = |name: &String| spellings.iter().any(|s| normal(s.as_bytes()) == *name);
        let mut found = (0..self.names.len()).filter(|&i| is_it(&self.names[i]));
        match (found.next(), found.next()) {
            (Some(first), Some(second)) => Err(Unresolved::Duplicate {
                name: spellings[0].clone(),
                first: first + 1,
                second: second + 1,
            }),
            (Some(at), None) => {
                self.used[at] = true;
                Ok(at)
            }
            (None, _) => {
                self.missing.push(spellings.join(" or "));
                Ok(0)
            }
        }
    }
}
