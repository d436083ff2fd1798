//! Errors of the content of a file.

use pgrx::PgSqlErrorCode as Code;
use trips_containers::ContainerError;
use trips_core::check::reject::{BadLine, RejectedColumn};
use trips_core::feed::day_month::{Contradiction, Unproved};
use trips_core::format::delimited::header::{ColumnError, Guess, HeaderError};
use trips_core::model::error::SqlState;
use trips_core::model::position::Position;
use trips_core::pool::PoolError;
use trips_core::text::escape::{quoted, quoted_path};
use trips_core::text::list::quoted_names;

use super::container;
use super::feed::FeedError;
use super::file_name::FileName;
use super::format::FormatFault;
use super::report::{Report, counted, reported};

const COLUMNS: &str = "Use a first line with the columns region, origin_coord, destination_coord, date_time (or datetime) and datasource, each once, in any order, separated by commas. SELECT * FROM trips.detect_feed() shows what other feeds expect.";

const DETECT: &str = "SELECT * FROM trips.detect_feed() shows what the nearest feed expects.";

/// The feed of files with the five columns.
const FIVE_COLUMNS: &str = "trips";

/// The record that an error concerns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RecordPosition {
    /// Its line, its number, or its row in the row group, from 1.
    pub line_no: Option<u64>,
    /// Its row group in a Parquet file, from 0. The error of a damaged one has no record.
    pub row_group: Option<u32>,
}

impl From<Position> for RecordPosition {
    fn from(position: Position) -> Self {
        Self { line_no: Some(position.number()), row_group: position.row_group() }
    }
}

/// Why a file is refused.
#[derive(Debug)]
pub enum FileError {
    /// It has no header of the feed.
    Header {
        file: FileName,
        error: HeaderError,
    },
    /// It is loaded with on_error => 'abort'.
    BadLine {
        file: FileName,
        bad: BadLine,
    },
    TooManyBadLines {
        file: FileName,
        limit: u64,
        first: Vec<BadLine>,
    },
    UnclosedQuotes {
        file: FileName,
        count: usize,
        last: u64,
    },
    /// Its times contradict its feed, or each other.
    Contradiction {
        file: FileName,
        contradiction: Contradiction,
    },
    /// Nothing in it proves the order of day and month.
    Unproved {
        file: FileName,
        unproved: Unproved,
    },
    /// It is packed, and cannot be unpacked.
    Container {
        file: FileName,
        error: ContainerError,
        /// Whether the error may quote bytes of the file.
        shows_content: bool,
    },
    /// It is not as its format demands: what is wrong, and where.
    Format {
        file: FileName,
        fault: FormatFault,
        reason: String,
        /// The row group, if it is Parquet.
        row_group: Option<u32>,
        /// Where it is, without contents of the file.
        place: Option<String>,
    },
    /// Members of an archive are of two feeds.
    OtherFeed {
        file: FileName,
        feed: String,
        /// The first member, and its feed.
        first: (String, String),
    },
    /// No member of an archive has trips.
    NoTrips {
        file: FileName,
    },
    /// The threads that parse it have stopped.
    Threads {
        file: FileName,
        error: PoolError,
    },
}

reported!(FileError);

impl FileError {
    /// SQLSTATE, message, DETAIL and HINT.
    pub fn report(&self) -> Report {
        let bad_format = |message: String| Report::new(Code::ERRCODE_BAD_COPY_FILE_FORMAT, message);
        match self {
            Self::Header { file, error } => of_header(&file.to_string(), error),
            Self::BadLine { file, bad } => Report::new(
                code_of(bad.rejection.state),
                format!("could not load file {file}: {bad}"),
            )
            .hint("Correct the row, or use on_error => 'stage' to load the other rows."),
            Self::TooManyBadLines { file, limit, first } => too_many(file, *limit, first),
            Self::UnclosedQuotes { file, count, last } => bad_format(format!(
                "could not load file {file}: {}",
                counted(*count, "quoted field is not closed", "quoted fields are not closed")
            ))
            .detail(format!("The last one is in the record at line {last}."))
            .hint("Close the quotes, or double the quotes that are part of a field."),
            Self::Contradiction { file, contradiction } => Report::new(
                code_of(Contradiction::STATE),
                format!("could not load file {file}: {}", contradiction.message),
            )
            .hint(contradiction.hint.clone()),
            Self::Unproved { file, unproved } => Report::new(
                code_of(Unproved::STATE),
                format!("could not load file {file}: {}", unproved.message()),
            )
            .hint(unproved.hint()),
            Self::Container { file, error, shows_content } => {
                container::report(file, error, *shows_content)
            }
            Self::Format { file, fault, reason, .. } => fault.report(file, reason),
            Self::OtherFeed { file, feed, first: (member, first) } => bad_format(format!(
                "file {file} is of feed {}, expected feed {}",
                quoted(feed.as_bytes()),
                quoted(first.as_bytes())
            ))
            .detail(format!(
                "The first member with trips, {}, is of feed {}.",
                quoted_path(member),
                quoted(first.as_bytes())
            ))
            .hint("Load the members of each feed from an archive of their own."),
            Self::NoTrips { file } => bad_format(format!("archive {file} has no file of trips"))
                .hint("Use an archive with files of trips: CSV, JSON or Parquet."),
            Self::Threads { file, error } => Report::new(
                match error {
                    PoolError::Start(_) => Code::ERRCODE_INSUFFICIENT_RESOURCES,
                    _ => Code::ERRCODE_INTERNAL_ERROR,
                },
                format!("could not read file {file}: {error}"),
            ),
        }
    }
}

impl FileError {
    /// The file, and the member that the error concerns.
    pub fn file(&self) -> &FileName {
        match self {
            Self::Header { file, .. }
            | Self::BadLine { file, .. }
            | Self::TooManyBadLines { file, .. }
            | Self::UnclosedQuotes { file, .. }
            | Self::Contradiction { file, .. }
            | Self::Unproved { file, .. }
            | Self::Container { file, .. }
            | Self::Format { file, .. }
            | Self::OtherFeed { file, .. }
            | Self::NoTrips { file }
            | Self::Threads { file, .. } => file,
        }
    }

    /// The record that the error concerns, as staging numbers it.
    pub fn record(&self) -> RecordPosition {
        match self {
            Self::BadLine { bad, .. } | Self::Header { error: HeaderError::Record(bad), .. } => {
                bad.position.into()
            }
            Self::Contradiction { contradiction, .. } => contradiction.position.into(),
            Self::UnclosedQuotes { last, .. } => Position::line(*last).into(),
            Self::Format { row_group, .. } => {
                RecordPosition { row_group: *row_group, ..RecordPosition::default() }
            }
            _ => RecordPosition::default(),
        }
    }

    /// The column whose field was rejected.
    pub fn column(&self) -> Option<&str> {
        match self {
            Self::BadLine { bad, .. } | Self::Header { error: HeaderError::Record(bad), .. } => {
                bad.rejection.column.as_ref().map(RejectedColumn::name)
            }
            _ => None,
        }
    }
}

fn too_many(file: &FileName, limit: u64, first: &[BadLine]) -> Report {
    let bad = counted(limit, "bad row", "bad rows");
    let message = format!("could not load file {file}: more than {bad}");
    let report = Report::new(Code::ERRCODE_BAD_COPY_FILE_FORMAT, message)
        .hint("Correct the file, or increase max_errors.");
    if first.is_empty() {
        return report;
    }
    let lines: Vec<String> = first.iter().map(ToString::to_string).collect();
    report.detail(format!("First bad rows:\n{}", lines.join("\n")))
}

/// Of a file, given with its quotes, that has no header of the feed.
fn of_header(path: &str, error: &HeaderError) -> Report {
    let report = |message| Report::new(code_of(error.sqlstate()), message);
    match error {
        HeaderError::Read(error) => report(format!("could not read file {path}: {error}")),
        HeaderError::Empty => report(format!("file {path} is empty"))
            .hint("Check whether the program that writes the file has finished."),
        HeaderError::Kind(form) => {
            report(format!("file {path} is {}: expected CSV in UTF-8", form.name)).hint(form.advice)
        }
        HeaderError::Framing(error) => {
            report(format!("invalid header in file {path}: {error}")).hint(COLUMNS)
        }
        HeaderError::Record(first) => {
            report(format!("could not read a record of file {path}")).detail(format!("{first}."))
        }
        HeaderError::Columns(error) => {
            let report = report(format!("invalid header in file {path}: {error}"));
            match error {
                ColumnError::Missing { found, guess, feed, fits, .. } => report
                    .detail(format!(
                        "The header is {found}. The missing columns are of feed {}.{}",
                        quoted(feed.as_bytes()),
                        it_is_of(fits)
                    ))
                    .hint(match guess {
                        _ if !fits.is_empty() => hint_of_others(fits),
                        Some(guess) => hint_of_guess(*guess).to_owned(),
                        None if feed == FIVE_COLUMNS => COLUMNS.to_owned(),
                        None => format!(
                            "Correct the header for feed {}, or set the argument feed. {DETECT}",
                            quoted(feed.as_bytes())
                        ),
                    }),
                ColumnError::Duplicate { .. } => {
                    report.hint("Use a header that has each column once.")
                }
                ColumnError::Excluded { fits, .. } if fits.is_empty() => {
                    report.hint("Set the argument feed to a feed with this column, or omit it.")
                }
                ColumnError::Excluded { fits, .. } => {
                    report.detail(it_is_of(fits).trim_start()).hint(hint_of_others(fits))
                }
            }
        }
        HeaderError::Tie(_) => report(format!("could not load file {path}: {error}"))
            .hint("Set the argument feed to one of them."),
        HeaderError::Stations(feeds) => report(format!("file {path} is a station file"))
            .detail(format!("Feeds with such a header of stations: {}.", feeds.join(", ")))
            .hint("Run SELECT trips.load_stations() with the name of the feed."),
        HeaderError::UnknownFeed(name) => FeedError::Unknown(name.clone()).report(),
        HeaderError::NoFeeds => report(format!("could not load file {path}: {error}")),
    }
}

/// The feeds of a header, if the caller gave another one: a sentence after a space.
fn it_is_of(fits: &[String]) -> String {
    match fits {
        [] => String::new(),
        [_] => format!(" The header is of feed {}.", quoted_names(fits)),
        _ => format!(" The header is of feeds {}.", quoted_names(fits)),
    }
}

/// The hint when the header is of feeds that the caller did not give.
fn hint_of_others(fits: &[String]) -> String {
    match fits {
        [feed] => format!("Omit the argument feed, or set it to {}.", quoted(feed.as_bytes())),
        _ => "Set the argument feed to one of them.".to_owned(),
    }
}

/// The hint for a first line that is not a header.
fn hint_of_guess(guess: Guess) -> &'static str {
    match guess {
        Guess::Delimiter(';') => {
            "Convert the file: its fields seem to be separated by semicolons, not commas."
        }
        Guess::Delimiter('\t') => {
            "Convert the file: its fields seem to be separated by tabs, not commas."
        }
        Guess::Delimiter(_) => {
            "Convert the file: its fields seem to be separated by pipes (|), not commas."
        }
        Guess::Data => {
            "Add a header, such as region,origin_coord,destination_coord,date_time,datasource, in the order of the fields: the first line seems to be a row."
        }
        Guess::Separator => {
            "Remove the first line (sep=…), which only Excel uses, and separate the fields by commas."
        }
    }
}

/// PostgreSQL's name of a code of `trips_core`.
pub(super) fn code_of(state: SqlState) -> Code {
    match state {
        SqlState::StringDataRightTruncation => Code::ERRCODE_STRING_DATA_RIGHT_TRUNCATION,
        SqlState::NumericValueOutOfRange => Code::ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE,
        SqlState::InvalidDatetimeFormat => Code::ERRCODE_INVALID_DATETIME_FORMAT,
        SqlState::DatetimeFieldOverflow => Code::ERRCODE_DATETIME_FIELD_OVERFLOW,
        SqlState::CharacterNotInRepertoire => Code::ERRCODE_CHARACTER_NOT_IN_REPERTOIRE,
        SqlState::InvalidTextRepresentation => Code::ERRCODE_INVALID_TEXT_REPRESENTATION,
        SqlState::BadCopyFileFormat => Code::ERRCODE_BAD_COPY_FILE_FORMAT,
        SqlState::NotNullViolation => Code::ERRCODE_NOT_NULL_VIOLATION,
        SqlState::UniqueViolation => Code::ERRCODE_UNIQUE_VIOLATION,
        SqlState::DuplicateColumn => Code::ERRCODE_DUPLICATE_COLUMN,
        SqlState::UndefinedColumn => Code::ERRCODE_UNDEFINED_COLUMN,
        SqlState::UndefinedObject => Code::ERRCODE_UNDEFINED_OBJECT,
        SqlState::WrongObjectType => Code::ERRCODE_WRONG_OBJECT_TYPE,
        SqlState::AmbiguousAlias => Code::ERRCODE_AMBIGUOUS_ALIAS,
        SqlState::IoError => Code::ERRCODE_IO_ERROR,
        SqlState::ProgramLimitExceeded => Code::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
    }
}
