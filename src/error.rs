//! What can go wrong with a load, told to people: SQLSTATE, file, line, column, value, what to do.

use std::io;

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{PgLogLevel, PgSqlErrorCode};
use thiserror::Error;
use trips_areas::BuildError;
use trips_core::check::reject::{BadLine, SqlState};
use trips_core::feed::plan::{ColumnError, Guess};
use trips_core::format::delimited::record::FramingError;
use trips_core::format::sniff::FileKind;
use trips_core::model::partition_bounds::PartitionBounds;
use trips_core::pool::PoolError;
use trips_core::text::escape::{quoted, quoted_path};

use crate::pg::error_fields::RAISED_BY;

mod content;
mod history;
mod upload;

pub use self::history::HistoryError;
pub use self::upload::UploadError;

/// Why a load ends without its rows.
#[derive(Debug, Error)]
pub enum LoadError {
    #[error("{0} must not be NULL")]
    NullArgument(&'static str),
    #[error("on_error is {}: expected stage or abort", quoted(.0.as_bytes()))]
    OnError(String),
    #[error("{argument} is too long")]
    TooLong { argument: &'static str, bytes: usize, limit: usize },
    #[error("max_errors is {0}: expected 0 or more, or NULL for the setting trips.max_errors")]
    MaxErrors(i64),
    #[error("the database is not encoded in UTF8")]
    DatabaseEncoding,
    #[error(
        "{table} belongs to {owner}, who has not the rights of the owner of trips.loads, {of_ledger}"
    )]
    OtherOwner { table: String, owner: String, of_ledger: String },
    #[error("permission denied to load file {}", quoted_path(.0))]
    MayNotRead(String),
    #[error("file {} lies in the data of this server", quoted_path(.0))]
    DataOfServer(String),
    #[error(
        "trips.earliest_date is {} and trips.latest_date is {}: expected two dates, the first not after the second",
        quoted(.earliest.as_bytes()),
        quoted(.latest.as_bytes())
    )]
    Dates { earliest: String, latest: String },
    #[error("path {} is not absolute", quoted_path(.0))]
    RelativePath(String),
    #[error("could not open file {}: {}", quoted_path(.path), reason(.error))]
    Open { path: String, error: io::Error },
    #[error("could not read file {}: {}", quoted_path(.path), reason(.error))]
    Read { path: String, error: io::Error },
    #[error("{} is {kind}: expected a regular file", quoted_path(.path))]
    NotAFile { path: String, kind: &'static str },
    #[error("file {} changed while it was read", quoted_path(.0))]
    Changed(String),
    #[error("file {} is empty: expected a header", quoted_path(.0))]
    Empty(String),
    #[error("file {} is {}: expected CSV in UTF-8", quoted_path(.path), .form.name)]
    NotCsv { path: String, form: &'static FileKind },
    #[error("the header of file {} does not fit: {error}", quoted_path(.path))]
    Header { path: String, error: ColumnError },
    #[error("the header of file {} is not a CSV record: {fault}", quoted_path(.path))]
    HeaderFault { path: String, fault: FramingError },
    #[error("file {} is refused: {bad}", quoted_path(.path))]
    BadLine { path: String, bad: BadLine },
    #[error("file {} is refused: over {limit} bad lines", quoted_path(.path))]
    TooManyBadLines { path: String, limit: u64, first: Vec<BadLine> },
    #[error("file {} is refused: {count} quoted values are never closed", quoted_path(.path))]
    UnclosedQuotes { path: String, count: usize, last: u64 },
    #[error("out of memory while reading rows")]
    OutOfMemory,
    #[error("could not read file {}: {error}", quoted_path(.path))]
    Threads { path: String, error: PoolError },
    #[error("could not collect places for area questions: {0}")]
    Areas(BuildError),
    #[error("what is kept for area questions is damaged")]
    DamagedAreas,
    #[error("could not serialize access: another load has committed since this transaction began")]
    Serialization,
    #[error("{} is no pattern of file names: {error}", quoted_path(.pattern))]
    Pattern { pattern: String, error: String },
    #[error("load {0} is not queued, and does not run")]
    NotRunning(i64),
    #[error("permission denied to cancel load {0}")]
    MayNotCancel(i64),
    #[error("role {} may not load any more", quoted(.0.as_bytes()))]
    MayNotLoad(String),
    #[error("{0} workers ended while they were loading it")]
    GivenUp(i32),
    #[error("load {0} is unknown")]
    UnknownLoad(i64),
    #[error("trips.{table} took {taken} of {offered} rows")]
    RowsVanished { table: &'static str, offered: u64, taken: u64 },
    #[error("the table {table} is in the way of a partition of the history")]
    PartitionName { table: String, bounds: PartitionBounds, beside: Vec<String> },

    #[error(
        "column {column} of {table} {}",
        if *.has_other_type { "has not the type that the history has" } else { "is missing" }
    )]
    PartitionColumn { table: String, column: String, has_other_type: bool },

    #[error("the partition {table} of the history has no primary key (date_time, trip_key)")]
    PartitionKey { table: String },

    #[error(transparent)]
    Upload(#[from] UploadError),
    #[error(transparent)]
    History(#[from] HistoryError),

    #[error("a query of the extension failed: {0}")]
    Query(#[from] pgrx::spi::SpiError),
}

impl LoadError {
    /// What stopped the threads that parse this file.
    pub fn of_threads(path: &str, error: PoolError) -> Self {
        let path = path.to_owned();
        match error {
            PoolError::Read(error) if error.kind() == io::ErrorKind::OutOfMemory => {
                Self::OutOfMemory
            }
            PoolError::Read(error) => Self::Read { path, error },
            PoolError::Memory(_) => Self::OutOfMemory,
            PoolError::Start(_) | PoolError::Thread(_) => Self::Threads { path, error },
        }
    }

    /// Ends the transaction with this error.
    pub fn raise<T>(self) -> T {
        ErrorReport::from(self).report(PgLogLevel::ERROR);
        unreachable!("an error does not return")
    }

    /// The kind of the error.
    pub fn code(&self) -> PgSqlErrorCode {
        use PgSqlErrorCode as Code;
        match self {
            Self::NullArgument(_) => Code::ERRCODE_NULL_VALUE_NOT_ALLOWED,
            Self::OnError(_) | Self::MaxErrors(_) => Code::ERRCODE_INVALID_PARAMETER_VALUE,
            Self::TooLong { .. } => Code::ERRCODE_INVALID_PARAMETER_VALUE,
            Self::DatabaseEncoding => Code::ERRCODE_FEATURE_NOT_SUPPORTED,
            Self::MayNotRead(_) | Self::DataOfServer(_) => Code::ERRCODE_INSUFFICIENT_PRIVILEGE,
            Self::Dates { .. } => Code::ERRCODE_INVALID_PARAMETER_VALUE,
            Self::RelativePath(_) => Code::ERRCODE_INVALID_NAME,
            Self::Open { error, .. } | Self::Read { error, .. } => match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
                    Code::ERRCODE_UNDEFINED_FILE
                }
                io::ErrorKind::PermissionDenied => Code::ERRCODE_INSUFFICIENT_PRIVILEGE,
                _ => Code::ERRCODE_IO_ERROR,
            },
            Self::NotAFile { .. } => Code::ERRCODE_WRONG_OBJECT_TYPE,
            Self::Changed(_) => Code::ERRCODE_OBJECT_IN_USE,
            Self::Header { error: ColumnError::Missing { .. }, .. } => {
                Code::ERRCODE_UNDEFINED_COLUMN
            }
            Self::Header { error: ColumnError::Duplicate { .. }, .. } => {
                Code::ERRCODE_DUPLICATE_COLUMN
            }
            Self::BadLine { bad, .. } => code_of(bad.rejection.state),
            Self::Empty(_)
            | Self::NotCsv { .. }
            | Self::HeaderFault { .. }
            | Self::TooManyBadLines { .. }
            | Self::UnclosedQuotes { .. } => Code::ERRCODE_BAD_COPY_FILE_FORMAT,
            Self::Areas(BuildError::Memory(_)) | Self::OutOfMemory => Code::ERRCODE_OUT_OF_MEMORY,
            Self::Threads { error: PoolError::Start(_), .. }
            | Self::Areas(BuildError::Start(_)) => Code::ERRCODE_INSUFFICIENT_RESOURCES,
            Self::Serialization => Code::ERRCODE_T_R_SERIALIZATION_FAILURE,
            Self::UnknownLoad(_) => Code::ERRCODE_UNDEFINED_OBJECT,
            Self::Pattern { .. } => Code::ERRCODE_INVALID_PARAMETER_VALUE,
            Self::NotRunning(_) => Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            Self::MayNotCancel(_) | Self::MayNotLoad(_) => Code::ERRCODE_INSUFFICIENT_PRIVILEGE,
            Self::GivenUp(_) => Code::ERRCODE_CRASH_SHUTDOWN,
            Self::RowsVanished { .. } => Code::ERRCODE_TRIGGERED_ACTION_EXCEPTION,
            Self::PartitionName { .. } => Code::ERRCODE_DUPLICATE_TABLE,
            Self::PartitionColumn { has_other_type: true, .. } => Code::ERRCODE_DATATYPE_MISMATCH,
            Self::PartitionColumn { .. } => Code::ERRCODE_UNDEFINED_COLUMN,
            Self::PartitionKey { .. } | Self::OtherOwner { .. } => {
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE
            }
            Self::Upload(error) => error.code(),
            Self::History(error) => error.code(),
            Self::DamagedAreas => Code::ERRCODE_DATA_CORRUPTED,
            Self::Query(_) | Self::Threads { .. } | Self::Areas(_) => Code::ERRCODE_INTERNAL_ERROR,
        }
    }

    /// More about what was found, where the message has not said it all.
    pub fn detail(&self) -> Option<String> {
        match self {
            Self::TooLong { argument, bytes, limit } => {
                Some(format!("{argument} has {bytes} bytes; the limit is {limit}."))
            }
            Self::MayNotRead(_) => Some(
                "Only members of pg_read_server_files may load any file of the server; others, files beneath trips.data_directories."
                    .into(),
            ),
            Self::Header { error: ColumnError::Missing { found, .. }, .. } => {
                Some(format!("The header is {found}."))
            }
            Self::TooManyBadLines { first, .. } if !first.is_empty() => {
                let lines: Vec<String> = first.iter().map(ToString::to_string).collect();
                Some(format!("The first are: {}", lines.join("\n")))
            }
            Self::PartitionName { bounds, beside, .. } => {
                let beside = match &beside[..] {
                    [] => String::new(),
                    names => format!(", beside {}", names.join(" and ")),
                };
                Some(format!("A partition is needed for values {bounds}{beside}."))
            }
            Self::UnclosedQuotes { last, .. } => {
                Some(format!("The last one begins in the record at line {last}."))
            }
            _ => None,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::OnError(_) => {
                "stage keeps bad lines in trips.stg_trip_data and loads the rest; abort refuses the file at the first."
            }
            Self::TooLong { .. } => "Use a shorter one: no file system takes a longer path.",
            Self::DatabaseEncoding => "Create the database with ENCODING 'UTF8'.",
            Self::OtherOwner { .. } => {
                "Triggers on it would run with the rights of that owner: give all tables of the schema trips, and the partitions, to one role."
            }
            Self::MayNotRead(_) => {
                "A superuser may GRANT pg_read_server_files TO the role, or set trips.data_directories."
            }
            Self::DataOfServer(_) => {
                "Put the file somewhere else: the server's own files are no trips."
            }
            Self::Dates { .. } => {
                "SET trips.earliest_date = '1970-01-01'; SET trips.latest_date = '2099-12-31'."
            }
            Self::RelativePath(_) => {
                "Give the whole path, from /, as the server sees it. The server's current directory is its data directory."
            }
            Self::Open { error, .. } if error.kind() == io::ErrorKind::PermissionDenied => {
                "The operating system user that runs PostgreSQL must be allowed to read the file and to enter its directories."
            }
            Self::Open { .. } => {
                "The file must be on the machine of the server, under this path; for a client's file, copy it there first."
            }
            Self::Read { .. } => {
                "Its disk or its network has failed. Load it again when they work: nothing of it was loaded."
            }
            Self::NotAFile { .. } => "Name one file. Directories, pipes and devices are not read.",
            Self::Changed(_) => "Load it again when its writer has finished.",
            Self::Empty(_) => "Perhaps its writer has not finished, or failed.",
            Self::NotCsv { form, .. } => form.advice,
            Self::Header { error: ColumnError::Missing { guess: Some(guess), .. }, .. } => {
                hint_of_guess(*guess)
            }
            Self::Header { .. } | Self::HeaderFault { .. } => {
                "The first line must name the columns region, origin_coord, destination_coord, date_time (or datetime) and datasource, each once, in any order, separated by commas."
            }
            Self::BadLine { .. } => {
                "Correct the line, or load with on_error => 'stage' to keep it in trips.stg_trip_data and load the rest."
            }
            Self::TooManyBadLines { .. } => {
                "Correct the file, or allow more with max_errors. Nothing of it was loaded."
            }
            Self::UnclosedQuotes { .. } => {
                "Close the quotes, or double those that are meant as text. Nothing of the file was loaded."
            }
            Self::Pattern { .. } => "'/data/inbox/*.csv' names all files there that end in .csv.",
            Self::NotRunning(_) => "SELECT load_id, state FROM trips.loads shows how loads stand.",
            Self::MayNotCancel(_) => {
                "The role that asked for it, its members and superusers may cancel a load."
            }
            Self::MayNotLoad(_) => "SELECT trips.grant_loader('role') lets a role load.",
            Self::GivenUp(_) => {
                "The server's log says what ended them. trips.submit() tries again."
            }
            _ => return self.hint_about_tables(),
        })
    }

    fn hint_about_tables(&self) -> Option<&'static str> {
        Some(match self {
            Self::OutOfMemory => "A lower trips.work_mem makes smaller runs.",
            Self::Serialization => "Repeat the transaction, or load in READ COMMITTED.",
            Self::UnknownLoad(_) => "SELECT load_id, source FROM trips.loads shows the loads.",
            Self::RowsVanished { .. } => "A trigger on the table suppresses rows; drop it.",
            Self::PartitionName { .. } => {
                "If it was detached from trips.hist_trip_data, attach it again or rename it."
            }
            Self::PartitionColumn { .. } => {
                "docs/reference.md has the columns of the history. If the library is newer than the tables: ALTER EXTENSION trips_pipeline UPDATE."
            }
            Self::PartitionKey { .. } => {
                "It tells which trips are there: ALTER TABLE … ADD PRIMARY KEY (date_time, trip_key)."
            }
            Self::Upload(error) => return error.hint(),
            Self::History(error) => error.hint(),
            _ => return None,
        })
    }

    /// Whether the ledger should remember it: what concerns a delivery, not the way it was asked for.
    pub fn is_recorded(&self) -> bool {
        match self {
            Self::NullArgument(_)
            | Self::OnError(_)
            | Self::MaxErrors(_)
            | Self::TooLong { .. }
            | Self::DatabaseEncoding
            | Self::OtherOwner { .. }
            | Self::MayNotRead(_)
            | Self::Dates { .. }
            | Self::RelativePath(_)
            | Self::UnknownLoad(_) => false,
            Self::Upload(error) => error.is_of_content(),
            _ => true,
        }
    }
}

impl From<std::collections::TryReserveError> for LoadError {
    fn from(_: std::collections::TryReserveError) -> Self {
        Self::OutOfMemory
    }
}

impl From<LoadError> for ErrorReport {
    fn from(error: LoadError) -> Self {
        let mut report = Self::new(error.code(), error.to_string(), RAISED_BY);
        if let Some(detail) = error.detail() {
            report = report.set_detail(detail);
        }
        if let Some(hint) = error.hint() {
            report = report.set_hint(hint);
        }
        report
    }
}

/// What to do about a first line that seems to be something else than a header.
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

/// The system's words for an error, without the number that Rust adds to them.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

/// PostgreSQL's name of a code that `trips_core` knows.
fn code_of(state: SqlState) -> PgSqlErrorCode {
    use PgSqlErrorCode as Code;
    match state {
        SqlState::StringDataRightTruncation => Code::ERRCODE_STRING_DATA_RIGHT_TRUNCATION,
        SqlState::NumericValueOutOfRange => Code::ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE,
        SqlState::InvalidDatetimeFormat => Code::ERRCODE_INVALID_DATETIME_FORMAT,
        SqlState::DatetimeFieldOverflow => Code::ERRCODE_DATETIME_FIELD_OVERFLOW,
        SqlState::CharacterNotInRepertoire => Code::ERRCODE_CHARACTER_NOT_IN_REPERTOIRE,
        SqlState::InvalidTextRepresentation => Code::ERRCODE_INVALID_TEXT_REPRESENTATION,
        SqlState::BadCopyFileFormat => Code::ERRCODE_BAD_COPY_FILE_FORMAT,
        SqlState::NotNullViolation => Code::ERRCODE_NOT_NULL_VIOLATION,
        SqlState::ProgramLimitExceeded => Code::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
    }
}
