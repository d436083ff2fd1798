//! Loads that run. The signatures and comments are in sql/30_load.sql.

use pgrx::iter::TableIterator;
use pgrx::{name, pg_extern};

use crate::pg::error_fields;
use crate::queue::running;

/// `trips_internal.running_loads() -> (load_id, pid, phase, bytes_done, bytes_total, rows_read, started)`
#[pg_extern(sql = false)]
fn running_loads() -> TableIterator<
    'static,
    (
        name!(load_id, i64),
        name!(pid, i32),
        name!(phase, i32),
        name!(bytes_done, i64),
        name!(bytes_total, i64),
        name!(rows_read, i64),
        name!(started, i64),
    ),
> {
    let _errors = error_fields::preserve();
    let rows = running::visible_loads().into_iter().map(|load| {
        let [done, all] = load.bytes;
        let phase = i32::try_from(load.phase).unwrap_or_default();
        (load.load_id, load.pid, phase, done, all, load.rows_read, load.started)
    });
    TableIterator::new(rows)
}
