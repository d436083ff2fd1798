//! Records of a format that is not delimited text: the loop over a chunk, and what one record becomes.
//!
//! Such a format has one header for the whole file, so no record can be another header.

use std::borrow::Cow;
use std::collections::TryReserveError;

use crate::check::constraints::ZeroCoordinates;
use crate::check::reject::{BadLine, Rejection};
use crate::check::trip_text::{PointText, TimeText, TripText};
use crate::columns::TripColumn;
use crate::feed::definition::ColumnId;
use crate::feed::fields::Fields;
use crate::feed::file_feed::FiveColumnsSource;
use crate::feed::plan::Plan;
use crate::feed::program::{FeedProgram, FeedTrip, Scratch};
use crate::feed::staged;
use crate::format::parser::{MAX_BAD_LINES_REPORTED, Parsed, Parser, Target};
use crate::format::position::Position;
use crate::sort::block::{Block, RowBuffer};
use crate::sort::record_texts::RecordText;
use crate::wire::jsonb::DetailsForm;
use crate::wire::staged_row::StagedRows;

/// A record of a file, by the columns of its feed.
pub trait FieldsRecord: Fields {
    /// Its position in the file.
    fn position(&self) -> Position;

    /// Why it has no fields, for example because it is too long or damaged.
    fn fault(&self) -> Option<Rejection> {
        None
    }

    /// The text by which a user recognizes it, with the columns that may be kept. None if it has no such text.
    fn raw(&self, plan: &Plan) -> Option<Cow<'_, [u8]>>;

    /// About the bytes of its text.
    fn size(&self) -> usize;
}

/// Whole records of a file, which can be read more than once.
pub trait RecordChunk {
    /// A record.
    type Record<'r>: FieldsRecord;

    /// The number of the chunk, from 0.
    fn number(&self) -> u64;

    /// Number of bytes of the file that it covers.
    fn covers(&self) -> u64;

    /// Calls `each` for every record, until it fails.
    ///
    /// # Errors
    /// Errors of `each`.
    fn for_each<E>(
        &mut self,
        plan: &Plan,
        max_record: usize,
        each: impl FnMut(&Self::Record<'_>) -> Result<(), E>,
    ) -> Result<(), E>;

    /// The names of fields that the records had and the feed does not know, escaped and quoted, if the records name their
    /// fields themselves.
    fn take_not_stored(&mut self) -> Vec<String> {
        Vec::new()
    }
}

/// A record of any format, for readers that need neither blocks nor staging.
#[expect(missing_debug_implementations, reason = "the fields of all formats are behind one trait")]
pub struct RecordOrFault<'r> {
    /// Its position in the file.
    pub position: Position,
    /// Its fields, or why it has none.
    pub fields: Result<&'r dyn Fields, Rejection>,
}

impl<'r> RecordOrFault<'r> {
    /// A record of a format that is not delimited text.
    pub(super) fn of(record: &'r impl FieldsRecord) -> Self {
        let fields: &dyn Fields = record;
        Self { position: record.position(), fields: record.fault().map_or(Ok(fields), Err) }
    }
}

impl Parser {
    /// The form of the details of a trip.
    pub(super) fn details_form(&self) -> DetailsForm {
        match self.target {
            Target::Upload => DetailsForm::Text,
            Target::History | Target::Staging => DetailsForm::OnDisk,
        }
    }

    /// Parses a chunk. It passes its rows for staging to `give` whenever they reach a number of bytes. The result has the
    /// remaining rows, and all trips, which were collected in this buffer.
    ///
    /// # Errors
    /// When there is no memory, or errors of `give`.
    pub fn parse_records<C: RecordChunk, E: From<TryReserveError>>(
        &self,
        chunk: &mut C,
        bytes: usize,
        buffer: &mut RowBuffer,
        mut give: impl FnMut(Parsed) -> Result<(), E>,
    ) -> Result<Parsed, E> {
        let (number, covers) = (chunk.number(), chunk.covers());
        let block = Block::filled_in(buffer);
        let mut parsed = Parsed { number, covers, block, ..Parsed::default() };
        let mut scratch = self.plan.program().map(|program| program.scratch(self.details_form()));
        chunk.for_each(&self.plan, self.max_record, |record| {
            // A large record waits for its turn, so that only one is in memory at a time.
            let is_large = StagedRows::most_bytes(record.size()) > bytes;
            if is_large || parsed.staged.bytes() > bytes {
                give(parsed.take_partial())?;
            }
            self.take_fields(record, scratch.as_mut(), &mut parsed).map_err(E::from)
        })?;
        parsed.not_stored = chunk.take_not_stored();
        parsed.proofs = scratch.map(|scratch| scratch.proofs).unwrap_or_default();
        parsed.block.sort_out_of(buffer)?;
        Ok(parsed)
    }

    /// Processes a record: a trip goes into the block, or to staging with all others. `scratch` is that of the program,
    /// if the plan has one.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn take_fields(
        &self,
        record: &impl FieldsRecord,
        scratch: Option<&mut Scratch>,
        parsed: &mut Parsed,
    ) -> Result<(), TryReserveError> {
        parsed.rows += 1;
        if let Some(rejection) = record.fault() {
            return self.reject_fields(record, None, rejection, parsed);
        }
        match (self.plan.program(), scratch) {
            (Some(program), Some(scratch)) => {
                self.take_of_program(program, record, scratch, parsed)
            }
            _ => self.take_five_columns(record, parsed),
        }
    }

    fn take_of_program(
        &self,
        program: &FeedProgram,
        record: &impl FieldsRecord,
        scratch: &mut Scratch,
        parsed: &mut Parsed,
    ) -> Result<(), TryReserveError> {
        let position = record.position();
        match program.trip(record, position, scratch, &self.constraints) {
            Ok(trip) => {
                let raw = || record.raw(&self.plan);
                self.take_trip((program, record), &trip, position, raw, parsed)
            }
            Err(rejection) => self.reject_fields(record, Some(program), rejection, parsed),
        }
    }

    /// A record of a feed of five columns.
    fn take_five_columns(
        &self,
        record: &impl FieldsRecord,
        parsed: &mut Parsed,
    ) -> Result<(), TryReserveError> {
        let position = record.position();
        let texts = texts(&self.plan, record);
        let trip = match texts.validate(&self.constraints) {
            Ok(trip) => trip,
            Err(rejection) => {
                let raw = record.raw(&self.plan).unwrap_or_default();
                parsed.staged.reserve(raw.len())?;
                let at = (position.value, &*raw);
                parsed.staged.push_rejected(self.load_id, at, Some(&texts), &rejection);
                parsed.count_rejected(position, rejection);
                return Ok(());
            }
        };
        if self.target == Target::Staging {
            parsed.staged.reserve(record.size())?;
            parsed.staged.push_waiting(self.load_id, position.value, &texts);
            return Ok(());
        }
        if self.constraints.zero_coordinates == ZeroCoordinates::Warn {
            parsed.zero_coordinates += u64::from(trip.has_zero_coordinate());
        }
        parsed.block.push(&trip, &[])
    }

    /// Puts the trip of a record into the block, or its fields into staging. `raw` makes the text of the record, as far as
    /// it may be kept.
    pub(super) fn take_trip<'r>(
        &self,
        (program, fields): (&FeedProgram, &impl Fields),
        trip: &FeedTrip<'_>,
        position: Position,
        raw: impl FnOnce() -> Option<Cow<'r, [u8]>>,
        parsed: &mut Parsed,
    ) -> Result<(), TryReserveError> {
        if self.target == Target::Staging {
            let json = staged::json_of(program, fields);
            let line = position.value;
            return parsed.staged.push_waiting_record(self.load_id, line, json.as_deref());
        }
        if self.constraints.zero_coordinates == ZeroCoordinates::Warn {
            parsed.zero_coordinates += u64::from(trip.trip.has_zero_coordinate());
        }
        parsed.unknown_places += trip.unknown_places;
        parsed.not_numbers.add(trip.not_numbers);
        if self.target == Target::History && program.stages_same_ids() {
            let (raw, json) = (raw(), staged::json_of(program, fields));
            let (raw, json, id) = (raw.as_deref(), json.as_deref(), staged::id_of(program, fields));
            let text = RecordText { line: position.value, raw, json, id: &id };
            parsed.block.keep_text(position.value, &text)?;
        }
        let FeedTrip { trip, tail, identity, .. } = trip;
        match self.target {
            Target::Upload => parsed.block.push_message(trip, tail, *identity, position.value),
            Target::History | Target::Staging => {
                parsed.block.push_feed(trip, tail, *identity, position.value)
            }
        }
    }

    /// Stages a rejected record: its text, and with a program its fields.
    fn reject_fields(
        &self,
        record: &impl FieldsRecord,
        program: Option<&FeedProgram>,
        rejection: Rejection,
        parsed: &mut Parsed,
    ) -> Result<(), TryReserveError> {
        let raw = record.raw(&self.plan);
        let json = program.and_then(|program| staged::json_of(program, record));
        let position = record.position();
        parsed.staged.push_rejected_record(
            self.load_id,
            (position.value, raw.as_deref()),
            json.as_deref(),
            &rejection,
        )?;
        parsed.count_rejected(position, rejection);
        Ok(())
    }
}

impl Parsed {
    /// Counts a record that is staged.
    pub(super) fn count_rejected(&mut self, position: Position, rejection: Rejection) {
        self.bad_lines += 1;
        if self.first_bad.len() < MAX_BAD_LINES_REPORTED {
            self.first_bad.push(BadLine { position, rejection });
        }
    }
}

/// The texts of a record of the five columns.
fn texts<'r>(plan: &Plan, record: &'r impl Fields) -> TripText<'r> {
    let text = |column: ColumnId| record.text(column).unwrap_or_default();
    let source = |column: TripColumn| plan.feed().five_columns().map(|all| all[column as usize]);
    let name = |column| match source(column) {
        Some(FiveColumnsSource::Field(column)) => text(column),
        _ => Cow::Borrowed(&[][..]),
    };
    let point = |column| match source(column) {
        Some(FiveColumnsSource::Pair { longitude, latitude }) => {
            PointText::Pair { longitude: text(longitude), latitude: text(latitude) }
        }
        _ => PointText::Wkt(name(column)),
    };
    let time = match source(TripColumn::DateTime) {
        Some(FiveColumnsSource::Field(column)) => record.wall_clock(column),
        _ => None,
    };
    TripText {
        region: name(TripColumn::Region),
        origin: point(TripColumn::Origin),
        destination: point(TripColumn::Destination),
        date_time: time
            .map_or_else(|| TimeText::Text(name(TripColumn::DateTime)), TimeText::Number),
        datasource: name(TripColumn::Datasource),
    }
}
