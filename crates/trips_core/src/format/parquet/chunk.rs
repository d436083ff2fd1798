//! Rows of a row group, decoded, which a thread parses by itself.

use std::collections::TryReserveError;
use std::sync::Arc;

use super::bytes_page::Span;
use super::column::{Column, Raw};
use super::kind::Kind;
use super::row::{ParquetRow, Texts};
use super::value::int96_micros;
use crate::feed::plan::Plan;
use crate::format::fields_record::RecordChunk;

/// Bytes that are kept of each value of a row that is too long.
const KEPT_OF_LONG: usize = 4096;

/// The greatest dictionary that a chunk copies, instead of each of its values.
const SMALL_DICTIONARY: usize = 16 * 1024;

/// Rows of a row group: only the columns that a plan needs.
#[derive(Debug, Default)]
pub struct ParquetChunk {
    pub(super) number: u64,
    pub(super) covers: u64,
    /// The number of the row group, from 0.
    pub(super) row_group: u32,
    /// The number of its first row in the row group, from 1.
    pub(super) first_row: u64,
    pub(super) rows: usize,
    pub(super) columns: Vec<Slice>,
    /// The names of the fields of the file.
    pub(super) names: Arc<[String]>,
    /// For each of them the number of its column here.
    pub(super) by_field: Arc<[Option<usize>]>,
    /// The bytes of the texts of the longest row.
    pub(super) longest: usize,
    /// The rows that are too long, in their order.
    pub(super) long: Vec<usize>,
}

/// Some values of a column.
#[derive(Debug)]
pub(super) struct Slice {
    pub(super) kind: Kind,
    present: Vec<bool>,
    values: Values,
}

/// A value for each row, whatever it is where the row has none.
#[derive(Debug)]
enum Values {
    Int(Vec<i64>),
    Float(Vec<f32>),
    Double(Vec<f64>),
    Bytes(Bytes),
}

/// Values of bytes.
#[derive(Debug, Default)]
struct Bytes {
    spans: Vec<Span>,
    data: Vec<u8>,
    /// Where the dictionary begins in the bytes, if they have it.
    dictionary: Option<usize>,
}

impl Bytes {
    /// A chunk is under 4 GiB: its reader ends it before.
    fn push(&mut self, value: &[u8]) -> Result<(), TryReserveError> {
        let end = |data: &Vec<u8>| u32::try_from(data.len()).unwrap_or(u32::MAX);
        let start = end(&self.data);
        self.data.try_reserve(value.len())?;
        self.spans.try_reserve(1)?;
        self.data.extend_from_slice(value);
        self.spans.push(Span { start, end: end(&self.data) });
        Ok(())
    }

    /// Appends values of a page, or of the dictionary.
    fn append(
        &mut self,
        page: &[u8],
        is_dictionary: bool,
        spans: &[Span],
    ) -> Result<(), TryReserveError> {
        let (Some(first), Some(last)) = (spans.first(), spans.last()) else { return Ok(()) };
        let moved = |to: usize, from: u32| u32::try_from(to).unwrap_or(u32::MAX).wrapping_sub(from);
        let by = if !is_dictionary {
            // With the lengths between them: one copy for all.
            let by = moved(self.data.len(), first.start);
            let all = page.get(first.start as usize..last.end as usize).unwrap_or_default();
            self.data.try_reserve(all.len())?;
            self.data.extend_from_slice(all);
            by
        } else if page.len() <= SMALL_DICTIONARY {
            self.data.try_reserve(page.len())?;
            let at = *self.dictionary.get_or_insert_with(|| {
                self.data.extend_from_slice(page);
                self.data.len() - page.len()
            });
            moved(at, 0)
        } else {
            return spans.iter().try_for_each(|span| self.push(span.of(page).unwrap_or_default()));
        };
        self.spans.try_reserve(spans.len())?;
        self.spans.extend(spans.iter().map(|span| span.moved(by)));
        Ok(())
    }
}

/// A value that is not NULL.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value<'v> {
    Int(i64),
    Float(f32),
    Double(f64),
    Bytes(&'v [u8]),
}

impl Slice {
    pub(super) fn new(column: &Column) -> Self {
        let values = match column.raw {
            Raw::Bool(_) | Raw::I32(_) | Raw::I64(_) | Raw::I96(_) => Values::Int(Vec::new()),
            Raw::F32(_) => Values::Float(Vec::new()),
            Raw::F64(_) => Values::Double(Vec::new()),
            Raw::Bytes(_) | Raw::Fixed(_) => Values::Bytes(Bytes::default()),
        };
        Self { kind: column.kind, present: Vec::new(), values }
    }

    /// Texts of all rows, empty where a row has none. None if they are no texts.
    pub(super) fn texts(&self) -> Option<(&[Span], &[u8])> {
        match &self.values {
            Values::Bytes(bytes) if self.kind == Kind::Text => Some((&bytes.spans, &bytes.data)),
            _ => None,
        }
    }

    /// The value of a row; None if it is NULL.
    pub(super) fn value(&self, row: usize) -> Option<Value<'_>> {
        if !*self.present.get(row)? {
            return None;
        }
        match &self.values {
            Values::Int(values) => values.get(row).map(|value| Value::Int(*value)),
            Values::Float(values) => values.get(row).map(|value| Value::Float(*value)),
            Values::Double(values) => values.get(row).map(|value| Value::Double(*value)),
            Values::Bytes(bytes) => bytes.spans.get(row)?.of(&bytes.data).map(Value::Bytes),
        }
    }

    /// Appends decoded rows of the column, from one on. Each row that is too long is truncated.
    ///
    /// # Errors
    /// When there is no memory.
    pub(super) fn append(
        &mut self,
        column: &mut Column,
        from: usize,
        is_long: &[bool],
    ) -> Result<(), TryReserveError> {
        let unsigned = self.kind == Kind::Unsigned;
        if column.is_full && !is_long.contains(&true) && self.append_all(column, is_long.len())? {
            column.taken += is_long.len();
            return Ok(());
        }
        let rows = from..from + is_long.len();
        let mut next = column.taken;
        self.present.reserve(is_long.len());
        for (row, is_long) in rows.zip(is_long) {
            let value = column.next_value(row, &mut next);
            self.present.push(value.is_some());
            match (&mut self.values, &column.raw, value) {
                (Values::Int(values), raw, at) => {
                    values.push(at.map_or(0, |at| integer(raw, at, unsigned)));
                }
                (Values::Float(values), Raw::F32(raw), at) => {
                    values.push(at.and_then(|at| raw.get(at)).copied().unwrap_or(0.0));
                }
                (Values::Double(values), Raw::F64(raw), at) => {
                    values.push(at.and_then(|at| raw.get(at)).copied().unwrap_or(0.0));
                }
                (Values::Bytes(values), _, at) => {
                    let bytes = at.and_then(|at| column.bytes(at)).unwrap_or_default();
                    let most = if *is_long { KEPT_OF_LONG } else { usize::MAX };
                    values.push(bytes.get(..most).unwrap_or(bytes))?;
                }
                _ => {}
            }
        }
        column.taken = next;
        Ok(())
    }

    /// Appends the next values of a column whose rows all have one. Returns whether it did.
    fn append_all(&mut self, column: &Column, count: usize) -> Result<bool, TryReserveError> {
        let next = column.taken..column.taken + count;
        match (&mut self.values, &column.raw) {
            (Values::Int(values), Raw::I64(raw)) if raw.len() >= next.end => {
                values.extend_from_slice(&raw[next]);
            }
            (Values::Double(values), Raw::F64(raw)) if raw.len() >= next.end => {
                values.extend_from_slice(&raw[next]);
            }
            (Values::Bytes(values), _) => match column.spans() {
                Some((page, is_dictionary, spans)) if spans.len() >= next.end => {
                    values.append(page, is_dictionary, &spans[next])?;
                }
                _ => return Ok(false),
            },
            _ => return Ok(false),
        }
        self.present.resize(self.present.len() + count, true);
        Ok(true)
    }

    fn memory(&self) -> usize {
        self.present.capacity()
            + match &self.values {
                Values::Int(values) => values.capacity() * 8,
                Values::Float(values) => values.capacity() * 4,
                Values::Double(values) => values.capacity() * 8,
                Values::Bytes(bytes) => {
                    bytes.spans.capacity() * size_of::<Span>() + bytes.data.capacity()
                }
            }
    }
}

/// An integer of any physical type.
fn integer(raw: &Raw, at: usize, unsigned: bool) -> i64 {
    match raw {
        Raw::Bool(values) => values.get(at).map_or(0, |value| i64::from(*value)),
        Raw::I32(values) if unsigned => {
            values.get(at).map_or(0, |value| i64::from(value.cast_unsigned()))
        }
        Raw::I32(values) => values.get(at).map_or(0, |value| i64::from(*value)),
        Raw::I64(values) => values.get(at).copied().unwrap_or(0),
        Raw::I96(values) => values.get(at).map_or(0, |value| int96_micros(value.data())),
        Raw::F32(_) | Raw::F64(_) | Raw::Bytes(_) | Raw::Fixed(_) => 0,
    }
}

impl ParquetChunk {
    /// Bytes of memory.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.columns.iter().map(Slice::memory).sum()
    }
}

impl RecordChunk for ParquetChunk {
    type Record<'r> = ParquetRow<'r>;

    fn number(&self) -> u64 {
        self.number
    }

    fn covers(&self) -> u64 {
        self.covers
    }

    fn for_each<E>(
        &mut self,
        plan: &Plan,
        max_record: usize,
        mut each: impl FnMut(&ParquetRow<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let texts = Texts::of(self, plan);
        let mut long = self.long.iter().copied().peekable();
        for row in 0..self.rows {
            let is_long = long.next_if_eq(&row).is_some();
            each(&ParquetRow { chunk: self, texts: &texts, plan, row, is_long, max_record })?;
        }
        Ok(())
    }
}
