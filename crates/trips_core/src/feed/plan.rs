//! The first record of a file: which of its columns is which part of a trip.

use std::borrow::Cow;
use std::sync::Arc;

use thiserror::Error;

use crate::check::trip_text::TripText;
use crate::feed::{Feed, PointColumns};
use crate::format::delimited::record::Record;
use crate::model::{point, timestamp};
use crate::text::escape::quoted;
use crate::text::whitespace;

/// Where the parts of a trip stand in the records of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// How many values a record of this file has.
    pub columns: usize,
    /// The columns, escaped and quoted, that are not a part of a trip and are not read.
    pub unused: Vec<String>,
    region: usize,
    origin: PointAt,
    destination: PointAt,
    date_time: usize,
    datasource: usize,
    /// The columns that are not read.
    others: Vec<usize>,
    /// The columns that are looked for, to know a header behind the first one.
    names: Arc<ColumnNames>,
}

/// The names of a feed's columns, as names are compared.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ColumnNames {
    feed: Feed,
    /// Every spelling, with the number of its column.
    spellings: Vec<(Vec<u8>, u8)>,
    /// The same, of letters and digits only.
    letters: Vec<(Vec<u8>, u8)>,
    /// How many columns the feed has.
    pub(crate) count: usize,
    shortest: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PointAt {
    Point(usize),
    LonLat { longitude: usize, latitude: usize },
}

/// Why a header does not fit a feed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ColumnError {
    /// A column of the feed is not there.
    #[error("column {} is missing", .missing.join(", "))]
    Missing {
        /// The names that were looked for, alternatives joined by "or".
        missing: Vec<String>,
        /// What the header has, escaped and cut.
        found: String,
        /// What the line seems to be instead.
        guess: Option<Guess>,
    },
    /// A column of the feed is there more than once.
    #[error("column {name} is there twice, as columns {first} and {second} of the file")]
    Duplicate {
        /// The name as the feed has it.
        name: String,
        /// Number of the column, from 1.
        first: usize,
        /// Number of the other column, from 1.
        second: usize,
    },
}

/// What a first line that is no header seems to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guess {
    /// A header whose names are separated by this character.
    Delimiter(char),
    /// A row of data: it has a point or a time.
    Data,
    /// The line `sep=…` that Excel reads.
    Separator,
}

impl Layout {
    /// Finds the feed's columns in a header, whatever their order, case and blanks around them.
    ///
    /// # Errors
    /// When a column of the feed is missing or there twice.
    pub fn resolve(feed: &Feed, header: &Record<'_>) -> Result<Self, ColumnError> {
        Self::of_names(&ColumnNames::of(feed), header.fields()).map_err(|error| match error {
            Unresolved::Missing(missing) => {
                let (found, guess) = (quoted(header.raw), guess(header));
                ColumnError::Missing { missing, found, guess }
            }
            Unresolved::Duplicate { name, first, second } => {
                ColumnError::Duplicate { name, first, second }
            }
        })
    }

    /// As [`Layout::resolve`], of values that need not be a record.
    pub(crate) fn of_names<'v>(
        columns: &Arc<ColumnNames>,
        values: impl Iterator<Item = Cow<'v, [u8]>>,
    ) -> Result<Self, Unresolved> {
        let names: Vec<String> = values.map(|value| normal(&value)).collect();
        let mut finder = Finder { names: &names, used: vec![false; names.len()], missing: vec![] };
        let feed = &columns.feed;
        let region = finder.find(&feed.region)?;
        let origin = finder.find_point(&feed.origin)?;
        let destination = finder.find_point(&feed.destination)?;
        let date_time = finder.find(&feed.date_time)?;
        let datasource = finder.find(&feed.datasource)?;
        let Finder { used, missing, .. } = finder;
        if !missing.is_empty() {
            return Err(Unresolved::Missing(missing));
        }
        let others: Vec<usize> = (0..names.len()).filter(|&at| !used[at]).collect();
        let unused = others.iter().map(|&at| quoted(names[at].as_bytes())).collect();
        let (columns, names) = (names.len(), columns.clone());
        Ok(Self {
            columns,
            unused,
            region,
            origin,
            destination,
            date_time,
            datasource,
            others,
            names,
        })
    }

    /// The names of the feed's columns.
    pub(crate) fn names(&self) -> &Arc<ColumnNames> {
        &self.names
    }

    /// Whether records are read alike by both.
    #[must_use]
    pub fn reads_as(&self, other: &Self) -> bool {
        self.places() == other.places()
    }

    /// How many columns there are, and where each of the feed's is: what [`Layout::of_places`] takes.
    pub(crate) fn places(&self) -> Vec<usize> {
        let mut places = vec![self.columns, self.region];
        for point in [self.origin, self.destination] {
            match point {
                PointAt::Point(at) => places.push(at),
                PointAt::LonLat { longitude, latitude } => places.extend([longitude, latitude]),
            }
        }
        places.extend([self.date_time, self.datasource]);
        places
    }

    /// The layout of the same feed with these places; none when they are no layout's.
    pub(crate) fn of_places(&self, places: &[usize]) -> Option<Self> {
        let (&columns, rest) = places.split_first()?;
        let distinct = rest.iter().enumerate().all(|(i, at)| !rest[..i].contains(at));
        if !distinct || rest.len() != self.names.count || rest.iter().any(|&at| at >= columns) {
            return None;
        }
        let mut rest = rest.iter().copied();
        let region = rest.next()?;
        let mut point = |like| {
            Some(match like {
                PointAt::Point(_) => PointAt::Point(rest.next()?),
                PointAt::LonLat { .. } => {
                    PointAt::LonLat { longitude: rest.next()?, latitude: rest.next()? }
                }
            })
        };
        let (origin, destination) = (point(self.origin)?, point(self.destination)?);
        let (date_time, datasource) = (rest.next()?, rest.next()?);
        let (names, unused) = (self.names.clone(), Vec::new());
        let others = (0..columns).filter(|at| !places[1..].contains(at)).collect();
        Some(Self {
            columns,
            unused,
            region,
            origin,
            destination,
            date_time,
            datasource,
            others,
            names,
        })
    }

    /// The columns that are not read.
    pub(crate) fn others(&self) -> &[usize] {
        &self.others
    }

    /// The texts that make a trip, from a record with the right number of values.
    ///
    /// # Panics
    /// When the record has fewer than [`Layout::columns`] values.
    #[must_use]
    pub fn texts<'a>(&self, record: &Record<'a>) -> TripText<'a> {
        let point = |at| match at {
            PointAt::Point(i) => record.field(i),
            PointAt::LonLat { longitude, latitude } => {
                well_known_text(&record.field(longitude), &record.field(latitude))
            }
        };
        TripText {
            region: record.field(self.region),
            origin_coord: point(self.origin),
            destination_coord: point(self.destination),
            date_time: record.field(self.date_time),
            datasource: record.field(self.datasource),
        }
    }
}

/// Why values are no header.
pub(crate) enum Unresolved {
    Missing(Vec<String>),
    Duplicate { name: String, first: usize, second: usize },
}

impl ColumnNames {
    fn of(feed: &Feed) -> Arc<Self> {
        let mut columns = vec![&feed.region];
        for point in [&feed.origin, &feed.destination] {
            match point {
                PointColumns::Point(names) => columns.push(names),
                PointColumns::LonLat { longitude, latitude } => {
                    columns.extend([longitude, latitude]);
                }
            }
        }
        columns.extend([&feed.date_time, &feed.datasource]);
        let count = columns.len();
        let spellings: Vec<(Vec<u8>, u8)> = (0_u8..)
            .zip(columns)
            .flat_map(|(at, names)| names.iter().map(move |name| (name, at)))
            .map(|(name, at)| (normal(name.as_bytes()).into_bytes(), at))
            .collect();
        let only_letters = |(name, at): &(Vec<u8>, u8)| (letters(name).collect::<Vec<u8>>(), *at);
        let letters: Vec<_> = spellings.iter().map(only_letters).collect();
        let shortest = letters.iter().map(|(name, _)| name.len()).min().unwrap_or(0);
        Arc::new(Self { feed: feed.clone(), spellings, letters, count, shortest })
    }

    /// The number of the column that a value seems to name: only letters and digits count, and what is before the
    /// last point does not (`#Region`, `[Origin Coord]`, `trips.date_time`).
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

    /// Every way to take a name off the end of a value: what is before it, and the name.
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

    /// Every way to take a name off the beginning of a value: the name, and what is behind it.
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

/// Two numbers as the text of a point; two empty values are no point.
fn well_known_text(longitude: &[u8], latitude: &[u8]) -> Cow<'static, [u8]> {
    if longitude.trim_ascii().is_empty() && latitude.trim_ascii().is_empty() {
        return Cow::Borrowed(b"");
    }
    Cow::Owned([b"POINT (", longitude.trim_ascii(), b" ", latitude.trim_ascii(), b")"].concat())
}

/// The letters and digits of a name, in lower case.
fn letters(name: &[u8]) -> impl Iterator<Item = u8> {
    name.iter().filter(|byte| byte.is_ascii_alphanumeric()).map(u8::to_ascii_lowercase)
}

/// A column's name as names are compared.
fn normal(name: &[u8]) -> String {
    String::from_utf8_lossy(whitespace::trim_name(name)).to_ascii_lowercase()
}

/// What a line that lacks the names of columns seems to be.
fn guess(line: &Record<'_>) -> Option<Guess> {
    let is_data = |value: Cow<'_, [u8]>| {
        matches!(point::parse(&value), Ok(Some(_)))
            || matches!(timestamp::parse(&value), Ok(Some(_)))
    };
    if line.raw.to_ascii_lowercase().starts_with(b"sep=") {
        Some(Guess::Separator)
    } else if line.fields().any(is_data) {
        Some(Guess::Data)
    } else if line.raw.contains(&b',') {
        None
    } else {
        let is_there = |c: &char| line.raw.contains(&(*c as u8));
        [';', '\t', '|'].into_iter().find(is_there).map(Guess::Delimiter)
    }
}

struct Finder<'a> {
    names: &'a [String],
    used: Vec<bool>,
    missing: Vec<String>,
}

impl Finder<'_> {
    /// The column with one of these names; 0, and a note, when there is none.
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

    fn find_point(&mut self, columns: &PointColumns) -> Result<PointAt, Unresolved> {
        Ok(match columns {
            PointColumns::Point(names) => PointAt::Point(self.find(names)?),
            PointColumns::LonLat { longitude, latitude } => {
                PointAt::LonLat { longitude: self.find(longitude)?, latitude: self.find(latitude)? }
            }
        })
    }
}
