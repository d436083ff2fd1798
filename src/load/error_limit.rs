//! When records refuse a file: bad ones, or those that contradict its feed.

use trips_core::check::reject::{BadLine, Rejection};
use trips_core::feed::day_month::TimeProofs;
use trips_core::feed::plan::Plan;
use trips_core::format::delimited::header::UNCLOSED_QUOTES;
use trips_core::format::parser::{MAX_BAD_LINES_REPORTED, Parsed};
use trips_core::model::position::{Position, PositionKind};
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
    positions: PositionKind,
}

/// Records that a load refuses after they are parsed.
#[derive(Debug, Default)]
pub struct LateErrors {
    /// Their number.
    pub count: u64,
    /// The first of them: the number of the position, and why. At most [`MAX_BAD_LINES_REPORTED`].
    pub first: Vec<(u64, Rejection)>,
}

impl LateErrors {
    /// Adds a record.
    pub fn add(&mut self, position: u64, rejection: &Rejection) {
        self.count += 1;
        if self.first.len() < MAX_BAD_LINES_REPORTED {
            self.first.push((position, rejection.clone()));
        }
    }
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
            positions: PositionKind::default(),
        }
    }

    /// Begins a member, or the only content of the file, whose records have positions of this kind.
    pub fn begin(&mut self, file: &FileName, plan: &Plan, positions: PositionKind) {
        self.file = file.clone();
        self.positions = positions;
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
        self.refuse_first(parsed.first_bad.first())?;
        if let Some(&last) = parsed.unclosed.get(UNCLOSED_QUOTES - 1 - self.unclosed) {
            return Err(FileError::UnclosedQuotes {
                file: self.file.clone(),
                count: UNCLOSED_QUOTES,
                last,
            });
        }
        self.unclosed += parsed.unclosed.len();
        self.count(parsed.bad_lines, &parsed.first_bad)
    }

    /// Adds records of a run that are refused although their values are valid.
    pub fn check_late(&mut self, errors: LateErrors) -> Result<(), FileError> {
        let LateErrors { count, first } = errors;
        let kind = self.positions;
        let bad = |(value, rejection)| BadLine { position: Position { kind, value }, rejection };
        let first: Vec<BadLine> = first.into_iter().map(bad).collect();
        self.refuse_first(first.first())?;
        self.count(count, &first)
    }

    fn refuse_first(&self, first: Option<&BadLine>) -> Result<(), FileError> {
        match first.filter(|_| self.abort_on_error) {
            Some(bad) => Err(FileError::BadLine { file: self.file.clone(), bad: bad.clone() }),
            None => Ok(()),
        }
    }

    fn count(&mut self, bad_lines: u64, first: &[BadLine]) -> Result<(), FileError> {
        self.bad_lines += bad_lines;
        let room = MAX_BAD_LINES_REPORTED - self.first.len();
        self.first.extend(first.iter().take(room).cloned());
        match self.max_errors {
            Some(limit) if self.bad_lines > limit => {
                let first = std::mem::take(&mut self.first);
                Err(FileError::TooManyBadLines { file: self.file.clone(), limit, first })
            }
            _ => Ok(()),
        }
    }
}
