//! Tables of the extension, by name: `name` is a table of the schema `trips`, `schema.name` one of that schema.

use std::ffi::{CStr, CString};

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{PgLogLevel, PgSqlErrorCode, PgTupleDesc, pg_sys};

use super::safe_drop::drop_unless_panicking;
use super::{compat, session};

/// A column as it is expected.
#[derive(Debug, Clone, Copy)]
pub struct Attribute {
    /// Its name.
    pub name: &'static CStr,
    /// Its type.
    pub type_oid: pg_sys::Oid,
    /// Every row has a value there.
    pub is_required: bool,
}

impl Attribute {
    pub(super) fn is(&self, found: &pg_sys::FormData_pg_attribute) -> bool {
        self.is_named(found) && found.atttypid == self.type_oid
    }

    fn is_named(&self, found: &pg_sys::FormData_pg_attribute) -> bool {
        // SAFETY: the name of a column is a C string.
        let name = unsafe { CStr::from_ptr(found.attname.data.as_ptr()) };
        name == self.name && !found.attisdropped
    }
}

/// An open table. Its lock stays until the transaction ends; closing releases only the reference.
pub struct Table(pg_sys::Relation);

impl Table {
    /// Opens `trips.<name>` for inserting (ROW EXCLUSIVE).
    pub fn open_for_insert(name: &CStr) -> Self {
        Self::open(name, pg_sys::RowExclusiveLock)
    }

    /// Opens `trips.<name>` for reading (ACCESS SHARE).
    pub fn open_for_read(name: &CStr) -> Self {
        Self::open(name, pg_sys::AccessShareLock)
    }

    /// Opens a table by its oid for inserting.
    pub fn open_oid_for_insert(oid: pg_sys::Oid) -> Self {
        // SAFETY: a dropped table is an ERROR.
        Self(unsafe { pg_sys::table_open(oid, pg_sys::RowExclusiveLock as pg_sys::LOCKMODE) })
    }

    /// Opens a table by its oid for reading (ACCESS SHARE).
    pub fn open_oid_for_reading(oid: pg_sys::Oid) -> Self {
        // SAFETY: a dropped table is an ERROR.
        Self(unsafe { pg_sys::table_open(oid, pg_sys::AccessShareLock as pg_sys::LOCKMODE) })
    }

    /// Opens `trips.<name>` for inserting, if there is such a table.
    pub fn find_for_insert(name: &CStr) -> Option<Self> {
        Self::find(name).map(Self::open_oid_for_insert)
    }

    /// The oid of `trips.<name>`, independent of the caller's privileges; None if there is no such table.
    pub fn find(name: &CStr) -> Option<pg_sys::Oid> {
        Some(Self::oid_of(name)).filter(|&oid| oid != pg_sys::InvalidOid)
    }

    /// Whether the current user has the privileges of the owner of `trips.<name>`. It takes no lock.
    pub fn is_owned_by_current_user(name: &CStr) -> bool {
        Self::find(name).is_some_and(|table| compat::owns_table(table, session::current_user()))
    }

    fn oid_of(name: &CStr) -> pg_sys::Oid {
        let bytes = name.to_bytes_with_nul();
        let dot = bytes.iter().position(|&byte| byte == b'.');
        let schema = dot.and_then(|dot| CString::new(&bytes[..dot]).ok());
        let name =
            dot.and_then(|dot| CStr::from_bytes_with_nul(&bytes[dot + 1..]).ok()).unwrap_or(name);
        // SAFETY: both names are C strings that live through the calls; a missing object is InvalidOid.
        unsafe {
            let schema = schema.as_deref().unwrap_or(c"trips");
            let schema = pg_sys::get_namespace_oid(schema.as_ptr(), true);
            pg_sys::get_relname_relid(name.as_ptr(), schema)
        }
    }

    fn open(name: &CStr, lock: u32) -> Self {
        let oid = Self::oid_of(name);
        if oid == pg_sys::InvalidOid {
            let name = name.to_string_lossy();
            let schema = if name.contains('.') { "" } else { "trips." };
            let message = format!("table {schema}{name} does not exist");
            ErrorReport::new(PgSqlErrorCode::ERRCODE_UNDEFINED_TABLE, message, "Table::open")
                .set_hint("Run ALTER EXTENSION trips_pipeline UPDATE.")
                .report(PgLogLevel::ERROR);
        }
        // SAFETY: a table that was dropped since is an ERROR.
        Self(unsafe { pg_sys::table_open(oid, lock as pg_sys::LOCKMODE) })
    }

    /// Number of its pages.
    pub fn pages(&self) -> u32 {
        // SAFETY: the relation is open.
        unsafe { pg_sys::RelationGetNumberOfBlocksInFork(self.0, pg_sys::ForkNumber::MAIN_FORKNUM) }
    }

    /// Whether the table has no pages at all.
    pub fn has_no_pages(&self) -> bool {
        self.pages() == 0
    }

    /// Acquires the exclusive lock on each index that a rebuild needs, if all of them are free, and keeps it until the
    /// transaction ends.
    pub fn try_lock_indexes(&self) -> bool {
        let lock = pg_sys::AccessExclusiveLock as pg_sys::LOCKMODE;
        let mut indexes = self.indexes().into_iter();
        // SAFETY: an oid and a mode.
        indexes.all(|index| unsafe { pg_sys::ConditionalLockRelationOid(index, lock) })
    }

    /// Whether this session reads none of its indexes, for example by a cursor.
    pub fn has_unused_indexes(&self) -> bool {
        // SAFETY: each index is open between the two calls, whose lock stays.
        self.indexes().into_iter().all(|index| unsafe {
            let index = pg_sys::index_open(index, pg_sys::AccessShareLock as pg_sys::LOCKMODE);
            let is_unused = (*index).rd_refcnt == 1;
            pg_sys::index_close(index, pg_sys::NoLock as pg_sys::LOCKMODE);
            is_unused
        })
    }

    /// Its indexes.
    pub fn indexes(&self) -> Vec<pg_sys::Oid> {
        // SAFETY: the relation is open; the list is a copy that is ours.
        unsafe {
            let indexes = pg_sys::RelationGetIndexList(self.0);
            let count = if indexes.is_null() { 0 } else { (*indexes).length };
            (0..count).map(|i| pg_sys::list_nth_oid(indexes, i)).collect()
        }
    }

    /// Whether these are its only columns, in this order. None may be generated, or NOT NULL where a row may have NULL.
    pub fn has_columns(&self, wanted: &[Attribute]) -> bool {
        // SAFETY: the relation is open, so its descriptor is valid.
        let columns = unsafe { PgTupleDesc::from_pg_unchecked((*self.0).rd_att) };
        columns.len() == wanted.len()
            && columns.iter().zip(wanted).all(|(found, wanted)| {
                wanted.is(found)
                    && found.attgenerated == 0
                    && (wanted.is_required || !found.attnotnull)
            })
    }

    /// The first of these columns that it lacks, independent of order and other columns; and whether it has a column of
    /// this name with another type.
    pub fn missing_column(&self, wanted: &[Attribute]) -> Option<(&'static CStr, bool)> {
        // SAFETY: the relation is open, so its descriptor is valid.
        let columns = unsafe { PgTupleDesc::from_pg_unchecked((*self.0).rd_att) };
        let missing = wanted.iter().find(|wanted| !columns.iter().any(|found| wanted.is(found)))?;
        Some((missing.name, columns.iter().any(|found| missing.is_named(found))))
    }

    /// Whether the table has triggers that are not this extension's.
    pub fn has_user_triggers(&self) -> bool {
        self.triggers().any(|(is_ours, _)| !is_ours)
    }

    /// Whether the table has triggers of others that may alter a row before it is stored.
    pub fn has_user_before_triggers(&self) -> bool {
        let altering =
            pg_sys::TRIGGER_TYPE_ROW | pg_sys::TRIGGER_TYPE_BEFORE | pg_sys::TRIGGER_TYPE_INSERT;
        self.triggers().any(|(is_ours, when)| !is_ours && when & altering == altering)
    }

    /// Whether the table has triggers of this extension.
    pub fn has_change_triggers(&self) -> bool {
        self.triggers().any(|(is_ours, _)| is_ours)
    }

    /// For each trigger: whether its function is one of the schema `trips_internal`, and when it fires.
    fn triggers(&self) -> impl Iterator<Item = (bool, u32)> + use<> {
        let mut triggers = Vec::new();
        // SAFETY: the relation is open, so its description of triggers is valid, or NULL without any; it has this many.
        // The name is a C string.
        unsafe {
            if let Some(found) = (*self.0).trigdesc.as_ref() {
                let schema = pg_sys::get_namespace_oid(c"trips_internal".as_ptr(), true);
                for i in 0..usize::try_from(found.numtriggers).unwrap_or(0) {
                    let trigger = &*found.triggers.add(i);
                    let is_ours = pg_sys::get_func_namespace(trigger.tgfoid) == schema;
                    triggers.push((is_ours, u32::from(trigger.tgtype.cast_unsigned())));
                }
            }
        }
        triggers.into_iter()
    }

    /// Whether it is a plain table whose primary key has columns of these types.
    pub fn has_primary_key(&self, types: &[pg_sys::Oid]) -> bool {
        // SAFETY: the relation is open; the index is opened with a lock, closed, and in between its
        // descriptor is valid.
        unsafe {
            let is_plain = (*(*self.0).rd_rel).relkind.cast_unsigned() == pg_sys::RELKIND_RELATION;
            let key = compat::primary_key_index(self.0);
            if !is_plain || key == pg_sys::InvalidOid {
                return false;
            }
            let lock = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
            let index = pg_sys::index_open(key, lock);
            let columns = PgTupleDesc::from_pg_unchecked((*index).rd_att);
            let found = columns.iter().map(|column| column.atttypid);
            let fits = found.eq(types.iter().copied());
            pg_sys::index_close(index, pg_sys::NoLock as pg_sys::LOCKMODE);
            fits
        }
    }

    /// Its name with its schema, quoted as SQL needs it.
    pub fn name(&self) -> String {
        name_of(self.oid())
    }

    pub(super) fn as_ptr(&self) -> pg_sys::Relation {
        self.0
    }

    /// Its oid.
    pub fn oid(&self) -> pg_sys::Oid {
        // SAFETY: the relation is open.
        unsafe { (*self.0).rd_id }
    }

    /// The role that owns the table.
    pub fn owner(&self) -> pg_sys::Oid {
        // SAFETY: the relation is open, so its cache entry and rd_rel are valid.
        unsafe { (*(*self.0).rd_rel).relowner }
    }
}

drop_unless_panicking!(Table, |table| {
    // SAFETY: we opened it once and close it once.
    unsafe { pg_sys::table_close(table.0, pg_sys::NoLock as pg_sys::LOCKMODE) }
});

/// The qualified name of a table, quoted as SQL needs it. The table is not locked: a dropped table has no name.
pub fn name_of(table: pg_sys::Oid) -> String {
    // SAFETY: the functions return C strings of the current memory context; NULL for a dropped table.
    unsafe {
        let name = pg_sys::get_rel_name(table);
        let schema = pg_sys::get_namespace_name(pg_sys::get_rel_namespace(table));
        if name.is_null() || schema.is_null() {
            return String::new();
        }
        let name = pg_sys::quote_qualified_identifier(schema, name);
        CStr::from_ptr(name).to_string_lossy().into_owned()
    }
}
