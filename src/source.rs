//! The file: opened once, checked through its descriptor, then read by its stored bytes.
//!
//! Its bytes are read in order, and hashed meanwhile ([`Bytes`]), or at offsets, after a pass that hashes them.

use std::fs::{Metadata, OpenOptions};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

mod access;
mod beside;
mod bytes;
mod contents;
#[cfg(feature = "object_store")]
mod growing;
pub mod listing;
mod local;
#[cfg_attr(not(feature = "object_store"), path = "source/no_objects.rs")]
mod objects;
mod spool;
mod stored;
mod version;

pub use self::access::Access;
pub use self::beside::beside;
use self::bytes::FileRanges;
pub use self::bytes::{Bytes, Reading};
pub use self::contents::{Content, Contents, Stream};
use self::local::{confined, server_files};
use self::objects::ObjectFile;
use self::stored::Stored;
pub use self::version::FileVersion;
use self::version::changed_at;
use crate::error::{LoadError, RequestError, SourceError};
use crate::os::memory;
use crate::pg::interrupts;

/// Bytes that are hashed between two checks for interrupts.
const HASHED_AT_ONCE: usize = 1024 * 1024;
const LEAST_HASHED_AT_ONCE: usize = 4 * 1024;

/// Opening a pipe without a writer must not block; a terminal must not become the server's.
const FLAGS: i32 = libc::O_NONBLOCK | libc::O_NOCTTY;

/// An open file or object of trips.
#[derive(Debug)]
pub struct Source {
    path: String,
    stored: Arc<Stored>,
    /// What the kernel said of a file; None for an object.
    opened: Option<Metadata>,
}

/// Whether a text is the address of an object and not a path: it begins with a scheme and `://`.
pub fn is_url(text: &str) -> bool {
    text.split_once("://").is_some_and(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    })
}

impl Source {
    /// Opens a regular file by its absolute path, if this access allows it, or an object by its address, if
    /// `trips.allowed_urls` does.
    pub fn open(path: &str, access: &Access) -> Result<Self, LoadError> {
        if is_url(path) {
            let object = ObjectFile::open(path)?;
            let path = object.path();
            return Ok(Self { path, stored: Arc::new(Stored::Object(object)), opened: None });
        }
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
        let stored = Arc::new(Stored::File(file));
        Ok(Self { path: path.to_owned(), stored, opened: Some(opened) })
    }

    /// Path of the file, or the normal form of the address of an object.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Size when it was opened, bytes.
    pub fn size(&self) -> u64 {
        match &*self.stored {
            Stored::File(_) => self.opened.as_ref().map_or(0, Metadata::len),
            Stored::Object(object) => object.size(),
        }
    }

    /// When it was changed last: the ctime of a file, Last-Modified of an object; microseconds since 2000-01-01 UTC.
    pub fn changed_at(&self) -> Option<i64> {
        match &*self.stored {
            Stored::File(_) => self.opened.as_ref().map(changed_at),
            Stored::Object(object) => object.changed_at(),
        }
    }

    /// What the store changes with each write of an object: its ETag, or Last-Modified. None for a file.
    pub fn version(&self) -> Option<&str> {
        match &*self.stored {
            Stored::File(_) => None,
            Stored::Object(object) => Some(object.version()),
        }
    }

    /// BLAKE3 of all bytes. `done` gets the number of hashed bytes now and then.
    pub fn digest(&self, mut done: impl FnMut(u64)) -> Result<[u8; 32], LoadError> {
        if let Stored::Object(object) = &*self.stored {
            return object.digest(&mut done).map_err(|error| self.read_error(error));
        }
        let mut hasher = blake3::Hasher::new();
        // A file that grows meanwhile takes more steps.
        let size = usize::try_from(self.size()).unwrap_or(HASHED_AT_ONCE);
        let buffer = memory::buffer(size.clamp(LEAST_HASHED_AT_ONCE, HASHED_AT_ONCE));
        let mut buffer = buffer.map_err(|error| self.read_error(error))?;
        let mut total = 0;
        loop {
            interrupts::check();
            let count = self.stored.read_at(total, &mut buffer, || Ok(()));
            let count = count.map_err(|error| self.read_error(error))?;
            if count == 0 {
                break;
            }
            hasher.update(&buffer[..count]);
            total += count as u64;
            done(total);
        }
        Ok(*hasher.finalize().as_bytes())
    }

    /// The first bytes, at most this many.
    pub fn first(&self, count: usize) -> Result<Vec<u8>, LoadError> {
        let mut bytes = memory::buffer(count).map_err(|error| self.read_error(error))?;
        let mut length = 0;
        while length < count {
            let read = self.stored.read_at(length as u64, &mut bytes[length..], || Ok(()));
            match read.map_err(|error| self.read_error(error))? {
                0 => break,
                count => length += count,
            }
        }
        bytes.truncate(length);
        Ok(bytes)
    }

    /// All bytes in order, through the same descriptor.
    pub fn bytes(&self) -> Bytes {
        Bytes::of(self.stored.clone())
    }

    /// The bytes at offsets. They are counted, and not hashed.
    pub fn ranges(&self, reading: &Reading) -> FileRanges {
        FileRanges::of(self.stored.clone(), self.size(), reading.clone())
    }

    /// The digest of the loaded bytes. It must equal the digest of an earlier hash, and the file must be unchanged
    /// since it was opened: a shared mapping changes bytes without changing times.
    pub fn digest_of_loaded(
        &self,
        loaded: &Reading,
        before: Option<[u8; 32]>,
    ) -> Result<[u8; 32], LoadError> {
        // Bytes that were read at offsets are hashed after all of them were read.
        let digest = match loaded.digest(self.size()) {
            Some(digest) => digest,
            None => self.digest(|_| ())?,
        };
        if before.is_some_and(|before| before != digest) {
            return Err(SourceError::Changed(self.path.clone()).into());
        }
        self.require_unchanged()?;
        Ok(digest)
    }

    /// Fails if the file has changed since it was opened. The requests for an object fail by themselves.
    pub fn require_unchanged(&self) -> Result<(), LoadError> {
        let (Stored::File(file), Some(opened)) = (&*self.stored, &self.opened) else {
            return Ok(());
        };
        let now = file.metadata().map_err(|error| self.read_error(error))?;
        let identity =
            |m: &Metadata| (m.len(), m.mtime(), m.mtime_nsec(), m.ctime(), m.ctime_nsec());
        if identity(&now) == identity(opened) {
            Ok(())
        } else {
            Err(SourceError::Changed(self.path.clone()).into())
        }
    }

    /// An error while reading this file.
    pub fn read_error(&self, error: std::io::Error) -> LoadError {
        LoadError::of_read(&self.path.as_str().into(), error)
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
