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
    /// Whether the slot has the row of the current entry.
    is_fetched: bool,
    /// The two columns of the key that is sought; the scan points to them.
    members: Box<[pg_sys::ScanKeyData; 2]>,
    /// The uuid of that key.
    target: Box<[u8; 16]>,
}

impl<'a> KeyScan<'a> {
    /// Opens a scan over the table's primary key.
    ///
    /// # Panics
    /// When the key is not `(timestamp, uuid)`.
    pub fn open(table: &'a Table) -> Self {
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
            let (visible, is_fetched) = (VisibleRows::default(), false);
            Self {
                table,
                index,
                scan,
                snapshot,
                slot,
                visibility_map,
                visible,
                is_fetched,
                members,
                target,
            }
        }
    }

    /// Moves to this key, or to the first one after it.
    pub fn seek(&mut self, time: i64, uuid: &[u8; 16]) {
        *self.target = *uuid;
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
            pg_sys::index_rescan(self.scan, &raw mut header, 1, std::ptr::null_mut(), 0);
        }
    }

    /// The next key of a visible row.
    pub fn advance(&mut self) -> Option<Key> {
        loop {
            self.clear();
            // SAFETY: the scan was begun by us and positioned by `seek`.
            let tid = unsafe {
                pg_sys::index_getnext_tid(self.scan, pg_sys::ScanDirection::ForwardScanDirection)
            };
            if tid.is_null() {
                return None;
            }
            if self.is_visible(tid) {
                return Some(self.key());
            }
        }
    }

    /// Whether the entry's row is one that the snapshot sees.
    fn is_visible(&mut self, tid: pg_sys::ItemPointer) -> bool {
        // SAFETY: `tid` is what the scan has just returned; the heap and the slot are open, the snapshot is registered. The map's buffer stays
        // pinned between calls, as the function requires.
        unsafe {
            let (block, offset) = pgrx::itemptr::item_pointer_get_both(*tid);
            let heap = self.table.as_ptr();
            let status =
                pg_sys::visibilitymap_get_status(heap, block, &raw mut self.visibility_map);
            if u32::from(status) & pg_sys::VISIBILITYMAP_ALL_VISIBLE != 0 {
                return true;
            }
            if self.visible.has(self.table, self.snapshot, (block, offset)) {
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
    fn key(&self) -> Key {
        let mut bytes = [0; ENTRY];
        // SAFETY: xs_want_itup is set, so xs_itup is the entry of the returned tid. The index is the table's primary
        // key (timestamp, uuid): both NOT NULL and of fixed length, so the values follow the header, and the size shows
        // that they exist.
        unsafe {
            let tuple = (*self.scan).xs_itup;
            let size = usize::from((*tuple).t_info & SIZE_MASK);
            assert!(size >= ENTRY, "an index entry has {size} bytes");
            std::ptr::copy_nonoverlapping(tuple.cast::<u8>(), bytes.as_mut_ptr(), ENTRY);
        }
        let mut time = [0; 8];
        time.copy_from_slice(&bytes[HEADER..HEADER + 8]);
        let mut uuid = [0; 16];
        uuid.copy_from_slice(&bytes[HEADER + 8..]);
        (i64::from_ne_bytes(time), uuid)
    }
}

drop_unless_panicking!(KeyScan<'_>, |scan| {
    // SAFETY: everything was opened by `open` and is closed once, in the opposite order.
    unsafe {
        if scan.visibility_map != pg_sys::InvalidBuffer as pg_sys::Buffer {
            pg_sys::ReleaseBuffer(scan.visibility_map);
        }
        pg_sys::ExecDropSingleTupleTableSlot(scan.slot);
        pg_sys::index_endscan(scan.scan);
        pg_sys::UnregisterSnapshot(scan.snapshot);
        pg_sys::index_close(scan.index, pg_sys::NoLock as pg_sys::LOCKMODE);
    }
});
