//! The keys of the history in the order of its unique index.

use pgrx::pg_sys;
use trips_core::key::TripKey;
use trips_core::model::timestamp::Timestamp;

use super::compat;
use super::relation::Table;

/// Bytes before the values of an index entry: `IndexTupleData` padded to 8.
const HEADER: usize = 8;
/// `date_time` (8 bytes) and `trip_key` (16 bytes), neither ever NULL.
const ENTRY: usize = HEADER + 8 + 16;
const SIZE_MASK: u16 = 0x1fff;
/// `BTGreaterEqualStrategyNumber`, in the type that scan keys have.
const GREATER_OR_EQUAL: pg_sys::StrategyNumber = 4;

/// Walks over the primary key `(date_time, trip_key)` of a table, from wherever it is told.
///
/// It sees what is committed when it is opened, and what this transaction has written, whatever the
/// isolation level: a load must compare with all that is there.
pub struct KeyScan<'a> {
    table: &'a Table,
    index: pg_sys::Relation,
    scan: pg_sys::IndexScanDesc,
    snapshot: pg_sys::Snapshot,
    slot: *mut pg_sys::TupleTableSlot,
    visibility_map: pg_sys::Buffer,
    /// The two columns of the key that is sought; the scan points to them.
    members: Box<[pg_sys::ScanKeyData; 2]>,
    /// The uuid of that key.
    target: Box<TripKey>,
}

impl<'a> KeyScan<'a> {
    /// Opens a scan over the table's primary key.
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
            let snapshot = pg_sys::RegisterSnapshot(pg_sys::GetLatestSnapshot());
            let scan = compat::index_beginscan(heap, index, snapshot, 1);
            (*scan).xs_want_itup = true;
            let slot = pg_sys::table_slot_create(heap, std::ptr::null_mut());
            let visibility_map = pg_sys::InvalidBuffer as pg_sys::Buffer;
            let (members, target) = (Box::default(), Box::default());
            Self { table, index, scan, snapshot, slot, visibility_map, members, target }
        }
    }

    /// Goes to this key, or to the first one after it: `(date_time, trip_key) >= (…, …)`.
    pub fn seek(&mut self, date_time: Timestamp, key: &TripKey) {
        *self.target = *key;
        let members = [
            (pg_sys::SK_ROW_MEMBER, pg_sys::F_TIMESTAMP_CMP, pg_sys::Datum::from(date_time.0)),
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

    /// The next key whose trip is in the history.
    pub fn advance(&mut self) -> Option<(Timestamp, TripKey)> {
        loop {
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
        // SAFETY: `tid` is what the scan has just returned; the heap and the slot are open. The map's
        // buffer stays pinned from call to call, as the function wants it.
        unsafe {
            let block = pgrx::itemptr::item_pointer_get_block_number(tid);
            let heap = self.table.as_ptr();
            let status =
                pg_sys::visibilitymap_get_status(heap, block, &raw mut self.visibility_map);
            if u32::from(status) & pg_sys::VISIBILITYMAP_ALL_VISIBLE != 0 {
                return true;
            }
            let found = pg_sys::index_fetch_heap(self.scan, self.slot);
            pg_sys::ExecClearTuple(self.slot);
            found
        }
    }

    /// The key of the entry where the scan stands.
    fn key(&self) -> (Timestamp, TripKey) {
        let mut bytes = [0; ENTRY];
        // SAFETY: xs_want_itup is set, so xs_itup is the entry of the tid that was returned. The
        // index is the table's primary key (timestamp, uuid): both NOT NULL and of fixed length, so
        // the values follow the header and the size says that they are there.
        unsafe {
            let tuple = (*self.scan).xs_itup;
            let size = usize::from((*tuple).t_info & SIZE_MASK);
            assert!(size >= ENTRY, "an entry of the history's primary key has {size} bytes");
            std::ptr::copy_nonoverlapping(tuple.cast::<u8>(), bytes.as_mut_ptr(), ENTRY);
        }
        let mut date_time = [0; 8];
        date_time.copy_from_slice(&bytes[HEADER..HEADER + 8]);
        let mut key = [0; 16];
        key.copy_from_slice(&bytes[HEADER + 8..]);
        (Timestamp(i64::from_ne_bytes(date_time)), key)
    }
}

impl Drop for KeyScan<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return; // The abort of the transaction releases everything.
        }
        // SAFETY: everything was opened by `open` and is closed once, in the opposite order.
        unsafe {
            if self.visibility_map != pg_sys::InvalidBuffer as pg_sys::Buffer {
                pg_sys::ReleaseBuffer(self.visibility_map);
            }
            pg_sys::ExecDropSingleTupleTableSlot(self.slot);
            pg_sys::index_endscan(self.scan);
            pg_sys::UnregisterSnapshot(self.snapshot);
            pg_sys::index_close(self.index, pg_sys::NoLock as pg_sys::LOCKMODE);
        }
    }
}
