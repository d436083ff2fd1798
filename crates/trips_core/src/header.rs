//! The first record of a file: which of its columns is which part of a trip.

use std::borrow::Cow;

use thiserror::Error;

use crate::escape::quoted;
use crate::feed::{Feed, PointColumns};
use crate::record::Record;
use crate::trip::TripText;
use crate::{point, timestamp};

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
    /// The header itself, to know it when it comes again.
    names: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PointAt {
    Point(usize),
    LonLat { longitude: usize, latitude: usize },
}

/// Why a header does not fit a feed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HeaderError {
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
    pub fn resolve(feed: &Feed, header: &Record<'_>) -> Result<Self, HeaderError> {
        let names: Vec<String> = header.values().map(|value| normal(&value)).collect();
        let mut finder = Finder { names: &names, used: vec![false; names.len()], missing: vec![] };
        let region = finder.find(&feed.region)?;
        let origin = finder.find_point(&feed.origin)?;
        let destination = finder.find_point(&feed.destination)?;
        let date_time = finder.find(&feed.date_time)?;
        let datasource = finder.find(&feed.datasource)?;
        let Finder { used, missing, .. } = finder;
        if !missing.is_empty() {
            let (found, guess) = (quoted(header.raw), guess(header));
            return Err(HeaderError::Missing { missing, found, guess });
        }
        let is_unused = |(name, used): (&String, bool)| (!used).then(|| quoted(name.as_bytes()));
        let unused = names.iter().zip(used).filter_map(is_unused).collect();
        let columns = names.len();
        Ok(Self { columns, unused, region, origin, destination, date_time, datasource, names })
    }

    /// The texts that make a trip, from a record with the right number of values.
    ///
    /// # Panics
    /// When the record has fewer than [`Layout::columns`] values.
    #[must_use]
    pub fn texts<'a>(&self, record: &Record<'a>) -> TripText<'a> {
        let point = |at| match at {
            PointAt::Point(i) => record.value(i),
            PointAt::LonLat { longitude, latitude } => {
                well_known_text(&record.value(longitude), &record.value(latitude))
            }
        };
        TripText {
            region: record.value(self.region),
            origin_coord: point(self.origin),
            destination_coord: point(self.destination),
            date_time: record.value(self.date_time),
            datasource: record.value(self.datasource),
        }
    }

    /// Whether the record says what the header said.
    #[must_use]
    pub fn is_repeated_header(&self, record: &Record<'_>) -> bool {
        let repeats =
            |value: &[u8], name: &str| value.trim_ascii().eq_ignore_ascii_case(name.as_bytes());
        // Asked of every record: one look at the time settles it for all that are no header.
        record.len() == self.columns
            && repeats(&record.value(self.date_time), &self.names[self.date_time])
            && record.values().zip(&self.names).all(|(value, name)| repeats(&value, name))
    }
}

/// Two numbers as the text of a point; two empty values are no point.
fn well_known_text(longitude: &[u8], latitude: &[u8]) -> Cow<'static, [u8]> {
    if longitude.trim_ascii().is_empty() && latitude.trim_ascii().is_empty() {
        return Cow::Borrowed(b"");
    }
    Cow::Owned([b"POINT (", longitude.trim_ascii(), b" ", latitude.trim_ascii(), b")"].concat())
}

/// A column's name as names are compared.
fn normal(name: &[u8]) -> String {
    String::from_utf8_lossy(name.trim_ascii()).to_ascii_lowercase()
}

/// What a line that lacks the names of columns seems to be.
fn guess(line: &Record<'_>) -> Option<Guess> {
    let is_data = |value: Cow<'_, [u8]>| {
        matches!(point::parse(&value), Ok(Some(_)))
            || matches!(timestamp::parse(&value), Ok(Some(_)))
    };
    if line.raw.to_ascii_lowercase().starts_with(b"sep=") {
        Some(Guess::Separator)
    } else if line.values().any(is_data) {
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
    fn find(&mut self, spellings: &[String]) -> Result<usize, HeaderError> {
        let is_it = |name: &String| spellings.iter().any(|s| normal(s.as_bytes()) == *name);
        let mut found = (0..self.names.len()).filter(|&i| is_it(&self.names[i]));
        match (found.next(), found.next()) {
            (Some(first), Some(second)) => Err(HeaderError::Duplicate {
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

    fn find_point(&mut self, columns: &PointColumns) -> Result<PointAt, HeaderError> {
        Ok(match columns {
            PointColumns::Point(names) => PointAt::Point(self.find(names)?),
            PointColumns::LonLat { longitude, latitude } => {
                PointAt::LonLat { longitude: self.find(longitude)?, latitude: self.find(latitude)? }
            }
        })
    }
}
