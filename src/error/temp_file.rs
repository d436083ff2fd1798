//! The error of a temporary file that would be too large.

use std::io;

/// The temporary files of the process would exceed `temp_file_limit`. It is in an [`io::Error`], from which
/// [`TempFileLimit::of`] takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TempFileLimit {
    /// The setting.
    pub kilobytes: u64,
}

impl TempFileLimit {
    /// The limit in an error of a file.
    pub fn of(error: &io::Error) -> Option<Self> {
        error.get_ref().and_then(|inner| inner.downcast_ref()).copied()
    }
}

impl std::error::Error for TempFileLimit {}

/// As PostgreSQL writes it.
impl std::fmt::Display for TempFileLimit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "temporary file size exceeds temp_file_limit ({}kB)", self.kilobytes)
    }
}
