//! Temporary files for unpacked bytes and objects, which are read at offsets. Threads create and write them, so PostgreSQL
//! does not know them. Their bytes are counted here, and `temp_file_limit` is compared with them before each write.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use trips_containers::{Spool, SpoolFile};

use crate::error::TempFileLimit;
use crate::os::memory;
use crate::pg::temp_file;

/// The folder of temporary files of the default tablespace, below the data directory, in which each backend works.
const FOLDER: &str = "base/pgsql_tmp";
/// PostgreSQL removes files with this prefix when it starts.
const PREFIX: &str = "pgsql_tmp";

/// Bytes of all temporary files of this process, and the most that they may have.
static USED: AtomicU64 = AtomicU64::new(0);
static LIMIT: AtomicU64 = AtomicU64::new(u64::MAX);

/// Takes the limit from the setting, for all threads. For the backend's own thread, before a file or an object is read.
pub fn set_limit() {
    LIMIT.store(temp_file::limit().unwrap_or(u64::MAX), Ordering::Relaxed);
}

/// A temporary file below the data directory. It has no name, so it ends with the process at the latest.
#[derive(Debug)]
pub struct TemporaryFile {
    file: File,
    size: AtomicU64,
}

impl TemporaryFile {
    /// A new empty file.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn create() -> io::Result<Self> {
        Ok(Self { file: create()?, size: AtomicU64::new(0) })
    }

    /// Writes bytes at the end.
    ///
    /// # Errors
    /// A [`TempFileLimit`], or those of the file system.
    pub fn append(&self, bytes: &[u8]) -> io::Result<()> {
        let (count, limit) = (bytes.len() as u64, LIMIT.load(Ordering::Relaxed));
        if USED.fetch_add(count, Ordering::Relaxed).saturating_add(count) > limit {
            USED.fetch_sub(count, Ordering::Relaxed);
            return Err(io::Error::other(TempFileLimit { kilobytes: limit / 1024 }));
        }
        let at = self.size.fetch_add(count, Ordering::Relaxed);
        self.file.write_all_at(bytes, at)
    }

    /// Reads bytes at an offset.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        FileExt::read_at(&self.file, buffer, offset)
    }

    /// Number of its bytes.
    pub fn size(&self) -> u64 {
        self.size.load(Ordering::Relaxed)
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        USED.fetch_sub(self.size(), Ordering::Relaxed);
    }
}

impl SpoolFile for TemporaryFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        Self::append(self, bytes)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        Self::read_at(self, offset, buffer)
    }
}

/// Makes temporary files.
#[derive(Debug, Clone, Copy)]
pub struct TemporaryFiles;

impl Spool for TemporaryFiles {
    fn create(&self) -> io::Result<Box<dyn SpoolFile>> {
        Ok(Box::new(TemporaryFile::create()?))
    }
}

fn create() -> io::Result<File> {
    let folder = Path::new(FOLDER);
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    if let Ok(file) = options.clone().custom_flags(libc::O_TMPFILE).open(folder) {
        return Ok(file);
    }
    // A file system without files that have no name.
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let path = folder.join(format!("{PREFIX}{}.trips{number}", std::process::id()));
    let file = options.create_new(true).open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

/// Writes all bytes of a reader to a temporary file.
pub fn spool(source: &mut dyn io::Read) -> io::Result<TemporaryFile> {
    let file = TemporaryFile::create()?;
    let mut buffer = memory::buffer(256 * 1024)?;
    loop {
        match source.read(&mut buffer) {
            Ok(0) => return Ok(file),
            Ok(count) => file.append(&buffer[..count])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
