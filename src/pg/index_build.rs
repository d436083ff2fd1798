//! Builds the primary key of an empty table while rows are appended in its order.
//!
//! PostgreSQL's own build reads the table again and sorts the entries. Here the entries arrive sorted, so their pages are
//! made at once, by [`IndexPages`]: the same pages. They go into a new file of the index, as of REINDEX: if the
//! transaction is rolled back, the old file is still there.

use pgrx::pg_sys;
use trips_core::model::timestamp::Timestamp;
use trips_core::wire::btree::IndexPages;
use trips_core::wire::page::{Page, RowPosition};

use super::compat;
use super::index_insert::IndexInsert;
use super::new_pages::NewPages;
use super::relation::Table;
use super::safe_drop::drop_unless_panicking;

const EXCLUSIVE: pg_sys::LOCKMODE = pg_sys::AccessExclusiveLock as pg_sys::LOCKMODE;
const MAIN: pg_sys::ForkNumber::Type = pg_sys::ForkNumber::MAIN_FORKNUM;

// SAFETY: as in storage/predicate.h; pgrx does not bind it.
unsafe extern "C-unwind" {
    fn TransferPredicateLocksToHeapRelation(index: pg_sys::Relation);
}

/// The primary key of a table, in a new file that is being filled.
pub struct IndexBuild<'a> {
    table: &'a Table,
    pages: IndexPages,
    file: NewPages,
    index: Index,
}

/// The index, open.
struct Index(pg_sys::Relation);

impl<'a> IndexBuild<'a> {
    /// Whether the table's only index is a primary key of these columns, a timestamp and a uuid, without settings, and this
    /// session does not use it.
    pub fn fits(table: &Table, columns: [i16; 2]) -> bool {
        if !NewPages::fit() || !IndexInsert::fits(table, columns) {
            return false;
        }
        // SAFETY: the relation is open; the index is opened with a lock and closed. The array has an
        // entry for each of its two columns.
        unsafe {
            let key = compat::primary_key_index(table.as_ptr());
            let index = pg_sys::index_open(key, pg_sys::AccessShareLock as pg_sys::LOCKMODE);
            let class = &*(*index).rd_rel;
            let fits = class.relam == pg_sys::BTREE_AM_OID
                && class.relpersistence.cast_unsigned() == pg_sys::RELPERSISTENCE_PERMANENT
                && (*index).rd_options.is_null()
                && (*index).rd_refcnt == 1
                && *(*index).rd_indoption == 0
                && *(*index).rd_indoption.add(1) == 0;
            pg_sys::index_close(index, pg_sys::NoLock as pg_sys::LOCKMODE);
            fits
        }
    }

    /// Gives the primary key a new, empty file.
    ///
    /// # Panics
    /// When the table does not fit, or has pages.
    pub fn begin(table: &'a Table, columns: [i16; 2]) -> Self {
        assert!(Self::fits(table, columns) && table.has_no_pages(), "the partition has changed");
        // SAFETY: the table is open and locked; the lock on its index excludes all other users, and this session has no
        // other reference to it. Locks of predicates on pages of the old file become locks on the table, as for REINDEX.
        unsafe {
            let key = compat::primary_key_index(table.as_ptr());
            let index = pg_sys::index_open(key, EXCLUSIVE);
            pg_sys::ffi::pg_guard_ffi_boundary(|| TransferPredicateLocksToHeapRelation(index));
            compat::set_new_file(index);
            let is_logged = pg_sys::wal_level >= pg_sys::WalLevel::WAL_LEVEL_REPLICA as i32;
            let (file, index) = (NewPages::of(index, is_logged), Index(index));
            Self { table, pages: IndexPages::default(), file, index }
        }
    }

    /// Adds the entry of a row that has just been stored.
    ///
    /// # Panics
    /// When the entries are not in their order.
    pub fn push(&mut self, (micros, uuid): (i64, [u8; 16]), row: RowPosition) {
        let file = &mut self.file;
        let mut write = |number, page: &Page| file.write(number, page);
        self.pages.push(Timestamp(micros), &uuid, row, &mut write);
    }

    /// Ends the index, and counts the rows of the table and the index for the planner.
    pub fn finish(mut self) {
        let (pages, file) = (std::mem::take(&mut self.pages), &mut self.file);
        #[expect(clippy::cast_precision_loss, reason = "an estimate of the planner")]
        let rows = pages.entries() as f64;
        pages.finish(&mut |number, page| file.write(number, page));
        file.flush();
        // SAFETY: both relations are open and locked, the index against all others.
        unsafe {
            let table = self.table.as_ptr();
            let of_table = pg_sys::RelationGetNumberOfBlocksInFork(table, MAIN);
            compat::set_statistics(table, of_table, rows, true);
            compat::set_statistics(self.index.0, file.count(), rows, false);
            pg_sys::CommandCounterIncrement();
        }
    }
}

// An ERROR closes the index with its transaction.
drop_unless_panicking!(Index, |index| {
    // SAFETY: opened by `begin`, closed once. The lock stays until the transaction ends.
    unsafe { pg_sys::index_close(index.0, pg_sys::NoLock as pg_sys::LOCKMODE) }
});
