//! The formats of files, as enumerations of readers and chunks.
//!
//! A format is a module with its own reader, chunk and loop over records, an arm of [`ChunkReader`] and of
//! [`Chunk`], and a line in [`sniff`]. The choice is made once a chunk, never once a record.

use std::collections::TryReserveError;
use std::io::{self, Read};

use self::delimited::header_state::HeaderState;
use self::delimited::record::RecordReader;
use self::fields_record::{RecordChunk, RecordOrFault};
use self::json::{JsonChunk, JsonReader};
#[cfg(feature = "parquet")]
use self::parquet::{ParquetChunk, ParquetReader};
use self::parser::{Parsed, Parser};
use crate::feed::plan::Plan;
use crate::model::position::PositionKind;
use crate::sort::block::RowBuffer;

pub mod delimited;
pub mod encoding;
pub mod fields_record;
pub mod json;
pub mod members;
pub mod not_stored;
pub mod order;
#[cfg(feature = "parquet")]
pub mod parquet;
pub mod parser;
pub mod sniff;
pub mod text;

pub use crate::model::position;

/// Reads the chunks of a file.
#[derive(Debug)]
pub enum ChunkReader<R> {
    /// Delimited text.
    Delimited(RecordReader<R>),
    /// JSON.
    Json(JsonReader<R>),
    /// Parquet. It reads its source at offsets.
    #[cfg(feature = "parquet")]
    Parquet(ParquetReader),
}

/// Whole records of a file, which a thread parses by itself.
#[derive(Debug)]
pub enum Chunk {
    /// Delimited text.
    Delimited(delimited::chunk::DelimitedChunk),
    /// JSON.
    Json(JsonChunk),
    /// Parquet.
    #[cfg(feature = "parquet")]
    Parquet(ParquetChunk),
}

impl<R: Read> ChunkReader<R> {
    /// What the positions of its records count.
    pub fn position_kind(&self) -> PositionKind {
        match self {
            Self::Delimited(_) => PositionKind::Line,
            Self::Json(reader) => reader.position_kind(),
            #[cfg(feature = "parquet")]
            Self::Parquet(_) => PositionKind::Row,
        }
    }

    /// The next chunk, of about `size` bytes, with this number; None at the end of the file.
    ///
    /// # Errors
    /// The source cannot be read.
    pub fn next_chunk(&mut self, size: usize, number: u64) -> io::Result<Option<Chunk>> {
        Ok(match self {
            Self::Delimited(reader) => reader.next_chunk(size, number)?.map(Chunk::Delimited),
            Self::Json(reader) => reader.next_chunk(size, number)?.map(Chunk::Json),
            #[cfg(feature = "parquet")]
            Self::Parquet(reader) => reader.next_chunk(size, number)?.map(Chunk::Parquet),
        })
    }

    /// Gives the buffer of a chunk back, which the next chunk may use.
    pub(crate) fn reuse(&mut self, buffer: Vec<u8>) {
        if let Self::Delimited(reader) = self {
            reader.reuse(buffer);
        }
    }

    /// How many threads can work on chunks of about `size` bytes, if the source has so many bytes.
    #[must_use]
    pub fn useful_threads(&self, bytes: u64, size: usize) -> usize {
        match self {
            Self::Delimited(_) | Self::Json(_) => usize::try_from(bytes / size.max(1) as u64)
                .map_or(usize::MAX, |full| full.saturating_add(1)),
            #[cfg(feature = "parquet")]
            Self::Parquet(_) => usize::MAX,
        }
    }

    /// Memory that a thread needs for a chunk, bytes: the chunk, its trips while they are sorted, its rows for staging.
    #[must_use]
    pub fn job_bytes(&self) -> usize {
        match self {
            Self::Delimited(reader) => reader.job_bytes(),
            Self::Json(reader) => reader.job_bytes(),
            #[cfg(feature = "parquet")]
            Self::Parquet(reader) => reader.job_bytes(),
        }
    }
}

impl<R> From<RecordReader<R>> for ChunkReader<R> {
    fn from(reader: RecordReader<R>) -> Self {
        Self::Delimited(reader)
    }
}

impl<R> From<JsonReader<R>> for ChunkReader<R> {
    fn from(reader: JsonReader<R>) -> Self {
        Self::Json(reader)
    }
}

#[cfg(feature = "parquet")]
impl<R> From<ParquetReader> for ChunkReader<R> {
    fn from(reader: ParquetReader) -> Self {
        Self::Parquet(reader)
    }
}

impl Chunk {
    /// Parses the chunk, which begins with records of this header. Passes its rows for staging to `give`
    /// whenever they have more than `bytes` bytes. The result has the rest of them, and all trips, which were collected in
    /// this buffer.
    ///
    /// The chunk stays as it is: a header in a chunk before it may change its columns, and it is parsed
    /// again.
    ///
    /// # Errors
    /// There is no memory, or `give` fails.
    pub fn parse<E: From<TryReserveError>>(
        &mut self,
        parser: &Parser,
        begins_with: &HeaderState,
        bytes: usize,
        buffer: &mut RowBuffer,
        give: impl FnMut(Parsed) -> Result<(), E>,
    ) -> Result<Parsed, E> {
        match self {
            Self::Delimited(chunk) => {
                parser.parse_in_steps(chunk, begins_with, bytes, buffer, give)
            }
            Self::Json(chunk) => parser.parse_records(chunk, bytes, buffer, give),
            #[cfg(feature = "parquet")]
            Self::Parquet(chunk) => parser.parse_records(chunk, bytes, buffer, give),
        }
    }

    /// The buffer of its bytes, if another chunk of its file may use it.
    pub(crate) fn into_buffer(self) -> Option<Vec<u8>> {
        match self {
            Self::Delimited(chunk) => Some(chunk.into_buffer()),
            Self::Json(_) => None,
            #[cfg(feature = "parquet")]
            Self::Parquet(_) => None,
        }
    }

    /// Number of bytes of the file that it covers.
    #[must_use]
    pub fn covers(&self) -> u64 {
        match self {
            Self::Delimited(chunk) => chunk.covers,
            Self::Json(chunk) => chunk.covers(),
            #[cfg(feature = "parquet")]
            Self::Parquet(chunk) => chunk.covers(),
        }
    }

    /// Parses the next chunk of a file whose records up to it have this header; a header in the chunk changes it.
    ///
    /// # Errors
    /// There is no memory.
    ///
    /// # Panics
    /// Never: the rows of a chunk take fewer bytes than the limit.
    pub fn parse_next(
        &mut self,
        parser: &Parser,
        header: &mut HeaderState,
    ) -> Result<Parsed, TryReserveError> {
        let give = |_| -> Result<(), TryReserveError> { unreachable!("it is one partial") };
        let parsed = self.parse(parser, header, usize::MAX, &mut RowBuffer::default(), give)?;
        if let Some(after) = &parsed.header {
            *header = after.clone();
        }
        Ok(parsed)
    }

    /// Calls `each` with every record of this plan, or why it has no fields, until it fails. A later header counts as a
    /// record.
    ///
    /// # Errors
    /// Errors of `each`.
    pub fn for_each_fields<E>(
        &mut self,
        plan: &Plan,
        max_record: usize,
        each: impl FnMut(RecordOrFault<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        match self {
            Self::Delimited(chunk) => chunk.for_each_fields(plan, max_record, each),
            Self::Json(chunk) => for_each_fields(chunk, plan, max_record, each),
            #[cfg(feature = "parquet")]
            Self::Parquet(chunk) => for_each_fields(chunk, plan, max_record, each),
        }
    }
}

fn for_each_fields<C: RecordChunk, E>(
    chunk: &mut C,
    plan: &Plan,
    max_record: usize,
    mut each: impl FnMut(RecordOrFault<'_>) -> Result<(), E>,
) -> Result<(), E> {
    chunk.for_each(plan, max_record, |record| each(RecordOrFault::of(record)))
}
