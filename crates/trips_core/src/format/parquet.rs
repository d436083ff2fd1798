//! Parquet: row groups, of which only the columns that a feed needs are read.

use std::borrow::Cow;
use std::io;

use crate::feed::definition::ColumnId;
use crate::feed::fields::Fields;
use crate::feed::plan::Plan;
use crate::format::fields_record::{FieldsRecord, RecordChunk};
use crate::format::position::Position;

/// Bytes at offsets of a file that does not change.
pub trait ReadAt: Send + Sync {
    /// Number of bytes.
    fn size(&self) -> u64;

    /// Reads bytes at an offset; 0 at the end of the file.
    ///
    /// # Errors
    /// The file cannot be read.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;
}

/// Reads the chunks of a file.
#[derive(Debug)]
pub struct ParquetReader {}

/// Rows of a row group.
#[derive(Debug, Default)]
pub struct ParquetChunk {
    number: u64,
    covers: u64,
}

/// A row.
#[derive(Debug)]
pub struct ParquetRow<'r> {
    chunk: &'r ParquetChunk,
}

impl ParquetReader {
    /// Reads the footer of a file.
    ///
    /// # Errors
    /// The file cannot be read, or is damaged.
    pub fn open(_source: Box<dyn ReadAt>) -> io::Result<Self> {
        Ok(Self {})
    }

    /// The names of its columns, in their order.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        Vec::new()
    }

    /// Memory that a thread needs for a chunk, bytes.
    #[must_use]
    pub fn job_bytes(&self) -> usize {
        5 * 1024 * 1024
    }

    /// Reads only the columns that this plan needs. It is that of [`Self::names`].
    pub fn set_plan(&mut self, _plan: &Plan) {}

    /// The next rows, with this number; None at the end of the file.
    ///
    /// # Errors
    /// The file cannot be read, or is damaged.
    pub fn next_chunk(&mut self, _size: usize, _number: u64) -> io::Result<Option<ParquetChunk>> {
        Ok(None)
    }
}

impl ParquetChunk {
    /// Bytes of memory.
    #[must_use]
    pub fn memory(&self) -> usize {
        0
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
        _plan: &Plan,
        _max_record: usize,
        _each: impl FnMut(&ParquetRow<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        Ok(())
    }
}

impl Fields for ParquetRow<'_> {
    fn text(&self, _column: ColumnId) -> Option<Cow<'_, [u8]>> {
        None
    }
}

impl FieldsRecord for ParquetRow<'_> {
    fn position(&self) -> Position {
        Position::default()
    }

    fn raw(&self, _plan: &Plan) -> Option<Cow<'_, [u8]>> {
        None
    }

    fn size(&self) -> usize {
        self.chunk.memory()
    }
}
