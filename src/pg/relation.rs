//! Tables of the schema `trips`, by name.

use std::ffi::CStr;

use pgrx::pg_sys;

/// An open table. Its lock stays until the transaction ends; closing only gives back the reference.
pub struct Table(pg_sys::Relation);

impl Table {
    /// Opens `trips.<name>` for inserting (ROW EXCLUSIVE).
    pub fn open_for_insert(name: &CStr) -> Self {
        Self::open(name, pg_sys::RowExclusiveLock)
    }

    fn open(name: &CStr, lock: u32) -> Self {
        // SAFETY: both names are C strings that live through the calls; a schema or table that is
        // missing is an ERROR (missing_ok = false, and table_open refuses an invalid oid).
        unsafe {
            let schema = pg_sys::get_namespace_oid(c"trips".as_ptr(), false);
            let oid = pg_sys::get_relname_relid(name.as_ptr(), schema);
            Self(pg_sys::table_open(oid, lock as pg_sys::LOCKMODE))
        }
    }

    /// Waits until no other load holds this table, and holds it until the transaction ends.
    ///
    /// It is a lock of its own, on the table as an object (as DDL takes them on objects that are not
    /// tables), so that only loads meet: VACUUM, readers and writers by hand do not conflict with it.
    pub fn lock_against_other_loads(&self) {
        // SAFETY: three oids and a lock mode; the relation is open.
        unsafe {
            pg_sys::LockDatabaseObject(
                pg_sys::RelationRelationId,
                (*self.0).rd_id,
                0,
                pg_sys::ExclusiveLock as pg_sys::LOCKMODE,
            );
        }
    }

    /// Whether the table has no pages at all.
    pub fn is_bare(&self) -> bool {
        // SAFETY: the relation is open.
        unsafe {
            let main = pg_sys::ForkNumber::MAIN_FORKNUM;
            pg_sys::RelationGetNumberOfBlocksInFork(self.0, main) == 0
        }
    }

    /// Takes the exclusive lock on every index that building it anew needs, if none has to be waited
    /// for, and keeps it until the transaction ends.
    pub fn try_lock_indexes(&self) -> bool {
        let lock = pg_sys::AccessExclusiveLock as pg_sys::LOCKMODE;
        // SAFETY: the relation is open; the list is a copy that is ours.
        unsafe {
            let indexes = pg_sys::RelationGetIndexList(self.0);
            let count = if indexes.is_null() { 0 } else { (*indexes).length };
            (0..count)
                .all(|i| pg_sys::ConditionalLockRelationOid(pg_sys::list_nth_oid(indexes, i), lock))
        }
    }

    pub(super) fn as_ptr(&self) -> pg_sys::Relation {
        self.0
    }

    /// The role that owns the table.
    pub fn owner(&self) -> pg_sys::Oid {
        // SAFETY: the relation is open, so its cache entry and rd_rel are valid.
        unsafe { (*(*self.0).rd_rel).relowner }
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // SAFETY: we opened it once and close it once. While an ERROR unwinds, the abort of the
            // transaction closes it instead.
            unsafe { pg_sys::table_close(self.0, pg_sys::NoLock as pg_sys::LOCKMODE) }
        }
    }
}
