//! Errors of a format: JSON or Parquet that is not as it must be.

use std::io;

use pgrx::PgSqlErrorCode as Code;

use super::file::FileError;
use super::file_name::FileName;
use super::report::Report;

/// Why the format of a file is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FormatFault {
    /// It is damaged, or ends too early.
    Damaged,
    /// Something in it is larger than a limit.
    Limit,
    /// It uses what loads do not read.
    Unsupported,
}

impl FormatFault {
    pub(super) fn report(self, file: &FileName, reason: &str) -> Report {
        let (code, hint) = match self {
            Self::Damaged => (
                Code::ERRCODE_BAD_COPY_FILE_FORMAT,
                "Get the file again from where it was published.",
            ),
            Self::Limit => (
                Code::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
                "Write the file again with smaller pages and row groups.",
            ),
            Self::Unsupported => (
                Code::ERRCODE_FEATURE_NOT_SUPPORTED,
                "Write the file again with other options, or as CSV.",
            ),
        };
        Report::new(code, format!("could not load file {file}: {reason}")).hint(hint)
    }
}

impl FileError {
    /// The error of the reader of a format.
    pub fn of_format(file: FileName, error: &io::Error) -> Self {
        Self::Format { file, fault: fault_of(error), reason: error.to_string() }
    }
}

#[cfg(feature = "parquet")]
fn fault_of(error: &io::Error) -> FormatFault {
    use trips_core::format::parquet::fault::{FaultKind, ParquetFault};
    match ParquetFault::of(error).map(|fault| fault.kind) {
        Some(FaultKind::Limit) => FormatFault::Limit,
        Some(FaultKind::Unsupported) => FormatFault::Unsupported,
        Some(FaultKind::Damaged) | None => FormatFault::Damaged,
    }
}

#[cfg(not(feature = "parquet"))]
fn fault_of(_: &io::Error) -> FormatFault {
    FormatFault::Damaged
}
