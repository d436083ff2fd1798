//! The beginning of a file: its header, or what it is instead.

use std::io::{self, Read};

use thiserror::Error;

use crate::check::reject::BadLine;
use crate::feed::choice::FeedChoice;
use crate::feed::plan::Plan;
use crate::format::delimited::record::{FramingError, RecordReader};
use crate::format::delimited::resolve::first_record;
pub use crate::format::delimited::resolve::{FirstRecord, first_names, plan_of_names, resolve};
use crate::format::sniff::{self, FileKind};
use crate::model::error::SqlState;
use crate::text::list::{columns_are, quoted_names};

/// Number of unclosed quotes after which a file is not considered CSV.
pub const UNCLOSED_QUOTES: usize = 3;

/// Delimiters that a file may have although no feed allows them.
const OTHER_DELIMITERS: [u8; 3] = [b';', b'\t', b'|'];

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
        /// The feed: the given one, or the nearest.
        feed: String,
        /// The feeds that the header is of, if the given feed is another one.
        fits: Vec<String>,
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
    /// No file of the given feed has this column.
    #[error("no file of feed \"{feed}\" has column {name}")]
    Excluded {
        /// The name.
        name: String,
        /// The feed.
        feed: String,
        /// The feeds that the header is of.
        fits: Vec<String>,
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
    /// Its first record cannot be read, and no other one near it.
    #[error("no record can be read: {0}")]
    Record(BadLine),
    /// Its columns are not the feed's.
    #[error("invalid header: {0}")]
    Columns(ColumnError),
    /// It is of several feeds.
    #[error("the header is of feeds {}", quoted_names(.0))]
    Tie(Vec<String>),
    /// It is the header of a station file of these feeds.
    #[error("the header is of a station file, of feed {}", quoted_names(.0))]
    Stations(Vec<String>),
    /// The given feed does not exist.
    #[error("feed \"{0}\" does not exist")]
    UnknownFeed(String),
    /// There are no feeds.
    #[error("no feed exists")]
    NoFeeds,
}

impl HeaderError {
    /// The SQLSTATE of the error.
    #[must_use]
    pub const fn sqlstate(&self) -> SqlState {
        match self {
            Self::Read(_) => SqlState::IoError,
            Self::Empty | Self::Kind(_) | Self::Framing(_) | Self::Record(_) => {
                SqlState::BadCopyFileFormat
            }
            Self::Columns(ColumnError::Missing { .. } | ColumnError::Excluded { .. })
            | Self::NoFeeds => SqlState::UndefinedColumn,
            Self::Stations(_) => SqlState::WrongObjectType,
            Self::UnknownFeed(_) => SqlState::UndefinedObject,
            Self::Tie(_) => SqlState::AmbiguousAlias,
            Self::Columns(ColumnError::Duplicate { .. }) => SqlState::DuplicateColumn,
        }
    }
}

/// Finds the feed of a file and its columns in the first record.
///
/// # Errors
/// Why it is not a header.
pub fn read_header<R: Read>(
    choice: &FeedChoice,
    reader: &mut RecordReader<R>,
    max_record: usize,
) -> Result<Plan, HeaderError> {
    read_first_record(choice, reader, max_record)?.plan
}

/// Reads the first record of a file as a header. This function alone decides which feed a file is of.
///
/// The delimiters of the feeds are tried one after the other, the comma first. The reader has the right one afterwards,
/// and the records after the header.
///
/// # Errors
/// The file cannot be read, is empty, or is of another kind; its first record cannot be divided into names.
pub fn read_first_record<R: Read>(
    choice: &FeedChoice,
    reader: &mut RecordReader<R>,
    max_record: usize,
) -> Result<FirstRecord, HeaderError> {
    let first = reader.peek(sniff::SNIFF_BYTES)?.to_vec();
    // Other formats are considered only for a file without a good header.
    let encoding = reader.encoding();
    let kind = || sniff::kind_of_encoding(encoding).or_else(|| sniff::kind_of(&first));
    let refuse = |error| kind().map_or(error, HeaderError::Kind);
    // The search for the end of the line is limited; otherwise it could read the whole file without a check for
    // interrupts.
    let longest = max_record + 2;
    if is_endless(&first, sniff::SNIFF_BYTES) && is_endless(reader.peek(longest)?, longest) {
        return Err(refuse(HeaderError::Framing(FramingError::TooLong)));
    }
    let mut nearest: Option<FirstRecord> = None;
    let mut framing = None;
    for delimiter in delimiters(choice) {
        reader.set_delimiter(delimiter);
        let Some(header) = reader.peek_record()? else {
            return Err(HeaderError::Empty);
        };
        if let Some(error) = header.error {
            framing = framing.or(Some(error));
            continue;
        }
        let found = first_record(choice, &header);
        if let Ok(plan) = &found.plan {
            let encodings = &plan.feed().definition.form.encodings;
            if let Some(kind) = sniff::kind_of_encoding(encoding)
                && !encodings.contains(&encoding)
            {
                return Err(HeaderError::Kind(kind));
            }
            reader.next_record()?;
            return Ok(found);
        }
        if nearest.as_ref().is_none_or(|it| found.distance < it.distance) {
            nearest = Some(found);
        }
    }
    let Some(nearest) = nearest else {
        return Err(refuse(framing.map_or(HeaderError::NoFeeds, HeaderError::Framing)));
    };
    match (kind(), &nearest.plan) {
        (Some(kind), _) => Err(HeaderError::Kind(kind)),
        (None, Err(HeaderError::Columns(_) | HeaderError::Tie(_) | HeaderError::Stations(_))) => {
            Ok(nearest)
        }
        (None, _) => Err(nearest.plan.err().unwrap_or(HeaderError::NoFeeds)),
    }
}

/// The delimiters that a file may have, then those that only an error names.
fn delimiters(choice: &FeedChoice) -> Vec<u8> {
    let mut delimiters = match choice.feed.as_ref().and_then(|name| choice.catalogue.get(name)) {
        Some(feed) => feed.form.dialects.iter().map(|dialect| dialect.delimiter).collect(),
        None => choice.catalogue.delimiters(),
    };
    let others = std::iter::once(b',').chain(OTHER_DELIMITERS);
    let others: Vec<u8> = others.filter(|other| !delimiters.contains(other)).collect();
    delimiters.extend(others);
    delimiters
}

/// Whether this many bytes had no line end.
fn is_endless(bytes: &[u8], asked: usize) -> bool {
    bytes.len() == asked && !bytes.iter().any(|byte| matches!(byte, b'\n' | b'\r'))
}
