//! Rows for staging: texts as they came, and the reason why they are no trip.

use std::borrow::Cow;
use std::collections::TryReserveError;

use crate::check::reject::{Column, Rejection};
use crate::check::trip_text::TripText;
use crate::format::delimited::record::Record;
use crate::key::{encode_missing, encode_text, encode_value};
use crate::text::escape::storable;
use crate::wire::decode::{self, Cursor};

/// Passes over a row of a rejected line, and checks its values.
pub(crate) fn rejected(from: &mut Cursor<'_>, load_id: i64) -> Option<()> {
    let columns = i16::from_be_bytes(from.array()?);
    let (load, line) = (from.value()??, from.value()??);
    let line = i64::from_be_bytes(line.try_into().ok()?);
    let is_ours = columns == 12 && load == load_id.to_be_bytes() && line >= 1;
    let is_text = |value: &[u8]| !value.contains(&0) && std::str::from_utf8(value).is_ok();
    // The five values, of which any may be missing.
    let mut are_texts = true;
    for _ in 0..5 {
        are_texts &= from.value()?.is_none_or(is_text);
    }
    // The raw line; its bytes, whatever they are; the column, or none; the code and the reason.
    let raw_line = from.value()??;
    from.value()?;
    let (column, code, reason) = (from.value()?, from.value()??, from.value()??);
    let is_column = |name: &[u8]| Column::ALL.iter().any(|c| c.name().as_bytes() == name);
    let is_code = |code: &[u8]| {
        code.len() == 5 && code.iter().all(|c| c.is_ascii_digit() || c.is_ascii_uppercase())
    };
    let is_told = are_texts
        && is_text(raw_line)
        && column.is_none_or(is_column)
        && is_code(code)
        && is_text(reason);
    (is_ours && is_told).then_some(())
}

/// Rows of PostgreSQL's binary COPY: load_id, line_no, region, origin_coord, destination_coord,
/// date_time, datasource, raw_line, raw_bytes, column_name, error_code, error.
#[derive(Debug, Default)]
pub struct StagedRows {
    bytes: Vec<u8>,
    count: usize,
}

impl StagedRows {
    /// How many bytes the row of a record of so many can have.
    pub(crate) fn most_bytes(record: usize) -> usize {
        // A byte that text cannot hold takes four characters, in the raw line; the values, when
        // they are there, repeat the record once; the reason is short.
        record * 6 + 4096
    }

    /// Makes room for one more row of a record of this many bytes, so that adding it cannot fail.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn reserve(&mut self, record: usize) -> Result<(), TryReserveError> {
        self.bytes.try_reserve(Self::most_bytes(record))
    }

    /// Adds a record that is no trip: its raw text, its values if it has any, and the reason.
    pub fn push_rejected(
        &mut self,
        load_id: i64,
        record: &Record<'_>,
        texts: Option<&TripText<'_>>,
        rejection: &Rejection,
    ) {
        self.begin(load_id, record.line, texts);
        let (raw_line, replaced) = storable(record.raw);
        encode_text(Some(&raw_line), &mut self.bytes);
        if replaced {
            encode_value(record.raw, &mut self.bytes);
        } else {
            encode_missing(&mut self.bytes);
        }
        encode_text(rejection.column.map(Column::name), &mut self.bytes);
        encode_text(Some(rejection.state.code()), &mut self.bytes);
        encode_text(Some(&rejection.reason), &mut self.bytes);
        self.count += 1;
    }

    /// Adds a record that waits to be merged.
    pub fn push_waiting(&mut self, load_id: i64, record: &Record<'_>, texts: &TripText<'_>) {
        self.begin(load_id, record.line, Some(texts));
        for _ in 0..5 {
            encode_missing(&mut self.bytes);
        }
        self.count += 1;
    }

    fn begin(&mut self, load_id: i64, line: u64, texts: Option<&TripText<'_>>) {
        self.bytes.extend_from_slice(&12_i16.to_be_bytes());
        encode_value(&load_id.to_be_bytes(), &mut self.bytes);
        encode_value(&line.to_be_bytes(), &mut self.bytes);
        // Values that text cannot hold exactly are not shown as values: a merge would believe them.
        let values = texts.and_then(|texts| {
            let all = [
                &texts.region,
                &texts.origin_coord,
                &texts.destination_coord,
                &texts.date_time,
                &texts.datasource,
            ];
            let exact = |text: &Cow<'_, [u8]>| Some(storable(text)).filter(|s| !s.1).map(|s| s.0);
            all.into_iter().map(exact).collect::<Option<Vec<String>>>()
        });
        match values {
            // An empty value is NULL, as COPY has it in CSV.
            Some(values) => values.iter().for_each(|value| {
                encode_text(Some(value.as_str()).filter(|v| !v.is_empty()), &mut self.bytes);
            }),
            None => (0..5).for_each(|_| encode_missing(&mut self.bytes)),
        }
    }

    /// Adds the rows of others behind these.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn append(&mut self, other: &Self) -> Result<(), TryReserveError> {
        self.bytes.try_reserve(other.bytes.len())?;
        self.bytes.extend_from_slice(&other.bytes);
        self.count += other.count;
        Ok(())
    }

    /// A copy of so many rows, which have been checked.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn copy(rows: &[u8], count: usize) -> Result<Self, TryReserveError> {
        Ok(Self { bytes: decode::copy(rows)?, count })
    }

    /// How many rows it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// How many bytes of memory the rows take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The rows, one behind the other.
    #[must_use]
    pub fn rows(&self) -> &[u8] {
        &self.bytes
    }
}
