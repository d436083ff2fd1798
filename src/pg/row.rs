//! A row of `trips.loads`, as functions return it.
//!
//! `pgrx::composite_type!` stands for a row only where a function declares its result: through an alias, pgrx does not find
//! the SQL type when it generates the schema. A type of our own carries the name everywhere.

use pgrx::callconv::{BoxRet, FcInfo};
use pgrx::datum::Datum;
use pgrx::heap_tuple::PgHeapTuple;
use pgrx::{AllocatedByRust, IntoDatum};

/// A row of the ledger.
pub struct LoadRow(PgHeapTuple<'static, AllocatedByRust>);

impl From<PgHeapTuple<'static, AllocatedByRust>> for LoadRow {
    fn from(tuple: PgHeapTuple<'static, AllocatedByRust>) -> Self {
        Self(tuple)
    }
}

pgrx::pgrx_sql_entity_graph::impl_sql_translatable!(LoadRow, "trips.loads");

// SAFETY: returns a composite datum that PostgreSQL's own functions have formed, or NULL.
unsafe impl BoxRet for LoadRow {
    unsafe fn box_into<'fcx>(self, fcinfo: &mut FcInfo<'fcx>) -> Datum<'fcx> {
        match self.0.into_datum() {
            // SAFETY: the datum is a copy outside of SPI's memory and outlives the call.
            Some(datum) => unsafe { fcinfo.return_raw_datum(datum) },
            None => fcinfo.return_null(),
        }
    }
}
