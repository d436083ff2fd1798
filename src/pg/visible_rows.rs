//! Which rows of a page of a table a snapshot sees, asked once for the page.
//!
//! An index scan asks for each row: it finds the buffer, locks it, and follows the versions of the row. A table that was
//! filled in the order of its index has the rows of many entries, one after the other, on one page.

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
}

/// The rows of one page.
#[derive(Debug, Default)]
pub(super) struct VisibleRows {
    /// The page that was asked for last.
    last: Option<u32>,
    /// The page of these rows.
    page: Option<u32>,
    rows: [u64; ROWS / 64],
}

impl VisibleRows {
    /// Whether the snapshot sees the version of a row at this position. False says nothing: a later version may be visible.
    ///
    /// A page is read when a second row of it is asked for.
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
        // A serializable transaction notes each row that it reads.
        if is_serializable || self.last.replace(block) != Some(block) {
            return false;
        }
        if self.page != Some(block) {
            // SAFETY: our caller promises the table, the page and the snapshot.
            self.rows = unsafe { visible_rows(table.as_ptr(), snapshot, block) };
            self.page = Some(block);
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
}

/// The rows of a page, by their numbers, that the snapshot sees.
///
/// # Safety
/// The relation is open and has this page; the snapshot is registered, and of MVCC.
unsafe fn visible_rows(
    relation: pg_sys::Relation,
    snapshot: pg_sys::Snapshot,
    block: u32,
) -> [u64; ROWS / 64] {
    let mut found = [0; ROWS / 64];
    // SAFETY: our caller promises the relation and the snapshot. The buffer is pinned and locked while its page is read: the
    // line pointers end at `lower`, and one with the flag has a tuple in the page. An ERROR leaves nothing to be dropped.
    unsafe {
        let buffer = pg_sys::ReadBuffer(relation, block);
        pg_sys::LockBuffer(buffer, pg_sys::BUFFER_LOCK_SHARE.cast_signed());
        let page = pg_sys::BufferGetPage(buffer).cast::<u8>();
        let lower = usize::from(page.add(LOWER).cast::<u16>().read_unaligned());
        let count = (lower.saturating_sub(HEADER) / POINTER).min(ROWS - 1);
        let mut tuple = pg_sys::HeapTupleData {
            t_tableOid: (*relation).rd_id,
            ..pg_sys::HeapTupleData::default()
        };
        pg_sys::ffi::pg_guard_ffi_boundary(|| {
            for row in 1..=count {
                let pointer = page.add(HEADER + POINTER * (row - 1)).cast::<[u8; POINTER]>();
                let Some((begin, length)) = tuple_of(*pointer) else { continue };
                tuple.t_len = u32::try_from(length).unwrap_or(u32::MAX);
                tuple.t_data = page.add(begin).cast();
                let offset = u16::try_from(row).unwrap_or(u16::MAX);
                pgrx::itemptr::item_pointer_set_all(&mut tuple.t_self, block, offset);
                if HeapTupleSatisfiesVisibility(&raw mut tuple, snapshot, buffer) {
                    found[row / 64] |= 1 << (row % 64);
                }
            }
        });
        pg_sys::UnlockReleaseBuffer(buffer);
    }
    found
}
