//! Reads a JSON file as chunks of whole records.

use std::io::{self, Read};

use memchr::{memchr, memrchr};

use crate::format::json::buffer::Buffer;
use crate::format::json::chunk::{Framed, JsonChunk, TextFault};
use crate::format::json::layout::Layout;
use crate::format::json::list::Lists;
use crate::format::position::{Position, PositionKind};

/// Bytes of the file by which its layout and its names are found.
const FIRST: usize = 1024 * 1024;
/// Memory for a chunk, its trips and its rows for staging.
const JOB: usize = 5 * 1024 * 1024;
/// Limit of the records of a chunk whose records are listed one by one.
const FRAMED: usize = 64 * 1024;

/// Reads the records of a JSON file. It holds one chunk and one record at most, whatever the size of the file.
#[derive(Debug)]
pub struct JsonReader<R> {
    buffer: Buffer<R>,
    layout: Layout,
    lists: Lists,
    max_record: usize,
    /// The number of the next record.
    next: u64,
    /// The first chunk, after it was used to find names.
    first: Option<JsonChunk>,
    are_features: bool,
}

impl<R: Read> JsonReader<R> {
    /// A reader of a file with these first bytes before its source. Its layout is found by its first bytes: pages have lists of records at these dotted paths.
    ///
    /// # Errors
    /// Errors of the source.
    pub(super) fn new(
        (begin, source): (Vec<u8>, R),
        max_record: usize,
        paths: &[&str],
    ) -> io::Result<Self> {
        let mut buffer = Buffer::new(begin, source);
        let layout = Layout::of(buffer.peek(FIRST)?, paths);
        let path = match &layout {
            Layout::Lists(path) => Some(path.clone()),
            Layout::Lines | Layout::Documents => None,
        };
        let lists = Lists::new(path, max_record);
        Ok(Self { buffer, layout, lists, max_record, next: 1, first: None, are_features: false })
    }

    /// Where its records are.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// What the positions of its records count.
    pub fn position_kind(&self) -> PositionKind {
        match self.layout {
            Layout::Lines => PositionKind::Line,
            Layout::Documents | Layout::Lists(_) => PositionKind::Record,
        }
    }

    /// Sets whether its records are GeoJSON features.
    pub(super) fn set_features(&mut self, are_features: bool) {
        self.are_features = are_features;
    }

    /// Number of bytes of the file before the next chunk.
    pub fn position(&self) -> u64 {
        self.buffer.position() - self.first.as_ref().map_or(0, |chunk| chunk.covers)
    }

    /// The first chunk, which [`JsonReader::next_chunk`] returns afterwards. None if the file has no record.
    ///
    /// # Errors
    /// Errors of the source, and a [`JsonError`](crate::format::json::error::JsonError).
    pub fn peek_chunk(&mut self) -> io::Result<Option<&JsonChunk>> {
        if self.first.is_none() {
            self.first = self.next_chunk(FIRST, 0)?;
        }
        Ok(self.first.as_ref())
    }

    /// The next whole records of the file, about `size` bytes of them, or None at its end.
    ///
    /// # Errors
    /// Errors of the source, and a [`JsonError`](crate::format::json::error::JsonError) if the end of a record cannot be
    /// found.
    pub fn next_chunk(&mut self, size: usize, number: u64) -> io::Result<Option<JsonChunk>> {
        if let Some(first) = self.first.take() {
            return Ok(Some(JsonChunk { number, are_features: self.are_features, ..first }));
        }
        let begin = self.buffer.position();
        let chunk = match self.layout {
            Layout::Lines => self.lines(size)?,
            Layout::Documents | Layout::Lists(_) => self.framed(size)?,
        };
        let covers = self.buffer.position() - begin;
        let are_features = self.are_features;
        Ok(chunk.map(|chunk| JsonChunk { number, covers, are_features, ..chunk }))
    }

    /// Whole lines. A line that is too long is a chunk by itself.
    fn lines(&mut self, size: usize) -> io::Result<Option<JsonChunk>> {
        // A line and its end.
        let longest = self.max_record + 2;
        let first = Position::line(self.buffer.line());
        let bytes = self.buffer.peek(size)?;
        if bytes.is_empty() {
            return Ok(None);
        }
        let is_end = bytes.len() < size;
        let mut cut =
            if is_end { Some(bytes.len()) } else { memrchr(b'\n', bytes).map(|at| at + 1) };
        if cut.is_none() && size < longest {
            let bytes = self.buffer.peek(longest)?;
            let is_end = bytes.len() < longest;
            cut = memchr(b'\n', bytes).map(|at| at + 1).or(is_end.then_some(bytes.len()));
        }
        let mut framed = None;
        let bytes = if let Some(cut) = cut {
            let bytes = copy(&self.buffer.rest()[..cut])?;
            self.buffer.skip(cut);
            bytes
        } else {
            let bytes = copy(&self.buffer.peek(longest)?[..self.max_record])?;
            self.skip_line()?;
            let fault = Some(TextFault::TooLong);
            framed = Some(vec![Framed { end: bytes.len(), fault }]);
            bytes
        };
        Ok(Some(JsonChunk { bytes, first, framed, ..JsonChunk::default() }))
    }

    /// Skips the rest of a line, however long it is.
    fn skip_line(&mut self) -> io::Result<()> {
        loop {
            let rest = self.buffer.rest();
            if let Some(end) = memchr(b'\n', rest) {
                self.buffer.skip(end + 1);
                return Ok(());
            }
            self.buffer.skip(rest.len());
            if !self.buffer.fill()? {
                return Ok(());
            }
        }
    }

    fn framed(&mut self, size: usize) -> io::Result<Option<JsonChunk>> {
        let (first, begin) = (Position::record(self.next), self.buffer.position());
        let (mut bytes, mut framed) = (Vec::new(), Vec::new());
        // Room for a chunk, and not for the whole of a last long record.
        bytes.try_reserve(size.min(FIRST)).map_err(|_| io::ErrorKind::OutOfMemory)?;
        while self.buffer.position() - begin < size as u64 && framed.len() < FRAMED {
            let Some(record) = self.lists.next_record(&mut self.buffer, &mut bytes)? else { break };
            framed.push(record);
        }
        self.next += framed.len() as u64;
        let framed = (!framed.is_empty()).then_some(framed);
        Ok(framed.map(|framed| JsonChunk {
            bytes,
            first,
            framed: Some(framed),
            ..JsonChunk::default()
        }))
    }
}

impl<R> JsonReader<R> {
    /// Memory that a thread needs for a chunk, bytes: the chunk and its longest record, its trips while they are sorted,
    /// its rows for staging.
    #[must_use]
    pub fn job_bytes(&self) -> usize {
        JOB + self.max_record
    }
}

fn copy(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut copy = Vec::new();
    copy.try_reserve_exact(bytes.len()).map_err(|_| io::ErrorKind::OutOfMemory)?;
    copy.extend_from_slice(bytes);
    Ok(copy)
}
