//! Errors of the content of a file.

use pgrx::PgSqlErrorCode as Code;
use trips_core::check::reject::{BadLine, SqlState};
use trips_core::format::delimited::header::{ColumnError, Guess, HeaderError};
use trips_core::pool::PoolError;
use trips_core::text::escape::quoted_path;

use super::report::{Report, reported};

const COLUMNS: &str = "The first line must name the columns region, origin_coord, destination_coord, date_time (or datetime) and datasource, each once, in any order, separated by commas.";

/// Why a file is refused.
#[derive(Debug)]
pub enum FileError {
    /// It has no header of the feed.
    Header {
        path: String,
        error: HeaderError,
    },
    /// It is loaded with on_error => 'abort'.
    BadLine {
        path: String,
        bad: BadLine,
    },
    TooManyBadLines {
        path: String,
        limit: u64,
        first: Vec<BadLine>,
    },
    UnclosedQuotes {
        path: String,
        count: usize,
        last: u64,
    },
    /// The threads that parse it have stopped.
    Threads {
        path: String,
        error: PoolError,
    },
}

reported!(FileError);

impl FileError {
    /// SQLSTATE, message, DETAIL and HINT.
    pub fn report(&self) -> Report {
        match self {
            Self::Header { path, error } => of_header(&quoted_path(path), error),
            Self::BadLine { path, bad } => Report::new(
                code_of(bad.rejection.state),
                format!("file {} is refused: {bad}", quoted_path(path)),
            )
            .hint("Correct the line, or load with on_error => 'stage' to keep it in trips.stg_trip_data and load the rest."),
            Self::TooManyBadLines { path, limit, first } => {
                let report = Report::new(
                    Code::ERRCODE_BAD_COPY_FILE_FORMAT,
                    format!("file {} is refused: over {limit} bad lines", quoted_path(path)),
                )
                .hint("Correct the file, or allow more with max_errors. Nothing of it was loaded.");
                if first.is_empty() {
                    return report;
                }
                let lines: Vec<String> = first.iter().map(ToString::to_string).collect();
                report.detail(format!("The first are: {}", lines.join("\n")))
            }
            Self::UnclosedQuotes { path, count, last } => Report::new(
                Code::ERRCODE_BAD_COPY_FILE_FORMAT,
                format!("file {} is refused: {count} quoted values are never closed", quoted_path(path)),
            )
            .detail(format!("The last one begins in the record at line {last}."))
            .hint("Close the quotes, or double those that are meant as text. Nothing of the file was loaded."),
            Self::Threads { path, error } => Report::new(
                match error {
                    PoolError::Start(_) => Code::ERRCODE_INSUFFICIENT_RESOURCES,
                    _ => Code::ERRCODE_INTERNAL_ERROR,
                },
                format!("could not read file {}: {error}", quoted_path(path)),
            ),
        }
    }
}

/// Of a file, given with its quotes, that has no header of the feed.
fn of_header(path: &str, error: &HeaderError) -> Report {
    let report = |message| Report::new(code_of(error.sqlstate()), message);
    match error {
        HeaderError::Read(error) => report(format!("could not read file {path}: {error}")),
        HeaderError::Empty => report(format!("file {path} is empty: expected a header"))
            .hint("Perhaps its writer has not finished, or failed."),
        HeaderError::Kind(form) => {
            report(format!("file {path} is {}: expected CSV in UTF-8", form.name)).hint(form.advice)
        }
        HeaderError::Framing(fault) => {
            report(format!("the header of file {path} is not a CSV record: {fault}")).hint(COLUMNS)
        }
        HeaderError::Columns(error) => {
            let report = report(format!("the header of file {path} does not fit: {error}"));
            match error {
                ColumnError::Missing { found, guess, .. } => report
                    .detail(format!("The header is {found}."))
                    .hint(guess.map_or(COLUMNS, hint_of_guess)),
                ColumnError::Duplicate { .. } => report.hint(COLUMNS),
            }
        }
    }
}

/// The hint for a first line that is not a header.
fn hint_of_guess(guess: Guess) -> &'static str {
    match guess {
        Guess::Delimiter(';') => {
            "The values seem to be separated by semicolons: convert the file to commas."
        }
        Guess::Delimiter('\t') => {
            "The values seem to be separated by tabs: convert the file to commas."
        }
        Guess::Delimiter(_) => {
            "The values seem to be separated by bars (|): convert the file to commas."
        }
        Guess::Data => {
            "The first line seems to be a row of data: the file has no header. Put region,origin_coord,destination_coord,date_time,datasource before it, in the order of its values."
        }
        Guess::Separator => {
            "The first line is one that only Excel reads (sep=…): remove it, and separate the values by commas."
        }
    }
}

/// PostgreSQL's name of a code of `trips_core`.
fn code_of(state: SqlState) -> Code {
    match state {
        SqlState::StringDataRightTruncation => Code::ERRCODE_STRING_DATA_RIGHT_TRUNCATION,
        SqlState::NumericValueOutOfRange => Code::ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE,
        SqlState::InvalidDatetimeFormat => Code::ERRCODE_INVALID_DATETIME_FORMAT,
        SqlState::DatetimeFieldOverflow => Code::ERRCODE_DATETIME_FIELD_OVERFLOW,
        SqlState::CharacterNotInRepertoire => Code::ERRCODE_CHARACTER_NOT_IN_REPERTOIRE,
        SqlState::InvalidTextRepresentation => Code::ERRCODE_INVALID_TEXT_REPRESENTATION,
        SqlState::BadCopyFileFormat => Code::ERRCODE_BAD_COPY_FILE_FORMAT,
        SqlState::NotNullViolation => Code::ERRCODE_NOT_NULL_VIOLATION,
        SqlState::DuplicateColumn => Code::ERRCODE_DUPLICATE_COLUMN,
        SqlState::UndefinedColumn => Code::ERRCODE_UNDEFINED_COLUMN,
        SqlState::IoError => Code::ERRCODE_IO_ERROR,
        SqlState::ProgramLimitExceeded => Code::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
    }
}
