//! The keys of a primary key `(timestamp, uuid)`, in its order.

use std::collections::TryReserveError;

use pgrx::{PgTupleDesc, pg_sys};

use super::compat;
use super::relation::Table;
use super::safe_drop::drop_unless_panicking;
use super::stored_row::StoredColumns;
use super::visible_rows::VisibleRows;

/// Bytes before the values of an index entry: `IndexTupleData` padded to 8.
const HEADER: usize = 8;
/// A timestamp (8 bytes) and a uuid (16 bytes), neither ever NULL.
const ENTRY: usize = HEADER + 8 + 16;
const SIZE_MASK: u16 = 0x1fff;
/// `BTGreaterEqualStrategyNumber`, in the type that scan keys have.
const GREATER_OR_EQUAL: pg_sys::StrategyNumber = 4;

/// A time (microseconds since 2000-01-01) and a uuid.
pub type Key = (i64, [u8; 16]);

// SAFETY: as in access/genam.h and access/visibilitymap.h. pgrx guards each call; here one guard is around all calls for
// some keys.
unsafe extern "C-unwind" {
    fn index_getnext_tid(
        scan: pg_sys::IndexScanDesc,
        direction: pg_sys::ScanDirection::Type,
    ) -> pg_sys::ItemPointer;
    fn visibilitymap_get_status(
        table: pg_sys::Relation,
        block: pg_sys::BlockNumber,
        map: *mut pg_sys::Buffer,
    ) -> u8;
}

/// Why the scan has stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// It has enough keys.
    Full,
    /// There are no more.
    End,
    /// Only its row can tell whether the current entry is visible.
    AtRow,
}

/// A scan over the primary key `(timestamp, uuid)` of a table, from any key on.
///
/// It sees all that was committed when it was opened and what this transaction has written, in each isolation level: a load
/// must compare with all rows.
pub struct KeyScan<'a> {
    table: &'a Table,
    index: pg_sys::Relation,
    scan: pg_sys::IndexScanDesc,
    snapshot: pg_sys::Snapshot,
    slot: *mut pg_sys::TupleTableSlot,
    visibility_map: pg_sys::Buffer,
    visible: VisibleRows,
    /// There are no more entries. PostgreSQL would begin the scan again.
    is_at_end: bool,
    /// Whether the slot has the row of the current entry.
    is_fetched: bool,
    /// The two columns of the key that is sought; the scan points to them.
    members: Box<[pg_sys::ScanKeyData; 2]>,
    /// The uuid of that key.
    target: Box<[u8; 16]>,
}

impl<'a> KeyScan<'a> {
    /// Opens a scan over the table's primary key. If it is the only one of the load that needs the pages of the table, they
    /// do not take the place of others in the buffers.
    ///
    /// # Panics
    /// When the key is not `(timestamp, uuid)`.
    pub fn open(table: &'a Table, is_only: bool) -> Self {
        // SAFETY: the table is open for as long as `self` lives. CommandCounterIncrement makes our
        // own rows visible and is allowed here: loads never run in parallel mode. The snapshot is
        // registered before the scan uses it.
        unsafe {
            pg_sys::CommandCounterIncrement();
            let heap = table.as_ptr();
            let index = pg_sys::index_open(
                compat::primary_key_index(heap),
                pg_sys::AccessShareLock as pg_sys::LOCKMODE,
            );
            let columns = PgTupleDesc::from_pg_unchecked((*index).rd_att);
            let types = columns.iter().map(|column| column.atttypid);
            assert!(
                types.eq([pg_sys::TIMESTAMPOID, pg_sys::UUIDOID]),
                "the primary key has other types"
            );
            let snapshot = pg_sys::RegisterSnapshot(pg_sys::GetLatestSnapshot());
            let scan = compat::index_beginscan(heap, index, snapshot, 1);
            (*scan).xs_want_itup = true;
            let slot = pg_sys::table_slot_create(heap, std::ptr::null_mut());
            let visibility_map = pg_sys::InvalidBuffer as pg_sys::Buffer;
            let (members, target) = (Box::default(), Box::default());
            let (visible, is_at_end, is_fetched) = (VisibleRows::new(is_only), false, false);
            Self {
                table,
                index,
                scan,
                snapshot,
                slot,
                visibility_map,
                visible,
                is_at_end,
                is_fetched,
                members,
                target,
            }
        }
    }

    /// Moves to the first key of a visible row that is not before this one. If the index begins there, its entries are not
    /// compared with the key afterwards.
    pub fn first_from(&mut self, wanted: &Key) -> Option<Key> {
        self.rewind();
        // SAFETY: the scan is at its beginning.
        let tid = unsafe {
            pg_sys::index_getnext_tid(self.scan, pg_sys::ScanDirection::ForwardScanDirection)
        };
        self.is_at_end = tid.is_null();
        if self.is_at_end {
            return None;
        }
        // The entry decides, whether its row is visible or not: there may be many rows at the beginning that are not.
        let first = self.key();
        if first < *wanted {
            self.seek(wanted.0, &wanted.1);
        } else if self.is_visible() {
            return Some(first);
        }
        self.advance()
    }

    /// Moves to the beginning.
    fn rewind(&mut self) {
        self.clear();
        self.is_at_end = false;
        // SAFETY: the scan was begun by us, with room for one key. index_rescan wants as many keys as the scan has, which is
        // all that nbtree looks at (15 to 18); `seek` sets their number again.
        unsafe {
            (*self.scan).numberOfKeys = 0;
            pg_sys::index_rescan(self.scan, std::ptr::null_mut(), 0, std::ptr::null_mut(), 0);
        }
    }

    /// Moves to this key, or to the first one after it.
    pub fn seek(&mut self, time: i64, uuid: &[u8; 16]) {
        *self.target = *uuid;
        self.is_at_end = false;
        let members = [
            (pg_sys::SK_ROW_MEMBER, pg_sys::F_TIMESTAMP_CMP, pg_sys::Datum::from(time)),
            (
                pg_sys::SK_ROW_MEMBER | pg_sys::SK_ROW_END,
                pg_sys::F_UUID_CMP,
                pg_sys::Datum::from(self.target.as_ptr()),
            ),
        ];
        // SAFETY: a row comparison is a header whose argument is the array of its members, one for
        // each column of the index in its order, with the comparison function of the column's type.
        // index_rescan copies the header; the members and the uuid that they point to are ours and
        // live as long as the scan.
        unsafe {
            for (column, (member, (flags, function, value))) in
                (1..).zip(self.members.iter_mut().zip(members))
            {
                pg_sys::ScanKeyInit(member, column, GREATER_OR_EQUAL, function.into(), value);
                member.sk_flags = flags.cast_signed();
            }
            let mut header = pg_sys::ScanKeyData {
                sk_flags: pg_sys::SK_ROW_HEADER.cast_signed(),
                sk_attno: 1,
                sk_strategy: GREATER_OR_EQUAL,
                sk_argument: pg_sys::Datum::from(self.members.as_mut_ptr()),
                ..Default::default()
            };
            (*self.scan).numberOfKeys = 1;
            pg_sys::index_rescan(self.scan, &raw mut header, 1, std::ptr::null_mut(), 0);
        }
    }

    /// The next key of a visible row.
    pub fn advance(&mut self) -> Option<Key> {
        loop {
            self.clear();
            if self.is_at_end {
                return None;
            }
            // SAFETY: the scan was begun by us and positioned by `seek`.
            let tid = unsafe {
                pg_sys::index_getnext_tid(self.scan, pg_sys::ScanDirection::ForwardScanDirection)
            };
            self.is_at_end = tid.is_null();
            if !self.is_at_end && self.is_visible() {
                return Some(self.key());
            }
        }
    }

    /// Appends the next keys of visible rows, this many at most: fewer only at the end. The scan has no current entry then.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn read_ahead(&mut self, keys: &mut Vec<Key>, most: usize) -> Result<(), TryReserveError> {
        keys.try_reserve(most)?;
        let full = keys.len() + most;
        self.clear();
        while !self.is_at_end {
            match self.read_visible(keys, full) {
                Stop::Full => break,
                Stop::End => self.is_at_end = true,
                Stop::AtRow => {
                    if self.is_visible() {
                        keys.push(self.key());
                    }
                    self.clear();
                }
            }
        }
        Ok(())
    }

    /// Appends keys until there are so many, which fit, while no row is needed to know what is visible.
    fn read_visible(&mut self, keys: &mut Vec<Key>, full: usize) -> Stop {
        let (scan, heap) = (self.scan, self.table.as_ptr());
        let (map, visible) = (&raw mut self.visibility_map, &self.visible);
        // SAFETY: the scan was begun by us and positioned by `seek`; the heap is open, and the map's buffer stays pinned between
        // calls, as the function requires. An ERROR leaves nothing to be dropped: the keys have their memory, and nothing
        // panics. The page of the entry is pinned while its row is checked, so that VACUUM does not remove it.
        unsafe {
            pg_sys::ffi::pg_guard_ffi_boundary(|| {
                while keys.len() < full {
                    let tid = index_getnext_tid(scan, pg_sys::ScanDirection::ForwardScanDirection);
                    if tid.is_null() {
                        return Stop::End;
                    }
                    let place = pgrx::itemptr::item_pointer_get_both(*tid);
                    let is_visible = visible.knows(place)
                        || u32::from(visibilitymap_get_status(heap, place.0, map))
                            & pg_sys::VISIBILITYMAP_ALL_VISIBLE
                            != 0;
                    match key_of((*scan).xs_itup) {
                        Some(key) if is_visible => keys.push(key),
                        _ => return Stop::AtRow,
                    }
                }
                Stop::Full
            })
        }
    }

    /// Whether the snapshot sees the row of the current entry.
    fn is_visible(&mut self) -> bool {
        // SAFETY: the scan is at an entry, whose position it has; the heap and the slot are open, the snapshot is registered.
        // The map's buffer stays pinned between calls, as the function requires.
        unsafe {
            let place = pgrx::itemptr::item_pointer_get_both((*self.scan).xs_heaptid);
            let heap = self.table.as_ptr();
            let status =
                pg_sys::visibilitymap_get_status(heap, place.0, &raw mut self.visibility_map);
            if u32::from(status) & pg_sys::VISIBILITYMAP_ALL_VISIBLE != 0 {
                return true;
            }
            if self.visible.has(self.table, self.snapshot, place) {
                return true;
            }
            self.is_fetched = pg_sys::index_fetch_heap(self.scan, self.slot);
            self.is_fetched
        }
    }

    /// The slot has no row.
    fn clear(&mut self) {
        if std::mem::take(&mut self.is_fetched) {
            // SAFETY: the slot is ours, and nobody has its values.
            unsafe { pg_sys::ExecClearTuple(self.slot) };
        }
    }

    /// Replaces `out` by the values of the current entry's row, each with its length, as binary COPY writes them; `details`
    /// is as PostgreSQL stores it. Returns whether there is such a row.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn read_row(
        &mut self,
        columns: &StoredColumns,
        out: &mut Vec<u8>,
    ) -> Result<bool, TryReserveError> {
        out.clear();
        if !self.is_fetched {
            // SAFETY: the scan is at an entry that `advance` has returned; its heap and the slot are open. The entry is
            // fetched once: it would not be found from a later version of its row.
            self.is_fetched = unsafe { pg_sys::index_fetch_heap(self.scan, self.slot) };
        }
        if self.is_fetched {
            // SAFETY: the slot has a row of the table, whose columns these are.
            unsafe { columns.read(self.slot, out)? };
        }
        Ok(self.is_fetched)
    }

    /// The key of the current entry.
    ///
    /// # Panics
    /// When the entry has no key.
    fn key(&self) -> Key {
        // SAFETY: xs_want_itup is set, so xs_itup is the entry at which the scan is.
        let key = unsafe { key_of((*self.scan).xs_itup) };
        key.expect("an index entry has a time and a key")
    }
}

/// The key of an index entry; None if it is too short for one.
///
/// # Safety
/// The entry is one of a primary key `(timestamp, uuid)`: both NOT NULL and of fixed length, so the values follow the header.
#[inline]
unsafe fn key_of(entry: pg_sys::IndexTuple) -> Option<Key> {
    let mut bytes = [0; ENTRY];
    // SAFETY: the size of the entry shows that the values exist.
    unsafe {
        if usize::from((*entry).t_info & SIZE_MASK) < ENTRY {
            return None;
        }
        std::ptr::copy_nonoverlapping(entry.cast::<u8>(), bytes.as_mut_ptr(), ENTRY);
    }
    let (time, uuid) = (bytes[HEADER..].first_chunk()?, bytes.last_chunk()?);
    Some((i64::from_ne_bytes(*time), *uuid))
}

drop_unless_panicking!(KeyScan<'_>, |scan| {
    // SAFETY: everything was opened by `open` and is closed once, in the opposite order.
    unsafe {
        if scan.visibility_map != pg_sys::InvalidBuffer as pg_sys::Buffer {
            pg_sys::ReleaseBuffer(scan.visibility_map);
        }
        scan.visible.free();
        pg_sys::ExecDropSingleTupleTableSlot(scan.slot);
        pg_sys::index_endscan(scan.scan);
        pg_sys::UnregisterSnapshot(scan.snapshot);
        pg_sys::index_close(scan.index, pg_sys::NoLock as pg_sys::LOCKMODE);
    }
});
