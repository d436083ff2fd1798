//! Rows of a materialized view, written one by one, as logical replication applies changes to a table.
//!
//! PostgreSQL lets only REFRESH write into a materialized view, and REFRESH computes all of it. Below the executor the
//! view is a heap with indexes: rows in it are transactional, logged and vacuumed as those of a table, and REFRESH …
//! CONCURRENTLY writes there, too. A materialized view cannot have triggers, constraints, policies or generated
//! columns, so nothing else depends on a written row.

use std::ffi::CStr;

use pgrx::datum::DatumWithOid;
use pgrx::{PgList, pg_sys};

use super::plans::Sql;
use super::relation::{Attribute, Table};
use super::spi::{self, Row};
use super::{compat, extension};

/// Changes that are in memory at a time.
const AT_ONCE: std::ffi::c_long = 1_000;

/// A populated materialized view of this extension, open for writing. Its lock, ROW EXCLUSIVE, stays until the
/// transaction ends. So no REFRESH replaces its rows between the writes.
pub struct MatView(Table);

impl MatView {
    /// Opens `trips.<name>`. Returns None if it is not as the extension creates it: a populated materialized view with
    /// columns of exactly these types, and a unique index on the first `key` of them. Its lock stays in both cases.
    pub fn open(name: &CStr, columns: &[Attribute], key: i16) -> Option<Self> {
        let view = Self(Table::find_for_insert(name)?);
        (view.is_ours() && view.has_columns(columns) && view.has_key(key)).then_some(view)
    }

    /// Whether it is filled, and the extension's: its definition is the extension's then, because no command
    /// changes that of a materialized view.
    fn is_ours(&self) -> bool {
        // SAFETY: the relation is open, so its description is valid; the others are two oids.
        unsafe {
            let class = &*(*self.0.as_ptr()).rd_rel;
            class.relkind.cast_unsigned() == pg_sys::RELKIND_MATVIEW
                && class.relispopulated
                && class.relpersistence.cast_unsigned() == pg_sys::RELPERSISTENCE_PERMANENT
                && extension::has_member(pg_sys::RelationRelationId, self.0.oid())
        }
    }

    /// By their types: a column may have been renamed.
    fn has_columns(&self, wanted: &[Attribute]) -> bool {
        // SAFETY: the relation is open, so its descriptor is valid.
        let found = unsafe { pgrx::PgTupleDesc::from_pg_unchecked((*self.0.as_ptr()).rd_att) };
        found.len() == wanted.len()
            && found
                .iter()
                .zip(wanted)
                .all(|(found, wanted)| found.atttypid == wanted.type_oid && !found.attisdropped)
    }

    fn has_key(&self, key: i16) -> bool {
        // SAFETY: the relation is open; the list is a copy. An index is opened with a lock that is kept. While it is
        // open its descriptions are valid: `indkey` has `indnatts` columns.
        unsafe {
            let indexes = pg_sys::RelationGetIndexList(self.0.as_ptr());
            PgList::<pg_sys::Oid>::from_pg(indexes).iter_oid().any(|oid| {
                let lock = pg_sys::RowExclusiveLock as pg_sys::LOCKMODE;
                let index = pg_sys::index_open(oid, lock);
                let form = &*(*index).rd_index;
                let columns = form.indkey.values.as_slice(usize::try_from(key).unwrap_or(0));
                let fits = form.indisunique
                    && form.indimmediate
                    && form.indisvalid
                    && form.indnkeyatts == key
                    && columns.iter().copied().eq(1..=key)
                    && pg_sys::RelationGetIndexPredicate(index).is_null();
                pg_sys::index_close(index, pg_sys::NoLock as pg_sys::LOCKMODE);
                fits
            })
        }
    }

    /// Applies changes that a query finds with the latest snapshot. A row of the result is a change: the `ctid` of the
    /// view's row, NULL for a new one; whether that row is deleted; and the values of the view's columns, in their
    /// types.
    pub fn apply(&self, changes: Sql<'_>, arguments: &[DatumWithOid<'_>]) {
        // SAFETY: we are in a transaction, and not in parallel mode. The snapshot is popped as it was pushed, or by
        // the abort. The changes are seen by the next command: the query that finds them does not.
        unsafe {
            pg_sys::CommandCounterIncrement();
            pg_sys::PushActiveSnapshot(pg_sys::GetLatestSnapshot());
            // Before the query, because the query's memory context is freed with it.
            let mut writer = Writer::begin(&self.0);
            spi::query_in_batches(changes, arguments, AT_ONCE, |row| writer.write(row));
            writer.finish();
            pg_sys::PopActiveSnapshot();
            pg_sys::CommandCounterIncrement();
        }
    }
}

/// Writes rows into the heap of a table and into all of its indexes.
struct Writer<'a> {
    table: &'a Table,
    state: *mut pg_sys::EState,
    target: *mut pg_sys::ResultRelInfo,
    slot: *mut pg_sys::TupleTableSlot,
    /// Memory of one row.
    scratch: pg_sys::MemoryContext,
}

impl<'a> Writer<'a> {
    fn begin(table: &'a Table) -> Self {
        // SAFETY: the table is open and locked for writing while `self` lives. What is made here is in the state's
        // memory, which `finish` releases, or the abort of the transaction. The number 0 means that the relation is in
        // no range table: the functions that we call do not look for one then.
        unsafe {
            let state = pg_sys::CreateExecutorState();
            let before = pg_sys::MemoryContextSwitchTo((*state).es_query_cxt);
            let size = std::mem::size_of::<pg_sys::ResultRelInfo>();
            let target: *mut pg_sys::ResultRelInfo = pg_sys::palloc0(size).cast();
            pg_sys::InitResultRelInfo(target, table.as_ptr(), 0, std::ptr::null_mut(), 0);
            pg_sys::ExecOpenIndices(target, false);
            let slot = pg_sys::table_slot_create(table.as_ptr(), std::ptr::null_mut());
            let scratch = pg_sys::AllocSetContextCreateInternal(
                (*state).es_query_cxt,
                c"trips view".as_ptr(),
                0,
                8 * 1024,
                8 * 1024 * 1024,
            );
            pg_sys::MemoryContextSwitchTo(before);
            Self { table, state, target, slot, scratch }
        }
    }

    fn write(&mut self, row: &Row) {
        // SAFETY: the result's columns have the types that `MatView::apply` requires, and its row lives through the
        // call: a `ctid` is a pointer to six bytes. The active snapshot sees the row. If another transaction had
        // changed it since, PostgreSQL's function would raise an ERROR.
        unsafe {
            let before = pg_sys::MemoryContextSwitchTo(self.scratch);
            let (table, snapshot) = (self.table.as_ptr(), pg_sys::GetActiveSnapshot());
            let old = row.datum(1).map(|tid| *tid.cast_mut_ptr::<pg_sys::ItemPointerData>());
            let goes = row.get::<bool>(2) == Some(true);
            match old {
                Some(mut old) if goes => {
                    pg_sys::simple_table_tuple_delete(table, &raw mut old, snapshot);
                }
                Some(mut old) => {
                    self.fill(row);
                    let new = self.slot;
                    let how = compat::update_tuple(table, &raw mut old, new, snapshot);
                    compat::insert_into_indexes(self.target, new, self.state, how);
                }
                None => {
                    self.fill(row);
                    pg_sys::simple_table_tuple_insert(table, self.slot);
                    let all = compat::IndexesToUpdate::All;
                    compat::insert_into_indexes(self.target, self.slot, self.state, all);
                }
            }
            pg_sys::ExecClearTuple(self.slot);
            if let Some(expressions) = (*self.state).es_per_tuple_exprcontext.as_ref() {
                pg_sys::MemoryContextReset(expressions.ecxt_per_tuple_memory);
            }
            pg_sys::MemoryContextSwitchTo(before);
            pg_sys::MemoryContextReset(self.scratch);
        }
    }

    /// Fills the slot with the values of a change, which follow two columns.
    fn fill(&mut self, row: &Row) {
        // SAFETY: the slot is the table's, and empty; it has as many values as the table has columns, and all are
        // set. The values live as long as the row, which the slot is cleared before.
        unsafe {
            let slot = &mut *self.slot;
            let columns = usize::try_from((*slot.tts_tupleDescriptor).natts).unwrap_or(0);
            for (column, at) in (0..columns).zip(3..) {
                let value = row.datum(at);
                *slot.tts_isnull.add(column) = value.is_none();
                *slot.tts_values.add(column) = value.unwrap_or(pg_sys::Datum::null());
            }
            pg_sys::ExecStoreVirtualTuple(self.slot);
        }
    }

    fn finish(self) {
        // SAFETY: releases what `begin` acquired, once. The locks of the indexes stay.
        unsafe {
            pg_sys::ExecCloseIndices(self.target);
            pg_sys::ExecDropSingleTupleTableSlot(self.slot);
            pg_sys::FreeExecutorState(self.state);
        }
    }
}
