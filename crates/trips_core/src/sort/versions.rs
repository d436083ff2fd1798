//! Records whose values are kept beside the history: as rows of COPY, and in messages.

use std::collections::TryReserveError;

use crate::columns::{self, COLUMNS, Column, KEY_COUNT, SqlType, TAIL, TAIL_COUNT};
use crate::model::timestamp::Timestamp;
use crate::sort::block::Block;
use crate::sort::ids::Place;
use crate::text::escape::quoted;
use crate::wire::copy_binary::{RowWriter, values_of};
use crate::wire::jsonb;

/// Number of columns of a row: those of the history but `load_id`.
const COUNT: usize = columns::COUNT - 1;
/// The most bytes of a value in a message.
const LONGEST_VALUE: usize = 200;

/// Appends a row of binary COPY: these numbers, then the values of a trip of a run, with its key.
///
/// # Errors
/// When there is no memory.
pub fn push_row(
    out: &mut Vec<u8>,
    numbers: &[i64],
    blocks: &[Block],
    place: Place,
) -> Result<(), TryReserveError> {
    let block = &blocks[place.block()];
    let row = block.row(block.ranges()[place.at()]);
    let (key, tail) = (block.base_key(&row), row.whole_tail());
    out.try_reserve(row.bytes.len() + 16 * (COUNT + numbers.len()))?;
    let mut writer = RowWriter::row(out, COUNT + numbers.len());
    for number in numbers {
        writer.int8(*number);
    }
    writer.encoded(row.key_part()).value(&key);
    let [ended_at, trip_id, details] = values_of::<TAIL_COUNT>(tail);
    writer.optional(ended_at).optional(trip_id);
    match details {
        None => {
            writer.null();
            Ok(())
        }
        Some(details) => jsonb::copy_value(details, out),
    }
}

/// The columns in which a trip of a run differs from stored values, with both values, for a message; empty if in none.
#[must_use]
pub fn differences(stored: &[u8], blocks: &[Block], place: Place) -> String {
    let found = values(blocks, place);
    let texts = differing(stored, &found).map(|(column, old, new)| {
        let name = column.name.to_string_lossy();
        let [old, new] = [old, new].map(|value| text_of(column.kind, value));
        format!("{name} is {new} instead of {old}")
    });
    texts.collect::<Vec<_>>().join(", ")
}

/// A value of a trip that a record changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedValue {
    /// Name of the column.
    pub column: String,
    /// The value of the trip; None is NULL. Long values are cut.
    pub old: Option<String>,
    /// The value of the record.
    pub new: Option<String>,
}

/// The columns in which a trip of a run differs from stored values, with both values.
#[must_use]
pub fn changed_values(stored: &[u8], blocks: &[Block], place: Place) -> Vec<ChangedValue> {
    let found = values(blocks, place);
    let changed = differing(stored, &found).map(|(column, old, new)| {
        let [old, new] = [old, new].map(|value| value.map(|value| plain_text(column.kind, value)));
        ChangedValue { column: column.name.to_string_lossy().into_owned(), old, new }
    });
    changed.collect()
}

/// The values of a trip of a run, as they are stored: the key part, then the tail.
#[must_use]
pub fn values(blocks: &[Block], place: Place) -> Vec<u8> {
    let block = &blocks[place.block()];
    let row = block.row(block.ranges()[place.at()]);
    [row.key_part(), row.whole_tail()].concat()
}

/// The id of a trip of a run, if the feed stores it.
#[must_use]
pub fn trip_id(blocks: &[Block], place: Place) -> Option<String> {
    let block = &blocks[place.block()];
    let row = block.row(block.ranges()[place.at()]);
    let [_, trip_id, _] = values_of::<TAIL_COUNT>(row.whole_tail());
    trip_id.map(|value| plain_text(SqlType::Text, value))
}

type Difference<'v> = (&'static Column, Option<&'v [u8]>, Option<&'v [u8]>);

/// The columns of which two trips have other values.
fn differing<'v>(old: &'v [u8], new: &'v [u8]) -> impl Iterator<Item = Difference<'v>> {
    let (old, new) = (values_of::<VALUES>(old), values_of::<VALUES>(new));
    let columns = COLUMNS[..KEY_COUNT].iter().chain(&COLUMNS[TAIL..]);
    let of_both = columns.zip(old).zip(new).map(|((column, old), new)| (column, old, new));
    of_both.filter(|(_, old, new)| old != new)
}

/// Number of values of a trip: those of its file.
const VALUES: usize = KEY_COUNT + TAIL_COUNT;

/// A value for a message.
fn text_of(kind: SqlType, value: Option<&[u8]>) -> String {
    let Some(value) = value else { return "NULL".to_owned() };
    match kind {
        SqlType::Text => quoted(&value[..value.len().min(LONGEST_VALUE)]),
        SqlType::Jsonb => {
            let mut text = Vec::new();
            let is_whole = jsonb::text_of(value, &mut text).is_some();
            text.truncate(LONGEST_VALUE);
            if is_whole { quoted(&text) } else { String::from("another value") }
        }
        _ => plain_text(kind, value),
    }
}

/// A value as a text.
fn plain_text(kind: SqlType, value: &[u8]) -> String {
    let number = |at: usize| value.get(at..)?.first_chunk().copied();
    let cut = |text: &[u8]| {
        String::from_utf8_lossy(&text[..text.len().min(LONGEST_VALUE)])
            .trim_end_matches(char::REPLACEMENT_CHARACTER)
            .to_owned()
    };
    match kind {
        SqlType::Text => cut(value),
        SqlType::Timestamp => number(0)
            .map_or_else(String::new, |bytes| Timestamp(i64::from_be_bytes(bytes)).to_string()),
        SqlType::Int8 => {
            number(0).map_or_else(String::new, |bytes| i64::from_be_bytes(bytes).to_string())
        }
        SqlType::Point => {
            let degrees = |at| number(at).map_or(f64::NAN, f64::from_be_bytes);
            format!("({},{})", degrees(0), degrees(8))
        }
        SqlType::Jsonb => {
            let mut text = Vec::new();
            jsonb::text_of(value, &mut text).map_or_else(String::new, |_| cut(&text))
        }
        SqlType::Uuid => String::new(),
    }
}
