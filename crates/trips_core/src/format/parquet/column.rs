//! A column chunk, decoded some rows at a time.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use parquet::column::reader::{ColumnReader, get_column_reader};
use parquet::data_type::{ByteArray, FixedLenByteArray, Int96};
use parquet::errors::Result as DecodeResult;
use parquet::file::metadata::ColumnChunkMetaData;

use super::ReadAt;
use super::budget::Budget;
use super::bytes_page::{Span, Spans};
use super::fault::{ParquetFault, Result};
use super::kind::Kind;
use super::pages::{DataPage, Pages, ReadyPages};

/// Values that are not NULL, one after the other.
pub(super) enum Raw {
    Bool(Vec<bool>),
    I32(Vec<i32>),
    I64(Vec<i64>),
    I96(Vec<Int96>),
    F32(Vec<f32>),
    F64(Vec<f64>),
    Bytes(Vec<ByteArray>),
    Fixed(Vec<FixedLenByteArray>),
}

impl Raw {
    fn of(reader: &ColumnReader) -> Self {
        match reader {
            ColumnReader::BoolColumnReader(_) => Self::Bool(Vec::new()),
            ColumnReader::Int32ColumnReader(_) => Self::I32(Vec::new()),
            ColumnReader::Int64ColumnReader(_) => Self::I64(Vec::new()),
            ColumnReader::Int96ColumnReader(_) => Self::I96(Vec::new()),
            ColumnReader::FloatColumnReader(_) => Self::F32(Vec::new()),
            ColumnReader::DoubleColumnReader(_) => Self::F64(Vec::new()),
            ColumnReader::ByteArrayColumnReader(_) => Self::Bytes(Vec::new()),
            ColumnReader::FixedLenByteArrayColumnReader(_) => Self::Fixed(Vec::new()),
        }
    }

    fn clear(&mut self) {
        match self {
            Self::Bool(values) => values.clear(),
            Self::I32(values) => values.clear(),
            Self::I64(values) => values.clear(),
            Self::I96(values) => values.clear(),
            Self::F32(values) => values.clear(),
            Self::F64(values) => values.clear(),
            Self::Bytes(values) => values.clear(),
            Self::Fixed(values) => values.clear(),
        }
    }

    /// The bytes of a value, if the values are bytes.
    fn bytes(&self, at: usize) -> Option<&[u8]> {
        match self {
            Self::Bytes(values) => values.get(at).map(ByteArray::data),
            Self::Fixed(values) => values.get(at).map(|value| value.data()),
            _ => None,
        }
    }
}

/// A column chunk.
pub(super) struct Column {
    /// The number of its field in the names of the file.
    pub(super) field: usize,
    pub(super) kind: Kind,
    /// The level of a value that is not NULL; 0 if none is.
    max_level: i16,
    pages: Pages,
    reader: ColumnReader,
    /// The current page, with the values that are left in it.
    page: DataPage,
    /// Levels of the decoded rows, if values may be NULL.
    levels: Vec<i16>,
    /// Whether all decoded rows have a value.
    pub(super) is_full: bool,
    /// Values of the decoded rows.
    pub(super) raw: Raw,
    /// Values of the decoded rows, if they are in the page.
    spans: Spans,
    /// Values that were taken.
    pub(super) taken: usize,
}

impl Column {
    /// The column chunk with this number, whose bytes are from one to another byte of the file.
    pub(super) fn new(
        chunk: &ColumnChunkMetaData,
        (field, kind): (usize, Kind),
        range: (u64, u64),
        budget: Arc<Budget>,
    ) -> Self {
        let ready = Arc::new(Mutex::new(VecDeque::new()));
        let pages = Pages::new(chunk, range, budget, ready.clone());
        let descriptor = chunk.column_descr_ptr();
        let max_level = descriptor.max_def_level();
        let reader = get_column_reader(descriptor, Box::new(ReadyPages(ready)));
        let raw = Raw::of(&reader);
        let page = DataPage { values: 0, most: usize::MAX, bytes: None };
        Self {
            field,
            kind,
            max_level,
            pages,
            reader,
            page,
            levels: Vec::new(),
            is_full: false,
            raw,
            spans: Spans::default(),
            taken: 0,
        }
    }

    /// Number of rows that can be decoded at once: at least one, or 0 at the end of the column chunk.
    pub(super) fn available(&mut self, source: &dyn ReadAt) -> Result<usize> {
        if self.page.values == 0
            && let Some(page) = self.pages.next(source)?
        {
            self.page = page;
        }
        Ok(usize::try_from(self.page.values).unwrap_or(usize::MAX).min(self.page.most))
    }

    /// Decodes this many rows, which are available. The rows before are dropped.
    pub(super) fn decode(&mut self, rows: usize) -> Result<()> {
        self.levels.clear();
        self.raw.clear();
        self.taken = 0;
        if let Some(page) = &mut self.page.bytes {
            let dictionary = &self.pages.dictionary;
            let read = page.read(rows, dictionary, &mut self.levels, &mut self.spans);
            read.map_err(|bad| self.pages.undecoded(bad))?;
            self.is_full = self.levels.is_empty();
            self.page.values -= rows as u64;
            self.pages.forget_before();
            return Ok(());
        }
        let decoded = catch_unwind(AssertUnwindSafe(|| self.read(rows)));
        let found = match decoded {
            Ok(Ok(found)) => found,
            Ok(Err(error)) => {
                let reason = format!("the values cannot be decoded: {error}");
                return Err(ParquetFault::damaged(reason).at(self.pages.at()).into());
            }
            Err(payload) => {
                return Err(ParquetFault::of_panic(payload).at(self.pages.at()).into());
            }
        };
        if found != rows {
            let reason = format!("a page has {found} of {rows} values");
            return Err(ParquetFault::damaged(reason).at(self.pages.at()).into());
        }
        self.page.values -= rows as u64;
        self.pages.forget_before();
        Ok(())
    }

    /// Returns the number of rows.
    fn read(&mut self, rows: usize) -> DecodeResult<usize> {
        let levels = Some(&mut self.levels);
        let read = match (&mut self.reader, &mut self.raw) {
            (ColumnReader::BoolColumnReader(reader), Raw::Bool(raw)) => {
                reader.read_records(rows, levels, None, raw)
            }
            (ColumnReader::Int32ColumnReader(reader), Raw::I32(raw)) => {
                reader.read_records(rows, levels, None, raw)
            }
            (ColumnReader::Int64ColumnReader(reader), Raw::I64(raw)) => {
                reader.read_records(rows, levels, None, raw)
            }
            (ColumnReader::Int96ColumnReader(reader), Raw::I96(raw)) => {
                reader.read_records(rows, levels, None, raw)
            }
            (ColumnReader::FloatColumnReader(reader), Raw::F32(raw)) => {
                reader.read_records(rows, levels, None, raw)
            }
            (ColumnReader::DoubleColumnReader(reader), Raw::F64(raw)) => {
                reader.read_records(rows, levels, None, raw)
            }
            (ColumnReader::ByteArrayColumnReader(reader), Raw::Bytes(raw)) => {
                reader.read_records(rows, levels, None, raw)
            }
            (ColumnReader::FixedLenByteArrayColumnReader(reader), Raw::Fixed(raw)) => {
                reader.read_records(rows, levels, None, raw)
            }
            _ => Ok((0, 0, 0)),
        };
        let (records, values, _) = read?;
        self.is_full = values == records;
        Ok(records)
    }

    /// The number of the value of a decoded row among [`Column::raw`]; None if it is NULL. Rows are asked for in their
    /// order: `value` is the number of the next value.
    pub(super) fn next_value(&self, row: usize, value: &mut usize) -> Option<usize> {
        if !self.is_full && self.levels.get(row) != Some(&self.max_level) {
            return None;
        }
        *value += 1;
        Some(*value - 1)
    }

    /// The values that are in a page: its bytes, whether it is that of the dictionary, and where they are.
    pub(super) fn spans(&self) -> Option<(&[u8], bool, &[Span])> {
        let page = self.page.bytes.as_ref()?;
        Some((page.source(&self.pages.dictionary), page.has_numbers(), &self.spans.values))
    }

    /// The bytes of a value, if the values are bytes.
    pub(super) fn bytes(&self, at: usize) -> Option<&[u8]> {
        match self.spans() {
            Some((page, _, spans)) => spans.get(at)?.of(page),
            None => self.raw.bytes(at),
        }
    }

    /// Adds the number of bytes of each decoded row to that of the columns before.
    pub(super) fn add_lengths(&self, lengths: &mut [usize]) {
        if !matches!(self.raw, Raw::Bytes(_) | Raw::Fixed(_)) {
            return;
        }
        if let Some((_, _, spans)) = self.spans().filter(|_| self.is_full) {
            for (length, span) in lengths.iter_mut().zip(spans) {
                *length += span.len();
            }
            return;
        }
        let mut next = 0;
        for (row, length) in lengths.iter_mut().enumerate() {
            let value = self.next_value(row, &mut next).and_then(|at| self.bytes(at));
            *length += value.map_or(0, <[u8]>::len);
        }
    }
}

/// Adds the place to an error of this module.
pub(super) fn located(error: io::Error, row_group: usize, column: &str) -> io::Error {
    match error.downcast::<ParquetFault>() {
        Ok(fault) => {
            let column = fault.column.clone().or_else(|| Some(column.to_owned()));
            ParquetFault { row_group: Some(row_group), column, ..fault }.into()
        }
        Err(error) => error,
    }
}
