//! Faults of a JSON file that no record alone has: the load ends.

use std::io;

use thiserror::Error;

use crate::model::error::SqlState;

/// A fault between records, or one that hides the end of a record.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the file is not JSON: found {found} in line {line}, column {column}, expected {expected}")]
pub struct JsonError {
    /// Number of the line, from 1.
    pub line: u64,
    /// Number of the byte in its line, from 1.
    pub column: u64,
    /// What is there, escaped and cut.
    pub found: String,
    /// What may be there.
    pub expected: String,
}

impl JsonError {
    /// The fault that an error of reading is; None if it is another one.
    ///
    /// ```
    /// use trips_core::format::json::error::JsonError;
    /// assert!(JsonError::of(&std::io::ErrorKind::NotFound.into()).is_none());
    /// ```
    #[must_use]
    pub fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }

    /// The SQLSTATE of the error.
    #[must_use]
    pub const fn sqlstate(&self) -> SqlState {
        SqlState::BadCopyFileFormat
    }
}

impl From<JsonError> for io::Error {
    fn from(error: JsonError) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}
