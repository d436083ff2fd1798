//! Rows that are in the heap of a table get their entries in its primary key, as COPY does it.

use pgrx::pg_sys;

use super::compat;
use super::index_scan::Key;
use super::relation::Table;
use super::safe_drop::drop_unless_panicking;

// SAFETY: as in access/genam.h. pgrx guards each call; here one guard is around the calls for many rows.
unsafe extern "C-unwind" {
    fn index_insert(
        index: pg_sys::Relation,
        values: *mut pg_sys::Datum,
        nulls: *mut bool,
        position: pg_sys::ItemPointer,
        table: pg_sys::Relation,
        check: pg_sys::IndexUniqueCheck::Type,
        is_unchanged: bool,
        info: *mut pg_sys::IndexInfo,
    ) -> bool;
}

/// The primary key of a table, open for inserting.
pub struct IndexInsert<'a> {
    table: &'a Table,
    index: pg_sys::Relation,
    /// What PostgreSQL keeps of the index for this command.
    info: *mut pg_sys::IndexInfo,
}

impl<'a> IndexInsert<'a> {
    /// Whether the table's only index is a primary key of these columns, by their numbers, that is checked at once.
    pub fn fits(table: &Table, columns: [i16; 2]) -> bool {
        let indexes = table.indexes();
        // SAFETY: the relation is open; the index is opened with a lock and closed. A primary key has an entry in each of the
        // arrays for each of its columns, and the number of columns is checked first.
        unsafe {
            let key = compat::primary_key_index(table.as_ptr());
            if indexes != [key] {
                return false;
            }
            let index = pg_sys::index_open(key, pg_sys::AccessShareLock as pg_sys::LOCKMODE);
            let form = &*(*index).rd_index;
            let fits = form.indisunique
                && form.indimmediate
                && form.indisready
                && !form.indisexclusion
                && (form.indnatts, form.indnkeyatts) == (2, 2)
                && form.indkey.values.as_slice(2) == columns
                && *(*index).rd_opcintype == pg_sys::TIMESTAMPOID
                && *(*index).rd_opcintype.add(1) == pg_sys::UUIDOID;
            pg_sys::index_close(index, pg_sys::NoLock as pg_sys::LOCKMODE);
            fits
        }
    }

    /// Opens the primary key.
    ///
    /// # Panics
    /// When the table does not fit.
    pub fn open(table: &'a Table, columns: [i16; 2]) -> Self {
        assert!(Self::fits(table, columns), "the index of the partition has changed");
        // SAFETY: the table is open and locked for inserting while `self` lives, and has this index. A primary key has
        // neither expressions nor a condition, so the entries need no executor.
        unsafe {
            let key = compat::primary_key_index(table.as_ptr());
            let index = pg_sys::index_open(key, pg_sys::RowExclusiveLock as pg_sys::LOCKMODE);
            Self { table, index, info: pg_sys::BuildIndexInfo(index) }
        }
    }

    /// Inserts the entries of rows that have just been stored: their keys and their slots.
    ///
    /// # Safety
    /// The keys are values of the columns of `open`. Each slot has a row of the table with this key, and the row's position in the
    /// heap. The current memory context may be reset after the call.
    pub unsafe fn insert(&mut self, keys: &[Key], slots: &[*mut pg_sys::TupleTableSlot]) {
        let (index, table, info) = (self.index, self.table.as_ptr(), self.info);
        // SAFETY: our caller promises the keys and the slots; the values live through the call, which copies them. Table and
        // index are open, and `info` is of the index. An ERROR leaves nothing to be dropped, and nothing panics.
        unsafe {
            pg_sys::ffi::pg_guard_ffi_boundary(|| {
                for ((time, uuid), &slot) in keys.iter().zip(slots) {
                    let mut values =
                        [pg_sys::Datum::from(*time), pg_sys::Datum::from(uuid.as_ptr())];
                    let mut nulls = [false; 2];
                    index_insert(
                        index,
                        values.as_mut_ptr(),
                        nulls.as_mut_ptr(),
                        &raw mut (*slot).tts_tid,
                        table,
                        pg_sys::IndexUniqueCheck::UNIQUE_CHECK_YES,
                        false,
                        info,
                    );
                }
            });
        }
    }
}

// An ERROR closes the index with its transaction.
drop_unless_panicking!(IndexInsert<'_>, |insert| {
    // SAFETY: opened by `open`, closed once. The lock stays until the transaction ends.
    unsafe { pg_sys::index_close(insert.index, pg_sys::NoLock as pg_sys::LOCKMODE) }
});
