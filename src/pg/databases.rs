//! The databases of the cluster, read without a connection to any of them, or without the catalogs.

use std::ffi::CStr;
use std::path::Path;

use pgrx::pg_sys;

use super::session;

/// A database to which one can connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Database {
    /// Its oid.
    pub oid: pg_sys::Oid,
    /// Its name.
    pub name: String,
    /// A template of other databases.
    pub is_template: bool,
}

/// The connection limit that an interrupted DROP DATABASE leaves.
const INVALID: i32 = -2;

/// The databases that allow connections. Called in a transaction of a worker without a database: `pg_database` is one
/// of the few catalogs that it can read, but not with SQL.
pub fn open_databases() -> Vec<Database> {
    let mut databases = Vec::new();
    let lock = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
    // SAFETY: we are in a transaction. The scan and the relation are closed as they were opened, or by the abort; a
    // tuple is read before the next one is fetched. The fixed part of a row has the layout of the catalog's C struct.
    unsafe {
        let relation = pg_sys::table_open(pg_sys::DatabaseRelationId, lock);
        let scan = pg_sys::table_beginscan_catalog(relation, 0, std::ptr::null_mut());
        loop {
            let tuple = pg_sys::heap_getnext(scan, pg_sys::ScanDirection::ForwardScanDirection);
            if tuple.is_null() {
                break;
            }
            let row = pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_database>();
            if (*row).datallowconn && (*row).datconnlimit != INVALID {
                let name = CStr::from_ptr((&raw const (*row).datname.data).cast());
                databases.push(Database {
                    oid: (*row).oid,
                    name: name.to_string_lossy().into_owned(),
                    is_template: (*row).datistemplate,
                });
            }
        }
        pg_sys::table_endscan(scan);
        pg_sys::table_close(relation, lock);
    }
    databases.sort_by_key(|database| database.oid.to_u32());
    databases
}

/// Whether the database has a directory, which it loses when it is dropped. This needs no connection; a connection to a
/// dropped database ends with FATAL.
pub fn has_directory(database: pg_sys::Oid) -> bool {
    let (data, name) = (session::data_directory(), database.to_u32().to_string());
    let data = Path::new(&data);
    if data.join("base").join(&name).is_dir() {
        return true;
    }
    let entries = |directory: &Path| std::fs::read_dir(directory).into_iter().flatten().flatten();
    // pg_tblspc/<tablespace>/PG_<version>/<database>
    entries(&data.join("pg_tblspc"))
        .flat_map(|tablespace| entries(&tablespace.path()))
        .any(|version| version.path().join(&name).is_dir())
}
