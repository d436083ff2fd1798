//! Where the stored bytes of a source are.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::objects::ObjectFile;

/// The stored bytes of a source, at offsets.
pub enum Stored {
    /// A file that the kernel reads.
    File(File),
    /// An object, which a thread writes to a temporary file.
    Object(ObjectFile),
}

impl Stored {
    /// Reads at an offset, also after a signal. `require_wanted` ends a read of an object that waits for the network;
    /// in the backend's own thread, a query cancel ends it, too.
    pub fn read_at(
        &self,
        offset: u64,
        buffer: &mut [u8],
        require_wanted: impl Fn() -> io::Result<()>,
    ) -> io::Result<usize> {
        loop {
            let result = match self {
                Self::File(file) => file.read_at(buffer, offset),
                Self::Object(object) => object.read_at(offset, buffer, &require_wanted),
            };
            match result {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }
}

impl std::fmt::Debug for Stored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::File(_) => "File",
            Self::Object(_) => "Object",
        })
    }
}
