//! Parses a chunk of a file into a block of trips and rows for staging.

use std::borrow::Cow;
use std::collections::TryReserveError;

use crate::check::constraints::ZeroCoordinates;
use crate::check::reject::Rejection;
use crate::check::trip_text::{PointText, TimeText, TripText};
use crate::columns::TripColumn;
use crate::feed::plan::{ColumnSource, Plan};
use crate::feed::program::Scratch;
use crate::format::delimited::chunk::{DelimitedChunk, Lines};
use crate::format::delimited::header::UNCLOSED_QUOTES;
use crate::format::delimited::header_state::HeaderState;
use crate::format::delimited::later_header;
use crate::format::delimited::record::{FramingError, Record};
use crate::format::delimited::usual::{LONGEST, UsualLines};
use crate::format::parser::{Parsed, Parser, Target};
use crate::format::position::Position;
use crate::model::error::SqlState;
use crate::model::point;
use crate::model::trip::Trip;
use crate::sort::block::{Block, RowBuffer};
use crate::wire::staged_row::StagedRows;

/// A chunk that is being parsed.
struct Parsing<'p, G> {
    parser: &'p Parser,
    has_quotes: bool,
    /// The header of the next record.
    header: HeaderState,
    begins_with: &'p HeaderState,
    /// The reader of usual lines of the first header, while it applies.
    usual: Option<UsualLines>,
    scratch: Option<Scratch>,
    parsed: Parsed,
    /// Rows for staging of so many bytes are passed on.
    bytes: usize,
    give: &'p mut G,
}

impl<G, E> Lines<E> for Parsing<'_, G>
where
    G: FnMut(Parsed) -> Result<(), E>,
    E: From<TryReserveError>,
{
    #[inline]
    fn line(&mut self, bytes: &[u8]) -> Result<usize, E> {
        let Some((trip, used)) = self.usual.as_mut().and_then(|usual| usual.read(bytes)) else {
            return Ok(0);
        };
        self.parsed.rows += 1;
        self.parser.push(&trip, &mut self.parsed)?;
        Ok(used)
    }

    fn record(&mut self, record: &Record<'_>) -> Result<(), E> {
        // A large record waits for its turn, so that only one is in memory at a time.
        let is_large = StagedRows::most_bytes(record.raw.len()) > self.bytes;
        if is_large || self.parsed.staged.bytes() > self.bytes {
            (self.give)(self.parsed.take_partial())?;
        }
        let (parser, has_quotes, parsed) = (self.parser, self.has_quotes, &mut self.parsed);
        match &mut self.scratch {
            None => parser.take(record, &mut self.header, has_quotes, parsed)?,
            Some(scratch) => {
                parser.take_of_feed(record, &mut self.header, has_quotes, scratch, parsed)?;
            }
        }
        if self.usual.is_some() && self.header != *self.begins_with {
            self.usual = None;
        }
        Ok(())
    }
}

impl Parser {
    /// Parses the next chunk of a file, and keeps the header of what follows.
    ///
    /// # Errors
    /// When there is no memory.
    ///
    /// # Panics
    /// Never: the rows of a chunk take fewer bytes than the limit.
    pub fn parse_next(
        &self,
        mut chunk: DelimitedChunk,
        header: &mut HeaderState,
    ) -> Result<Parsed, TryReserveError> {
        let give = |_| -> Result<(), TryReserveError> { unreachable!("it is one partial") };
        let buffer = &mut RowBuffer::default();
        let parsed = self.parse_in_steps(&mut chunk, header, usize::MAX, buffer, give)?;
        if let Some(after) = &parsed.header {
            *header = after.clone();
        }
        Ok(parsed)
    }

    /// Parses a chunk that begins with records of this header. It passes its rows for staging to `give` whenever they reach a
    /// number of bytes: a line of two bytes takes a hundred. The result has the remaining rows, and all trips, which were
    /// collected in this buffer.
    ///
    /// # Errors
    /// When there is no memory, or errors of `give`.
    pub fn parse_in_steps<E: From<TryReserveError>>(
        &self,
        chunk: &mut DelimitedChunk,
        header: &HeaderState,
        bytes: usize,
        buffer: &mut RowBuffer,
        mut give: impl FnMut(Parsed) -> Result<(), E>,
    ) -> Result<Parsed, E> {
        let (block, DelimitedChunk { number, covers, .. }) = (Block::filled_in(buffer), &*chunk);
        let parsed = Parsed { number: *number, covers: *covers, block, ..Parsed::default() };
        let usual = match header {
            HeaderState::Known(plan) if self.has_usual_lines() => {
                UsualLines::of(plan, chunk.delimiter(), self.constraints)
            }
            _ => None,
        };
        let mut parsing = Parsing {
            parser: self,
            has_quotes: chunk.has_quotes(),
            header: header.clone(),
            begins_with: header,
            usual,
            scratch: self.plan.program().map(|program| program.scratch(self.details_form())),
            parsed,
            bytes,
            give: &mut give,
        };
        chunk.for_each_line(self.max_record, &mut parsing)?;
        let Parsing { scratch, header: now, mut parsed, .. } = parsing;
        parsed.proofs = scratch.map(|scratch| scratch.proofs).unwrap_or_default();
        parsed.header = (now != *header).then_some(now);
        parsed.block.sort_out_of(buffer)?;
        Ok(parsed)
    }

    /// Whether trips are the only results of lines of the usual form.
    fn has_usual_lines(&self) -> bool {
        self.target != Target::Staging && self.max_record >= LONGEST
    }

    /// Adds a trip to the results.
    #[inline]
    fn push(&self, trip: &Trip<'_>, parsed: &mut Parsed) -> Result<(), TryReserveError> {
        if self.constraints.zero_coordinates == ZeroCoordinates::Warn {
            parsed.zero_coordinates += u64::from(trip.has_zero_coordinate());
        }
        parsed.block.push(trip, &[])
    }

    /// Processes a record of this header. If it is or contains a header, that one applies after it.
    fn take(
        &self,
        record: &Record<'_>,
        header: &mut HeaderState,
        has_quotes: bool,
        parsed: &mut Parsed,
    ) -> Result<(), TryReserveError> {
        parsed.rows += 1;
        let texts = match header {
            HeaderState::Known(plan) => texts(plan, record),
            HeaderState::Unknown { line } => Err(later_header::not_known(*line)),
        };
        let checked = match &texts {
            Ok(texts) => texts.validate(&self.constraints),
            Err(rejection) => Err(rejection.clone()),
        };
        // A header is not a trip, because its time is invalid. So header detection costs nothing for valid rows.
        let may_be_header = match (&checked, &*header) {
            (Ok(_), HeaderState::Known(plan)) => {
                let is_plain = !has_quotes && plan.unused_fields().is_empty();
                !is_plain && later_header::may_hide_in_row(plan, record, has_quotes)
            }
            _ => true,
        };
        if may_be_header && let Some(later) = later_header::find(&self.plan, record, header) {
            self.reject(record, None, later.rejection(header), parsed)?;
            *header = later.state_after(record.line);
            return Ok(());
        }
        let trip = match checked {
            Ok(trip) => trip,
            Err(rejection) => return self.reject(record, texts.as_ref().ok(), rejection, parsed),
        };
        if self.target != Target::Staging {
            self.push(&trip, parsed)?;
        } else if let Ok(texts) = &texts {
            parsed.staged.reserve(record.raw.len())?;
            parsed.staged.push_waiting(self.load_id, record.line, texts);
        }
        Ok(())
    }

    fn reject(
        &self,
        record: &Record<'_>,
        texts: Option<&TripText<'_>>,
        rejection: Rejection,
        parsed: &mut Parsed,
    ) -> Result<(), TryReserveError> {
        parsed.staged.reserve(record.raw.len())?;
        parsed.staged.push_rejected(self.load_id, (record.line, record.raw), texts, &rejection);
        self.count_rejected(record, rejection, parsed);
        Ok(())
    }

    /// Counts a record that is staged.
    pub(super) fn count_rejected(
        &self,
        record: &Record<'_>,
        rejection: Rejection,
        parsed: &mut Parsed,
    ) {
        if record.error == Some(FramingError::UnclosedQuote)
            && parsed.unclosed.len() < UNCLOSED_QUOTES
        {
            parsed.unclosed.push(record.line);
        }
        parsed.count_rejected(Position::line(record.line), rejection);
    }
}

/// Why a record cannot be divided into the fields of the header.
pub(super) fn fault_of(plan: &Plan, record: &Record<'_>) -> Rejection {
    let bad_format = |reason| Rejection::of_record(SqlState::BadCopyFileFormat, reason);
    match record.error {
        Some(FramingError::TooLong) => Rejection::of_record(
            SqlState::ProgramLimitExceeded,
            format!("the record is longer than {} bytes and was truncated", record.raw.len()),
        ),
        Some(error) => bad_format(error.to_string()),
        None => {
            let (found, expected) = (record.len(), plan.field_count);
            bad_format(format!("the record has {found} fields, expected {expected}"))
        }
    }
}

/// The fields of a record, or why they cannot be read.
///
/// # Errors
/// When the record is faulty, or has another number of fields than the header.
pub fn texts<'a>(plan: &Plan, record: &Record<'a>) -> Result<TripText<'a>, Rejection> {
    if record.error.is_some() || record.len() != plan.field_count {
        return Err(fault_of(plan, record));
    }
    Ok(TripText {
        region: field(plan, record, TripColumn::Region),
        origin: point(plan, record, TripColumn::Origin),
        destination: point(plan, record, TripColumn::Destination),
        date_time: TimeText::Text(field(plan, record, TripColumn::DateTime)),
        datasource: field(plan, record, TripColumn::Datasource),
    })
}

#[inline(always)]
fn field<'a>(plan: &Plan, record: &Record<'a>, column: TripColumn) -> Cow<'a, [u8]> {
    match plan.source(column) {
        ColumnSource::Field(at) => record.field(at),
        ColumnSource::FieldPair { longitude, latitude } => {
            point::pair_text(&record.field(longitude), &record.field(latitude)).into()
        }
    }
}

#[inline(always)]
fn point<'a>(plan: &Plan, record: &Record<'a>, column: TripColumn) -> PointText<'a> {
    match plan.source(column) {
        ColumnSource::Field(at) => PointText::Wkt(record.field(at)),
        ColumnSource::FieldPair { longitude, latitude } => {
            PointText::Pair { longitude: record.field(longitude), latitude: record.field(latitude) }
        }
    }
}
