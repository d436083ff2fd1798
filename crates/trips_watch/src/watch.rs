//! Follows the events of a database, over lost connections.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use trips_libpq::{Fault, PqError};

use crate::screen::Screen;
use crate::session::{Event, Load, Session};

/// Delays before a lost connection is tried again; the last one repeats.
const DELAYS: [u64; 6] = [1, 1, 2, 4, 8, 15];
/// How often lines of running loads are drawn again without an event, as while an index is built.
const REFRESH: Duration = Duration::from_secs(1);
/// How often events are read without a notification.
const IDLE: Duration = Duration::from_secs(60);

/// Why the program ends.
pub enum End {
    /// Nobody reads the output any more.
    OutputClosed,
    /// There was no session from the start.
    NoSession(Fault),
}

/// Why a session is left.
enum Stop {
    Output,
    Session(Fault),
}

impl From<std::io::Error> for Stop {
    fn from(_: std::io::Error) -> Self {
        Self::Output
    }
}

/// What is known from one session to the next.
#[derive(Default)]
struct Seen {
    /// The number of the last event that was shown; None before the first session.
    last: Option<i64>,
    /// The last events of loads that run.
    live: BTreeMap<i64, Event>,
}

/// Shows all events from now on. After a lost connection, it connects again and shows the missed ones.
pub fn watch<W: Write>(parameters: &[(&str, String)], screen: &mut Screen<W>) -> End {
    let mut seen = Seen::default();
    let mut session = match Session::open(parameters) {
        Ok(session) => session,
        Err(fault) => return End::NoSession(fault),
    };
    let mut delays = Delays::default();
    loop {
        // Only a session that has shown its events ends a row of failures.
        let fault = match follow(&session, &mut seen, &mut delays, screen) {
            Stop::Output => return End::OutputClosed,
            Stop::Session(fault) => fault,
        };
        let mut said = None;
        let mut fault = fault;
        session = loop {
            if said.as_ref() != Some(&fault) {
                let text = format!("{fault}\nconnecting again");
                if screen.warn(&text).is_err() {
                    return End::OutputClosed;
                }
                said = Some(fault);
            }
            std::thread::sleep(delays.next());
            fault = match Session::open(parameters) {
                Ok(session) => break session,
                Err(fault) => fault,
            };
        };
    }
}

#[derive(Default)]
struct Delays(usize);

impl Delays {
    fn next(&mut self) -> Duration {
        let seconds = DELAYS[self.0.min(DELAYS.len() - 1)];
        self.0 += 1;
        Duration::from_secs(seconds)
    }
}

fn follow<W: Write>(
    session: &Session,
    seen: &mut Seen,
    delays: &mut Delays,
    screen: &mut Screen<W>,
) -> Stop {
    let mut step = || -> Result<(), Stop> {
        begin(session, seen, screen)?;
        loop {
            show(session, seen, screen)?;
            delays.0 = 0;
            let timeout = if seen.live.is_empty() { IDLE } else { REFRESH };
            session.wait(timeout).map_err(|error| stop(session, error))?;
        }
    };
    match step() {
        Err(stop) => stop,
        Ok(()) => Stop::Output,
    }
}

fn stop(session: &Session, error: PqError) -> Stop {
    if session.is_lost() {
        return Stop::Session(Fault::of_lost_session(&error));
    }
    Stop::Session(session.fault(error))
}

fn begin<W: Write>(session: &Session, seen: &mut Seen, screen: &mut Screen<W>) -> Result<(), Stop> {
    let result = |error| stop(session, error);
    let newest = session.last_event().map_err(result)?;
    screen.connected(&session.description, seen.last.is_some())?;
    match seen.last {
        // All events have expired, or the database was restored: its numbers begin earlier, and no event would be new.
        Some(last) if newest < last => {
            screen.warn("the events that were shown are no longer in this database")?;
            seen.live.clear();
            seen.last = Some(newest);
        }
        Some(_) => (),
        None => seen.last = Some(newest),
    }
    for event in session.running().map_err(result)? {
        seen.live.entry(event.load_id).or_insert(event);
    }
    Ok(())
}

/// Shows the events since the last one. A notification is only the reason to look: every role may send one, with any
/// content.
fn show<W: Write>(session: &Session, seen: &mut Seen, screen: &mut Screen<W>) -> Result<(), Stop> {
    let result = |error| stop(session, error);
    let events = session.events_since(seen.last.unwrap_or(0)).map_err(result)?;
    let mut numbers: Vec<i64> = seen.live.keys().copied().collect();
    numbers.extend(events.iter().map(|event| event.load_id));
    numbers.sort_unstable();
    numbers.dedup();
    let mut loads: BTreeMap<i64, Load> = BTreeMap::new();
    if !numbers.is_empty() {
        loads.extend(session.loads(&numbers).map_err(result)?);
    }
    let nothing = Load::default();
    let of = |event: &Event| loads.get(&event.load_id).unwrap_or(&nothing);
    for event in events {
        let load = of(&event);
        if event.state == "running" {
            if !seen.live.contains_key(&event.load_id) {
                screen.begins(&event, load)?;
            }
            seen.last = Some(event.seq);
            seen.live.insert(event.load_id, event);
            continue;
        }
        seen.live.remove(&event.load_id);
        seen.last = Some(event.seq);
        screen.changes(&event, load)?;
    }
    // Events expire. A load that the ledger has as ended does not run, whatever was its last event.
    let ended = |load: &Load| {
        load.state.as_deref().is_some_and(|state| state != "running" && state != "queued")
    };
    let gone: Vec<i64> =
        seen.live.keys().copied().filter(|id| loads.get(id).is_some_and(ended)).collect();
    for load_id in gone {
        if let Some(mut event) = seen.live.remove(&load_id) {
            event.state = loads[&load_id].state.clone().unwrap_or_default();
            screen.changes(&event, of(&event))?;
        }
    }
    let live: Vec<(&Event, &Load)> = seen.live.values().map(|event| (event, of(event))).collect();
    Ok(screen.draw(&live)?)
}
