//! What a statement has changed in the table whose trigger calls us.

use pgrx::{FromDatum, PgTrigger, pg_sys};

/// The days (since 2000-01-01) of the rows that the statement has added or removed, in order; those outside of the
/// years 1 to 9999 are of the first or the last of these days. None when the trigger has
/// no transition tables, and nobody knows.
pub fn changed_days(trigger: &PgTrigger<'_>) -> Option<Vec<i32>> {
    let data = trigger.trigger_data();
    let definition = trigger.trigger();
    let names = [definition.tgnewtable, definition.tgoldtable];
    let parts: Vec<String> = names
        .into_iter()
        .filter(|name| !name.is_null())
        .map(|name| {
            // SAFETY: the names of transition tables are C strings of the trigger's definition; the
            // result is one in the current memory context.
            let name = unsafe { std::ffi::CStr::from_ptr(pg_sys::quote_identifier(name)) };
            let name = name.to_string_lossy();
            format!("SELECT c.date_time FROM {name} AS c")
        })
        .collect();
    if parts.is_empty() {
        return None;
    }
    let query = format!(
        "SELECT DISTINCT least(greatest(c.date_time, '0001-01-01'), '9999-12-31')::date - date '2000-01-01'
           FROM ({}) AS c ORDER BY 1",
        parts.join(" UNION ALL ")
    );
    let query = std::ffi::CString::new(query).unwrap_or_default();
    let mut days = Vec::new();
    // SAFETY: SPI is connected and finished here, in one piece; an ERROR in between leaves the finish to
    // the transaction's abort. The trigger's data is PostgreSQL's and lives through the call; it is only
    // read. The answer has one column of the type int, which is never NULL.
    unsafe {
        pg_sys::SPI_connect();
        let data: *const pg_sys::TriggerData = data;
        pg_sys::SPI_register_trigger_data(data.cast_mut());
        let status = pg_sys::SPI_execute(query.as_ptr(), true, 0);
        assert!(status >= 0, "the changed days are not told: code {status}");
        if let Some(table) = pg_sys::SPI_tuptable.as_ref() {
            for i in 0..usize::try_from(table.numvals).unwrap_or(0) {
                let mut is_null = false;
                let datum =
                    pg_sys::SPI_getbinval(*table.vals.add(i), table.tupdesc, 1, &raw mut is_null);
                days.extend(i32::from_datum(datum, is_null));
            }
        }
        pg_sys::SPI_finish();
    }
    Some(days)
}
