//! The session that listens for events of loads. It connects again by itself, and reads what it has missed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use trips_libpq::{Fault, PqError, Row, Session};

use crate::answer::ErrorBody;
use crate::database::{Database, first, run};
use crate::events::{EVENTS, Hub, PAGE, Place, event_of};
use crate::views::now::{NOW, load_runs};

/// Milliseconds before a lost connection is tried again; the last one repeats.
const DELAYS: [u64; 7] = [250, 500, 1_000, 2_000, 4_000, 8_000, 15_000];
/// Pages hear of changes this often at most.
const PACE: Duration = Duration::from_millis(250);
/// How often running loads are looked at without an event, as while an index is built.
const RUNNING: Duration = Duration::from_secs(1);
/// How often events are read without a notification.
const IDLE: Duration = Duration::from_secs(60);

/// Listens until the process ends.
pub fn run_for_ever(database: &Arc<Database>, hub: &Arc<Hub>) {
    let mut failures = 0;
    loop {
        let fault = match database.open() {
            Ok(session) => follow(&session, hub, &mut failures),
            Err(fault) => fault,
        };
        let delay = DELAYS[failures.min(DELAYS.len() - 1)];
        failures += 1;
        hub.disconnected(ErrorBody::from(fault));
        std::thread::sleep(Duration::from_millis(delay));
    }
}

/// Returns why the session is left.
fn follow(session: &Session, hub: &Hub, failures: &mut usize) -> Fault {
    let mut step = || -> Result<(), PqError> {
        // Listen first, then read: an event in between is not missed.
        run(session, "LISTEN trips_ingest", &[])?;
        begin(session, hub)?;
        loop {
            let begin = Instant::now();
            let events = new_events(session, hub)?;
            let now = first(run(session, &NOW, &[])?).unwrap_or_default();
            let timeout = if load_runs(&now) { RUNNING } else { IDLE };
            hub.heard(&events_of(&events), Some(now));
            // Only a session that has shown something ends a row of failures.
            *failures = 0;
            session.connection.wait(timeout)?;
            std::thread::sleep(PACE.saturating_sub(begin.elapsed()));
        }
    };
    match step() {
        Err(error) if session.connection.is_lost() => Fault::of_lost_session(&error),
        Err(error) => Fault::of_statement(error, &session.role),
        Ok(()) => unreachable!("the loop ends with an error"),
    }
}

fn begin(session: &Session, hub: &Hub) -> Result<(), PqError> {
    let newest = run(session, "SELECT coalesce(max(e.seq), 0) FROM trips.events AS e", &[])?;
    let newest: i64 = first(newest).and_then(|text| text.parse().ok()).unwrap_or(0);
    // All events have expired, or the database was restored: its numbers begin earlier, and no event would be new.
    if hub.last().is_none_or(|last| newest < last) {
        hub.begin(newest);
    }
    hub.connected(Place {
        database: session.database.clone(),
        host: session.host.clone(),
        port: session.port.clone(),
        role: session.role.clone(),
        server_version: session.server_version(),
        extension_version: session.extension_version.clone(),
    });
    Ok(())
}

/// The events since the last one; sends them as long as there are more. A notification is only the reason to look: every
/// role may send one.
fn new_events(session: &Session, hub: &Hub) -> Result<Vec<Row>, PqError> {
    loop {
        let last = hub.last().unwrap_or(0);
        let rows = run(session, EVENTS, &[Some(last.to_string())])?;
        if rows.len() < PAGE {
            return Ok(rows);
        }
        hub.heard(&events_of(&rows), None);
    }
}

fn events_of(rows: &[Row]) -> Vec<(i64, &str)> {
    rows.iter().filter_map(event_of).collect()
}
