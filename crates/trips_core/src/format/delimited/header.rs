//! The beginning of a file: its header, or what it is instead.

use std::borrow::Cow;
use std::io::{self, Read};

use thiserror::Error;

use crate::feed::Feed;
use crate::feed::plan::{Plan, Unresolved};
use crate::format::delimited::record::{FramingError, Record, RecordReader};
use crate::format::sniff::{self, FileKind};
use crate::model::error::SqlState;
use crate::model::{point, timestamp};
use crate::text::escape::quoted;

/// Number of unclosed quotes after which a file is not considered CSV.
pub const UNCLOSED_QUOTES: usize = 3;

/// The subject and the verb of a message about these columns, at least one.
fn columns_are(names: &[String]) -> String {
    match names {
        [name] => format!("column {name} is"),
        names => format!("columns {} are", names.join(", ")),
    }
}

/// Why a header does not fit a feed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ColumnError {
    /// A column of the feed is missing.
    #[error("{} missing", columns_are(.missing))]
    Missing {
        /// The expected names, alternatives joined by "or".
        missing: Vec<String>,
        /// The found header, escaped and shortened.
        found: String,
        /// What the line seems to be instead.
        guess: Option<Guess>,
    },
    /// A column of the feed appears more than once.
    #[error("column {name} appears twice, as columns {first} and {second}")]
    Duplicate {
        /// The name in the feed.
        name: String,
        /// Number of the column, from 1.
        first: usize,
        /// Number of the other column, from 1.
        second: usize,
    },
}

/// What a first line that is not a header seems to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guess {
    /// A header whose names are separated by this character.
    Delimiter(char),
    /// A row of data: it has a point or a time.
    Data,
    /// The line `sep=…` that Excel reads.
    Separator,
}

/// Why a file has no header of the feed.
#[derive(Debug, Error)]
pub enum HeaderError {
    /// It could not be read.
    #[error("could not read the file: {0}")]
    Read(#[from] io::Error),
    /// The file is empty.
    #[error("the file is empty")]
    Empty,
    /// It is something else.
    #[error("the file is {}: expected CSV in UTF-8", .0.name)]
    Kind(&'static FileKind),
    /// Its first record is faulty.
    #[error("invalid header: {0}")]
    Framing(FramingError),
    /// Its columns are not the feed's.
    #[error("invalid header: {0}")]
    Columns(ColumnError),
}

impl HeaderError {
    /// The SQLSTATE of the error.
    #[must_use]
    pub const fn sqlstate(&self) -> SqlState {
        match self {
            Self::Read(_) => SqlState::IoError,
            Self::Empty | Self::Kind(_) | Self::Framing(_) => SqlState::BadCopyFileFormat,
            Self::Columns(ColumnError::Missing { .. }) => SqlState::UndefinedColumn,
            Self::Columns(ColumnError::Duplicate { .. }) => SqlState::DuplicateColumn,
        }
    }
}

/// Finds the columns of a feed in the first record of a file.
///
/// # Errors
/// Why it is not a header.
pub fn read_header<R: Read>(
    feed: &Feed,
    reader: &mut RecordReader<R>,
    max_record: usize,
) -> Result<Plan, HeaderError> {
    let first = reader.peek(sniff::SNIFF_BYTES)?.to_vec();
    // Other formats are considered only for a file without a good header.
    let refuse = |error| sniff::kind_of(&first).map_or(error, HeaderError::Kind);
    // The search for the end of the line is limited; otherwise it could read the whole file without a check for
    // interrupts.
    let longest = max_record + 2;
    if is_endless(&first, sniff::SNIFF_BYTES) && is_endless(reader.peek(longest)?, longest) {
        return Err(refuse(HeaderError::Framing(FramingError::TooLong)));
    }
    let Some(header) = reader.next_record()? else {
        return Err(HeaderError::Empty);
    };
    if let Some(error) = header.error {
        return Err(refuse(HeaderError::Framing(error)));
    }
    resolve(feed, &header).map_err(|error| refuse(HeaderError::Columns(error)))
}

/// Whether this many bytes had no line end.
fn is_endless(bytes: &[u8], asked: usize) -> bool {
    bytes.len() == asked && !bytes.iter().any(|byte| matches!(byte, b'\n' | b'\r'))
}

/// Finds the fields of a feed in a header, in any order and case, with or without whitespace around them.
///
/// # Errors
/// When a field of the feed is missing or appears twice.
pub fn resolve(feed: &Feed, header: &Record<'_>) -> Result<Plan, ColumnError> {
    Plan::of_header(feed, header.fields()).map_err(|error| match error {
        Unresolved::Missing(missing) => {
            let (found, guess) = (quoted(header.raw), guess(header));
            ColumnError::Missing { missing, found, guess }
        }
        Unresolved::Duplicate { name, first, second } => {
            ColumnError::Duplicate { name, first, second }
        }
    })
}

/// What a line without the names of columns seems to be.
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
