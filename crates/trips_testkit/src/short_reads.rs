//! A source that returns its bytes in short reads.

use std::io::{self, Read};

/// Returns its bytes in reads of these sizes, again and again: every position can be the end of a buffer.
#[derive(Debug)]
pub struct ShortReads<'a> {
    bytes: &'a [u8],
    sizes: &'a [usize],
    given: usize,
}

impl<'a> ShortReads<'a> {
    /// Without a size, a read fills the buffer.
    pub fn of(bytes: &'a [u8], sizes: &'a [usize]) -> Self {
        Self { bytes, sizes, given: 0 }
    }
}

impl Read for ShortReads<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let size = self.sizes.get(self.given % self.sizes.len().max(1));
        self.given += 1;
        // A read of no bytes would mean the end of the file.
        let wanted = size.map_or(usize::MAX, |&size| size.max(1));
        let (given, rest) = self.bytes.split_at(wanted.min(out.len()).min(self.bytes.len()));
        out[..given.len()].copy_from_slice(given);
        self.bytes = rest;
        Ok(given.len())
    }
}
