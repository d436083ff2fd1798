//! Which rows of a page of a table a snapshot sees, asked once for the page.
//!
//! An index scan asks for each row: it finds the buffer, locks it, and follows the versions of the row. A table that was
//! filled in the order of its index has the rows of many entries, one after the other, on one page.
//!
//! A walk reads each page once, in their order. If it is the only one, the pages go through a ring of buffers, as in a
//! sequential scan of a large table. Few hint bits are set: a page with a new one must be written before its buffer is used
//! again.

use pgrx::pg_sys;
use trips_core::wire::page::{HEADER, LOWER, POINTER, tuple_of};

use super::relation::Table;

/// The most rows of a page, and more.
const ROWS: usize = 320;

// SAFETY: as in access/heapam.h. pgrx guards each call; here one guard is around all calls for a page.
unsafe extern "C-unwind" {
    fn HeapTupleSatisfiesVisibility(
        tuple: pg_sys::HeapTuple,
        snapshot: pg_sys::Snapshot,
        buffer: pg_sys::Buffer,
    ) -> bool;
    fn TransactionIdIsCurrentTransactionId(xid: pg_sys::TransactionId) -> bool;
}

/// The rows of one page.
#[derive(Debug)]
pub(super) struct VisibleRows {
    /// The page that was asked for last.
    last: Option<u32>,
    /// The page of these rows.
    page: Option<u32>,
    rows: [u64; ROWS / 64],
    /// Transactions that the snapshot sees.
    seen: Seen,
    /// Of the pages.
    ring: pg_sys::BufferAccessStrategy,
}

impl VisibleRows {
    /// No page was read. With a ring, pages do not take the place of others in the buffers.
    pub(super) fn new(with_ring: bool) -> Self {
        let ring = if with_ring {
            // SAFETY: allocates in the current memory context, which is that of the scan and lives as long: after an ERROR,
            // it frees both.
            unsafe { pg_sys::GetAccessStrategy(pg_sys::BufferAccessStrategyType::BAS_BULKREAD) }
        } else {
            std::ptr::null_mut()
        };
        Self { last: None, page: None, rows: [0; ROWS / 64], seen: Seen::default(), ring }
    }

    /// Frees the ring.
    ///
    /// # Safety
    /// The memory context that was current in `new` is there. No page is asked for afterwards.
    pub(super) unsafe fn free(&mut self) {
        let ring = std::mem::replace(&mut self.ring, std::ptr::null_mut());
        if !ring.is_null() {
            // SAFETY: our caller promises the memory, which is freed once.
            unsafe { pg_sys::FreeAccessStrategy(ring) };
        }
    }

    /// Whether the snapshot sees the version of a row at this position. False says nothing: a later version may be visible.
    ///
    /// A page is read when a second row of it is asked for, or one after a row of the page before it.
    ///
    /// # Safety
    /// The table is open, and has this page. The snapshot is registered, of MVCC, and the same in each call.
    pub(super) unsafe fn has(
        &mut self,
        table: &Table,
        snapshot: pg_sys::Snapshot,
        (block, offset): (u32, u16),
    ) -> bool {
        // SAFETY: reads a variable of the backend.
        let is_serializable =
            unsafe { pg_sys::XactIsoLevel } == pg_sys::XACT_SERIALIZABLE.cast_signed();
        let last = self.last.replace(block);
        // A serializable transaction notes each row that it reads.
        if is_serializable
            || !last.is_some_and(|last| last == block || last.wrapping_add(1) == block)
        {
            return false;
        }
        if self.page != Some(block) {
            // SAFETY: our caller promises the table, the page and the snapshot.
            unsafe { self.read(table.as_ptr(), snapshot, block) };
        }
        self.knows((block, offset))
    }

    /// Whether it is known already that the snapshot of the calls before sees the row at this position.
    #[inline]
    pub(super) fn knows(&self, (block, offset): (u32, u16)) -> bool {
        let row = usize::from(offset);
        self.page == Some(block)
            && self.rows.get(row / 64).is_some_and(|rows| rows >> (row % 64) & 1 == 1)
    }

    /// Finds the rows of a page that the snapshot sees.
    ///
    /// # Safety
    /// The relation is open and has this page; the snapshot is registered, of MVCC, and the same in each call.
    unsafe fn read(&mut self, relation: pg_sys::Relation, snapshot: pg_sys::Snapshot, block: u32) {
        (self.page, self.rows) = (None, [0; ROWS / 64]);
        // SAFETY: our caller promises the relation and the snapshot. The buffer is pinned and locked while its page is read:
        // the line pointers end at `lower`, and one with the flag has a tuple in the page. An ERROR leaves nothing to be
        // dropped. A tuple has its header, which is aligned.
        unsafe {
            let buffer = pg_sys::ReadBufferExtended(
                relation,
                pg_sys::ForkNumber::MAIN_FORKNUM,
                block,
                pg_sys::ReadBufferMode::RBM_NORMAL,
                self.ring,
            );
            pg_sys::LockBuffer(buffer, pg_sys::BUFFER_LOCK_SHARE.cast_signed());
            let page = pg_sys::BufferGetPage(buffer).cast::<u8>();
            let lower = usize::from(page.add(LOWER).cast::<u16>().read_unaligned());
            let count = (lower.saturating_sub(HEADER) / POINTER).min(ROWS - 1);
            let mut tuple = pg_sys::HeapTupleData {
                t_tableOid: (*relation).rd_id,
                ..pg_sys::HeapTupleData::default()
            };
            let (rows, seen) = (&mut self.rows, &mut self.seen);
            pg_sys::ffi::pg_guard_ffi_boundary(|| {
                for row in 1..=count {
                    let pointer = page.add(HEADER + POINTER * (row - 1)).cast::<[u8; POINTER]>();
                    let Some((begin, length)) = tuple_of(*pointer) else { continue };
                    let header = page.add(begin).cast::<pg_sys::HeapTupleHeaderData>();
                    let is_visible = seen.wrote(header) || {
                        tuple.t_len = u32::try_from(length).unwrap_or(u32::MAX);
                        tuple.t_data = header;
                        let offset = u16::try_from(row).unwrap_or(u16::MAX);
                        pgrx::itemptr::item_pointer_set_all(&mut tuple.t_self, block, offset);
                        let is_visible =
                            HeapTupleSatisfiesVisibility(&raw mut tuple, snapshot, buffer);
                        if is_visible {
                            seen.note(header);
                        }
                        is_visible
                    };
                    if is_visible {
                        rows[row / 64] |= 1 << (row % 64);
                    }
                }
            });
            pg_sys::UnlockReleaseBuffer(buffer);
        }
        self.page = Some(block);
    }
}

/// Some transactions that a snapshot sees: rows of a page have few.
#[derive(Debug, Default)]
struct Seen {
    transactions: [Option<pg_sys::TransactionId>; 8],
    next: usize,
}

impl Seen {
    /// Whether the version of a row was written by one of them, and nobody has changed it.
    ///
    /// # Safety
    /// The header is one of a tuple.
    #[inline]
    unsafe fn wrote(&self, header: *const pg_sys::HeapTupleHeaderData) -> bool {
        // SAFETY: our caller promises a header; its transaction is the field of the union that a stored tuple has.
        unsafe {
            let flags = u32::from((*header).t_infomask);
            flags & pg_sys::HEAP_XMAX_INVALID != 0
                && flags & (pg_sys::HEAP_XMIN_INVALID | pg_sys::HEAP_MOVED) == 0
                && self.transactions.contains(&Some((*header).t_choice.t_heap.t_xmin))
        }
    }

    /// Notes the transaction of a version of a row that the snapshot sees. The snapshot sees all that it has written, unless
    /// it is this transaction: that sees what its commands before have written.
    ///
    /// # Safety
    /// The header is one of a tuple.
    unsafe fn note(&mut self, header: *const pg_sys::HeapTupleHeaderData) {
        // SAFETY: as above; a transaction is compared with those of the backend.
        unsafe {
            let flags = u32::from((*header).t_infomask);
            let writer = (*header).t_choice.t_heap.t_xmin;
            // A frozen row has the flags of both outcomes, and says nothing of its transaction.
            let is_old = flags & (pg_sys::HEAP_XMIN_INVALID | pg_sys::HEAP_MOVED) != 0;
            let is_noted = self.transactions.contains(&Some(writer));
            if !is_old && !is_noted && !TransactionIdIsCurrentTransactionId(writer) {
                self.transactions[self.next] = Some(writer);
                self.next = (self.next + 1) % self.transactions.len();
            }
        }
    }
}
