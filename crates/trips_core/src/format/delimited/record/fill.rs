//! The buffer of a reader of records: how it is filled from the source, and how a chunk takes it.

use std::io::{self, Read};

use super::RecordReader;

/// Minimum number of bytes that are requested from the source at a time.
pub(super) const CHUNK: usize = 256 * 1024;
/// Size of a buffer before anything is known of the file: zeros of a larger one cost more than the reading of a small file.
const FIRST: usize = 64 * 1024;
/// With less room than this, a buffer grows before it is read to.
const LEAST: usize = 4 * 1024;

impl<R: Read> RecordReader<R> {
    /// The next `size` bytes of the file; fewer only at its end. The buffer has no more, as far as it was empty.
    ///
    /// # Errors
    /// Errors of the source.
    pub(in crate::format::delimited) fn gather(&mut self, size: usize) -> io::Result<&[u8]> {
        if self.end - self.start < size && !self.eof {
            self.move_to_front();
            while self.end < size && !self.eof {
                if self.buffer.len() < size.min(self.end + LEAST) {
                    self.grow_to(size.min((self.end + FIRST).max(self.buffer.len() * 2)))?;
                }
                self.read_to(size.min(self.buffer.len()))?;
            }
        }
        Ok(&self.buffer[self.start..self.end.min(self.start + size)])
    }

    /// Takes bytes that were gathered, which end this many lines: the buffer itself, without a copy. What follows them
    /// moves into another one.
    ///
    /// # Errors
    /// When there is no memory.
    pub(in crate::format::delimited) fn take(
        &mut self,
        count: usize,
        lines: u64,
    ) -> io::Result<Vec<u8>> {
        let begin = self.start;
        self.skip_lines(count, lines);
        let spare = std::mem::take(&mut self.spare);
        let mut taken = std::mem::replace(&mut self.buffer, spare);
        let rest = &taken[self.start..self.end];
        (self.start, self.end) = (0, rest.len());
        self.grow_to(rest.len())?;
        self.buffer[..rest.len()].copy_from_slice(rest);
        taken.truncate(begin + count);
        taken.drain(..begin);
        Ok(taken)
    }

    /// Gives a buffer back, which the next chunk may use.
    pub(crate) fn reuse(&mut self, buffer: Vec<u8>) {
        self.spare = buffer;
    }

    /// Moves the unused bytes to the front and reads more after them.
    pub(super) fn fill(&mut self) -> io::Result<()> {
        self.move_to_front();
        self.fill_behind()
    }

    /// Reads more bytes behind those of the buffer.
    pub(super) fn fill_behind(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            self.grow_to(FIRST)?;
        } else if self.buffer.len() < self.end + CHUNK {
            let wanted = (self.end + CHUNK).max(self.buffer.len() * 2);
            self.grow_to(wanted.min(self.end + self.max_record.max(CHUNK) + CHUNK))?;
        }
        self.read_to(self.buffer.len())
    }

    fn move_to_front(&mut self) {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
    }

    fn grow_to(&mut self, size: usize) -> io::Result<()> {
        let more = size.saturating_sub(self.buffer.len());
        self.buffer.try_reserve(more).map_err(|_| io::ErrorKind::OutOfMemory)?;
        self.buffer.resize(size.max(self.buffer.len()), 0);
        Ok(())
    }

    /// Reads once, up to this end of the buffer.
    fn read_to(&mut self, end: usize) -> io::Result<()> {
        let count = loop {
            match self.source.read(&mut self.buffer[self.end..end]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        self.end += count;
        self.eof = count == 0;
        Ok(())
    }
}
