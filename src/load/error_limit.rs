//! When records refuse a file: bad ones, or those that contradict its feed.

use trips_core::check::reject::BadLine;
use trips_core::feed::day_month::TimeProofs;
use trips_core::feed::plan::Plan;
use trips_core::format::delimited::header::UNCLOSED_QUOTES;
use trips_core::format::parser::{MAX_BAD_LINES_REPORTED, Parsed};
use trips_core::model::time_form::DayMonthOrder;

use crate::error::{FileError, FileName};
use crate::settings::LoadOptions;

/// Counts the bad lines of a file, and joins what the times of a member prove.
pub struct ErrorLimit {
    file: FileName,
    abort_on_error: bool,
    max_errors: Option<u64>,
    bad_lines: u64,
    first: Vec<BadLine>,
    unclosed: usize,
    feed: String,
    /// The order of day and month in which the member is read, if it is its own.
    order: Option<DayMonthOrder>,
    proofs: TimeProofs,
}

impl ErrorLimit {
    /// A file without a bad line so far.
    pub fn new(file: FileName, options: LoadOptions<'_>) -> Self {
        let LoadOptions { abort_on_error, max_errors, .. } = options;
        Self {
            file,
            abort_on_error,
            max_errors,
            bad_lines: 0,
            first: Vec::new(),
            unclosed: 0,
            feed: String::new(),
            order: None,
            proofs: TimeProofs::default(),
        }
    }

    /// Begins a member, or the only content of the file.
    pub fn begin(&mut self, file: &FileName, plan: &Plan) {
        self.file = file.clone();
        self.feed = plan.feed_name().to_owned();
        self.order = plan.feed().order();
        self.proofs = TimeProofs::default();
        self.unclosed = 0;
    }

    /// Adds the next chunk, in the order of the file. Fails when it exceeds the limit, or contradicts the feed.
    pub fn check(&mut self, parsed: &mut Parsed) -> Result<(), FileError> {
        self.proofs.join(std::mem::take(&mut parsed.proofs));
        if let Some(contradiction) = self.proofs.contradiction(self.order, &self.feed) {
            return Err(FileError::Contradiction { file: self.file.clone(), contradiction });
        }
        if let Some(bad) = parsed.first_bad.first()
            && self.abort_on_error
        {
            return Err(FileError::BadLine { file: self.file.clone(), bad: bad.clone() });
        }
        if let Some(&last) = parsed.unclosed.get(UNCLOSED_QUOTES - 1 - self.unclosed) {
            return Err(FileError::UnclosedQuotes {
                file: self.file.clone(),
                count: UNCLOSED_QUOTES,
                last,
            });
        }
        self.unclosed += parsed.unclosed.len();
        self.bad_lines += parsed.bad_lines;
        let room = MAX_BAD_LINES_REPORTED - self.first.len();
        self.first.extend(parsed.first_bad.iter().take(room).cloned());
        match self.max_errors {
            Some(limit) if self.bad_lines > limit => {
                let first = std::mem::take(&mut self.first);
                Err(FileError::TooManyBadLines { file: self.file.clone(), limit, first })
            }
            _ => Ok(()),
        }
    }
}
