//! The file: opened once, checked through its descriptor, hashed, then read from its beginning.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{Read, Seek};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

mod access;
pub mod listing;
mod local;
mod version;

use pgrx::check_for_interrupts;

pub use self::access::Access;
use self::local::{confined, server_files};
pub use self::version::FileVersion;
use self::version::changed_at;
use crate::error::{LoadError, RequestError, SourceError};

/// Bytes that are hashed between two checks for interrupts.
const HASHED_AT_ONCE: usize = 1024 * 1024;

/// Opening a pipe without a writer must not block; a terminal must not become the server's.
const FLAGS: i32 = libc::O_NONBLOCK | libc::O_NOCTTY;

/// An open file of trips.
#[derive(Debug)]
pub struct Source {
    path: String,
    file: File,
    opened: Metadata,
}

impl Source {
    /// Opens a regular file by its absolute path, if this access allows it.
    pub fn open(path: &str, access: &Access) -> Result<Self, LoadError> {
        if !Path::new(path).is_absolute() {
            return Err(RequestError::RelativePath(path.to_owned()).into());
        }
        let open_error = |error: std::io::Error| match error.raw_os_error() {
            // A socket cannot be opened at all, so the check below does not see one.
            Some(libc::ENXIO) => SourceError::NotAFile {
                path: path.to_owned(),
                kind: "a socket or a missing device",
            },
            _ => SourceError::Open { path: path.to_owned(), error },
        };
        let file = match access {
            Access::AnyFile => {
                OpenOptions::new().read(true).custom_flags(FLAGS).open(path).map_err(open_error)?
            }
            Access::Within(directory) => {
                let path = Path::new(path);
                confined::open(
                    Path::new(directory),
                    listing::relative_to(Path::new(directory), path),
                )
                .map_err(open_error)?
            }
            Access::Below(directories) => {
                let Some((directory, rest)) = confined::split(directories, path) else {
                    return Err(SourceError::MayNotRead(path.to_owned()).into());
                };
                confined::open(&directory, &rest).map_err(open_error)?
            }
        };
        let opened = file.metadata().map_err(open_error)?;
        if !opened.is_file() {
            return Err(SourceError::NotAFile { path: path.to_owned(), kind: kind(&opened) }.into());
        }
        if server_files::holds(&file, path) {
            return Err(SourceError::DataOfServer(path.to_owned()).into());
        }
        Ok(Self { path: path.to_owned(), file, opened })
    }

    /// Size of the file when it was opened, bytes.
    pub fn size(&self) -> u64 {
        self.opened.len()
    }

    /// When it was changed last: its ctime, microseconds since 2000-01-01 UTC.
    pub fn changed_at(&self) -> i64 {
        changed_at(&self.opened)
    }

    /// BLAKE3 of all bytes; afterwards the file is at its beginning again.
    pub fn digest(&mut self, mut done: impl FnMut(u64)) -> Result<[u8; 32], LoadError> {
        let mut hasher = blake3::Hasher::new();
        let mut buffer = vec![0; HASHED_AT_ONCE];
        let mut total = 0;
        loop {
            check_for_interrupts!();
            let count = self.read(&mut buffer).map_err(|error| self.read_error(error))?;
            if count == 0 {
                break;
            }
            hasher.update(&buffer[..count]);
            total += count as u64;
            done(total);
        }
        self.file.rewind().map_err(|error| self.read_error(error))?;
        Ok(*hasher.finalize().as_bytes())
    }

    /// The bytes from the beginning, through the same descriptor.
    pub fn bytes(&self) -> Result<Bytes, LoadError> {
        // All clones have one position.
        let mut file = self.file.try_clone().map_err(|error| self.read_error(error))?;
        file.rewind().map_err(|error| self.read_error(error))?;
        Ok(Bytes { file, hasher: blake3::Hasher::new(), stop: Arc::default() })
    }

    /// The digest of the loaded bytes. It must equal the digest of an earlier hash, and the file must be unchanged
    /// since it was opened: a shared mapping changes bytes without changing times.
    pub fn digest_of_loaded(
        &self,
        loaded: &Bytes,
        before: Option<[u8; 32]>,
    ) -> Result<[u8; 32], LoadError> {
        let digest = *loaded.hasher.finalize().as_bytes();
        if before.is_some_and(|before| before != digest) {
            return Err(SourceError::Changed(self.path.clone()).into());
        }
        self.require_unchanged()?;
        Ok(digest)
    }

    fn require_unchanged(&self) -> Result<(), LoadError> {
        let now = self.file.metadata().map_err(|error| self.read_error(error))?;
        let identity =
            |m: &Metadata| (m.len(), m.mtime(), m.mtime_nsec(), m.ctime(), m.ctime_nsec());
        if identity(&now) == identity(&self.opened) {
            Ok(())
        } else {
            Err(SourceError::Changed(self.path.clone()).into())
        }
    }

    /// An error while reading this file.
    pub fn read_error(&self, error: std::io::Error) -> LoadError {
        if error.kind() == std::io::ErrorKind::OutOfMemory {
            return LoadError::OutOfMemory;
        }
        SourceError::Read { path: self.path.clone(), error }.into()
    }
}

/// The bytes of a file for the threads that parse them, hashed as they are read.
#[derive(Debug)]
pub struct Bytes {
    file: File,
    hasher: blake3::Hasher,
    stop: Arc<AtomicBool>,
}

/// Ends the reading when it is dropped: the threads read no more of a file whose load has ended, even in the middle of
/// a line.
#[derive(Debug)]
pub struct StopReading(Arc<AtomicBool>);

impl Drop for StopReading {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Bytes {
    /// Ends the reading.
    pub fn stopper(&self) -> StopReading {
        StopReading(self.stop.clone())
    }
}

impl Read for Bytes {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(std::io::Error::other("the load has ended"));
        }
        let count = self.file.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        Ok(count)
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.file.read(buffer)
    }
}

fn kind(metadata: &Metadata) -> &'static str {
    let kind = metadata.file_type();
    if kind.is_dir() {
        "a directory"
    } else if kind.is_fifo() {
        "a named pipe"
    } else {
        "a device"
    }
}
