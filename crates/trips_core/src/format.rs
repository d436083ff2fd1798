//! The formats of files, as enumerations of readers and chunks.
//!
//! A format is a module with its own reader, chunk and loop over records, an arm of [`ChunkReader`] and of
//! [`Chunk`], and a line in [`sniff`]. The choice is made once a chunk, never once a record.

use std::collections::TryReserveError;
use std::io::{self, Read};

use self::delimited::header_state::HeaderState;
use self::delimited::record::RecordReader;
use self::parser::{Parsed, Parser};

pub mod delimited;
pub mod encoding;
pub mod parser;
pub mod sniff;

/// Reads the chunks of a file.
#[derive(Debug)]
pub enum ChunkReader<R> {
    /// Delimited text.
    Delimited(RecordReader<R>),
}

/// Whole records of a file, which a thread parses by itself.
#[derive(Debug)]
pub enum Chunk {
    /// Delimited text.
    Delimited(delimited::chunk::DelimitedChunk),
}

impl<R: Read> ChunkReader<R> {
    /// The next chunk, of about `size` bytes, with this number; None at the end of the file.
    ///
    /// # Errors
    /// The source cannot be read.
    pub fn next_chunk(&mut self, size: usize, number: u64) -> io::Result<Option<Chunk>> {
        match self {
            Self::Delimited(reader) => Ok(reader.next_chunk(size, number)?.map(Chunk::Delimited)),
        }
    }

    /// Memory that a thread needs for a chunk, bytes: the chunk, its trips while they are sorted, its rows for staging.
    #[must_use]
    pub fn job_bytes(&self) -> usize {
        match self {
            Self::Delimited(reader) => reader.job_bytes(),
        }
    }
}

impl<R> From<RecordReader<R>> for ChunkReader<R> {
    fn from(reader: RecordReader<R>) -> Self {
        Self::Delimited(reader)
    }
}

impl Chunk {
    /// Parses the chunk, which begins with records of this header. Passes its rows for staging to `give`
    /// whenever they have more than `bytes` bytes. The result has the rest of them, and all trips.
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
        give: impl FnMut(Parsed) -> Result<(), E>,
    ) -> Result<Parsed, E> {
        match self {
            Self::Delimited(chunk) => parser.parse_in_steps(chunk, begins_with, bytes, give),
        }
    }
}
