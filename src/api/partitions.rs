//! The partitions of the history. The signatures and comments are in sql/80_changes.sql.

use pgrx::datum::Timestamp as PgTimestamp;
use pgrx::iter::TableIterator;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{name, pg_extern, pg_sys};
use trips_core::model::partition_bounds::Bound;

use crate::derived::changes;
use crate::history;
use crate::pg::{error_fields, session};

/// `trips.partition_bounds() -> setof (partition, lower_bound, upper_bound, is_default)`
#[pg_extern(sql = false)]
fn partition_bounds() -> TableIterator<
    'static,
    (
        name!(partition, pg_sys::Oid),
        name!(lower_bound, Option<PgTimestamp>),
        name!(upper_bound, Option<PgTimestamp>),
        name!(is_default, bool),
    ),
> {
    let _errors = error_fields::preserve();
    let time = |bound| match bound {
        Bound::At(time) => PgTimestamp::try_from(time.0).ok(),
        Bound::MinValue | Bound::MaxValue => None,
    };
    let rows =
        history::partition_bounds().into_iter().map(move |(partition, bounds, is_default)| {
            (partition, time(bounds.lower), time(bounds.upper), is_default)
        });
    TableIterator::new(rows)
}

/// `trips.repair_partitions() -> setof (moved_from, moved_to, trips, duplicates)`
#[pg_extern(sql = false)]
fn repair_partitions() -> Result<
    TableIterator<
        'static,
        (
            name!(moved_from, pg_sys::Oid),
            name!(moved_to, pg_sys::Oid),
            name!(trips, i64),
            name!(duplicates, i64),
        ),
    >,
    ErrorReport,
> {
    let _errors = error_fields::preserve();
    session::require_writable(c"trips.repair_partitions()");
    let moved = changes::repair_partitions()?;
    let rows = moved.into_iter().map(|moved| {
        let duplicates = moved.duplicates.iter().map(|(_, count)| count).sum();
        (moved.from, moved.to, moved.trips, duplicates)
    });
    Ok(TableIterator::new(rows))
}
