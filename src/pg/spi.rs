//! Queries that see what the statement sees which called us: one snapshot for all of them, so that
//! what they say fits together whatever others commit meanwhile.

use std::collections::TryReserveError;
use std::ffi::{CStr, c_long};

use pgrx::datum::DatumWithOid;
use pgrx::datum::Timestamp;
use pgrx::{FromDatum, check_for_interrupts, pg_sys};
use trips_core::model::point::Point;

/// A row of an answer, as long as it is looked at.
pub struct Row {
    tuple: pg_sys::HeapTuple,
    descriptor: pg_sys::TupleDesc,
}

impl Row {
    /// The value of a column, as PostgreSQL has it; it lives as long as the row.
    pub(super) fn datum(&self, column: i32) -> Option<pg_sys::Datum> {
        let mut is_null = false;
        // SAFETY: the tuple and its descriptor are SPI's, which lives while the row does; a column that
        // there is none of is NULL.
        let datum =
            unsafe { pg_sys::SPI_getbinval(self.tuple, self.descriptor, column, &raw mut is_null) };
        (!is_null).then_some(datum)
    }

    /// The value of a column that has the SQL type of `T`, a plain one; columns count from 1.
    pub fn get<T: FromDatum + Plain>(&self, column: i32) -> Option<T> {
        // SAFETY: the queries of this crate give their columns the types that they are read as, and the
        // value is copied.
        unsafe { T::from_datum(self.datum(column)?, false) }
    }

    /// The point of a column of that type.
    pub fn point(&self, column: i32) -> Option<Point> {
        let point = self.get::<pg_sys::Point>(column)?;
        Some(Point { longitude: point.x, latitude: point.y })
    }

    /// Writes the bytes of a column of the type text or bytea; `false` when it is NULL. Nothing else keeps them.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn copy_bytes(&self, column: i32, into: &mut Vec<u8>) -> Result<bool, TryReserveError> {
        into.clear();
        let Some(datum) = self.datum(column) else { return Ok(false) };
        // SAFETY: the datum is a varlena. What detoasting makes of it, if it makes anything, is ours: it is copied
        // and freed here.
        unsafe {
            let stored = datum.cast_mut_ptr();
            let value = pg_sys::pg_detoast_datum_packed(stored);
            let bytes = pgrx::varlena::varlena_to_byte_slice(value);
            let reserved = into.try_reserve_exact(bytes.len());
            if reserved.is_ok() {
                into.extend_from_slice(bytes);
            }
            if value != stored {
                pg_sys::pfree(value.cast());
            }
            reserved.map(|()| true)
        }
    }

    /// The bytes of a column of the type bytea.
    pub fn bytes(&self, column: i32) -> Option<&[u8]> {
        let datum = self.datum(column)?;
        // SAFETY: the datum is a bytea; what is made of it lives in SPI's memory, as the row does.
        unsafe {
            let value = pg_sys::pg_detoast_datum_packed(datum.cast_mut_ptr());
            Some(pgrx::varlena::varlena_to_byte_slice(value))
        }
    }
}

/// Values that are copied out of a row.
pub trait Plain {}
impl Plain for bool {}
impl Plain for i32 {}
impl Plain for i64 {}
impl Plain for Timestamp {}
impl Plain for pg_sys::Point {}

struct Arguments {
    types: Vec<pg_sys::Oid>,
    values: Vec<pg_sys::Datum>,
    nulls: Vec<std::ffi::c_char>,
}

impl Arguments {
    fn of(arguments: &[DatumWithOid<'_>]) -> Self {
        let value =
            |argument: &DatumWithOid<'_>| argument.datum().map(|datum| datum.sans_lifetime());
        Self {
            types: arguments.iter().map(DatumWithOid::oid).collect(),
            values: arguments.iter().map(|a| value(a).unwrap_or(pg_sys::Datum::null())).collect(),
            nulls: arguments
                .iter()
                .map(|a| if value(a).is_none() { b'n' } else { b' ' }.cast_signed())
                .collect(),
        }
    }

    fn count(&self) -> i32 {
        i32::try_from(self.types.len()).expect("a few arguments")
    }
}

/// Runs a query to its end and shows every row of the answer, which should be small. Workers may help.
pub fn all(query: &CStr, arguments: &[DatumWithOid<'_>], mut each: impl FnMut(&Row)) {
    run(query, arguments, true, &mut each);
}

/// The same, but the query sees what a statement that begins now would see. Nothing of the answer stays in memory.
pub fn all_by_now(query: &CStr, arguments: &[DatumWithOid<'_>], mut each: impl FnMut(&Row)) {
    run(query, arguments, false, &mut each);
}

fn run(query: &CStr, arguments: &[DatumWithOid<'_>], read_only: bool, each: &mut impl FnMut(&Row)) {
    let mut arguments = Arguments::of(arguments);
    // SAFETY: SPI is connected and finished here, in one piece; an ERROR in between leaves the finish to
    // the transaction's abort. The arrays have `count` values and live through the call. Arguments are
    // copied before anything is freed. With read_only = true the query uses the active snapshot, otherwise SPI takes one
    // as for any statement.
    unsafe {
        pg_sys::SPI_connect();
        let status = pg_sys::SPI_execute_with_args(
            query.as_ptr(),
            arguments.count(),
            arguments.types.as_mut_ptr(),
            arguments.values.as_mut_ptr(),
            arguments.nulls.as_ptr(),
            read_only,
            0,
        );
        assert!(status >= 0, "a question failed with code {status}");
        show(pg_sys::SPI_tuptable, each);
        pg_sys::SPI_finish();
    }
}

/// Fetches the next rows of an open cursor and shows them, until one fails; returns how many there were. Their memory
/// is free afterwards.
///
/// # Errors
/// What `each` says.
pub fn fetch<E>(
    cursor: &CStr,
    rows: c_long,
    mut each: impl FnMut(&Row) -> Result<(), E>,
) -> Result<u64, E> {
    let mut result = Ok(());
    // SAFETY: SPI is connected and finished here, in one piece; an ERROR in between leaves the finish to the
    // transaction's abort. The cursor is looked up by its name, and asked only when it is there; its rows are not
    // looked at after the finish.
    let count = unsafe {
        pg_sys::SPI_connect();
        let portal = pg_sys::SPI_cursor_find(cursor.as_ptr());
        assert!(!portal.is_null(), "the cursor {cursor:?} is gone");
        pg_sys::SPI_cursor_fetch(portal, true, rows);
        let count = pg_sys::SPI_processed;
        show(pg_sys::SPI_tuptable, &mut |row| {
            if result.is_ok() {
                result = each(row);
            }
        });
        pg_sys::SPI_finish();
        count
    };
    result.map(|()| count)
}

/// Runs a query and shows its rows, so many of them in memory at a time.
pub fn some_at_a_time(
    query: &CStr,
    arguments: &[DatumWithOid<'_>],
    rows: c_long,
    mut each: impl FnMut(&Row),
) {
    let mut arguments = Arguments::of(arguments);
    // SAFETY: as above; the portal is closed before SPI is finished, its rows are freed before the next
    // are fetched.
    unsafe {
        pg_sys::SPI_connect();
        let portal = pg_sys::SPI_cursor_open_with_args(
            std::ptr::null(),
            query.as_ptr(),
            arguments.count(),
            arguments.types.as_mut_ptr(),
            arguments.values.as_mut_ptr(),
            arguments.nulls.as_ptr(),
            true,
            0,
        );
        loop {
            check_for_interrupts!();
            pg_sys::SPI_cursor_fetch(portal, true, rows);
            if pg_sys::SPI_processed == 0 {
                break;
            }
            let table = pg_sys::SPI_tuptable;
            show(table, &mut each);
            pg_sys::SPI_freetuptable(table);
        }
        pg_sys::SPI_cursor_close(portal);
        pg_sys::SPI_finish();
    }
}

/// # Safety
/// The table is SPI's, and there, or NULL.
unsafe fn show(table: *mut pg_sys::SPITupleTable, each: &mut impl FnMut(&Row)) {
    // SAFETY: our caller promises that the table is there: it has so many tuples.
    unsafe {
        let Some(table) = table.as_ref() else { return };
        let count = usize::try_from(table.numvals).unwrap_or(usize::MAX);
        for i in 0..count {
            each(&Row { tuple: *table.vals.add(i), descriptor: table.tupdesc });
        }
    }
}
