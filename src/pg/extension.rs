//! The extension as an object of the database, and its names.

use std::ffi::CStr;

use pgrx::pg_sys;
use pgrx::spi::SpiError;

use super::{plans, session};

/// The name of the extension, which CREATE EXTENSION names.
const EXTENSION: &CStr = c"trips_pipeline";
/// The library of its functions and workers, as in `module_pathname` of the control file.
pub const LIBRARY: &str = "$libdir/trips_pipeline";
/// The schema of its objects for users.
pub const SCHEMA: &CStr = c"trips";

/// Prepares a transaction of a worker: names mean PostgreSQL's own, even if a trigger has set a path before, and the
/// extension cannot be dropped. `false` if it does not exist, or has no table of this name, which has its schema.
pub fn begin_work(table: &str) -> Result<bool, SpiError> {
    session::use_own_names()?;
    let is_locked = lock();
    let query = "SELECT to_regclass($1) IS NOT NULL";
    let is_created = plans::get_one::<bool>(query, &[table.into()])?;
    Ok(is_locked && is_created == Some(true))
}

/// Keeps the extension from being dropped until the transaction ends; `false` if it does not exist.
///
/// DROP EXTENSION locks the extension first, then its tables in an order of its own. A session that has this lock
/// before its first table can therefore not deadlock with it.
pub fn lock() -> bool {
    let mode = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
    loop {
        let extension = find();
        if extension == pg_sys::InvalidOid {
            return false;
        }
        // SAFETY: locks an oid of the catalog pg_extension in a transaction. It may have been dropped during the wait;
        // then the next lookup finds none, or a new one.
        unsafe { pg_sys::LockDatabaseObject(pg_sys::ExtensionRelationId, extension, 0, mode) };
        if find() == extension {
            return true;
        }
    }
}

fn find() -> pg_sys::Oid {
    // SAFETY: a C string; with missing_ok = true an unknown name gives InvalidOid.
    unsafe { pg_sys::get_extension_oid(EXTENSION.as_ptr(), true) }
}

/// Whether an object is a member of the extension.
pub fn has_member(class: pg_sys::Oid, object: pg_sys::Oid) -> bool {
    // SAFETY: two oids; an object that no extension has gives InvalidOid.
    let owner = unsafe { pg_sys::getExtensionOfObject(class, object) };
    owner != pg_sys::InvalidOid && owner == find()
}
