//! Temporary files for unpacked bytes that are read at offsets. Threads create them, so PostgreSQL does not know them.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use trips_containers::Spool;

/// The folder of temporary files of the default tablespace, below the data directory, in which each backend works.
const FOLDER: &str = "base/pgsql_tmp";
/// PostgreSQL removes files with this prefix when it starts.
const PREFIX: &str = "pgsql_tmp";

/// Makes temporary files below the data directory. They have no name, so they end with the process at the latest.
#[derive(Debug, Clone, Copy)]
pub struct TemporaryFiles;

impl Spool for TemporaryFiles {
    fn create(&self) -> io::Result<File> {
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
}

/// Writes all bytes of a reader to a temporary file.
pub fn spool(source: &mut dyn io::Read) -> io::Result<File> {
    let mut file = TemporaryFiles.create()?;
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match source.read(&mut buffer) {
            Ok(0) => return Ok(file),
            Ok(count) => file.write_all(&buffer[..count])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
