//! Whole pages at the end of a table or an index, with their WAL, past the buffers.
//!
//! Through the buffers, a new page is written with zeros first, and again when its buffer is needed. Here it is written
//! once, as CREATE INDEX and CLUSTER do it. A checkpoint that begins after the WAL of a page must also find the request to
//! flush its file: so no checkpoint begins in between, and no file is flushed by the load itself.

use pgrx::pg_sys;
use trips_core::wire::page::{PAGE_BYTES, Page};

use super::compat;
use super::segment_file::SegmentFile;

const MAIN: pg_sys::ForkNumber::Type = pg_sys::ForkNumber::MAIN_FORKNUM;
/// Pages of one WAL record, and of one write of them: as many as a record may have.
const AT_ONCE: usize = pg_sys::XLR_MAX_BLOCK_ID as usize;

/// A page where direct input and output need it.
#[repr(align(4096))]
struct Aligned(Page);

// Pages that follow each other in memory have nothing between them.
const _: () = assert!(size_of::<Aligned>() == PAGE_BYTES);

/// Writes the pages of a relation that nobody else extends, and whose new pages nobody else writes.
pub struct NewPages {
    relation: pg_sys::Relation,
    /// Number of its pages so far, with those that are waiting.
    pages: u32,
    /// Number of pages in its file.
    written: u32,
    /// Whether pages go to the WAL. Otherwise the commit waits for the file.
    is_logged: bool,
    /// Pages that are waiting to be written, and their numbers.
    waiting: Vec<Aligned>,
    numbers: Vec<u32>,
    file: SegmentFile,
}

impl NewPages {
    /// Begins to extend a relation.
    ///
    /// # Safety
    /// The relation is open while `self` lives. A lock on it, which this transaction holds, excludes others that extend it or
    /// write its new pages. If `is_logged` is false, its file is new in this transaction, and `wal_level` is `minimal`.
    pub unsafe fn of(relation: pg_sys::Relation, is_logged: bool) -> Self {
        // SAFETY: our caller promises an open relation.
        let pages = unsafe { pg_sys::RelationGetNumberOfBlocksInFork(relation, MAIN) };
        let (waiting, numbers) = (Vec::with_capacity(AT_ONCE), Vec::with_capacity(AT_ONCE));
        // SAFETY: as our caller promises, who has no temporary relations either: their rows need no WAL.
        let file = unsafe { SegmentFile::of(relation) };
        Self { relation, pages, written: pages, is_logged, waiting, numbers, file }
    }

    /// Counts the pages again, after others of this transaction have extended the relation.
    ///
    /// # Panics
    /// When pages are waiting.
    pub fn recount(&mut self) {
        assert!(self.waiting.is_empty(), "pages are not written");
        // SAFETY: `of` was promised an open relation.
        self.pages = unsafe { pg_sys::RelationGetNumberOfBlocksInFork(self.relation, MAIN) };
        self.written = self.pages;
    }

    /// Whether pages of this build have the size of the server's.
    pub const fn fit() -> bool {
        pg_sys::BLCKSZ as usize == PAGE_BYTES
    }

    /// Number of pages.
    pub fn count(&self) -> u32 {
        self.pages
    }

    /// Writes a new page, now or with the next ones. New pages before it that are still missing are written later.
    pub fn write(&mut self, number: u32, page: &Page) {
        self.pages = self.pages.max(number + 1);
        self.waiting.push(Aligned(*page));
        self.numbers.push(number);
        if self.waiting.len() == AT_ONCE {
            self.flush();
        }
    }

    /// Writes the pages that are waiting.
    ///
    /// # Panics
    /// When the server's pages have another size.
    pub fn flush(&mut self) {
        assert!(Self::fit(), "the server has pages of another size");
        if self.waiting.is_empty() {
            return;
        }
        let mut pages: Vec<_> = self.waiting.iter_mut().map(|page| page.0.as_mut_ptr()).collect();
        let _no_checkpoint = NoCheckpoint::begin();
        if self.is_logged {
            // SAFETY: `of` was promised an open relation. The pages live through the call, and there is a number for each.
            unsafe { compat::log_pages(self.relation, &mut self.numbers, &mut pages) };
        }
        for (&number, &page) in self.numbers.iter().zip(&pages) {
            // SAFETY: a page of PAGE_BYTES of ours.
            unsafe { pg_sys::PageSetChecksumInplace(page.cast(), number) };
        }
        let mut at = 0;
        while at < pages.len() {
            at = self.put_some(at, &pages);
        }
        self.waiting.clear();
        self.numbers.clear();
    }

    /// Writes the waiting page of this place, and those behind it that follow in the same segment. Returns the place of the
    /// next one.
    fn put_some(&mut self, from: usize, pages: &[*mut u8]) -> usize {
        let number = self.numbers[from];
        while self.written < number {
            self.put(self.written, Aligned([0; PAGE_BYTES]).0.as_mut_ptr(), false);
        }
        let segment = number / pg_sys::RELSEG_SIZE;
        let follows =
            |&(next, &n): &(u32, &u32)| next == n && next / pg_sys::RELSEG_SIZE == segment;
        let count = (number..).zip(&self.numbers[from..]).take_while(follows).count();
        let last = from + count - 1;
        let mut at = from;
        if number == self.written
            && last > from
            && self.file.extend(number, bytes_of(&self.waiting[from..last]))
        {
            self.written = self.numbers[last];
            at = last;
        }
        // A request to flush a file is of one of its segments, and of all that was written into it before.
        while at <= last {
            self.put(self.numbers[at], pages[at], at == last);
            at += 1;
        }
        last + 1
    }

    /// Writes a page into the file, at its end or over an empty one.
    fn put(&mut self, number: u32, page: *mut u8, asks_for_flush: bool) {
        // SAFETY: `of` was promised an open relation that nobody else extends; the page has PAGE_BYTES. A page that is written
        // over is one that `flush` has put there: nobody has read it into a buffer, because nothing refers to it.
        unsafe {
            if number < self.written {
                compat::write_page(self.relation, number, page, asks_for_flush);
            } else {
                compat::extend_by_page(self.relation, number, page, asks_for_flush);
                self.written = number + 1;
            }
        }
    }
}

/// The bytes of some pages.
fn bytes_of(pages: &[Aligned]) -> &[u8] {
    // SAFETY: the pages are bytes, without anything between them, as is checked above.
    unsafe { std::slice::from_raw_parts(pages.as_ptr().cast(), size_of_val(pages)) }
}

/// While it lives, no checkpoint begins: one that has begun waits for it.
struct NoCheckpoint;

impl NoCheckpoint {
    fn begin() -> Self {
        // SAFETY: the entry of this backend, which it alone writes.
        unsafe { (*pg_sys::MyProc).delayChkptFlags |= pg_sys::DELAY_CHKPT_START.cast_signed() };
        Self
    }
}

/// Also while an ERROR unwinds: the end of a subtransaction does not end it.
impl Drop for NoCheckpoint {
    fn drop(&mut self) {
        // SAFETY: as above; no function of PostgreSQL is called.
        unsafe { (*pg_sys::MyProc).delayChkptFlags &= !pg_sys::DELAY_CHKPT_START.cast_signed() };
    }
}
