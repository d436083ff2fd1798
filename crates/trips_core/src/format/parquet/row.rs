//! A row, by the columns of its feed.

use std::borrow::Cow;

use super::bytes_page::Span;
use super::chunk::{ParquetChunk, Slice, Value};
use super::kind::Kind;
use super::value::{bytes_text, int_text, number_text, time};
use crate::check::reject::Rejection;
use crate::columns::TripColumn;
use crate::feed::definition::{ColumnId, ColumnKind};
use crate::feed::fields::{FieldTime, Fields};
use crate::feed::file_feed::FiveColumnsSource;
use crate::feed::plan::Plan;
use crate::format::fields_record::FieldsRecord;
use crate::model::error::{SqlState, ValueError};
use crate::model::position::Position;
use crate::model::timestamp::Timestamp;

/// About the bytes of a value in JSON, with its name.
const JSON_VALUE: usize = 64;
/// Texts of a row with fewer bytes than these are short.
const SHORT_ROW: usize = 4096;

/// The texts of a chunk.
#[derive(Debug)]
pub(super) struct Texts<'c> {
    /// For each column of the feed its texts, if one column of the file has them.
    of_feed: Vec<Option<(&'c [Span], &'c [u8])>>,
    /// The texts of the columns of numbers that a feed reads as texts, made once a chunk.
    made: Vec<Option<(Vec<u8>, Vec<u32>)>>,
}

impl<'c> Texts<'c> {
    pub(super) fn of(chunk: &'c ParquetChunk, plan: &Plan) -> Self {
        let texts_of = |fields: &[usize]| match *fields {
            [field] => chunk.columns.get((*chunk.by_field.get(field)?)?)?.texts(),
            _ => None,
        };
        let of_feed = plan.columns().positions.iter().map(|fields| texts_of(&fields[..]));
        Self { of_feed: of_feed.collect(), made: Self::made(chunk, plan) }
    }

    fn made(chunk: &ParquetChunk, plan: &Plan) -> Vec<Option<(Vec<u8>, Vec<u32>)>> {
        let mut texts: Vec<_> = chunk.columns.iter().map(|_| None).collect();
        let of_field = &plan.columns().of_field;
        for (field, at) in chunk.by_field.iter().enumerate() {
            let (Some(at), Some(Some(column))) = (*at, of_field.get(field)) else { continue };
            let kind = plan.feed().definition.get(*column).kind;
            let slice = &chunk.columns[at];
            // Feeds of five columns have no program: they read the texts of all columns, but for the begin.
            let is_typed = match plan.program() {
                Some(_) => slice.kind.is_time() || kind == ColumnKind::Number,
                None => slice.kind.is_wall_clock() && is_begin(plan, *column),
            };
            if is_typed || slice.kind == Kind::Text {
                continue;
            }
            let (mut data, mut ends) = (Vec::new(), Vec::with_capacity(chunk.rows));
            for row in 0..chunk.rows {
                append_text(slice, row, &mut data);
                ends.push(u32::try_from(data.len()).unwrap_or(u32::MAX));
            }
            texts[at] = Some((data, ends));
        }
        texts
    }

    /// The text of a column of the feed, empty if it is NULL.
    #[inline]
    fn of_feed(&self, column: ColumnId, row: usize) -> Option<&[u8]> {
        let (spans, data) = (*self.of_feed.get(usize::from(column.0))?)?;
        spans.get(row)?.of(data)
    }

    fn get(&self, column: usize, row: usize) -> Option<&[u8]> {
        let (data, ends) = self.made.get(column)?.as_ref()?;
        let start = if row == 0 { 0 } else { *ends.get(row - 1)? };
        data.get(start as usize..*ends.get(row)? as usize)
    }
}

/// Whether a feed of five columns has the begin of a trip in this column.
fn is_begin(plan: &Plan, column: ColumnId) -> bool {
    let source = plan.feed().five_columns().map(|all| all[TripColumn::DateTime as usize]);
    matches!(source, Some(FiveColumnsSource::Field(begin)) if begin == column)
}

/// Appends the text of a value, nothing if it is NULL.
fn append_text(slice: &Slice, row: usize, out: &mut Vec<u8>) {
    match slice.value(row) {
        None => {}
        Some(Value::Int(value)) => int_text(slice.kind, value, out),
        Some(Value::Float(value)) => number_text(value, out),
        Some(Value::Double(value)) => number_text(value, out),
        Some(Value::Bytes(bytes)) => bytes_text(slice.kind, bytes, out),
    }
}

/// A row of a chunk.
#[derive(Debug)]
pub struct ParquetRow<'r> {
    pub(super) chunk: &'r ParquetChunk,
    pub(super) texts: &'r Texts<'r>,
    pub(super) plan: &'r Plan,
    pub(super) row: usize,
    pub(super) is_long: bool,
    pub(super) max_record: usize,
}

impl ParquetRow<'_> {
    /// The column of a field, if it is read.
    fn slice(&self, field: usize) -> Option<(usize, &Slice)> {
        let at = (*self.chunk.by_field.get(field)?)?;
        Some((at, self.chunk.columns.get(at)?))
    }

    fn value(&self, field: usize) -> Option<(Kind, Value<'_>)> {
        let (_, slice) = self.slice(field)?;
        Some((slice.kind, slice.value(self.row)?))
    }

    fn text_of(&self, field: usize) -> Cow<'_, [u8]> {
        let Some((at, slice)) = self.slice(field) else { return Cow::Borrowed(&[]) };
        if let Some(text) = self.texts.get(at, self.row) {
            return Cow::Borrowed(text);
        }
        match slice.value(self.row) {
            None => Cow::Borrowed(&[]),
            Some(Value::Bytes(bytes)) if slice.kind == Kind::Text => Cow::Borrowed(bytes),
            Some(_) => {
                let mut text = Vec::new();
                append_text(slice, self.row, &mut text);
                Cow::Owned(text)
            }
        }
    }

    /// The field of a column: of several the first one that is not NULL.
    #[inline]
    fn field(&self, column: ColumnId) -> Option<usize> {
        match self.plan.columns().positions.get(usize::from(column.0))?[..] {
            [] => None,
            [at] => Some(at),
            [first, ref others @ ..] => {
                let nulls = &self.plan.feed().rules.nulls;
                let has_value = |at: &usize| nulls.trimmed(&self.text_of(*at)).is_some();
                let mut all = std::iter::once(first).chain(others.iter().copied());
                Some(all.find(has_value).unwrap_or(first))
            }
        }
    }

    /// Appends a value as JSON.
    fn append_json(&self, field: usize, out: &mut Vec<u8>) {
        let is_plain = |kind| matches!(kind, Kind::Bool | Kind::Int | Kind::Unsigned);
        match self.value(field) {
            None => out.extend_from_slice(b"null"),
            Some((kind, Value::Int(value))) if is_plain(kind) => int_text(kind, value, out),
            Some((_, Value::Double(value))) if value.is_finite() => number_text(value, out),
            Some((_, Value::Float(value))) if value.is_finite() => number_text(value, out),
            Some(_) => json_string(&self.text_of(field), out),
        }
    }
}

/// Appends a string in quotes. Bytes that are not text stay as they are.
fn json_string(text: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    for byte in text {
        match byte {
            b'"' | b'\\' => out.extend([b'\\', *byte]),
            0..0x20 => {
                let (high, low) = (usize::from(byte >> 4), usize::from(byte & 0xf));
                out.extend_from_slice(b"\\u00");
                out.extend([DIGITS[high], DIGITS[low]]);
            }
            _ => out.push(*byte),
        }
    }
    out.push(b'"');
}

impl Fields for ParquetRow<'_> {
    #[inline]
    fn text(&self, column: ColumnId) -> Option<Cow<'_, [u8]>> {
        if let Some(text) = self.texts.of_feed(column, self.row) {
            return Some(Cow::Borrowed(text));
        }
        self.field(column).map(|field| self.text_of(field))
    }

    #[inline]
    fn time(&self, column: ColumnId) -> Option<Result<FieldTime, ValueError>> {
        match self.value(self.field(column)?)? {
            (kind, Value::Int(value)) => time(kind, value),
            _ => None,
        }
    }

    #[inline]
    fn wall_clock(&self, column: ColumnId) -> Option<Timestamp> {
        match self.value(self.field(column)?)? {
            (kind, Value::Int(value)) if kind.is_wall_clock() => {
                time(kind, value)?.ok().map(|found| found.time)
            }
            _ => None,
        }
    }

    #[inline]
    #[expect(clippy::cast_precision_loss, reason = "as the nearest number that the text has")]
    fn number(&self, column: ColumnId) -> Option<f64> {
        let number = match self.value(self.field(column)?)? {
            (_, Value::Double(value)) => value,
            (Kind::Int, Value::Int(value)) => value as f64,
            (Kind::Unsigned, Value::Int(value)) => value.cast_unsigned() as f64,
            // 0.1 of 32 bits is 0.1, as in a text.
            (_, Value::Float(value)) => value.to_string().parse().ok()?,
            _ => return None,
        };
        number.is_finite().then_some(number)
    }
}

impl FieldsRecord for ParquetRow<'_> {
    fn position(&self) -> Position {
        let row = self.chunk.first_row + self.row as u64;
        Position::row(self.chunk.row_group, row).unwrap_or_default()
    }

    fn fault(&self) -> Option<Rejection> {
        self.is_long.then(|| {
            let most = self.max_record;
            let reason = format!("the record is longer than {most} bytes and was truncated");
            Rejection::of_record(SqlState::ProgramLimitExceeded, reason)
        })
    }

    /// A JSON object of the columns that may be kept, by their names in the file.
    fn raw(&self, plan: &Plan) -> Option<Cow<'_, [u8]>> {
        let program = plan.program();
        let may_keep = |column| program.is_none_or(|program| program.may_keep(column));
        let mut json = vec![b'{'];
        for (field, column) in plan.columns().of_field.iter().enumerate() {
            if !column.is_some_and(may_keep) {
                continue;
            }
            json.extend_from_slice(if json.len() > 1 { b"," } else { b"" });
            json_string(self.chunk.names.get(field)?.as_bytes(), &mut json);
            json.push(b':');
            self.append_json(field, &mut json);
        }
        json.push(b'}');
        Some(json.into())
    }

    fn size(&self) -> usize {
        // Nearly no chunk has a row for which the exact number counts.
        if self.chunk.longest < SHORT_ROW {
            return self.chunk.longest + self.chunk.columns.len() * JSON_VALUE;
        }
        let bytes = |slice: &Slice| match slice.value(self.row) {
            Some(Value::Bytes(bytes)) => bytes.len() + JSON_VALUE,
            _ => JSON_VALUE,
        };
        self.chunk.columns.iter().map(bytes).sum()
    }
}
