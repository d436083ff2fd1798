//! Compressed bytes with their offset.

use std::io::{self, Read};

/// Bytes that are read from a source at once.
const CAPACITY: usize = 64 << 10;

/// The same for a header.
const SMALL: usize = 256;

/// A buffered source that knows the offset of its next byte.
pub(crate) struct Input {
    source: Box<dyn Read + Send>,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    /// Offset of the byte at `start`.
    offset: u64,
    at_end: bool,
    /// What the source is, for messages.
    whole: &'static str,
}

impl Input {
    /// Reads a source whose first byte has this offset in the file.
    pub(crate) fn new(source: Box<dyn Read + Send>, offset: u64) -> Self {
        Self::with_capacity(source, offset, CAPACITY)
    }

    /// The same for a few bytes.
    pub(crate) fn small(source: Box<dyn Read + Send>, offset: u64) -> Self {
        Self::with_capacity(source, offset, SMALL)
    }

    fn with_capacity(source: Box<dyn Read + Send>, offset: u64, capacity: usize) -> Self {
        let buffer = vec![0; capacity].into();
        Self { source, buffer, start: 0, end: 0, offset, at_end: false, whole: "the file" }
    }

    /// Says what the source is, if it is not a whole file.
    pub(crate) fn of(mut self, whole: &'static str) -> Self {
        self.whole = whole;
        self
    }

    /// What the source is.
    pub(crate) fn whole(&self) -> &'static str {
        self.whole
    }

    /// The offset of the next byte.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// The offset behind the bytes that [`peek`](Self::peek) has shown: the end of a source that is cut off.
    pub(crate) fn buffered_end(&self) -> u64 {
        self.offset + (self.end - self.start) as u64
    }

    /// The next bytes; none at the end of the source.
    pub(crate) fn fill(&mut self) -> io::Result<&[u8]> {
        if self.start == self.end {
            self.more()?;
        }
        Ok(&self.buffer[self.start..self.end])
    }

    /// At least `count` bytes, fewer only before the end of the source. `count` is small.
    pub(crate) fn peek(&mut self, count: usize) -> io::Result<&[u8]> {
        debug_assert!(count <= self.buffer.len());
        while self.end - self.start < count && !self.at_end {
            self.more()?;
        }
        Ok(&self.buffer[self.start..self.end])
    }

    /// Passes over bytes that [`fill`](Self::fill) or [`peek`](Self::peek) has shown.
    pub(crate) fn consume(&mut self, count: usize) {
        debug_assert!(count <= self.end - self.start);
        self.start += count;
        self.offset += count as u64;
    }

    /// The next `N` bytes, which are consumed; `None` if the source ends before.
    pub(crate) fn take<const N: usize>(&mut self) -> io::Result<Option<[u8; N]>> {
        let Some(bytes) = self.peek(N)?.first_chunk::<N>().copied() else { return Ok(None) };
        self.consume(N);
        Ok(Some(bytes))
    }

    fn more(&mut self) -> io::Result<()> {
        if self.at_end {
            return Ok(());
        }
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        loop {
            match self.source.read(&mut self.buffer[self.end..]) {
                Ok(count) => {
                    self.at_end = count == 0;
                    self.end += count;
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}
