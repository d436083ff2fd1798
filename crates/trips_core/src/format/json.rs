//! JSON: lines, arrays, concatenated documents, pages.

use std::borrow::Cow;
use std::io::{self, Read};

use crate::feed::definition::ColumnId;
use crate::feed::fields::Fields;
use crate::feed::plan::Plan;
use crate::format::fields_record::{FieldsRecord, RecordChunk};
use crate::format::position::Position;

/// Reads the chunks of a file.
#[derive(Debug)]
pub struct JsonReader<R> {
    #[expect(dead_code, reason = "it is not read yet")]
    source: R,
}

/// Whole records.
#[derive(Debug, Default)]
pub struct JsonChunk {
    number: u64,
    covers: u64,
}

/// A record.
#[derive(Debug)]
pub struct JsonRecord<'r> {
    text: &'r [u8],
    position: Position,
}

impl<R: Read> JsonReader<R> {
    /// The next chunk, of about `size` bytes, with this number; None at the end of the file.
    ///
    /// # Errors
    /// The source cannot be read.
    pub fn next_chunk(&mut self, _size: usize, _number: u64) -> io::Result<Option<JsonChunk>> {
        Ok(None)
    }
}

impl<R> JsonReader<R> {
    /// Memory that a thread needs for a chunk, bytes.
    #[must_use]
    pub fn job_bytes(&self) -> usize {
        5 * 1024 * 1024
    }
}

impl JsonChunk {
    /// Bytes of memory.
    #[must_use]
    pub fn memory(&self) -> usize {
        0
    }
}

impl RecordChunk for JsonChunk {
    type Record<'r> = JsonRecord<'r>;

    fn number(&self) -> u64 {
        self.number
    }

    fn covers(&self) -> u64 {
        self.covers
    }

    fn for_each<E>(
        &mut self,
        _plan: &Plan,
        _max_record: usize,
        _each: impl FnMut(&JsonRecord<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        Ok(())
    }
}

impl Fields for JsonRecord<'_> {
    fn text(&self, _column: ColumnId) -> Option<Cow<'_, [u8]>> {
        None
    }
}

impl FieldsRecord for JsonRecord<'_> {
    fn position(&self) -> Position {
        self.position
    }

    fn raw(&self, _plan: &Plan) -> Option<Cow<'_, [u8]>> {
        Some(self.text.into())
    }

    fn size(&self) -> usize {
        self.text.len()
    }
}
