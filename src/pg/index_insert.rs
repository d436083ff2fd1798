//! Rows that are in the heap of a table get their entries in its primary key, as COPY does it.

use pgrx::pg_sys;

use super::compat;
use super::relation::Table;
use super::safe_drop::drop_unless_panicking;

/// The most columns of an index.
const MAX_COLUMNS: usize = pg_sys::INDEX_MAX_KEYS as usize;

/// The primary key of a table, open for inserting.
pub struct IndexInsert<'a> {
    table: &'a Table,
    index: pg_sys::Relation,
    /// What PostgreSQL keeps of the index for this command.
    info: *mut pg_sys::IndexInfo,
}

impl<'a> IndexInsert<'a> {
    /// Whether the table's only index is a primary key that is checked at once.
    pub fn fits(table: &Table) -> bool {
        let indexes = table.indexes();
        // SAFETY: the relation is open; the index is opened with a lock and closed.
        unsafe {
            let key = compat::primary_key_index(table.as_ptr());
            if indexes != [key] {
                return false;
            }
            let index = pg_sys::index_open(key, pg_sys::AccessShareLock as pg_sys::LOCKMODE);
            let form = &*(*index).rd_index;
            let is_checked_at_once =
                form.indisunique && form.indimmediate && form.indisready && !form.indisexclusion;
            pg_sys::index_close(index, pg_sys::NoLock as pg_sys::LOCKMODE);
            is_checked_at_once
        }
    }

    /// Opens the primary key.
    ///
    /// # Panics
    /// When the table does not fit.
    pub fn open(table: &'a Table) -> Self {
        assert!(Self::fits(table), "the index of the partition has changed");
        // SAFETY: the table is open and locked for inserting while `self` lives, and has this index. A primary key has
        // neither expressions nor a condition, so the entries need no executor.
        unsafe {
            let key = compat::primary_key_index(table.as_ptr());
            let index = pg_sys::index_open(key, pg_sys::RowExclusiveLock as pg_sys::LOCKMODE);
            Self { table, index, info: pg_sys::BuildIndexInfo(index) }
        }
    }

    /// Inserts the entry of a row that has just been stored.
    ///
    /// # Safety
    /// The slot has a row of the table, with the row's position in the heap. The current memory context may be reset
    /// after the call.
    pub unsafe fn insert(&mut self, slot: *mut pg_sys::TupleTableSlot) {
        let mut values = [pg_sys::Datum::null(); MAX_COLUMNS];
        let mut nulls = [false; MAX_COLUMNS];
        // SAFETY: our caller promises the slot; the arrays have a place for each column of any index; table and index are
        // open, and `info` is of the index.
        unsafe {
            let executor = std::ptr::null_mut();
            pg_sys::FormIndexDatum(
                self.info,
                slot,
                executor,
                values.as_mut_ptr(),
                nulls.as_mut_ptr(),
            );
            pg_sys::index_insert(
                self.index,
                values.as_mut_ptr(),
                nulls.as_mut_ptr(),
                &raw mut (*slot).tts_tid,
                self.table.as_ptr(),
                pg_sys::IndexUniqueCheck::UNIQUE_CHECK_YES,
                false,
                self.info,
            );
        }
    }
}

// An ERROR closes the index with its transaction.
drop_unless_panicking!(IndexInsert<'_>, |insert| {
    // SAFETY: opened by `open`, closed once. The lock stays until the transaction ends.
    unsafe { pg_sys::index_close(insert.index, pg_sys::NoLock as pg_sys::LOCKMODE) }
});
