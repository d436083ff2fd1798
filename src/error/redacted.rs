//! Errors without contents of the file: a caller that may load a file may not be allowed to read it.

use trips_core::check::reject::{BadLine, Rejection};
use trips_core::feed::day_month::{Contradiction, Evidence, Unproved};
use trips_core::format::delimited::header::{ColumnError, HeaderError};
use trips_core::pool::PoolError;

use super::{FileError, LoadError, Report};

/// The error for a caller that is not a member of pg_read_server_files.
const TO_CALLER: &str = "shown to members of pg_read_server_files";
/// The message in the ledger.
const IN_LEDGER: &str = "in trips.load_errors";

impl LoadError {
    /// The same error without contents of the file: for callers that may load it, but not read all files of the server.
    pub fn redacted(self) -> Self {
        self.redacted_with(TO_CALLER).unwrap_or(self)
    }

    /// The error for readers of the ledger: message and DETAIL, without contents of the file.
    pub fn public(&self) -> String {
        let redacted = self.redacted_with(IN_LEDGER);
        let Report { message, detail, .. } = redacted.as_ref().unwrap_or(self).report();
        match detail {
            Some(detail) => format!("{message}\n{detail}"),
            None => message,
        }
    }

    fn redacted_with(&self, instead: &str) -> Option<Self> {
        match self {
            Self::File(error) => error.redacted_with(instead).map(Self::File),
            Self::Feed(error) => error.redacted().map(Self::Feed),
            _ => None,
        }
    }
}

impl FileError {
    /// The same error with `instead` where it repeats the file; None if it does not. A new error that repeats contents
    /// of a file belongs here.
    fn redacted_with(&self, instead: &str) -> Option<Self> {
        let hide = |bad: &BadLine| {
            let reason = format!("the reason is {instead}");
            BadLine { rejection: Rejection { reason, ..bad.rejection.clone() }, ..bad.clone() }
        };
        Some(match self {
            Self::BadLine { file, bad } => Self::BadLine { file: file.clone(), bad: hide(bad) },
            Self::TooManyBadLines { file, limit, first } => Self::TooManyBadLines {
                file: file.clone(),
                limit: *limit,
                first: first.iter().map(hide).collect(),
            },
            Self::Header { file, error: HeaderError::Record(first) } => {
                Self::Header { file: file.clone(), error: HeaderError::Record(hide(first)) }
            }
            Self::Header {
                file,
                error: HeaderError::Columns(ColumnError::Missing { missing, guess, feed, fits, .. }),
            } => {
                let (missing, found, guess) = (missing.clone(), instead.to_owned(), *guess);
                let (feed, fits) = (feed.clone(), fits.clone());
                let missing = ColumnError::Missing { missing, found, guess, feed, fits };
                let error = HeaderError::Columns(missing);
                Self::Header { file: file.clone(), error }
            }
            Self::Contradiction { file, contradiction } => {
                let message = format!("{}: the reason is {instead}", contradiction.position);
                let contradiction = Contradiction { message, ..contradiction.clone() };
                Self::Contradiction { file: file.clone(), contradiction }
            }
            Self::Unproved { file, unproved } => {
                let shown = "the time".to_owned();
                let ambiguous = Evidence { shown, ..unproved.ambiguous.clone() };
                Self::Unproved { file: file.clone(), unproved: Unproved { ambiguous } }
            }
            Self::Container { file, error, .. } => {
                let (file, error) = (file.clone(), error.clone());
                Self::Container { file, error, shows_content: false }
            }
            Self::Format { file, fault, row_group, place, .. } => {
                let (file, place) = (file.clone(), place.clone());
                let reason = match &place {
                    Some(place) => format!("{place}: the reason is {instead}"),
                    None => format!("the reason is {instead}"),
                };
                Self::Format { file, fault: *fault, reason, row_group: *row_group, place }
            }
            // Rust's own messages quote the text at which they stopped.
            Self::Threads { file, .. } => {
                let error = PoolError::Thread(format!("the reason is {instead}"));
                Self::Threads { file: file.clone(), error }
            }
            _ => return None,
        })
    }
}
