//! When records refuse a file: bad ones, or those that contradict its feed.

use trips_core::check::reject::BadLine;
use trips_core::feed::day_month::TimeProofs;
use trips_core::feed::plan::Plan;
use trips_core::format::delimited::header::UNCLOSED_QUOTES;
use trips_core::format::parser::{MAX_BAD_LINES_REPORTED, Parsed};
use trips_core::model::time_form::DayMonthOrder;

use crate::error::FileError;
use crate::settings::LoadOptions;

/// Counts the bad lines of a file, and joins what its times prove.
pub struct ErrorLimit<'a> {
    path: &'a str,
    abort_on_error: bool,
    max_errors: Option<u64>,
    bad_lines: u64,
    first: Vec<BadLine>,
    unclosed: usize,
    feed: String,
    /// The order of day and month in which the file is read, if it is the file's own.
    order: Option<DayMonthOrder>,
    proofs: TimeProofs,
}

impl<'a> ErrorLimit<'a> {
    /// A file without a bad line so far.
    pub fn new(path: &'a str, options: LoadOptions<'_>, plan: &Plan) -> Self {
        let LoadOptions { abort_on_error, max_errors, .. } = options;
        Self {
            path,
            abort_on_error,
            max_errors,
            bad_lines: 0,
            first: Vec::new(),
            unclosed: 0,
            feed: plan.feed_name().to_owned(),
            order: plan.feed().order(),
            proofs: TimeProofs::default(),
        }
    }

    /// Adds the next chunk, in the order of the file. Fails when it exceeds the limit, or contradicts the feed.
    pub fn check(&mut self, parsed: &mut Parsed) -> Result<(), FileError> {
        let path = || self.path.to_owned();
        self.proofs.join(std::mem::take(&mut parsed.proofs));
        if let Some(contradiction) = self.proofs.contradiction(self.order, &self.feed) {
            return Err(FileError::Contradiction { path: path(), contradiction });
        }
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
