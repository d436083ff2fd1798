//! Temporary files for unpacked bytes that are read at offsets.

use std::fs::OpenOptions;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use trips_containers::{Spool, SpoolFile};

/// Temporary files without names.
pub struct TemporaryFiles;

impl Spool for TemporaryFiles {
    fn create(&self) -> io::Result<Box<dyn SpoolFile>> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("trips_reader.{}.{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
        std::fs::remove_file(&path)?;
        Ok(Box::new(file))
    }
}
