//! How the chunks of a file are parsed, and what is made of a chunk: the same for all formats.

use std::sync::Arc;

use crate::check::constraints::Constraints;
use crate::check::reject::BadLine;
use crate::feed::day_month::TimeProofs;
use crate::feed::plan::Plan;
use crate::feed::program::NotNumbers;
use crate::format::delimited::header_state::HeaderState;
use crate::sort::block::Block;
use crate::wire::staged_row::StagedRows;

/// Number of bad rows that an error shows.
pub const MAX_BAD_LINES_REPORTED: usize = 10;

/// Where the rows of a file go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Valid trips into the history, rejected records into staging.
    History,
    /// Everything into staging.
    Staging,
    /// As [`Target::History`], in a part for another machine.
    Upload,
}

/// How a file is parsed, whatever its format.
#[derive(Debug, Clone)]
pub struct Parser {
    /// Which of its fields make which column.
    pub plan: Plan,
    /// Target of its rows.
    pub target: Target,
    /// The number of the load.
    pub load_id: i64,
    /// The longest record, bytes.
    pub max_record: usize,
    /// The constraints of its values.
    pub constraints: Constraints,
    /// Whether batches need the grid points of their trips, for the area index.
    pub keeps_grid_points: bool,
}

/// A parsed chunk.
#[derive(Debug, Default)]
pub struct Parsed {
    /// The number of the chunk.
    pub number: u64,
    /// Number of bytes of the file that it covers.
    pub covers: u64,
    /// Number of its records.
    pub rows: u64,
    /// The trips for the history, sorted by time.
    pub block: Block,
    /// The rows for staging.
    pub staged: StagedRows,
    /// Number of rejected records.
    pub bad_lines: u64,
    /// The first of them.
    pub first_bad: Vec<BadLine>,
    /// Lines with an unclosed quote, as many as a refusal needs.
    pub unclosed: Vec<u64>,
    /// Number of trips with the coordinate `(0, 0)`, if it is to be reported.
    pub zero_coordinates: u64,
    /// What the times of its records prove of the file.
    pub proofs: TimeProofs,
    /// Number of places that its trips name and the feed's zones do not have.
    pub unknown_places: u64,
    /// Values of columns of numbers in the details of its trips that are no numbers.
    pub not_numbers: NotNumbers,
    /// The names in its records that the feed does not know, escaped and quoted, if its format has no header.
    pub not_stored: Vec<String>,
    /// The header that applies after it, if another one is in it.
    pub header: Option<HeaderState>,
}

impl Parsed {
    /// Returns the rows for staging so far; trips and counts stay.
    pub(crate) fn take_partial(&mut self) -> Self {
        let block = std::mem::take(&mut self.block);
        let rest = Self {
            number: self.number,
            covers: self.covers,
            rows: block.len() as u64,
            zero_coordinates: self.zero_coordinates,
            unknown_places: self.unknown_places,
            not_numbers: std::mem::take(&mut self.not_numbers),
            block,
            ..Self::default()
        };
        let partial = std::mem::replace(self, rest);
        Self {
            covers: 0,
            rows: partial.staged.len() as u64,
            zero_coordinates: 0,
            unknown_places: 0,
            ..partial
        }
    }
}

impl Parser {
    /// The header that applies at the beginning of the file.
    #[must_use]
    pub fn first_header(&self) -> HeaderState {
        HeaderState::Known(Arc::new(self.plan.clone()))
    }
}
