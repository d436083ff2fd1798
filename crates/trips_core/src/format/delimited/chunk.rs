//! Chunks: parts of a file that can be read independently, cut at ends of records.

use std::io::{self, Read};

use memchr::{memchr, memchr_iter, memrchr};

use crate::feed::plan::Plan;
use crate::format::delimited::feed_record::{RecordFields, has_fields};
use crate::format::delimited::framing::{FramingError, line_ends};
use crate::format::delimited::parse::fault_of;
use crate::format::delimited::record::{Record, RecordReader};
use crate::format::fields_record::RecordOrFault;
use crate::format::position::Position;

/// Limit of the records of a chunk whose records are listed one by one.
const FRAMED: usize = 64 * 1024;

/// Memory that a thread needs for a chunk, in addition to its longest record: the chunk, its trips while they are
/// sorted, its rows for staging.
const JOB: usize = 5 * 1024 * 1024;

/// Whole records, with the bytes of the file.
#[derive(Debug, Default)]
pub struct DelimitedChunk {
    /// The number of the chunk, from 0.
    pub number: u64,
    /// Number of bytes of the file that it covers.
    pub covers: u64,
    bytes: Vec<u8>,
    /// Number of its first line in the file.
    first_line: u64,
    /// The byte between fields.
    delimiter: u8,
    /// The boundaries of its records, if its bytes alone do not determine them.
    framed: Option<Vec<Framed>>,
}

/// Takes lines of a form that needs no record, and records.
pub(super) trait Lines<E> {
    /// Takes the line that these bytes begin with, and returns its length with its end; 0 if it needs a record.
    fn line(&mut self, bytes: &[u8]) -> Result<usize, E>;

    /// Takes a record.
    fn record(&mut self, record: &Record<'_>) -> Result<(), E>;
}

/// A record that was found by reading the file in order.
#[derive(Debug, Clone, Copy)]
struct Framed {
    line: u64,
    /// End of its bytes, and after them the tail of a line that is too long.
    end: usize,
    tail_end: usize,
    error: Option<FramingError>,
}

impl RecordReader<std::io::Empty> {
    /// Passes all lines on.
    fn each_line<E>(&mut self, lines: &mut impl Lines<E>) -> Result<(), E> {
        loop {
            // Memory can be read: errors are of other sources.
            let used =
                self.peek(isize::MAX.cast_unsigned()).map_or(Ok(0), |all| lines.line(all))?;
            if used > 0 {
                self.skip_lines(used, 1);
                continue;
            }
            match self.next_record() {
                Ok(Some(record)) => lines.record(&record)?,
                Ok(None) | Err(_) => return Ok(()),
            }
        }
    }
}

impl<R: Read> RecordReader<R> {
    /// The next whole records of the file, about `size` bytes of them, or None at its end.
    ///
    /// Without a quote in these bytes, every newline ends a record, and the chunk ends at the last one. With a quote,
    /// the records are found one after the other, because a newline may be inside a field.
    ///
    /// # Errors
    /// Errors of the source.
    pub fn next_chunk(&mut self, size: usize, number: u64) -> io::Result<Option<DelimitedChunk>> {
        let bytes = self.gather(size)?;
        if bytes.is_empty() {
            return Ok(None);
        }
        let at_end = bytes.len() < size;
        let cut = if at_end { Some(bytes.len()) } else { memrchr(b'\n', bytes).map(|at| at + 1) };
        if let Some(cut) = cut.filter(|_| memchr(b'"', bytes).is_none()) {
            let lines = lines_of(&bytes[..cut]);
            let (first_line, delimiter) = (self.line(), self.delimiter());
            let (covers, bytes, framed) = (cut as u64, self.take(cut, lines)?, None);
            return Ok(Some(DelimitedChunk {
                number,
                covers,
                bytes,
                first_line,
                delimiter,
                framed,
            }));
        }
        self.frame_chunk(size, number).map(Some)
    }

    /// Memory that a thread needs for a chunk, bytes.
    #[must_use]
    pub fn job_bytes(&self) -> usize {
        JOB + self.max_record
    }

    fn frame_chunk(&mut self, size: usize, number: u64) -> io::Result<DelimitedChunk> {
        let delimiter = self.delimiter();
        let mut chunk = DelimitedChunk { number, delimiter, ..DelimitedChunk::default() };
        let mut framed = Vec::new();
        let begin = self.position();
        while self.position() - begin < size as u64 && framed.len() < FRAMED {
            let Some(record) = self.next_record()? else { break };
            let length = record.raw.len() + record.tail.len();
            chunk.bytes.try_reserve(length).map_err(|_| io::ErrorKind::OutOfMemory)?;
            chunk.bytes.extend_from_slice(record.raw);
            let end = chunk.bytes.len();
            chunk.bytes.extend_from_slice(record.tail);
            let (line, tail_end, error) = (record.line, chunk.bytes.len(), record.error);
            framed.push(Framed { line, end, tail_end, error });
        }
        chunk.covers = self.position() - begin;
        chunk.framed = Some(framed);
        Ok(chunk)
    }
}

impl DelimitedChunk {
    /// The lines of its records with an unclosed quote.
    pub fn unclosed(&self) -> impl Iterator<Item = u64> + '_ {
        // Without a quote in it, a chunk is not framed.
        let framed = self.framed.iter().flatten();
        framed
            .filter(|record| record.error == Some(FramingError::UnclosedQuote))
            .map(|record| record.line)
    }

    /// The byte between the fields of its records.
    #[must_use]
    pub fn delimiter(&self) -> u8 {
        self.delimiter
    }

    /// Whether it contains quotes: only then can a field contain a delimiter or a line end.
    #[must_use]
    pub fn has_quotes(&self) -> bool {
        self.framed.is_some()
    }

    /// Its records with their line ends, if it has no quotes.
    pub(crate) fn records(&self) -> Option<&[u8]> {
        self.framed.is_none().then_some(&self.bytes[..])
    }

    /// The buffer of its bytes, for [`RecordReader::reuse`].
    pub(crate) fn into_buffer(self) -> Vec<u8> {
        self.bytes
    }

    /// Approximate bytes of memory.
    #[must_use]
    pub fn memory(&self) -> usize {
        let framed = self.framed.as_ref().map_or(0, Vec::capacity);
        self.bytes.capacity() + framed * size_of::<Framed>()
    }

    /// As [`DelimitedChunk::for_each`]. Without quotes, `lines` gets the bytes at the begin of each line first, and returns
    /// how many it has used up: a whole line, or none, which is then a record.
    ///
    /// # Errors
    /// Errors of `lines`.
    pub(super) fn for_each_line<E>(
        &mut self,
        max_record: usize,
        lines: &mut impl Lines<E>,
    ) -> Result<(), E> {
        if self.framed.is_some() {
            return self.for_each(max_record, |record| lines.record(record));
        }
        let bytes = std::mem::take(&mut self.bytes);
        let mut reader = RecordReader::of_bytes(bytes, self.first_line, max_record, self.delimiter);
        let result = reader.each_line(lines);
        self.bytes = reader.into_bytes();
        result
    }

    /// Calls `f` for every record, until it fails. The chunk does not change, and can be read again.
    ///
    /// # Errors
    /// Errors of `f`.
    ///
    /// # Panics
    /// Never: reading from memory does not fail.
    pub fn for_each<E>(
        &mut self,
        max_record: usize,
        mut f: impl FnMut(&Record<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let Some(framed) = &self.framed else {
            let bytes = std::mem::take(&mut self.bytes);
            let mut reader =
                RecordReader::of_bytes(bytes, self.first_line, max_record, self.delimiter);
            let mut result = Ok(());
            while let Some(record) = reader.next_record().expect("memory can be read") {
                if let Err(error) = f(&record) {
                    result = Err(error);
                    break;
                }
            }
            self.bytes = reader.into_bytes();
            return result;
        };
        let mut spans = Vec::new();
        let mut start = 0;
        for &Framed { line, end, tail_end, error } in framed {
            let (raw, tail) = (&self.bytes[start..end], &self.bytes[end..tail_end]);
            f(&Record::of_raw(line, (raw, tail), self.delimiter, error, &mut spans))?;
            start = tail_end;
        }
        Ok(())
    }
}

impl DelimitedChunk {
    /// Calls `each` with every record of this plan, or why it has no fields, until it fails.
    pub(crate) fn for_each_fields<E>(
        &mut self,
        plan: &Plan,
        max_record: usize,
        mut each: impl FnMut(RecordOrFault<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.for_each(max_record, |record| {
            let position = Position::line(record.line);
            if !has_fields(record, plan) {
                return each(RecordOrFault { position, fields: Err(fault_of(plan, record)) });
            }
            each(RecordOrFault { position, fields: Ok(&RecordFields::of(record, plan)) })
        })
    }
}

/// Number of line ends.
fn lines_of(bytes: &[u8]) -> u64 {
    if memchr(b'\r', bytes).is_none() {
        return memchr_iter(b'\n', bytes).count() as u64;
    }
    line_ends(bytes)
}
