//! When bad lines refuse a file.

use trips_core::check::reject::BadLine;
use trips_core::format::delimited::header::UNCLOSED_QUOTES;
use trips_core::format::parser::{MAX_BAD_LINES_REPORTED, Parsed};

use crate::error::FileError;
use crate::settings::LoadOptions;

/// Counts the bad lines of a file.
pub struct ErrorLimit<'a> {
    path: &'a str,
    abort_on_error: bool,
    max_errors: Option<u64>,
    bad_lines: u64,
    first: Vec<BadLine>,
    unclosed: usize,
}

impl<'a> ErrorLimit<'a> {
    /// A file without a bad line so far.
    pub fn new(path: &'a str, options: LoadOptions<'_>) -> Self {
        let LoadOptions { abort_on_error, max_errors, .. } = options;
        Self { path, abort_on_error, max_errors, bad_lines: 0, first: Vec::new(), unclosed: 0 }
    }

    /// Adds the next chunk, in the order of the file. Fails when it exceeds the limit.
    pub fn check(&mut self, parsed: &Parsed) -> Result<(), FileError> {
        let path = || self.path.to_owned();
        if let Some(bad) = parsed.first_bad.first()
            && self.abort_on_error
        {
            return Err(FileError::BadLine { path: path(), bad: bad.clone() });
        }
        if let Some(&last) = parsed.unclosed.get(UNCLOSED_QUOTES - 1 - self.unclosed) {
            return Err(FileError::UnclosedQuotes { path: path(), count: UNCLOSED_QUOTES, last });
        }
        self.unclosed += parsed.unclosed.len();
        self.bad_lines += parsed.bad_lines;
        let room = MAX_BAD_LINES_REPORTED - self.first.len();
        self.first.extend(parsed.first_bad.iter().take(room).cloned());
        match self.max_errors {
            Some(limit) if self.bad_lines > limit => {
                let first = std::mem::take(&mut self.first);
                Err(FileError::TooManyBadLines { path: path(), limit, first })
            }
            _ => Ok(()),
        }
    }
}
