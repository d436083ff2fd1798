//! All differences between the versions of PostgreSQL.

use std::ffi::CStr;

use pgrx::pg_sys;

/// Settings that a worker needs beside those of all versions.
#[cfg(any(feature = "pg15", feature = "pg16"))]
pub const WORKER_SETTINGS: &[(&CStr, &CStr)] = &[];
/// Settings that a worker needs beside those of all versions.
#[cfg(not(any(feature = "pg15", feature = "pg16")))]
pub const WORKER_SETTINGS: &[(&CStr, &CStr)] = &[(c"transaction_timeout", c"0")];

/// Begins an index scan without keys.
///
/// # Safety
/// Both relations are open, the index is the heap's, and the snapshot is registered.
pub unsafe fn index_beginscan(
    heap: pg_sys::Relation,
    index: pg_sys::Relation,
    snapshot: pg_sys::Snapshot,
    keys: i32,
) -> pg_sys::IndexScanDesc {
    #[cfg(not(feature = "pg18"))]
    // SAFETY: our caller promises what PostgreSQL requires.
    unsafe {
        pg_sys::index_beginscan(heap, index, snapshot, keys, 0)
    }
    #[cfg(feature = "pg18")]
    // SAFETY: as above; NULL means no instrumentation.
    unsafe {
        pg_sys::index_beginscan(heap, index, snapshot, std::ptr::null_mut(), keys, 0)
    }
}

/// The index of the relation's primary key.
///
/// # Safety
/// The relation is open.
pub unsafe fn primary_key_index(relation: pg_sys::Relation) -> pg_sys::Oid {
    #[cfg(not(feature = "pg18"))]
    // SAFETY: our caller promises an open relation.
    unsafe {
        pg_sys::RelationGetPrimaryKeyIndex(relation)
    }
    #[cfg(feature = "pg18")]
    // SAFETY: as above; the key of our tables is not deferrable.
    unsafe {
        pg_sys::RelationGetPrimaryKeyIndex(relation, false)
    }
}

/// Gives a relation a new, empty file. It gets its old one again if the transaction is rolled back.
///
/// # Safety
/// The relation is open once, and locked against all others.
pub unsafe fn set_new_file(relation: pg_sys::Relation) {
    // SAFETY: our caller promises the relation.
    unsafe {
        let persistence = (*(*relation).rd_rel).relpersistence;
        #[cfg(feature = "pg15")]
        pg_sys::RelationSetNewRelfilenode(relation, persistence);
        #[cfg(not(feature = "pg15"))]
        pg_sys::RelationSetNewRelfilenumber(relation, persistence);
    }
}

/// Writes whole pages to the WAL, and their positions there into the pages.
///
/// # Safety
/// The relation is open. There are as many numbers as pages, and each page has `BLCKSZ` bytes.
pub unsafe fn log_pages(relation: pg_sys::Relation, numbers: &mut [u32], pages: &mut [*mut u8]) {
    let count = i32::try_from(pages.len().min(numbers.len())).unwrap_or(i32::MAX);
    let main = pg_sys::ForkNumber::MAIN_FORKNUM;
    // SAFETY: our caller promises the relation and the pages; a page is bytes.
    unsafe {
        #[cfg(feature = "pg15")]
        let place = &raw mut (*relation).rd_node;
        #[cfg(not(feature = "pg15"))]
        let place = &raw mut (*relation).rd_locator;
        let (numbers, pages) = (numbers.as_mut_ptr(), pages.as_mut_ptr().cast());
        pg_sys::log_newpages(place, main, count, numbers, pages, true);
    }
}

/// The path of the first file of a relation, relative to the data directory; None if its pages are not those of `md.c`.
///
/// # Safety
/// The relation is open, and no temporary one.
pub unsafe fn path_of_md(relation: pg_sys::Relation) -> Option<String> {
    let (main, nobody) = (pg_sys::ForkNumber::MAIN_FORKNUM, -1);
    // SAFETY: our caller promises the relation. The path is a C string, which is copied.
    unsafe {
        if (*pg_sys::RelationGetSmgr(relation)).smgr_which != 0 {
            return None;
        }
        #[cfg(feature = "pg15")]
        let path = {
            let place = (*relation).rd_node;
            pg_sys::GetRelationPath(place.dbNode, place.spcNode, place.relNode, nobody, main)
        };
        #[cfg(not(feature = "pg15"))]
        let path = {
            let place = (*relation).rd_locator;
            pg_sys::GetRelationPath(place.dbOid, place.spcOid, place.relNumber, nobody, main)
        };
        #[cfg(not(any(feature = "pg15", feature = "pg16", feature = "pg17")))]
        let path = path.str_.as_ptr();
        CStr::from_ptr(path).to_str().ok().map(str::to_owned)
    }
}

/// Writes a page at the end of the file of a relation.
///
/// # Safety
/// The relation is open, nobody else extends it, and it has as many pages as the number says. The page has `BLCKSZ` bytes.
pub unsafe fn extend_by_page(relation: pg_sys::Relation, number: u32, page: *mut u8, asks: bool) {
    let main = pg_sys::ForkNumber::MAIN_FORKNUM;
    // SAFETY: our caller promises the relation and the page.
    unsafe {
        pg_sys::smgrextend(pg_sys::RelationGetSmgr(relation), main, number, page.cast(), !asks);
    }
}

/// Writes a page of the file of a relation again.
///
/// # Safety
/// The relation is open and has the page, which is in no buffer. The page has `BLCKSZ` bytes.
pub unsafe fn write_page(relation: pg_sys::Relation, number: u32, page: *mut u8, asks: bool) {
    let main = pg_sys::ForkNumber::MAIN_FORKNUM;
    // SAFETY: our caller promises the relation and the page.
    unsafe {
        let file = pg_sys::RelationGetSmgr(relation);
        #[cfg(any(feature = "pg15", feature = "pg16"))]
        pg_sys::smgrwrite(file, main, number, page.cast(), !asks);
        #[cfg(not(any(feature = "pg15", feature = "pg16")))]
        {
            let mut pages: [*const std::ffi::c_void; 1] = [page.cast()];
            pg_sys::smgrwritev(file, main, number, pages.as_mut_ptr(), 1, !asks);
        }
    }
}

/// Sets the numbers of pages and rows of a relation that the planner uses.
///
/// # Safety
/// The relation is open, and locked against others that set them.
pub unsafe fn set_statistics(relation: pg_sys::Relation, pages: u32, rows: f64, has_index: bool) {
    let (xid, multi) = (pg_sys::InvalidTransactionId, pg_sys::MultiXactId::from(0_u32));
    let nowhere = std::ptr::null_mut();
    // SAFETY: our caller promises the relation; no transaction id is set, so nothing is returned.
    unsafe {
        #[cfg(not(feature = "pg18"))]
        pg_sys::vac_update_relstats(
            relation, pages, rows, 0, has_index, xid, multi, nowhere, nowhere, true,
        );
        #[cfg(feature = "pg18")]
        pg_sys::vac_update_relstats(
            relation, pages, rows, 0, 0, has_index, xid, multi, nowhere, nowhere, true,
        );
    }
}

/// Sets the handler of a signal.
///
/// # Safety
/// The handler does only what is safe while any code is interrupted.
pub unsafe fn handle_signal(signal: i32, handler: unsafe extern "C-unwind" fn(i32)) {
    // SAFETY: our caller promises what PostgreSQL requires.
    unsafe {
        #[cfg(not(feature = "pg18"))]
        pg_sys::pqsignal(signal, Some(handler));
        #[cfg(feature = "pg18")]
        pg_sys::pqsignal_be(signal, Some(handler));
    }
}

/// The entry of a backend, by its number among those that the transaction has copied.
///
/// # Safety
/// The number is one of those that `pgstat_fetch_stat_numbackends` counts.
pub unsafe fn backend_entry(number: i32) -> *mut pg_sys::LocalPgBackendStatus {
    #[cfg(feature = "pg15")]
    // SAFETY: our caller promises a valid number.
    unsafe {
        pg_sys::pgstat_fetch_stat_local_beentry(number)
    }
    #[cfg(not(feature = "pg15"))]
    // SAFETY: as above.
    unsafe {
        pg_sys::pgstat_get_local_beentry_by_index(number)
    }
}

/// Whether this backend holds this lock, in this mode.
///
/// # Safety
/// The tag is valid.
pub unsafe fn holds_lock(tag: *const pg_sys::LOCKTAG, mode: pg_sys::LOCKMODE) -> bool {
    #[cfg(any(feature = "pg15", feature = "pg16"))]
    // SAFETY: our caller promises a valid tag.
    unsafe {
        pg_sys::LockHeldByMe(tag, mode)
    }
    #[cfg(not(any(feature = "pg15", feature = "pg16")))]
    // SAFETY: as above; no stronger lock is requested.
    unsafe {
        pg_sys::LockHeldByMe(tag, mode, false)
    }
}

/// Whether a role has the privileges of a table's owner.
pub fn owns_table(table: pg_sys::Oid, role: pg_sys::Oid) -> bool {
    #[cfg(feature = "pg15")]
    // SAFETY: two oids; a dropped table is an ERROR.
    unsafe {
        pg_sys::pg_class_ownercheck(table, role)
    }
    #[cfg(not(feature = "pg15"))]
    // SAFETY: as above.
    unsafe {
        pg_sys::object_ownercheck(pg_sys::RelationRelationId, table, role)
    }
}

/// Which indexes need an entry for a row that was updated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndexesToUpdate {
    /// None: no indexed column has changed, and the new row is on the page of the old one.
    None,
    /// All.
    All,
    /// Those that summarize ranges of blocks (since PostgreSQL 16).
    #[cfg(not(feature = "pg15"))]
    Summarizing,
}

/// Replaces a row by another one.
///
/// # Safety
/// The relation is open for writing, `old` is the tid of a row that the snapshot sees, and the slot is the relation's
/// and has the new row.
pub unsafe fn update_tuple(
    relation: pg_sys::Relation,
    old: pg_sys::ItemPointer,
    new: *mut pg_sys::TupleTableSlot,
    snapshot: pg_sys::Snapshot,
) -> IndexesToUpdate {
    #[cfg(feature = "pg15")]
    {
        let mut all = false;
        // SAFETY: our caller promises what PostgreSQL requires.
        unsafe {
            pg_sys::simple_table_tuple_update(relation, old, new, snapshot, &raw mut all);
        };
        if all { IndexesToUpdate::All } else { IndexesToUpdate::None }
    }
    #[cfg(not(feature = "pg15"))]
    {
        let mut which = pg_sys::TU_UpdateIndexes::TU_None;
        // SAFETY: as above.
        unsafe {
            pg_sys::simple_table_tuple_update(relation, old, new, snapshot, &raw mut which);
        };
        match which {
            pg_sys::TU_UpdateIndexes::TU_None => IndexesToUpdate::None,
            pg_sys::TU_UpdateIndexes::TU_Summarizing => IndexesToUpdate::Summarizing,
            _ => IndexesToUpdate::All,
        }
    }
}

/// Inserts a written row into the indexes of its table.
///
/// # Safety
/// The target's relation and indexes are open for writing, the slot has the row with its tid, and the state is one of
/// the executor.
pub unsafe fn insert_into_indexes(
    target: *mut pg_sys::ResultRelInfo,
    slot: *mut pg_sys::TupleTableSlot,
    state: *mut pg_sys::EState,
    which: IndexesToUpdate,
) {
    // SAFETY: the target exists.
    if which == IndexesToUpdate::None || unsafe { (*target).ri_NumIndices } == 0 {
        return;
    }
    let (none, no_list) = (std::ptr::null_mut(), std::ptr::null_mut());
    #[cfg(feature = "pg15")]
    // SAFETY: our caller promises what PostgreSQL requires. No constraint is deferred, and none is speculative.
    unsafe {
        pg_sys::ExecInsertIndexTuples(target, slot, state, false, false, none, no_list);
    }
    #[cfg(not(feature = "pg15"))]
    // SAFETY: as above.
    unsafe {
        let only_summarizing = which == IndexesToUpdate::Summarizing;
        pg_sys::ExecInsertIndexTuples(
            target,
            slot,
            state,
            false,
            false,
            none,
            no_list,
            only_summarizing,
        );
    }
}

/// Whether a role may refresh a materialized view: its owner, and since PostgreSQL 17 roles with MAINTAIN.
pub fn may_refresh(view: pg_sys::Oid, role: pg_sys::Oid) -> bool {
    #[cfg(any(feature = "pg15", feature = "pg16"))]
    let may_maintain = false;
    #[cfg(not(any(feature = "pg15", feature = "pg16")))]
    // SAFETY: two oids; a dropped table is an ERROR.
    let may_maintain = unsafe {
        let maintain = pg_sys::AclMode::from(pg_sys::ACL_MAINTAIN);
        pg_sys::pg_class_aclcheck(view, role, maintain) == pg_sys::AclResult::ACLCHECK_OK
    };
    may_maintain || owns_table(view, role)
}
