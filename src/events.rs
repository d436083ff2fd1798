//! The events `trips.events`: notifications of the channel `trips_ingest`, kept for clients that were not listening.
//!
//! Numbers are assigned under a lock that is held until the commit. So an event is never followed by one with a smaller
//! number. It is the last lock that a transaction acquires.

use std::cell::RefCell;

use pgrx::datum::DatumWithOid;
use pgrx::{PgXactCallbackEvent, Spi, register_xact_callback};

use crate::error::LoadError;
use crate::ledger::{self, LoadProgress, LoadStatus};
use crate::pg::error_fields;
use crate::pg::locks::Lock;
use crate::pg::plans;
use crate::pg::relation::Table;
use crate::pg::session;
use crate::settings;

/// Publishes the states of loads: numbers and states, never paths or data. The final event of a load is sent once, and
/// no event follows it. After `failed`, the completion of an upload may be repeated.
pub fn publish(statuses: &[LoadStatus]) -> Result<(), LoadError> {
    // The extension may have been dropped since.
    let Some(events) = Table::find_for_insert(c"events") else { return Ok(()) };
    let _owner = session::run_as_owner(&events);
    Lock::Events.lock();
    for LoadStatus { load_id, state, progress } in statuses {
        let args: [DatumWithOid<'_>; 5] = [
            (*load_id).into(),
            state.as_str().into(),
            progress.bytes_done.into(),
            progress.bytes_total.into(),
            progress.rows_read.into(),
        ];
        // A failed load has read as many rows as its last event said: its ledger row does not have them. Its begin is
        // sent once.
        plans::run(
            "WITH last AS (
               SELECT e.state, e.bytes_done, e.rows_read FROM trips.events AS e WHERE e.load_id = $1
                ORDER BY e.seq DESC LIMIT 1
             ), published AS (
               INSERT INTO trips.events (load_id, state, bytes_done, bytes_total, rows_read)
               SELECT $1, $2, coalesce($3, (SELECT last.bytes_done FROM last), 0), $4,
                      CASE $2 WHEN 'failed' THEN greatest($5, (SELECT last.rows_read FROM last)) ELSE $5 END
                WHERE CASE $2
                        WHEN 'running' THEN coalesce((SELECT last.state IN ('queued', 'failed')
                                 OR last.state = 'running' AND ($3 > 0 OR $5 > 0) FROM last), true)
                        ELSE $2 IS DISTINCT FROM (SELECT last.state FROM last) END
               RETURNING seq, load_id, state, bytes_done, bytes_total, rows_read
             )
             SELECT pg_notify('trips_ingest', json_build_object('seq', p.seq, 'load_id', p.load_id,
                      'state', p.state, 'bytes_done', p.bytes_done, 'bytes_total', p.bytes_total,
                      'rows_read', p.rows_read)::text)
               FROM published AS p",
            &args,
        )?;
    }
    Ok(())
}

/// Deletes events that are older than the setting allows. now() is constant, so an index finds them.
pub fn delete_old() -> Result<(), LoadError> {
    let Some(minutes) = settings::event_retention_minutes() else { return Ok(()) };
    let Some(events) = Table::find_for_insert(c"events") else { return Ok(()) };
    let _owner = session::run_as_owner(&events);
    Ok(Spi::run_with_args(
        "DELETE FROM trips.events
          WHERE published_at < now() - $1 * interval '1 minute'",
        &[minutes.into()],
    )?)
}

thread_local! {
    /// Loads of this transaction whose final event is sent with its commit.
    static AT_COMMIT: RefCell<Vec<i64>> = const { RefCell::new(Vec::new()) };
}

/// Sends the state of this load with the commit of the transaction. Loads of a rolled back savepoint are not sent: the
/// ledger is queried before.
pub fn publish_at_commit(load_id: i64) {
    let is_first = AT_COMMIT.with_borrow_mut(|loads| {
        loads.push(load_id);
        loads.len() == 1
    });
    if is_first {
        register_xact_callback(PgXactCallbackEvent::PreCommit, || {
            let _errors = error_fields::preserve();
            let loads = AT_COMMIT.take();
            session::with_snapshot(|| publish_now(&loads)).unwrap_or_else(LoadError::raise);
        });
        // A prepared transaction cannot send notifications; the load monitor does, when it is over.
        for event in [PgXactCallbackEvent::Abort, PgXactCallbackEvent::Prepare] {
            register_xact_callback(event, || drop(AT_COMMIT.take()));
        }
    }
}

/// A loaded file has a `running` event first; a load may end before the load monitor has sent it.
fn with_beginnings(ends: Vec<LoadStatus>) -> Vec<LoadStatus> {
    let with_beginning = |end: LoadStatus| {
        let beginning = (end.state == "loaded").then(|| LoadStatus {
            state: "running".into(),
            progress: LoadProgress { bytes_done: Some(0), rows_read: 0, ..end.progress },
            ..end
        });
        beginning.into_iter().chain([end])
    };
    ends.into_iter().flat_map(with_beginning).collect()
}

/// The settings and privileges of the loading function no longer apply: names mean PostgreSQL's own again, until the
/// commit.
fn publish_now(loads: &[i64]) -> Result<(), LoadError> {
    session::use_own_names()?;
    let Some(ledger) = Table::find_for_insert(c"loads") else { return Ok(()) };
    let statuses = {
        let _owner = session::run_as_owner(&ledger);
        ledger::statuses(loads)?
    };
    publish(&with_beginnings(statuses))
}
