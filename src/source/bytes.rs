//! The stored bytes of a file: in order for the threads, hashed and counted as they are read.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The bytes of a file in order. Another thread may own it: [`Bytes::reading`] has what it has read.
#[derive(Debug)]
pub struct Bytes {
    file: Arc<File>,
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
}

/// Ends the reading when it is dropped: the threads read no more of a file whose load has ended, even in the middle of
/// a line.
#[derive(Debug)]
pub struct StopReading(Reading);

impl Drop for StopReading {
    fn drop(&mut self) {
        self.0.0.stop.store(true, Ordering::Relaxed);
    }
}

impl Reading {
    /// Ends the reading when it is dropped.
    pub fn stopper(&self) -> StopReading {
        StopReading(self.clone())
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

    /// BLAKE3 of the bytes that were read in order.
    pub fn digest(&self) -> [u8; 32] {
        let hasher = self.0.hasher.lock().unwrap_or_else(PoisonError::into_inner);
        *hasher.finalize().as_bytes()
    }

    fn add(&self, count: usize) {
        self.0.count.fetch_add(count as u64, Ordering::Relaxed);
    }
}

impl Bytes {
    /// The bytes from the beginning of a file. Its own position is not used.
    pub(super) fn of(file: Arc<File>) -> Self {
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
        let count = read_at(&self.file, self.at, buffer)?;
        let mut hasher = self.reading.0.hasher.lock().unwrap_or_else(PoisonError::into_inner);
        hasher.update(&buffer[..count]);
        drop(hasher);
        self.at += count as u64;
        self.reading.add(count);
        Ok(count)
    }
}

/// Reads at an offset, also after a signal.
pub(super) fn read_at(file: &File, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match file.read_at(buffer, offset) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
