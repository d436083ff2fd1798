//! Bytes into records, strictly by RFC 4180, in bounded memory.
//!
//! A record ends at `\n`, `\r\n` or `\r` outside quotes. A quoted field may contain delimiters, line ends and doubled
//! quotes. RFC 4180 does not allow a quote inside an unquoted field, text after a closing quote, or a quote that never
//! closes. Each is an error of that record only: the record ends at the end of its first physical line, and reading
//! continues at the next.
//!
//! The result never depends on where buffers or chunks end.
//!
//! A byte order mark at the beginning of any record is ignored, because files are concatenated. Quotes after one are
//! quotes.

use std::borrow::Cow;
use std::io::{self, Read};

pub use crate::format::delimited::framing::FramingError;
use crate::format::delimited::framing::{
    COMMA, Scan, Span, is_blank, keep_end, line_end, scan, unescape,
};
use crate::text::encoding::Encoding;
use crate::text::whitespace::BYTE_ORDER_MARK;

mod fill;

/// One record of the file, borrowed from the reader's buffer.
#[derive(Debug)]
pub struct Record<'a> {
    /// Number of its first physical line in the file, from 1.
    pub line: u64,
    /// Its bytes as in the file, without the line end.
    pub raw: &'a [u8],
    /// The error; the fields are then invalid.
    pub error: Option<FramingError>,
    /// The last bytes of a line that is too long, which may overlap with `raw`; otherwise empty.
    pub tail: &'a [u8],
    /// The byte between its fields.
    pub delimiter: u8,
    spans: &'a [Span],
}

impl<'a> Record<'a> {
    /// A record whose bytes and error are known already.
    pub(crate) fn of_raw(
        line: u64,
        (raw, tail): (&'a [u8], &'a [u8]),
        delimiter: u8,
        error: Option<FramingError>,
        spans: &'a mut Vec<Span>,
    ) -> Self {
        if error.is_none() {
            scan(raw, delimiter, true, spans);
        } else {
            spans.clear();
        }
        Record { line, raw, error, tail, delimiter, spans }
    }

    /// Number of its fields.
    #[must_use]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether it has no fields, which only a faulty record has.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// The value of column `i`, from 0: without its quotes, doubled quotes undone.
    ///
    /// # Panics
    /// When `i` is not under [`Record::len`].
    #[must_use]
    #[inline]
    pub fn field(&self, i: usize) -> Cow<'a, [u8]> {
        let bytes = self.raw_field(i);
        if self.spans[i].escaped { Cow::Owned(unescape(bytes)) } else { Cow::Borrowed(bytes) }
    }

    /// As [`Record::field`], with doubled quotes as in the file.
    pub(crate) fn raw_field(&self, i: usize) -> &'a [u8] {
        let span = self.spans[i];
        &self.raw[span.start..span.end]
    }

    /// Where column `i` begins and ends in [`Record::raw`], without its quotes.
    pub(crate) fn bounds(&self, i: usize) -> (usize, usize) {
        let span = self.spans[i];
        (span.start, span.end)
    }

    /// All values, in the order of the file.
    pub fn fields(&self) -> impl Iterator<Item = Cow<'a, [u8]>> + '_ {
        (0..self.len()).map(|i| self.field(i))
    }
}

/// Reads records from a source of bytes.
///
/// It holds one record and one chunk of the source at most, independent of the size of the file.
#[derive(Debug)]
pub struct RecordReader<R> {
    source: R,
    buffer: Vec<u8>,
    /// A buffer that was returned, for the bytes after the next chunk.
    spare: Vec<u8>,
    /// The bytes that are read and not yet used: `buffer[start..end]`.
    start: usize,
    end: usize,
    eof: bool,
    /// Number of the line at `start`.
    line: u64,
    /// Bytes of the source before `start`.
    position: u64,
    pub(super) max_record: usize,
    delimiter: u8,
    /// The encoding of the file before it was decoded.
    encoding: Encoding,
    spans: Vec<Span>,
    /// The end of the last line that was too long.
    tail: Vec<u8>,
}

impl RecordReader<io::Empty> {
    /// A reader of bytes in memory that begin with this line.
    pub(crate) fn of_bytes(bytes: Vec<u8>, line: u64, max_record: usize, delimiter: u8) -> Self {
        let end = bytes.len();
        let empty = Self::new(io::empty(), max_record);
        Self { buffer: bytes, end, eof: true, line, delimiter, ..empty }
    }
}

impl<R: Read> RecordReader<R> {
    /// A reader of fields with commas between them, whose records may have `max_record` bytes, quotes and line ends
    /// inside included.
    pub fn new(source: R, max_record: usize) -> Self {
        Self {
            source,
            buffer: Vec::new(),
            spare: Vec::new(),
            start: 0,
            end: 0,
            eof: false,
            line: 1,
            position: 0,
            max_record,
            delimiter: COMMA,
            encoding: Encoding::Utf8,
            spans: Vec::new(),
            tail: Vec::new(),
        }
    }

    /// A reader of the rest of a file after this many bytes, at this line number.
    pub fn from_within(source: R, max_record: usize, position: u64, line: u64) -> Self {
        Self { position, line, ..Self::new(source, max_record) }
    }

    /// Sets the byte between the fields, from the next record on.
    pub fn set_delimiter(&mut self, delimiter: u8) {
        self.delimiter = delimiter;
    }

    /// The same reader, of a source that was decoded from this encoding.
    #[must_use]
    pub fn with_encoding(self, encoding: Encoding) -> Self {
        Self { encoding, ..self }
    }

    /// The encoding of the file before it was decoded.
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// The byte between the fields.
    pub fn delimiter(&self) -> u8 {
        self.delimiter
    }

    /// Number of the next line.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// The bytes that are read and no record yet, and the source after them.
    pub(crate) fn into_unread(self) -> (Vec<u8>, R) {
        let mut bytes = self.buffer;
        bytes.truncate(self.end);
        bytes.drain(..self.start);
        (bytes, self.source)
    }

    /// The bytes in memory that it reads, unchanged.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.buffer
    }

    /// Number of bytes of the source that have become records.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The first bytes of the file, at most `count`: to find a byte order mark.
    ///
    /// # Errors
    /// Errors of the source.
    pub fn peek(&mut self, count: usize) -> io::Result<&[u8]> {
        while self.end - self.start < count && !self.eof {
            self.fill()?;
        }
        Ok(&self.buffer[self.start..self.end.min(self.start + count)])
    }

    /// Skips `count` bytes that [`RecordReader::peek`] returned.
    pub fn skip(&mut self, count: usize) {
        self.start += count;
        self.position += count as u64;
    }

    /// Skips bytes that end this many lines.
    pub(crate) fn skip_lines(&mut self, count: usize, lines: u64) {
        self.skip(count);
        self.line += lines;
    }

    /// The next record that is not empty, or None at the end of the file.
    ///
    /// # Errors
    /// Errors of the source.
    pub fn next_record(&mut self) -> io::Result<Option<Record<'_>>> {
        let Some(step) = self.advance()? else { return Ok(None) };
        Ok(Some(self.record(self.start - step.consumed, step)))
    }

    /// As [`RecordReader::next_record`], which then returns the same record again. Only one that is too long is skipped.
    ///
    /// # Errors
    /// Errors of the source.
    pub fn peek_record(&mut self) -> io::Result<Option<Record<'_>>> {
        let Some(step) = self.advance()? else { return Ok(None) };
        let begin = self.start - step.consumed;
        if step.error != Some(FramingError::TooLong) {
            (self.start, self.line) = (begin, step.line);
            self.position -= step.consumed as u64;
        }
        Ok(Some(self.record(begin, step)))
    }

    #[inline]
    fn record(&self, begin: usize, step: Step) -> Record<'_> {
        let Step { line, raw, error, .. } = step;
        let raw = &self.buffer[begin..begin + raw];
        let tail = if error == Some(FramingError::TooLong) { &self.tail[..] } else { &[] };
        Record { line, raw, error, tail, delimiter: self.delimiter, spans: &self.spans }
    }

    /// Skips one record, and the empty lines before it.
    fn advance(&mut self) -> io::Result<Option<Step>> {
        loop {
            if self.start == self.end && self.eof {
                return Ok(None);
            }
            // A record and its line end: the result must not depend on the amount of the file in the buffer.
            let window = self.max_record + 2;
            let window_end = self.end.min(self.start + window);
            let bytes = &self.buffer[self.start..window_end];
            // A full window is treated as if more bytes follow, for the same reason: whether the end of the file has
            // been read depends on the buffer too.
            let at_eof = self.eof && window_end == self.end && bytes.len() < window;
            if bytes.starts_with(BYTE_ORDER_MARK) {
                self.skip(BYTE_ORDER_MARK.len());
                continue;
            }
            match scan(bytes, self.delimiter, at_eof, &mut self.spans) {
                Scan::Record { len, next, .. } if is_blank(&bytes[..len], self.delimiter) => {
                    self.step(0, next, 1, None);
                }
                Scan::Record { len, next, lines } => {
                    let error = (len > self.max_record).then_some(FramingError::TooLong);
                    if error.is_some() {
                        self.tail.clear();
                        keep_end(&mut self.tail, &bytes[..len]);
                    }
                    return Ok(Some(self.step(len.min(self.max_record), next, lines, error)));
                }
                Scan::Faulty { len, next, error } => {
                    let error = if len > self.max_record { FramingError::TooLong } else { error };
                    if error == FramingError::TooLong {
                        self.tail.clear();
                        keep_end(&mut self.tail, &bytes[..len]);
                    }
                    return Ok(Some(self.step(len.min(self.max_record), next, 1, Some(error))));
                }
                Scan::Incomplete if bytes.len() == window => {
                    return match line_end(bytes, 0, false) {
                        Some((len, next)) if len <= self.max_record => {
                            Ok(Some(self.step(len, next, 1, Some(FramingError::UnclosedQuote))))
                        }
                        _ => self.cut_long_line().map(Some),
                    };
                }
                Scan::Incomplete => self.fill()?,
            }
        }
    }

    fn step(
        &mut self,
        raw: usize,
        consumed: usize,
        lines: u64,
        error: Option<FramingError>,
    ) -> Step {
        let line = self.line;
        self.start += consumed;
        self.position += consumed as u64;
        self.line += lines;
        if error.is_some() {
            self.spans.clear();
        }
        Step { line, raw, consumed, error }
    }

    /// Keeps the first `max_record` bytes of the line at `start` and skips the rest of it.
    fn cut_long_line(&mut self) -> io::Result<Step> {
        let kept = self.max_record;
        self.tail.clear();
        // If the whole line is in memory, nothing is moved: a chunk may be read again.
        if let Some((end, next)) = line_end(&self.buffer[..self.end], self.start + kept, self.eof) {
            keep_end(&mut self.tail, &self.buffer[self.start..end]);
            return Ok(self.step(kept, next - self.start, 1, Some(FramingError::TooLong)));
        }
        keep_end(&mut self.tail, &self.buffer[self.start..self.start + kept]);
        self.buffer.copy_within(self.start..self.start + kept, 0);
        // The kept bytes are at the front; the rest of the line is read after them and dropped.
        let mut from = self.start + kept;
        loop {
            if let Some((end, next)) = line_end(&self.buffer[..self.end], from, self.eof) {
                keep_end(&mut self.tail, &self.buffer[from..end]);
                self.position += (next - from) as u64;
                self.buffer.copy_within(next..self.end, kept);
                self.end = kept + (self.end - next);
                self.start = 0;
                return Ok(self.step(kept, kept, 1, Some(FramingError::TooLong)));
            }
            // A lone `\r` at the very end is kept: its `\n` may be the next byte.
            let tail = usize::from(self.buffer[self.end - 1] == b'\r' && self.end > from);
            keep_end(&mut self.tail, &self.buffer[from..self.end - tail]);
            self.position += (self.end - tail - from) as u64;
            self.buffer.copy_within(self.end - tail..self.end, kept);
            self.end = kept + tail;
            from = kept;
            self.fill_behind()?;
        }
    }
}

/// One step of the reader.
#[derive(Debug, Clone, Copy)]
struct Step {
    /// Number of the record's first line.
    line: u64,
    /// Number of the record's bytes.
    raw: usize,
    /// Number of used bytes, with its line end.
    consumed: usize,
    error: Option<FramingError>,
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
