//! The stored bytes of a file: in order, hashed and counted as they are read, or at offsets, counted.

use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use trips_containers::Ranges;

use super::spool::TemporaryFile;
use super::stored::Stored;

/// The bytes of a file in order. Another thread may own it: [`Bytes::reading`] has what it has read.
#[derive(Debug)]
pub struct Bytes {
    file: Arc<Stored>,
    at: u64,
    reading: Reading,
}

/// What has been read of a file so far, and what ends the reading.
#[derive(Debug, Clone, Default)]
pub struct Reading(Arc<State>);

#[derive(Debug, Default)]
struct State {
    stop: AtomicBool,
    count: AtomicU64,
    /// Of the bytes that were read in order.
    hasher: Mutex<blake3::Hasher>,
    hashed: AtomicU64,
}

/// Ends the reading when it is dropped: the threads read no more of a file whose load has ended, even in the middle of
/// a line.
#[derive(Debug)]
pub struct StopReading(Option<Reading>);

impl StopReading {
    /// The reading goes on.
    pub fn cancel(mut self) {
        self.0 = None;
    }
}

impl Drop for StopReading {
    fn drop(&mut self) {
        if let Some(reading) = &self.0 {
            reading.0.stop.store(true, Ordering::Relaxed);
        }
    }
}

impl Reading {
    /// Ends the reading when it is dropped.
    pub fn stopper(&self) -> StopReading {
        StopReading(Some(self.clone()))
    }

    /// Fails when the reading has ended.
    pub fn require_wanted(&self) -> io::Result<()> {
        match self.0.stop.load(Ordering::Relaxed) {
            true => Err(io::Error::other("the load has ended")),
            false => Ok(()),
        }
    }

    /// Number of stored bytes that were read. Bytes that were read twice count twice.
    pub fn count(&self) -> u64 {
        self.0.count.load(Ordering::Relaxed)
    }

    /// Counts from 0 again.
    pub fn begin_count(&self) {
        self.0.count.store(0, Ordering::Relaxed);
    }

    /// BLAKE3 of the bytes of a file of this size; None unless all of them were read in order.
    pub fn digest(&self, size: u64) -> Option<[u8; 32]> {
        let hasher = self.0.hasher.lock().unwrap_or_else(PoisonError::into_inner);
        let is_whole = self.0.hashed.load(Ordering::Relaxed) == size;
        is_whole.then(|| *hasher.finalize().as_bytes())
    }

    fn add(&self, count: usize) {
        self.0.count.fetch_add(count as u64, Ordering::Relaxed);
    }

    fn hash(&self, bytes: &[u8]) {
        let mut hasher = self.0.hasher.lock().unwrap_or_else(PoisonError::into_inner);
        hasher.update(bytes);
        self.0.hashed.fetch_add(bytes.len() as u64, Ordering::Relaxed);
    }
}

impl Bytes {
    /// The bytes from the beginning of a file. Its own position is not used.
    pub(super) fn of(file: Arc<Stored>) -> Self {
        Self { file, at: 0, reading: Reading::default() }
    }

    /// What is read of it.
    pub fn reading(&self) -> Reading {
        self.reading.clone()
    }
}

impl Read for Bytes {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reading.require_wanted()?;
        let count = self.file.read_at(self.at, buffer, || self.reading.require_wanted())?;
        self.reading.hash(&buffer[..count]);
        self.at += count as u64;
        self.reading.add(count);
        Ok(count)
    }
}

/// The bytes of a file at offsets.
#[derive(Debug)]
pub struct FileRanges {
    file: Arc<Stored>,
    size: u64,
    reading: Reading,
}

impl FileRanges {
    /// The bytes of a file of this size.
    pub(super) fn of(file: Arc<Stored>, size: u64, reading: Reading) -> Self {
        Self { file, size, reading }
    }
}

impl Ranges for FileRanges {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.reading.require_wanted()?;
        let left = usize::try_from(self.size.saturating_sub(offset)).unwrap_or(usize::MAX);
        let wanted = buffer.len().min(left);
        if wanted == 0 {
            return Ok(0);
        }
        let require_wanted = || self.reading.require_wanted();
        let count = self.file.read_at(offset, &mut buffer[..wanted], require_wanted)?;
        self.reading.add(count);
        Ok(count)
    }
}

/// Unpacked bytes in a temporary file, at offsets. They do not count as stored ones.
#[derive(Debug)]
pub(super) struct UnpackedRanges {
    pub(super) file: TemporaryFile,
    pub(super) reading: Reading,
}

impl Ranges for UnpackedRanges {
    fn size(&self) -> u64 {
        self.file.size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.reading.require_wanted()?;
        self.file.read_at(offset, buffer)
    }
}

/// Unpacked bytes, until the load ends.
pub struct Wanted {
    source: Box<dyn Read + Send>,
    reading: Reading,
}

impl Wanted {
    /// The bytes of a source, while this reading goes on.
    pub fn of(source: Box<dyn Read + Send>, reading: Reading) -> Self {
        Self { source, reading }
    }
}

impl Read for Wanted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reading.require_wanted()?;
        self.source.read(buffer)
    }
}
