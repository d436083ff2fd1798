//! What keeps the derived tables right. The signatures and comments are in sql/80_changes.sql.

use pgrx::heap_tuple::PgHeapTuple;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{AllocatedByRust, PgLogLevel, PgTrigger, PgTriggerError, pg_extern, pg_sys, pg_trigger};

use crate::derived::changes::{self, Touched};
use crate::error::LoadError;
use crate::pg::own_settings::OwnSettings;
use crate::pg::relation::Table;
use crate::pg::{error_fields, event_trigger, session, transition_tables};

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
    let touched = match transition_tables::changed_days(trigger) {
        Some(days) => Touched::Days(days),
        None if Table::find(c"hist_trip_data") == Some(table) => Touched::Everything,
        None => Touched::Partition,
    };
    let may_bring = trigger.event().fired_by_insert() || trigger.event().fired_by_update();
    if let Err(error) = changes::end(table, touched, may_bring) {
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

/// The event trigger after ALTER TABLE, CREATE TABLE and their like.
#[pg_extern(sql = false)]
fn track_partitions(call: pg_sys::FunctionCallInfo) -> Result<(), ErrorReport> {
    let _errors = error_fields::preserve();
    changes::partitions_altered(event_trigger::detaches(call)).map_err(LoadError::into)
}

/// The event trigger after DROP TABLE and its like.
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

/// `trips.rebuild()`
#[pg_extern(sql = false)]
fn rebuild() -> Result<(), ErrorReport> {
    let _errors = error_fields::preserve();
    session::require_writable(c"trips.rebuild()");
    changes::rebuild().map_err(LoadError::into)
}
