//! All errors. Each room has an enum of its own; each error states its SQLSTATE, message, DETAIL and HINT in one place.

use std::io;

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{PgLogLevel, PgSqlErrorCode};
use trips_containers::ContainerError;
use trips_core::pool::PoolError;
use trips_memory::thread::NoThread;

mod container;
mod derived;
mod feed;
mod file;
mod file_name;
mod format;
mod history;
mod members;
mod partition;
mod queue;
mod redacted;
mod report;
mod request;
mod retract;
mod source;
mod staged;
mod store;
mod temp_file;
mod upload;

pub use self::derived::DerivedError;
pub use self::feed::{FeedError, report_records};
pub use self::file::{FileError, RecordPosition};
pub use self::file_name::FileName;
pub use self::history::HistoryError;
pub use self::members::report_members;
pub use self::partition::PartitionError;
pub use self::queue::QueueError;
use self::report::reported;
pub use self::report::{Report, counted};
pub use self::request::RequestError;
pub use self::retract::RetractError;
pub use self::source::SourceError;
pub use self::staged::StagedError;
pub use self::store::{StoreFault, StoreFaultKind};
pub use self::temp_file::TempFileLimit;
pub use self::upload::UploadError;

/// Why a load ends without its rows.
#[derive(Debug)]
pub enum LoadError {
    Request(RequestError),
    Source(SourceError),
    File(FileError),
    History(HistoryError),
    Partition(PartitionError),
    Derived(DerivedError),
    Queue(QueueError),
    Upload(UploadError),
    Feed(FeedError),
    Retract(RetractError),
    Staged(StagedError),
    /// A table accepted fewer rows than were inserted.
    RowsVanished {
        table: &'static str,
        offered: u64,
        taken: u64,
    },
    Serialization,
    OutOfMemory,
    TempFileLimit(TempFileLimit),
    /// A temporary file is not as it was written.
    TemporaryFile(io::Error),
    /// A query of ours failed in SPI itself.
    Query(pgrx::spi::SpiError),
}

reported!(LoadError);

impl LoadError {
    /// SQLSTATE, message, DETAIL and HINT.
    pub fn report(&self) -> Report {
        use PgSqlErrorCode as Code;
        match self {
            Self::Request(error) => error.report(),
            Self::Source(error) => error.report(),
            Self::File(error) => error.report(),
            Self::History(error) => error.report(),
            Self::Partition(error) => error.report(),
            Self::Derived(error) => error.report(),
            Self::Queue(error) => error.report(),
            Self::Upload(error) => error.report(),
            Self::Feed(error) => error.report(),
            Self::Retract(error) => error.report(),
            Self::Staged(error) => error.report(),
            Self::RowsVanished { table, offered, taken } => Report::new(
                Code::ERRCODE_TRIGGERED_ACTION_EXCEPTION,
                format!("table {table} accepted {taken} of {}", counted(*offered, "row", "rows")),
            )
            .hint("Drop the trigger of the table that suppresses rows."),
            Self::Serialization => Report::new(
                Code::ERRCODE_T_R_SERIALIZATION_FAILURE,
                "could not serialize access due to a concurrent load",
            )
            .hint("Repeat the transaction, or use the isolation level READ COMMITTED."),
            Self::OutOfMemory => Report::new(Code::ERRCODE_OUT_OF_MEMORY, "out of memory")
                .detail("The load failed while it read rows.")
                .hint("Decrease trips.work_mem."),
            Self::TempFileLimit(limit) => {
                Report::new(Code::ERRCODE_CONFIGURATION_LIMIT_EXCEEDED, limit.to_string())
                    .hint("Increase temp_file_limit, or unpack the file before the load.")
            }
            Self::TemporaryFile(error) => Report::new(
                Code::ERRCODE_IO_ERROR,
                format!("could not read a temporary file: {error}"),
            ),
            Self::Query(error) => {
                Report::new(Code::ERRCODE_INTERNAL_ERROR, format!("internal query failed: {error}"))
            }
        }
    }

    /// The error that stopped the threads of this file.
    pub fn of_threads(file: &FileName, error: PoolError) -> Self {
        match error {
            PoolError::Read(error) => Self::of_read(file, error),
            PoolError::Memory(_) => Self::OutOfMemory,
            PoolError::Start(error) if error.kind() == io::ErrorKind::OutOfMemory => {
                Self::OutOfMemory
            }
            PoolError::Start(_) | PoolError::Thread(_) => {
                FileError::Threads { file: file.clone(), error }.into()
            }
        }
    }

    /// The error of a reader of this file, or of this member of it.
    pub fn of_read(file: &FileName, error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::OutOfMemory {
            return Self::OutOfMemory;
        }
        if let Some(limit) = TempFileLimit::of(&error) {
            return Self::TempFileLimit(limit);
        }
        if let Some(error) = ContainerError::of(&error) {
            let member = error.member().map(str::to_owned).or_else(|| file.member.clone());
            let file = FileName::of(&file.path, member);
            return FileError::Container { file, error: error.clone(), shows_content: true }.into();
        }
        if let Some(no_thread) = NoThread::of(&error) {
            let error = PoolError::Start(no_thread.to_system_error());
            return FileError::Threads { file: file.clone(), error }.into();
        }
        if let Some(fault) = StoreFault::of(&error) {
            return SourceError::Store(fault.clone()).into();
        }
        let file = file.clone();
        match error.kind() {
            io::ErrorKind::InvalidData => FileError::of_format(file, &error).into(),
            _ => SourceError::Read { file, error }.into(),
        }
    }

    /// Fails unless a table took all rows that it was offered.
    pub fn require_all(table: &'static str, offered: u64, taken: u64) -> Result<(), Self> {
        if taken == offered { Ok(()) } else { Err(Self::RowsVanished { table, offered, taken }) }
    }

    /// Ends the transaction with this error.
    pub fn raise<T>(self) -> T {
        ErrorReport::from(self).report(PgLogLevel::ERROR);
        unreachable!("an error does not return")
    }

    /// The member of an archive that the error concerns.
    pub fn member(&self) -> Option<&str> {
        match self {
            Self::File(error) => error.file().member.as_deref(),
            Self::Source(SourceError::Read { file, .. }) => file.member.as_deref(),
            _ => None,
        }
    }

    /// The record that the error concerns.
    pub fn record(&self) -> RecordPosition {
        match self {
            Self::File(error) => error.record(),
            _ => RecordPosition::default(),
        }
    }

    /// The column whose field was rejected.
    pub fn column(&self) -> Option<&str> {
        match self {
            Self::File(error) => error.column(),
            _ => None,
        }
    }

    /// Whether the ledger records it: an error of the file or of the database does, one of the call does not.
    pub fn is_recorded(&self) -> bool {
        match self {
            Self::Request(_)
            | Self::Retract(_)
            | Self::Feed(_)
            | Self::Staged(_)
            | Self::Source(SourceError::MayNotRead(_) | SourceError::MayNotPreview(_))
            | Self::History(HistoryError::OtherOwner { .. }) => false,
            Self::Upload(error) => error.is_of_content(),
            _ => true,
        }
    }
}

macro_rules! from {
    ($($variant:ident($error:ty)),*) => {$(
        impl From<$error> for LoadError {
            fn from(error: $error) -> Self {
                Self::$variant(error)
            }
        }
    )*};
}

from!(
    Request(RequestError),
    Source(SourceError),
    File(FileError),
    History(HistoryError),
    Partition(PartitionError),
    Derived(DerivedError),
    Queue(QueueError),
    Upload(UploadError),
    Feed(FeedError),
    Retract(RetractError),
    Staged(StagedError),
    Query(pgrx::spi::SpiError)
);

impl From<std::collections::TryReserveError> for LoadError {
    fn from(_: std::collections::TryReserveError) -> Self {
        Self::OutOfMemory
    }
}
