//! A row of a table, as functions return it.
//!
//! `pgrx::composite_type!` names a row only where a function declares its result: through an alias, pgrx does not find
//! the SQL type when it generates the schema. A type of its own has the name everywhere.

/// Defines the type of the rows of a table: [`row_type!`](row_type) `(Name, "schema.table")`.
macro_rules! row_type {
    ($(#[$attribute:meta])* $name:ident, $table:literal) => {
        $(#[$attribute])*
        pub struct $name(
            pgrx::heap_tuple::PgHeapTuple<'static, pgrx::AllocatedByRust>,
        );

        impl From<pgrx::heap_tuple::PgHeapTuple<'static, pgrx::AllocatedByRust>> for $name {
            fn from(
                tuple: pgrx::heap_tuple::PgHeapTuple<'static, pgrx::AllocatedByRust>,
            ) -> Self {
                Self(tuple)
            }
        }

        pgrx::pgrx_sql_entity_graph::impl_sql_translatable!($name, $table);

        // SAFETY: returns a composite datum that PostgreSQL's own functions have formed, or NULL.
        unsafe impl pgrx::callconv::BoxRet for $name {
            unsafe fn box_into<'fcx>(
                self,
                fcinfo: &mut pgrx::callconv::FcInfo<'fcx>,
            ) -> pgrx::datum::Datum<'fcx> {
                match pgrx::IntoDatum::into_datum(self.0) {
                    // SAFETY: the datum is a copy outside of SPI's memory and outlives the call.
                    Some(datum) => unsafe { fcinfo.return_raw_datum(datum) },
                    None => fcinfo.return_null(),
                }
            }
        }
    };
}

pub(crate) use row_type;
