//! The version of a file: it changes with each write.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime};

/// Seconds from 1970-01-01 to 2000-01-01.
const EPOCH: i64 = 946_684_800;

/// A regular file or an object, as it was when it was checked.
#[derive(Debug, Clone)]
pub struct FileVersion {
    /// Absolute path, or the address of an object.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Its ctime, or Last-Modified of an object: microseconds since 2000-01-01 UTC.
    pub changed_at: i64,
    /// Number of its names.
    pub links: u64,
    /// What the store changes with each write of an object; None for a file.
    pub version: Option<String>,
}

impl FileVersion {
    /// Age of the last change, by the clock of this machine.
    pub fn age(&self) -> Duration {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let micros = self.changed_at.saturating_add(EPOCH * 1_000_000);
        now.saturating_sub(Duration::from_micros(u64::try_from(micros).unwrap_or(0)))
    }
}

/// Its ctime, microseconds since 2000-01-01 UTC: no program can set it, and every change of the bytes changes it.
pub fn changed_at(metadata: &Metadata) -> i64 {
    (metadata.ctime() - EPOCH) * 1_000_000 + metadata.ctime_nsec() / 1000
}

/// Microseconds since 2000-01-01 UTC.
#[cfg(feature = "object_store")]
pub fn micros_of(time: SystemTime) -> i64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_micros();
    i64::try_from(since).unwrap_or(i64::MAX) - EPOCH * 1_000_000
}
