//! A chunk of a file becomes a block of trips and rows for staging.

use std::collections::TryReserveError;

use crate::block::Block;
use crate::chunk::Chunk;
use crate::header::Layout;
use crate::opening::UNCLOSED_QUOTES;
use crate::record::{Fault, Record};
use crate::reject::BadLine;
use crate::rules::{Rules, ZeroCoordinates};
use crate::staged::StagedRows;
use crate::trip;

/// Bad lines that a refusal tells.
pub const BAD_LINES_TOLD: usize = 10;

/// What happens to the rows of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Trips into the history, bad lines into staging.
    History,
    /// Everything into staging.
    Staging,
}

/// How a file is parsed.
#[derive(Debug, Clone)]
pub struct Parser {
    /// Its columns.
    pub layout: Layout,
    /// What happens to its rows.
    pub target: Target,
    /// The load that brings it.
    pub load_id: i64,
    /// The longest record, bytes.
    pub max_record: usize,
    /// What its values must be.
    pub rules: Rules,
    /// Whether batches have the places of their trips, for questions about areas.
    pub keeps_places: bool,
}

/// What a chunk turned out to be.
#[derive(Debug, Default)]
pub struct Parsed {
    /// The number of the chunk.
    pub number: u64,
    /// How many bytes of the file it covers.
    pub covers: u64,
    /// How many records it has.
    pub rows: u64,
    /// The trips for the history, sorted by time.
    pub block: Block,
    /// The rows for staging.
    pub staged: StagedRows,
    /// How many records are no trips.
    pub bad_lines: u64,
    /// The first of them.
    pub first_bad: Vec<BadLine>,
    /// Lines where a quote is never closed, as many as a refusal needs.
    pub unclosed: Vec<u64>,
    /// How many trips have the coordinate `(0, 0)`, if somebody wants to be told.
    pub zero_coordinates: u64,
}

impl Parsed {
    /// The rows for staging so far; the trips, and what the chunk covers, stay for the rest.
    fn take_piece(&mut self) -> Self {
        let block = std::mem::take(&mut self.block);
        let rest = Self {
            number: self.number,
            covers: self.covers,
            rows: block.len() as u64,
            zero_coordinates: self.zero_coordinates,
            block,
            ..Self::default()
        };
        let piece = std::mem::replace(self, rest);
        Self { covers: 0, rows: piece.staged.len() as u64, zero_coordinates: 0, ..piece }
    }
}

impl Parser {
    /// Parses a chunk.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn parse(&self, chunk: Chunk) -> Result<Parsed, TryReserveError> {
        let mut parsed = Parsed { number: chunk.number, covers: chunk.covers, ..Parsed::default() };
        chunk.for_each(self.max_record, |record| self.take(record, &mut parsed))?;
        parsed.block.sort()?;
        Ok(parsed)
    }

    /// Parses a chunk, and gives its rows for staging away whenever they have so many bytes: a line of two bytes
    /// takes a hundred. What is returned has the rest of them, and all trips.
    ///
    /// # Errors
    /// When there is no memory, or what `give` says.
    pub fn parse_in_pieces<E: From<TryReserveError>>(
        &self,
        chunk: Chunk,
        bytes: usize,
        mut give: impl FnMut(Parsed) -> Result<(), E>,
    ) -> Result<Parsed, E> {
        let mut parsed = Parsed { number: chunk.number, covers: chunk.covers, ..Parsed::default() };
        chunk.for_each(self.max_record, |record| {
            // A large record waits for its turn, so that there is one of them at a time.
            let is_large = StagedRows::most_bytes(record.raw.len()) > bytes;
            if is_large || parsed.staged.bytes() > bytes {
                give(parsed.take_piece())?;
            }
            self.take(record, &mut parsed).map_err(E::from)
        })?;
        parsed.block.sort()?;
        Ok(parsed)
    }

    fn take(&self, record: &Record<'_>, parsed: &mut Parsed) -> Result<(), TryReserveError> {
        parsed.rows += 1;
        let texts = trip::texts(&self.layout, record);
        let checked = match &texts {
            Ok(texts) => texts.validate(&self.rules),
            Err(rejection) => Err(rejection.clone()),
        };
        match (checked, &texts) {
            (Ok(trip), _) if self.target == Target::History => {
                if self.rules.zero_coordinates == ZeroCoordinates::Warn {
                    parsed.zero_coordinates += u64::from(trip.has_zero_coordinate());
                }
                parsed.block.push(&trip)?;
            }
            (Ok(_), Ok(texts)) => {
                parsed.staged.reserve(record.raw.len())?;
                parsed.staged.push_waiting(self.load_id, record, texts);
            }
            (Ok(_), Err(_)) => unreachable!("a trip is made of texts"),
            (Err(rejection), _) => {
                let texts = texts.as_ref().ok();
                parsed.staged.reserve(record.raw.len())?;
                parsed.staged.push_rejected(self.load_id, record, texts, &rejection);
                parsed.bad_lines += 1;
                if record.fault == Some(Fault::UnclosedQuote)
                    && parsed.unclosed.len() < UNCLOSED_QUOTES
                {
                    parsed.unclosed.push(record.line);
                }
                if parsed.first_bad.len() < BAD_LINES_TOLD {
                    parsed.first_bad.push(BadLine { line: record.line, rejection });
                }
            }
        }
        Ok(())
    }
}
