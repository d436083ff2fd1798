//! Many pages at once at the end of a relation's file.
//!
//! `smgrextend` writes one page. The kernel needs more than twice as long for single pages as for 31 at once. So all pages but
//! the last of some are written here, past the storage manager; `smgrextend` writes the last one, and asks for the flush.
//!
//! This is the layout of files of `md.c`, the storage manager of PostgreSQL: segments of `RELSEG_SIZE` pages, each a file.
//! A server with another storage manager, which may encrypt pages, gets all of them by `smgrextend`.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;

use pgrx::pg_sys;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{PgLogLevel, PgSqlErrorCode};
use trips_core::wire::page::PAGE_BYTES;

use super::compat;

/// The file of one segment of a relation.
pub struct SegmentFile {
    /// The path of the first segment, relative to the data directory; None if another storage manager has the pages.
    path: Option<String>,
    /// The number of the segment that is open.
    open: Option<(u32, Open)>,
}

impl SegmentFile {
    /// The file of a relation, which is not opened yet.
    ///
    /// # Safety
    /// The relation is open, and no temporary one. While `self` lives, it keeps its file, and nobody else extends it.
    pub unsafe fn of(relation: pg_sys::Relation) -> Self {
        // SAFETY: our caller promises the relation.
        let path = unsafe { compat::path_of_md(relation) };
        Self { path, open: None }
    }

    /// Writes pages, the first of which has this number, at the end of a segment. Returns false, and writes nothing, if its
    /// file cannot be opened: it does not exist yet, or is not one of `md.c`.
    pub fn extend(&mut self, number: u32, pages: &[u8]) -> bool {
        let segment = number / pg_sys::RELSEG_SIZE;
        let offset = u64::from(number % pg_sys::RELSEG_SIZE) * PAGE_BYTES as u64;
        let Some(file) = self.opened(segment) else { return false };
        if let Err(error) = file.write_at(offset, pages) {
            self.fail(segment, &error);
        }
        true
    }

    /// The file of a segment, if it exists.
    fn opened(&mut self, segment: u32) -> Option<&Open> {
        if self.open.as_ref().is_none_or(|(number, _)| *number != segment) {
            // The one before is closed first.
            self.open = None;
            let path = path_of(self.path.as_ref()?, segment);
            // `smgrextend` makes a missing file, and reports what is wrong with another.
            self.open = Open::of(&path).ok().map(|file| (segment, file));
        }
        self.open.as_ref().map(|(_, file)| file)
    }

    /// Raises an ERROR in the words of `md.c`.
    fn fail(&self, segment: u32, error: &std::io::Error) -> ! {
        let path = path_of(self.path.as_deref().unwrap_or_default(), segment);
        let text = error.to_string();
        let reason = text.split(" (os error").next().unwrap_or_default();
        let message = format!("could not extend file \"{path}\": {reason}");
        let is_full = matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded);
        let (code, hint) = if is_full {
            (PgSqlErrorCode::ERRCODE_DISK_FULL, "Check free disk space.")
        } else {
            (PgSqlErrorCode::ERRCODE_IO_ERROR, "Check the disk, then repeat the statement.")
        };
        ErrorReport::new(code, message, "SegmentFile").set_hint(hint).report(PgLogLevel::ERROR);
        unreachable!("an ERROR does not return")
    }
}

fn path_of(first: &str, segment: u32) -> String {
    if segment == 0 { first.to_owned() } else { format!("{first}.{segment}") }
}

/// A file that PostgreSQL counts among those of this process.
struct Open(File);

impl Open {
    fn of(path: &str) -> std::io::Result<Self> {
        // SAFETY: only counts, and closes files that PostgreSQL opens again when it needs them: so there is room for this one.
        unsafe { pg_sys::ReserveExternalFD() };
        let opened = OpenOptions::new().write(true).open(path);
        if opened.is_err() {
            // SAFETY: counted above; the function only counts.
            unsafe { pg_sys::ReleaseExternalFD() };
        }
        opened.map(Self)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> std::io::Result<()> {
        let event = pg_sys::WaitEventIO::WAIT_EVENT_DATA_FILE_EXTEND;
        // SAFETY: the wait event of this backend, which it alone writes, as pgstat_report_wait_start does.
        unsafe { *pg_sys::my_wait_event_info = event };
        let written = self.0.write_all_at(bytes, offset);
        // SAFETY: as above.
        unsafe { *pg_sys::my_wait_event_info = 0 };
        written
    }
}

/// Also while an ERROR unwinds: the end of a transaction does not close the file.
impl Drop for Open {
    fn drop(&mut self) {
        // SAFETY: counted by `of`; the function only counts, and raises no ERROR.
        unsafe { pg_sys::ReleaseExternalFD() };
    }
}
