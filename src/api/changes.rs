//! What keeps the derived tables right. The signatures and comments are in sql/06_changes.sql.

use pgrx::heap_tuple::PgHeapTuple;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{AllocatedByRust, PgLogLevel, PgTrigger, PgTriggerError, pg_extern, pg_trigger};

use crate::changes::{self, Touched};
use crate::error::LoadError;
use crate::pg::{change, session};

/// The triggers of the history and of its partitions.
#[pg_trigger(sql = false)]
fn follow_change<'a>(
    trigger: &'a PgTrigger<'a>,
) -> Result<Option<PgHeapTuple<'a, AllocatedByRust>>, PgTriggerError> {
    if trigger.event().fired_before() {
        changes::begin();
        return Ok(None);
    }
    let is_history =
        trigger.table_schema()? == "trips" && trigger.table_name()? == "hist_trip_data";
    let touched = match change::days(trigger) {
        Some(days) => Touched::Days(days),
        None if is_history => Touched::Everything,
        None => Touched::Partition(trigger.relid()?),
    };
    if let Err(error) = changes::end(touched) {
        ErrorReport::from(error).report(PgLogLevel::ERROR);
    }
    Ok(None)
}

/// The event trigger after ALTER TABLE.
#[pg_extern(sql = false)]
fn follow_partitions() -> Result<(), ErrorReport> {
    changes::partitions_altered().map_err(LoadError::into)
}

/// The event trigger after DROP TABLE and its like.
#[pg_extern(sql = false)]
fn follow_dropped_partitions() -> Result<(), ErrorReport> {
    changes::partitions_dropped().map_err(LoadError::into)
}

/// `trips.rebuild()`
#[pg_extern(sql = false)]
fn rebuild() -> Result<(), ErrorReport> {
    session::require_writable(c"trips.rebuild()");
    changes::rebuild().map_err(LoadError::into)
}
