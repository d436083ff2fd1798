//! Errors of a format: JSON or Parquet that is not as it must be.

use std::io;

use pgrx::PgSqlErrorCode as Code;
use trips_core::format::json::error::JsonError;

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
    /// It needs more memory than trips.work_mem allows.
    Memory,
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
            Self::Memory => (
                Code::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
                "Increase trips.work_mem, or write the file again with smaller pages and dictionaries.",
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
        let (fault, row_group, place) = match JsonError::of(error) {
            Some(JsonError { line, column, .. }) => {
                (FormatFault::Damaged, None, Some(format!("line {line}, column {column}")))
            }
            None => of_parquet(error),
        };
        Self::Format { file, fault, reason: error.to_string(), row_group, place }
    }
}

/// Kind, row group and place.
#[cfg(feature = "parquet")]
fn of_parquet(error: &io::Error) -> (FormatFault, Option<u32>, Option<String>) {
    use trips_core::format::parquet::fault::{FaultKind, ParquetFault};
    let Some(fault) = ParquetFault::of(error) else { return (FormatFault::Damaged, None, None) };
    let kind = match fault.kind {
        FaultKind::Limit => FormatFault::Limit,
        FaultKind::Memory => FormatFault::Memory,
        FaultKind::Unsupported => FormatFault::Unsupported,
        FaultKind::Damaged | FaultKind::NoMemory => FormatFault::Damaged,
    };
    let group = fault.row_group.map(|number| format!("row group {number}"));
    let byte = fault.byte.map(|byte| format!("byte {byte}"));
    let parts: Vec<String> = group.into_iter().chain(byte).collect();
    let row_group = fault.row_group.and_then(|number| u32::try_from(number).ok());
    (kind, row_group, (!parts.is_empty()).then(|| parts.join(", ")))
}

#[cfg(not(feature = "parquet"))]
fn of_parquet(_: &io::Error) -> (FormatFault, Option<u32>, Option<String>) {
    (FormatFault::Damaged, None, None)
}
