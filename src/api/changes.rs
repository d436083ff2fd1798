//! Triggers that track changes of the history and its partitions, and derived data.

use pgrx::datum::Timestamp as PgTimestamp;
use pgrx::heap_tuple::PgHeapTuple;
use pgrx::iter::TableIterator;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{
    AllocatedByRust, PgLogLevel, PgTrigger, PgTriggerError, name, pg_extern, pg_sys, pg_trigger,
};
use trips_core::model::partition_bounds::Bound;

use crate::derived::changes::{self, Touched};
use crate::derived::rebuild;
use crate::error::LoadError;
use crate::history;
use crate::pg::own_settings::OwnSettings;
use crate::pg::relation::Table;
use crate::pg::{error_fields, event_trigger, session};

/// The triggers of the history and of its partitions.
#[pg_trigger(sql = false)]
fn track_changes<'a>(
    trigger: &'a PgTrigger<'a>,
) -> Result<Option<PgHeapTuple<'a, AllocatedByRust>>, PgTriggerError> {
    let _errors = error_fields::preserve();
    let _settings = OwnSettings::set();
    if trigger.event().fired_before() {
        if let Err(error) = changes::begin() {
            ErrorReport::from(error).report(PgLogLevel::ERROR);
        }
        return Ok(None);
    }
    let table = trigger.relid()?;
    let touched = match changes::changed_days(trigger) {
        Some(days) => Touched::Days(days),
        None if Table::find(c"hist_trip_data") == Some(table) => Touched::Everything,
        None => Touched::Partition,
    };
    let adds_rows = trigger.event().fired_by_insert() || trigger.event().fired_by_update();
    if let Err(error) = changes::end(table, touched, adds_rows) {
        ErrorReport::from(error).report(PgLogLevel::ERROR);
    }
    Ok(None)
}

/// The event trigger before ALTER TABLE.
#[pg_extern(sql = false)]
fn lock_partitions(call: pg_sys::FunctionCallInfo) -> Result<(), ErrorReport> {
    let _errors = error_fields::preserve();
    changes::partition_comes(call).map_err(LoadError::into)
}

/// The event trigger after ALTER TABLE, CREATE TABLE and similar commands.
#[pg_extern(sql = false)]
fn track_partitions(call: pg_sys::FunctionCallInfo) -> Result<(), ErrorReport> {
    let _errors = error_fields::preserve();
    changes::partitions_altered(event_trigger::detaches(call)).map_err(LoadError::into)
}

/// The event trigger after DROP TABLE and similar commands.
#[pg_extern(sql = false)]
fn track_dropped_partitions() -> Result<(), ErrorReport> {
    let _errors = error_fields::preserve();
    changes::partitions_altered(true).map_err(LoadError::into)
}

/// The event trigger before REFRESH MATERIALIZED VIEW.
#[pg_extern(sql = false)]
fn lock_refresh(call: pg_sys::FunctionCallInfo) -> Result<(), ErrorReport> {
    let _errors = error_fields::preserve();
    changes::refresh_begins(call).map_err(LoadError::into)
}

/// The event trigger after REFRESH MATERIALIZED VIEW.
#[pg_extern(sql = false)]
fn track_refresh() -> Result<(), ErrorReport> {
    let _errors = error_fields::preserve();
    changes::refreshed().map_err(LoadError::into)
}

/// `trips.partition_bounds() -> setof (partition, lower_bound, upper_bound, is_default)`
#[pg_extern(sql = false, stable, parallel_restricted)]
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
    let moved = rebuild::repair_partitions()?;
    let rows = moved.into_iter().map(|moved| {
        let duplicates = moved.duplicates.iter().map(|(_, count)| count).sum();
        (moved.from, moved.to, moved.trips, duplicates)
    });
    Ok(TableIterator::new(rows))
}

/// `trips.rebuild()`
#[pg_extern(sql = false)]
fn rebuild() -> Result<(), ErrorReport> {
    let _errors = error_fields::preserve();
    session::require_writable(c"trips.rebuild()");
    rebuild::rebuild().map_err(LoadError::into)
}
