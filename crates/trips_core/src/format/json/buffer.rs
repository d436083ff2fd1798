//! The bytes of a source in order, with the number of the line and the column.

use std::io::{self, Read};

use memchr::{memchr_iter, memrchr};

/// The fewest bytes that are requested from the source at a time.
const READ: usize = 256 * 1024;

/// The bytes that are read and not yet used.
#[derive(Debug)]
pub(super) struct Buffer<R> {
    source: R,
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    eof: bool,
    /// Bytes of the source before `start`.
    position: u64,
    /// Number of the line at `start`, from 1.
    line: u64,
    /// The position of its first byte.
    line_begin: u64,
}

impl<R: Read> Buffer<R> {
    /// These bytes, and then those of the source.
    pub(super) fn new(bytes: Vec<u8>, source: R) -> Self {
        let end = bytes.len();
        let (position, line, line_begin) = (0, 1, 0);
        Self { source, bytes, start: 0, end, eof: false, position, line, line_begin }
    }

    pub(super) fn rest(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// The first bytes of the rest: fewer than `count` only at the end of the source.
    pub(super) fn peek(&mut self, count: usize) -> io::Result<&[u8]> {
        while self.end - self.start < count && self.fill()? {}
        Ok(&self.bytes[self.start..self.end.min(self.start + count)])
    }

    /// The next byte; None at the end of the source.
    pub(super) fn byte(&mut self) -> io::Result<Option<u8>> {
        if self.start == self.end && !self.fill()? {
            return Ok(None);
        }
        Ok(Some(self.bytes[self.start]))
    }

    /// Uses these bytes, which are in the buffer.
    pub(super) fn skip(&mut self, count: usize) {
        let used = &self.bytes[self.start..self.start + count];
        if let Some(last) = memrchr(b'\n', used) {
            self.line += memchr_iter(b'\n', &used[..last]).count() as u64 + 1;
            self.line_begin = self.position + last as u64 + 1;
        }
        self.start += count;
        self.position += count as u64;
    }

    /// Reads more bytes behind the unused ones. Returns whether there are any.
    pub(super) fn fill(&mut self) -> io::Result<bool> {
        if self.eof {
            return Ok(false);
        }
        if self.start > 0 && self.bytes.len() - self.end < READ {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        if self.bytes.len() - self.end < READ {
            let size = (self.end + READ).max(self.bytes.len() * 2);
            let more = size - self.bytes.len();
            self.bytes.try_reserve(more).map_err(|_| io::ErrorKind::OutOfMemory)?;
            self.bytes.resize(size, 0);
        }
        let count = loop {
            match self.source.read(&mut self.bytes[self.end..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        self.end += count;
        self.eof = count == 0;
        Ok(count > 0)
    }

    /// Number of used bytes.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Number of the line and of the column, in bytes, `ahead` bytes after the next byte. Both are from 1.
    pub(super) fn place(&self, ahead: usize) -> (u64, u64) {
        let before = &self.rest()[..ahead.min(self.rest().len())];
        match memrchr(b'\n', before) {
            None => (self.line, self.position + before.len() as u64 - self.line_begin + 1),
            Some(last) => {
                let lines = memchr_iter(b'\n', &before[..last]).count() as u64 + 1;
                (self.line + lines, (before.len() - last) as u64)
            }
        }
    }

    pub(super) fn line(&self) -> u64 {
        self.line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_those_of_the_file() {
        let mut buffer = Buffer::new(Vec::new(), &b"ab\ncd\n\ne"[..]);
        assert_eq!(buffer.peek(100).unwrap().len(), 8);
        assert_eq!(
            [0, 2, 3, 5, 6, 7, 8].map(|at| buffer.place(at)),
            [(1, 1), (1, 3), (2, 1), (2, 3), (3, 1), (4, 1), (4, 2)]
        );
        buffer.skip(4);
        assert_eq!((buffer.place(0), buffer.place(1), buffer.place(3)), ((2, 2), (2, 3), (4, 1)));
        buffer.skip(4);
        assert_eq!((buffer.place(0), buffer.line(), buffer.position()), ((4, 2), 4, 8));
        assert_eq!(buffer.byte().unwrap(), None);
    }

    #[test]
    fn the_memory_does_not_grow_with_the_source() {
        let mut buffer = Buffer::new(Vec::new(), io::repeat(b'a'));
        for _ in 0..200 {
            assert_eq!(buffer.peek(100_000).unwrap().len(), 100_000);
            buffer.skip(100_000);
        }
        assert!(buffer.bytes.len() <= 2 * 1024 * 1024, "{}", buffer.bytes.len());
    }
}
