//! Temporary files: in `temp_tablespaces`, up to `temp_file_limit`. PostgreSQL deletes them with the statement at the
//! latest.

use std::io::{self, Read, Seek, SeekFrom, Write};

use pgrx::pg_sys;

use super::safe_drop::drop_unless_panicking;
use crate::pg::interrupts;

/// `temp_file_limit` in bytes; None if there is no limit. For the backend's own thread.
pub fn limit() -> Option<u64> {
    // SAFETY: only the backend's own thread sets settings, and it reads this one here.
    let kilobytes = unsafe { pg_sys::temp_file_limit };
    u64::try_from(kilobytes).ok().map(|kilobytes| kilobytes * 1024)
}

/// A temporary file. Errors of the file system are ERRORs of PostgreSQL.
pub struct TempFile {
    file: *mut pg_sys::BufFile,
    /// The position of the next byte.
    at: u64,
}

impl TempFile {
    /// Creates an empty one.
    pub fn create() -> Self {
        // SAFETY: the context and the resource owner of the statement outlive the file, or free it with an ERROR.
        unsafe {
            let before = pg_sys::MemoryContextSwitchTo(pg_sys::CurTransactionContext);
            let file = pg_sys::BufFileCreateTemp(false);
            pg_sys::MemoryContextSwitchTo(before);
            Self { file, at: 0 }
        }
    }
}

impl Read for TempFile {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        // SAFETY: the file is open; the bytes are ours.
        let read = unsafe { pg_sys::BufFileRead(self.file, out.as_mut_ptr().cast(), out.len()) };
        self.at += read as u64;
        Ok(read)
    }
}

impl Write for TempFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        interrupts::check();
        // SAFETY: the file is open; the bytes are only read.
        unsafe {
            pg_sys::BufFileWrite(self.file, bytes.as_ptr().cast_mut().cast(), bytes.len());
        }
        self.at += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for TempFile {
    /// Moves to a position from the beginning, up to the end of the file.
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let SeekFrom::Start(to) = to else { return Err(io::ErrorKind::Unsupported.into()) };
        let offset = i64::try_from(to).map_err(|_| io::ErrorKind::InvalidInput)?;
        // SAFETY: the file is open. An offset from its first segment on may be in a later one.
        let result = unsafe { pg_sys::BufFileSeek(self.file, 0, offset, libc::SEEK_SET) };
        if result != 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.at = to;
        Ok(to)
    }
}

drop_unless_panicking!(TempFile, |temporary| {
    // SAFETY: `create` opened it, and nothing else closes it.
    unsafe { pg_sys::BufFileClose(temporary.file) }
});
