//! The beginning of a file: its header, or what it is instead.

use std::borrow::Cow;
use std::io::{self, Read};
use std::sync::Arc;

use thiserror::Error;

use crate::columns::KEY_COUNT;
use crate::feed::Unresolved;
use crate::feed::choice::FeedChoice;
use crate::feed::definition::{Definition, Dialect};
use crate::feed::detect::Detection;
use crate::feed::file_feed::FileFeed;
use crate::feed::plan::Plan;
use crate::format::delimited::record::{FramingError, Record, RecordReader};
use crate::format::sniff::{self, FileKind};
use crate::model::decimal::DecimalMark;
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

/// The feed of a header that has no name of any feed.
const DEFAULT_FEED: &str = "trips";

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
    },
    /// The columns are those of a feed whose files have another delimiter.
    #[error("fields of feed \"{feed}\" are not separated by {delimiter:?}")]
    Delimiter {
        /// The delimiter of the header.
        delimiter: char,
        /// The feed.
        feed: String,
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

/// Names in double quotes, the last one after "and".
fn quoted_names(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [name] => format!("\"{name}\""),
        [others @ .., last] => {
            let others: Vec<String> = others.iter().map(|name| format!("\"{name}\"")).collect();
            format!("{} and \"{last}\"", others.join(", "))
        }
    }
}

impl HeaderError {
    /// How far the header is from one of a feed: of several delimiters, the nearest error is reported.
    fn distance(&self) -> usize {
        match self {
            // No feed has any of the names: the error is of the default feed.
            Self::Columns(ColumnError::Missing { missing, feed, .. })
                if feed == DEFAULT_FEED && missing.len() == KEY_COUNT =>
            {
                usize::MAX - 1
            }
            Self::Columns(ColumnError::Missing { missing, .. }) => missing.len(),
            Self::Columns(ColumnError::Delimiter { .. }) | Self::Framing(_) => usize::MAX,
            _ => 0,
        }
    }

    /// The SQLSTATE of the error.
    #[must_use]
    pub const fn sqlstate(&self) -> SqlState {
        match self {
            Self::Read(_) => SqlState::IoError,
            Self::Empty | Self::Kind(_) | Self::Framing(_) => SqlState::BadCopyFileFormat,
            Self::Columns(
                ColumnError::Missing { .. }
                | ColumnError::Excluded { .. }
                | ColumnError::Delimiter { .. },
            )
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
/// The delimiters of the feeds are tried one after the other, the comma first. The reader has the right one afterwards.
///
/// # Errors
/// Why it is not a header.
pub fn read_header<R: Read>(
    choice: &FeedChoice,
    reader: &mut RecordReader<R>,
    max_record: usize,
) -> Result<Plan, HeaderError> {
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
    let mut nearest: Option<HeaderError> = None;
    for delimiter in delimiters(choice) {
        reader.set_delimiter(delimiter);
        let Some(header) = reader.peek_record()? else {
            return Err(HeaderError::Empty);
        };
        let plan = match header.error {
            Some(error) => Err(HeaderError::Framing(error)),
            None => resolve(choice, &header),
        };
        match plan {
            Ok(plan) => {
                let encodings = &plan.feed().definition.form.encodings;
                if let Some(kind) = sniff::kind_of_encoding(encoding)
                    && !encodings.contains(&encoding)
                {
                    return Err(HeaderError::Kind(kind));
                }
                reader.next_record()?;
                return Ok(plan);
            }
            Err(error) if nearest.as_ref().is_none_or(|it| error.distance() < it.distance()) => {
                nearest = Some(error);
            }
            Err(_) => {}
        }
    }
    Err(refuse(nearest.unwrap_or(HeaderError::NoFeeds)))
}

/// The delimiters that a file may have.
fn delimiters(choice: &FeedChoice) -> Vec<u8> {
    match choice.feed.as_ref().and_then(|name| choice.catalogue.get(name)) {
        Some(feed) => feed.form.dialects.iter().map(|dialect| dialect.delimiter).collect(),
        None => choice.catalogue.delimiters(),
    }
}

/// Whether this many bytes had no line end.
fn is_endless(bytes: &[u8], asked: usize) -> bool {
    bytes.len() == asked && !bytes.iter().any(|byte| matches!(byte, b'\n' | b'\r'))
}

/// Finds the feed of a header, and its columns: in any order and case, with or without whitespace around them.
///
/// # Errors
/// When the header is of no feed or of several, or when a column appears twice.
pub fn resolve(choice: &FeedChoice, header: &Record<'_>) -> Result<Plan, HeaderError> {
    let names: Vec<Cow<'_, [u8]>> = header.fields().collect();
    let found = || (quoted(header.raw), guess(header));
    plan_of(choice, &names, Some(header.delimiter), found)
}

/// The same for a format whose columns have names in UTF-8 and no delimiter. Numbers have a decimal point.
///
/// # Errors
/// When the names are of no feed or of several, or when a column appears twice.
///
/// ```
/// use trips_core::{feed::choice::FeedChoice, format::delimited::header::plan_of_names};
/// let plan = plan_of_names(&FeedChoice::builtin(), &["Base", "lat", "lon", "Date/Time"]).unwrap();
/// assert_eq!(plan.feed_name(), "uber_2014");
/// ```
pub fn plan_of_names(choice: &FeedChoice, names: &[&str]) -> Result<Plan, HeaderError> {
    let found = || (quoted(names.join(", ").as_bytes()), None);
    let names: Vec<Cow<'_, [u8]>> = names.iter().map(|name| name.as_bytes().into()).collect();
    plan_of(choice, &names, None, found)
}

/// The plan for these names. `found` is what a message shows of them.
fn plan_of(
    choice: &FeedChoice,
    names: &[Cow<'_, [u8]>],
    delimiter: Option<u8>,
    found: impl Fn() -> (String, Option<Guess>),
) -> Result<Plan, HeaderError> {
    let definition = feed_of(choice, names, delimiter)?;
    let plain = Dialect { delimiter: delimiter.unwrap_or(b','), decimal: DecimalMark::Point };
    let allowed = delimiter.map_or(Some(plain), |delimiter| {
        definition.form.dialects.iter().copied().find(|dialect| dialect.delimiter == delimiter)
    });
    let feed = Arc::new(FileFeed::new(definition.clone(), allowed.unwrap_or(plain), choice));
    let feed_name = || definition.name.clone();
    let plan = match delimiter {
        Some(_) => Plan::of_header(&feed, names),
        None => Plan::of_names(&feed, names),
    };
    let plan = plan.map_err(|error| match error {
        Unresolved::Missing(missing) => {
            let ((found, guess), feed) = (found(), feed_name());
            HeaderError::Columns(ColumnError::Missing { missing, found, guess, feed })
        }
        Unresolved::Duplicate { name, first, second } => {
            HeaderError::Columns(ColumnError::Duplicate { name, first, second })
        }
        Unresolved::Excluded(name) => {
            HeaderError::Columns(ColumnError::Excluded { name, feed: feed_name() })
        }
    })?;
    match delimiter.filter(|_| allowed.is_none()).map(char::from) {
        Some(delimiter) => {
            let feed = feed_name();
            Err(HeaderError::Columns(ColumnError::Delimiter { delimiter, feed }))
        }
        None => Ok(plan),
    }
}

/// The feed of a header with these names: the given one, or the one that knows most of them.
fn feed_of<'c>(
    choice: &'c FeedChoice,
    names: &[Cow<'_, [u8]>],
    delimiter: Option<u8>,
) -> Result<&'c Arc<Definition>, HeaderError> {
    if let Some(name) = &choice.feed {
        return choice.catalogue.get(name).ok_or_else(|| HeaderError::UnknownFeed(name.clone()));
    }
    match choice.catalogue.detect(names, delimiter) {
        Detection::Feed(found) => Ok(found.feed),
        Detection::Tie(candidates) => {
            let names = candidates.iter().map(|candidate| candidate.feed.name.clone());
            Err(HeaderError::Tie(names.collect()))
        }
        Detection::Stations(feeds) => {
            let names = feeds.iter().map(|feed| feed.name.clone());
            Err(HeaderError::Stations(names.collect()))
        }
        Detection::None(near) => {
            let near = near.and_then(|near| choice.catalogue.get(&near.feed));
            near.or_else(|| choice.catalogue.get(DEFAULT_FEED)).ok_or(HeaderError::NoFeeds)
        }
    }
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
