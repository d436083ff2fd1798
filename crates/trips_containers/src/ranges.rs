//! Bytes at offsets.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// Bytes at offsets of something that does not change: a local file, or a part of another one.
pub trait Ranges: Send + Sync {
    /// The size in bytes.
    fn size(&self) -> u64;

    /// Reads bytes from an offset on, as many as are at hand; 0 at or after the end.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;
}

/// Makes files for bytes that must be read at offsets, such as an inner archive.
pub trait Spool: Send + Sync {
    /// A new empty file, which nobody else sees: its name is already removed.
    fn create(&self) -> io::Result<Box<dyn SpoolFile>>;
}

/// A file of a spool.
pub trait SpoolFile: Send + Sync {
    /// Writes bytes at the end.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Reads bytes from an offset on, as many as are at hand; 0 at or after the end.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;
}

impl SpoolFile for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        FileExt::read_at(self, buffer, offset)
    }
}

impl Ranges for Vec<u8> {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(self.len());
        let count = buffer.len().min(self.len() - start);
        buffer[..count].copy_from_slice(&self[start..start + count]);
        Ok(count)
    }
}

/// A file of known size that nobody writes any more.
pub(crate) struct Spooled {
    pub(crate) file: Box<dyn SpoolFile>,
    pub(crate) size: u64,
}

impl Ranges for Spooled {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(offset, buffer)
    }
}

/// A part of other ranges, with offsets of its own.
pub struct Part {
    whole: Arc<dyn Ranges>,
    start: u64,
    size: u64,
}

impl Part {
    /// The `size` bytes from `start` on; fewer if the whole ends before.
    pub fn new(whole: Arc<dyn Ranges>, start: u64, size: u64) -> Self {
        let size = size.min(whole.size().saturating_sub(start));
        Self { whole, start, size }
    }
}

impl Ranges for Part {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.size.saturating_sub(offset)).unwrap_or(usize::MAX);
        let count = buffer.len().min(left);
        if count == 0 {
            return Ok(0);
        }
        self.whole.read_at(self.start + offset, &mut buffer[..count])
    }
}

/// Reads a part of ranges from its first byte to its last one.
pub struct RangeReader {
    ranges: Arc<dyn Ranges>,
    offset: u64,
    end: u64,
}

impl RangeReader {
    /// The bytes from `start` up to `end`, without the byte at `end`.
    pub fn new(ranges: Arc<dyn Ranges>, start: u64, end: u64) -> Self {
        Self { ranges, offset: start, end }
    }
}

impl Read for RangeReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end.saturating_sub(self.offset)).unwrap_or(usize::MAX);
        let wanted = buffer.len().min(left);
        if wanted == 0 {
            return Ok(0);
        }
        let count = self.ranges.read_at(self.offset, &mut buffer[..wanted])?;
        self.offset += count as u64;
        Ok(count)
    }
}

/// Fills the buffer from an offset on, as far as the bytes go. What a file says may be any offset.
pub(crate) fn read_at_most(
    ranges: &dyn Ranges,
    offset: u64,
    buffer: &mut [u8],
) -> io::Result<usize> {
    let mut filled = 0;
    let size = ranges.size();
    while filled < buffer.len() && offset < size {
        match ranges.read_at(offset + filled as u64, &mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
