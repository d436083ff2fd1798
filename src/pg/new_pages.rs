//! Whole pages at the end of a table or an index, through the buffers and with their WAL.

use pgrx::pg_sys;
use trips_core::wire::btree::{PAGE_BYTES, Page};

const MAIN: pg_sys::ForkNumber::Type = pg_sys::ForkNumber::MAIN_FORKNUM;

/// Writes the pages of a relation that nobody else extends, and whose new pages nobody else writes.
pub struct NewPages {
    relation: pg_sys::Relation,
    /// Number of its pages so far.
    pages: u32,
    /// Whether pages go to the WAL. Otherwise the commit waits for the file.
    is_logged: bool,
    /// The buffers that are used again; NULL for those of all.
    strategy: pg_sys::BufferAccessStrategy,
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
        Self { relation, pages, is_logged, strategy: std::ptr::null_mut() }
    }

    /// The same in the few buffers of a bulk write, as COPY does it.
    pub fn in_bulk(self) -> Self {
        let kind = pg_sys::BufferAccessStrategyType::BAS_BULKWRITE;
        // SAFETY: an allocation in the current memory context, which outlives the rows that are appended.
        Self { strategy: unsafe { pg_sys::GetAccessStrategy(kind) }, ..self }
    }

    /// Counts the pages again, after others of this transaction have extended the relation.
    pub fn recount(&mut self) {
        // SAFETY: `of` was promised an open relation.
        self.pages = unsafe { pg_sys::RelationGetNumberOfBlocksInFork(self.relation, MAIN) };
    }

    /// Whether pages of this build have the size of the server's.
    pub const fn fit() -> bool {
        pg_sys::BLCKSZ as usize == PAGE_BYTES
    }

    /// Number of pages.
    pub fn count(&self) -> u32 {
        self.pages
    }

    /// Writes a new page. New pages before it that are still missing are written later.
    ///
    /// # Panics
    /// When the server's pages have another size.
    pub fn write(&mut self, number: u32, page: &Page) {
        assert!(Self::fit(), "the server has pages of another size");
        while self.pages < number {
            // SAFETY: the call has locked the buffer; an empty page needs no WAL.
            unsafe { pg_sys::UnlockReleaseBuffer(self.next_buffer()) };
        }
        let buffer = if number == self.pages { self.next_buffer() } else { self.buffer(number) };
        // SAFETY: the buffer is locked, and has a page of PAGE_BYTES of this relation, which was empty. Nothing fails between
        // the two counts of the critical section, or the server restarts, as it must.
        unsafe {
            pg_sys::CritSectionCount += 1;
            let target = pg_sys::BufferGetPage(buffer).cast::<u8>();
            std::ptr::copy_nonoverlapping(page.as_ptr(), target, PAGE_BYTES);
            pg_sys::MarkBufferDirty(buffer);
            if self.is_logged {
                pg_sys::log_newpage_buffer(buffer, true);
            }
            pg_sys::CritSectionCount -= 1;
            pg_sys::UnlockReleaseBuffer(buffer);
        }
    }

    /// The buffer of a new page at the end of the file, locked.
    fn next_buffer(&mut self) -> pg_sys::Buffer {
        self.pages += 1;
        self.buffer(pg_sys::InvalidBlockNumber)
    }

    /// The buffer of a page of ours, or of a new one, locked and with zeros.
    fn buffer(&self, number: u32) -> pg_sys::Buffer {
        let mode = pg_sys::ReadBufferMode::RBM_ZERO_AND_LOCK;
        // SAFETY: `of` was promised an open relation, and that nobody else extends it.
        unsafe { pg_sys::ReadBufferExtended(self.relation, MAIN, number, mode, self.strategy) }
    }
}

// PostgreSQL frees the strategy with its memory context.
