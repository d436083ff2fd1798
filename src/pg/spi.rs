//! Queries through SPI, and their rows.
//!
//! pgrx decides by the state of the transaction whether SPI runs a query as read-only. Here the caller says which
//! snapshot a query uses: see [`Snapshot`].

use std::collections::TryReserveError;
use std::ffi::{CStr, c_long};

use pgrx::datum::{DatumWithOid, Timestamp};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{FromDatum, IntoDatum, PgLogLevel, PgSqlErrorCode, PgTrigger, PgTupleDesc, pg_sys};

use super::jsonb::JsonbText;
use super::plans::{KeptPlan, Sql};
use crate::pg::interrupts;

/// Which changes a query sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Snapshot {
    /// The active snapshot: that of the calling statement. Consecutive queries are consistent while others commit.
    /// Parallel workers may help.
    Active,
    /// The snapshot of a new statement, by the isolation level of the transaction.
    Statement,
    /// All that is committed now and all that this transaction has changed, in each isolation level. A load reads the ledger
    /// so after it has waited for another load.
    Latest,
}

/// A row of a result. It lives only in the call that shows it.
pub struct Row<'a> {
    tuple: pg_sys::HeapTuple,
    descriptor: pg_sys::TupleDesc,
    /// The types of its columns.
    types: &'a [pg_sys::Oid],
}

impl Row<'_> {
    /// The value of a column, as PostgreSQL stores it; `None` for NULL. It lives as long as the row. Columns count from 1.
    pub(super) fn datum(&self, column: i32) -> Option<pg_sys::Datum> {
        let mut is_null = false;
        // SAFETY: SPI owns the tuple and its descriptor, which live as long as the row. A column that does not exist is NULL.
        let datum =
            unsafe { pg_sys::SPI_getbinval(self.tuple, self.descriptor, column, &raw mut is_null) };
        (!is_null).then_some(datum)
    }

    /// The type of a column; invalid when the column does not exist.
    pub(super) fn type_of(&self, column: i32) -> pg_sys::Oid {
        let index = usize::try_from(column - 1).ok();
        index.and_then(|index| self.types.get(index)).copied().unwrap_or(pg_sys::InvalidOid)
    }

    /// Raises an ERROR unless the column has one of these types.
    fn require_type(&self, column: i32, types: &[pg_sys::Oid]) {
        let found = self.type_of(column);
        if !types.contains(&found) {
            let message = format!(
                "column {column} of a query has type {}, expected {}",
                found.to_u32(),
                types[0].to_u32()
            );
            ErrorReport::new(PgSqlErrorCode::ERRCODE_DATATYPE_MISMATCH, message, "Row::get")
                .report(PgLogLevel::ERROR);
        }
    }

    /// The value of a column; `None` for NULL. A column of another type is an ERROR.
    pub fn get<T: FromDatum + IntoDatum + Plain>(&self, column: i32) -> Option<T> {
        self.require_type(column, &[T::type_oid()]);
        // SAFETY: the column has the type of `T`; the value is copied.
        unsafe { T::from_datum(self.datum(column)?, false) }
    }

    /// The coordinates of a column of type point.
    pub fn point(&self, column: i32) -> Option<(f64, f64)> {
        self.get::<pg_sys::Point>(column).map(|point| (point.x, point.y))
    }

    /// Copies the bytes of a column of type text or bytea; `false` for NULL.
    ///
    /// # Errors
    /// When there is not enough memory.
    pub fn copy_bytes(&self, column: i32, into: &mut Vec<u8>) -> Result<bool, TryReserveError> {
        into.clear();
        self.require_type(column, &[pg_sys::TEXTOID, pg_sys::BYTEAOID]);
        let Some(datum) = self.datum(column) else { return Ok(false) };
        // SAFETY: the datum is a varlena, which is checked. A detoasted copy is ours: its bytes are copied, then it is freed.
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

    /// The text of a column of type text; `None` for NULL. Bytes that are not UTF-8 are replaced.
    pub fn text(&self, column: i32) -> Option<String> {
        let mut bytes = Vec::new();
        self.require_type(column, &[pg_sys::TEXTOID]);
        let is_there = self.copy_bytes(column, &mut bytes).expect("memory for a short text");
        is_there.then(|| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The text of a column of type jsonb; `None` for NULL.
    pub fn json(&self, column: i32) -> Option<String> {
        self.require_type(column, &[pg_sys::JSONBOID]);
        // SAFETY: the column has this type.
        let JsonbText(text) = unsafe {
            JsonbText::from_polymorphic_datum(self.datum(column)?, false, pg_sys::JSONBOID)?
        };
        Some(String::from_utf8_lossy(&text).into_owned())
    }

    /// The bytes of a column of type bytea.
    pub fn bytes(&self, column: i32) -> Option<&[u8]> {
        self.require_type(column, &[pg_sys::BYTEAOID]);
        let datum = self.datum(column)?;
        // SAFETY: the datum is a bytea, which is checked. A detoasted copy is in SPI's memory, as the row is.
        unsafe {
            let value = pg_sys::pg_detoast_datum_packed(datum.cast_mut_ptr());
            Some(pgrx::varlena::varlena_to_byte_slice(value))
        }
    }
}

/// Types whose values are copied out of a row.
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

/// Runs a query to its end and shows each row of the result, which should be small.
pub fn query<'a>(
    sql: impl Into<Sql<'a>>,
    arguments: &[DatumWithOid<'_>],
    snapshot: Snapshot,
    mut each: impl FnMut(&Row<'_>),
) {
    execute(sql.into(), arguments, snapshot, 0, None, &mut each);
}

/// Runs a query and returns what `map` makes of its first row; `None` without rows.
pub fn first<'a, T>(
    sql: impl Into<Sql<'a>>,
    arguments: &[DatumWithOid<'_>],
    snapshot: Snapshot,
    map: impl Fn(&Row<'_>) -> T,
) -> Option<T> {
    let mut result = None;
    execute(sql.into(), arguments, snapshot, 1, None, &mut |row| result = Some(map(row)));
    result
}

/// Runs a query over the transition tables of a trigger, with the active snapshot.
pub fn query_in_trigger(trigger: &PgTrigger<'_>, sql: &CStr, mut each: impl FnMut(&Row<'_>)) {
    execute(Sql::Once(sql), &[], Snapshot::Active, 0, Some(trigger), &mut each);
}

fn execute(
    sql: Sql<'_>,
    arguments: &[DatumWithOid<'_>],
    snapshot: Snapshot,
    limit: c_long,
    trigger: Option<&PgTrigger<'_>>,
    each: &mut impl FnMut(&Row<'_>),
) {
    let mut arguments = Arguments::of(arguments);
    let is_latest = snapshot == Snapshot::Latest;
    // SAFETY: SPI is connected and finished here; an ERROR in between leaves the finish to the abort of the transaction.
    // The active snapshot is popped as it was pushed, or by the abort. The arrays have `count` values and live through
    // the call. With read_only = true SPI uses the active snapshot, otherwise it takes one as for any statement. The
    // trigger's data are PostgreSQL's and live through the call; SPI only reads them.
    unsafe {
        if is_latest {
            pg_sys::CommandCounterIncrement();
            pg_sys::PushActiveSnapshot(pg_sys::GetLatestSnapshot());
        }
        pg_sys::SPI_connect();
        if let Some(trigger) = trigger {
            let data: *const pg_sys::TriggerData = trigger.trigger_data();
            pg_sys::SPI_register_trigger_data(data.cast_mut());
        }
        let is_read_only = snapshot != Snapshot::Statement;
        let status = match sql {
            Sql::Once(sql) => pg_sys::SPI_execute_with_args(
                sql.as_ptr(),
                arguments.count(),
                arguments.types.as_mut_ptr(),
                arguments.values.as_mut_ptr(),
                arguments.nulls.as_ptr(),
                is_read_only,
                limit,
            ),
            Sql::Kept(sql) => pg_sys::SPI_execute_plan(
                KeptPlan::of(sql, &arguments.types).as_ptr(),
                arguments.values.as_mut_ptr(),
                arguments.nulls.as_ptr(),
                is_read_only,
                limit,
            ),
        };
        assert!(status >= 0, "SPI failed with code {status}");
        show(pg_sys::SPI_tuptable, each);
        pg_sys::SPI_finish();
        if is_latest {
            pg_sys::PopActiveSnapshot();
        }
    }
}

/// Fetches the next rows of an open cursor and shows them, until `each` fails. Returns how many were fetched. Their memory
/// is free afterwards.
///
/// # Errors
/// Those of `each`.
pub fn fetch<E>(
    cursor: &CStr,
    rows: c_long,
    mut each: impl FnMut(&Row<'_>) -> Result<(), E>,
) -> Result<u64, E> {
    let mut result = Ok(());
    // SAFETY: SPI is connected and finished here; after an ERROR in between, the abort of the transaction finishes it.
    // The cursor is looked up by its name and must exist; its rows are not used after the finish.
    let count = unsafe {
        pg_sys::SPI_connect();
        let portal = pg_sys::SPI_cursor_find(cursor.as_ptr());
        assert!(!portal.is_null(), "cursor {cursor:?} does not exist");
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

/// Runs a query with the active snapshot and shows its rows, with this many of them in memory at a time.
pub fn query_in_batches<'a>(
    sql: impl Into<Sql<'a>>,
    arguments: &[DatumWithOid<'_>],
    rows: c_long,
    mut each: impl FnMut(&Row<'_>),
) {
    let mut arguments = Arguments::of(arguments);
    // SAFETY: as in `execute`. The portal is closed before SPI is finished; the rows of a batch are freed before the next is
    // fetched.
    unsafe {
        pg_sys::SPI_connect();
        let (name, is_read_only) = (std::ptr::null(), true);
        let portal = match sql.into() {
            Sql::Once(sql) => pg_sys::SPI_cursor_open_with_args(
                name,
                sql.as_ptr(),
                arguments.count(),
                arguments.types.as_mut_ptr(),
                arguments.values.as_mut_ptr(),
                arguments.nulls.as_ptr(),
                is_read_only,
                0,
            ),
            // The portal keeps the plan that it runs.
            Sql::Kept(sql) => pg_sys::SPI_cursor_open(
                name,
                KeptPlan::of(sql, &arguments.types).as_ptr(),
                arguments.values.as_mut_ptr(),
                arguments.nulls.as_ptr(),
                is_read_only,
            ),
        };
        loop {
            interrupts::check();
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
/// The table is one of SPI's that is not freed, or NULL.
unsafe fn show(table: *mut pg_sys::SPITupleTable, each: &mut impl FnMut(&Row<'_>)) {
    // SAFETY: our caller promises the table: it has `numvals` tuples of its descriptor.
    unsafe {
        let Some(table) = table.as_ref() else { return };
        let columns = PgTupleDesc::from_pg_unchecked(table.tupdesc);
        let types: Vec<pg_sys::Oid> = columns.iter().map(|column| column.atttypid).collect();
        let count = usize::try_from(table.numvals).unwrap_or(usize::MAX);
        for i in 0..count {
            each(&Row { tuple: *table.vals.add(i), descriptor: table.tupdesc, types: &types });
        }
    }
}
