//! Questions that must see what is committed now, whatever the isolation level.

use std::ffi::CStr;

use pgrx::datum::DatumWithOid;
use pgrx::{FromDatum, pg_sys};

/// Runs a query with arguments that are not NULL, and returns the two bigints of its first row.
///
/// A load asks the ledger this way after it has waited for another load: in REPEATABLE READ, the
/// transaction's own snapshot would still show the time before.
pub fn two_bigints(query: &CStr, arguments: &[DatumWithOid<'_>]) -> Option<(i64, i64)> {
    let mut types: Vec<pg_sys::Oid> = arguments.iter().map(DatumWithOid::oid).collect();
    let mut values = Vec::with_capacity(arguments.len());
    for argument in arguments {
        values.push(argument.datum()?.sans_lifetime());
    }
    let count = i32::try_from(values.len()).ok()?;
    // SAFETY: SPI is connected and finished here, in one piece; an ERROR in between leaves the
    // finish to the transaction's abort. The active snapshot is popped as it was pushed. The arrays
    // live through the call; NULL for the nulls says there are none. With read_only = true the query
    // uses the active snapshot. The tuple table, if there is a row, has two bigint columns.
    unsafe {
        pg_sys::CommandCounterIncrement();
        pg_sys::PushActiveSnapshot(pg_sys::GetLatestSnapshot());
        pg_sys::SPI_connect();
        let status = pg_sys::SPI_execute_with_args(
            query.as_ptr(),
            count,
            types.as_mut_ptr(),
            values.as_mut_ptr(),
            std::ptr::null(),
            true,
            1,
        );
        assert!(status >= 0, "a query of the ledger failed with code {status}");
        let mut answer = None;
        if pg_sys::SPI_processed > 0 {
            let table = pg_sys::SPI_tuptable;
            let number = |column| {
                let mut is_null = false;
                let tuple = *(*table).vals;
                let value =
                    pg_sys::SPI_getbinval(tuple, (*table).tupdesc, column, &raw mut is_null);
                i64::from_datum(value, is_null)
            };
            answer = number(1).zip(number(2));
        }
        pg_sys::SPI_finish();
        pg_sys::PopActiveSnapshot();
        answer
    }
}
