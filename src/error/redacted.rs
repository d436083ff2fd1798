//! Errors without what stands in the file: a caller who may load a file may not read it for that.

use trips_core::check::reject::{BadLine, Rejection};
use trips_core::feed::plan::ColumnError;
use trips_core::format::delimited::header::HeaderError;
use trips_core::pool::PoolError;

use super::{FileError, LoadError, Report};

/// What a caller is told who is not a member of pg_read_server_files.
const TO_CALLER: &str = "told to members of pg_read_server_files";
/// What the ledger says.
const IN_LEDGER: &str = "in trips.load_errors";

impl LoadError {
    /// The same error without anything that stands in the file: for callers who may load it, but not
    /// read whatever the server can read.
    pub fn redacted(self) -> Self {
        self.redacted_with(TO_CALLER).unwrap_or(self)
    }

    /// What everybody may know who sees the ledger: message and DETAIL, without anything that stands in the file.
    pub fn public(&self) -> String {
        let redacted = self.redacted_with(IN_LEDGER);
        let Report { message, detail, .. } = redacted.as_ref().unwrap_or(self).report();
        match detail {
            Some(detail) => format!("{message}\n{detail}"),
            None => message,
        }
    }

    fn redacted_with(&self, instead: &str) -> Option<Self> {
        let Self::File(error) = self else { return None };
        error.redacted_with(instead).map(Self::File)
    }
}

impl FileError {
    /// The same error with `instead` where it repeats the file; none when it does not. A new error that repeats
    /// something of a file belongs here.
    fn redacted_with(&self, instead: &str) -> Option<Self> {
        let hide = |bad: &BadLine| {
            let reason = format!("what stands there is {instead}");
            BadLine { rejection: Rejection { reason, ..bad.rejection.clone() }, ..bad.clone() }
        };
        Some(match self {
            Self::BadLine { path, bad } => Self::BadLine { path: path.clone(), bad: hide(bad) },
            Self::TooManyBadLines { path, limit, first } => Self::TooManyBadLines {
                path: path.clone(),
                limit: *limit,
                first: first.iter().map(hide).collect(),
            },
            Self::Header {
                path,
                error: HeaderError::Columns(ColumnError::Missing { missing, guess, .. }),
            } => {
                let (missing, found, guess) = (missing.clone(), instead.to_owned(), *guess);
                let error = HeaderError::Columns(ColumnError::Missing { missing, found, guess });
                Self::Header { path: path.clone(), error }
            }
            // Rust's own messages quote the text at which they stopped.
            Self::Threads { path, .. } => {
                let error = PoolError::Thread(format!("the reason is {instead}"));
                Self::Threads { path: path.clone(), error }
            }
            _ => return None,
        })
    }
}
