//! A session of the database: the events, and what is known of their loads.

use std::ffi::CStr;
use std::time::Duration;

use trips_libpq::{Connection, Fault, PqError, Row};

/// The state of a load at some time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Number of the event.
    pub seq: i64,
    /// Number of the load.
    pub load_id: i64,
    /// queued, running, loaded, skipped, failed or retracted.
    pub state: String,
    pub bytes_done: u64,
    pub bytes_total: u64,
    pub rows_read: u64,
}

/// What the ledger has of a load.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Load {
    pub source: Option<String>,
    pub state: Option<String>,
    /// Read, inserted, duplicate, corrected and staged.
    pub rows: [u64; 5],
    pub error_code: Option<String>,
    pub error: Option<String>,
    pub hint: Option<String>,
    pub same_as: Option<i64>,
    /// From the start to the end, or until now.
    pub seconds: Option<f64>,
    /// The time of the end, or now.
    pub clock: String,
    pub progress: Option<Progress>,
}

/// How far a running load is.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    pub phase: String,
    pub bytes_done: u64,
    pub bytes_total: u64,
    pub rows_read: u64,
    pub bytes_per_second: Option<f64>,
    pub seconds_left: Option<f64>,
}

/// In the order of the fields of `Load`.
const LOADS: &CStr = c"
SELECT x.load_id, l.source, l.state, l.rows_read, l.rows_inserted, l.rows_duplicate, l.rows_corrected, l.rows_staged,
       l.error_code, l.error, l.same_as,
       extract(epoch FROM coalesce(l.finished_at, clock_timestamp()) - coalesce(l.started_at, l.requested_at)),
       to_char(coalesce(l.retracted_at, l.finished_at, clock_timestamp()), 'HH24:MI:SS'),
       p.phase, p.bytes_done, p.bytes_total, p.rows_read,
       p.bytes_done / greatest(extract(epoch FROM clock_timestamp() - p.started_at), 0.001),
       extract(epoch FROM p.estimated_end - clock_timestamp())
  FROM unnest($1::bigint[]) AS x (load_id)
  LEFT JOIN trips.loads AS l USING (load_id)
  LEFT JOIN trips.load_progress AS p USING (load_id)
 ORDER BY x.load_id";

/// Loads that run, so that their lines are there before their next events.
const RUNNING: &CStr = c"
SELECT 0, p.load_id, 'running', p.bytes_done, p.bytes_total, p.rows_read FROM trips.load_progress AS p ORDER BY p.load_id";

const EVENTS: &CStr = c"
SELECT e.seq, e.load_id, e.state, e.bytes_done, e.bytes_total, e.rows_read FROM trips.events_since($1) AS e";

const ERRORS: &CStr = c"SELECT e.message, e.hint FROM trips.load_errors AS e WHERE e.load_id = $1";

/// A session that listens.
pub struct Session {
    connection: Connection,
    role: String,
    can_read_errors: bool,
    /// Where it is, for people.
    pub description: String,
}

impl Session {
    /// Connects, and listens.
    ///
    /// # Errors
    /// When there is no server, no session, no extension or no privilege.
    pub fn open(parameters: &[(&str, String)]) -> Result<Self, Fault> {
        let session = trips_libpq::Session::open("trips_watch", parameters)?;
        let (server, version) = (session.server_version(), session.extension_version);
        let trips_libpq::Session {
            connection, host, port, database, role, can_read_errors, ..
        } = session;
        // Listen first, then read: an event in between is not missed.
        connection
            .query(c"LISTEN trips_ingest", &[])
            .map_err(|error| Fault::of_statement(error, &role))?;
        let tls = connection.tls().map_or(String::new(), |version| format!(", {version}"));
        let place = if host.starts_with('/') {
            format!("{host}, port {port}")
        } else {
            format!("{host}:{port}")
        };
        let description = format!(
            "database \"{database}\" on {place} as \"{role}\" (trips_pipeline {version}, PostgreSQL {server}{tls})"
        );
        Ok(Self { connection, role, can_read_errors, description })
    }

    /// The number of the last event.
    pub fn last_event(&self) -> Result<i64, PqError> {
        let rows =
            self.connection.query(c"SELECT coalesce(max(e.seq), 0) FROM trips.events AS e", &[])?;
        Ok(number(rows.first().and_then(|row| row.first())))
    }

    /// The events after this number.
    pub fn events_since(&self, seq: i64) -> Result<Vec<Event>, PqError> {
        self.events(EVENTS, &[&seq.to_string()])
    }

    /// An event for each load that runs now.
    pub fn running(&self) -> Result<Vec<Event>, PqError> {
        self.events(RUNNING, &[])
    }

    fn events(&self, sql: &CStr, parameters: &[&str]) -> Result<Vec<Event>, PqError> {
        let event = |row: &Row| Event {
            seq: number(row.first()),
            load_id: number(row.get(1)),
            state: row[2].clone().unwrap_or_default(),
            bytes_done: number(row.get(3)),
            bytes_total: number(row.get(4)),
            rows_read: number(row.get(5)),
        };
        Ok(self.connection.query(sql, parameters)?.iter().map(event).collect())
    }

    /// What the ledger has of these loads, in the order of their numbers.
    pub fn loads(&self, numbers: &[i64]) -> Result<Vec<(i64, Load)>, PqError> {
        let list: Vec<String> = numbers.iter().map(i64::to_string).collect();
        let rows = self.connection.query(LOADS, &[&format!("{{{}}}", list.join(","))])?;
        rows.iter()
            .map(|row| Ok((number(row.first()), self.with_hint(load_of(row), &row[0])?)))
            .collect()
    }

    /// A failed load with the message and the hint of its error, if the role may read them.
    fn with_hint(&self, mut load: Load, number: &Option<String>) -> Result<Load, PqError> {
        if self.can_read_errors && load.error_code.is_some() {
            let rows = self.connection.query(ERRORS, &[number.as_deref().unwrap_or_default()])?;
            if let Some([message, hint]) = rows.first().map(Vec::as_slice) {
                load.error = message.clone().or(load.error);
                load.hint.clone_from(hint);
            }
        }
        Ok(load)
    }

    /// Waits for an event.
    pub fn wait(&self, timeout: Duration) -> Result<bool, PqError> {
        self.connection.wait(timeout)
    }

    /// Whether the session is over; otherwise a statement failed in it.
    pub fn is_lost(&self) -> bool {
        self.connection.is_lost()
    }

    /// An error of this session, with what to do.
    pub fn fault(&self, error: PqError) -> Fault {
        Fault::of_statement(error, &self.role)
    }
}

fn load_of(row: &Row) -> Load {
    let text = |column: usize| row[column].clone();
    let real = |column: usize| row[column].as_deref().and_then(|text| text.parse::<f64>().ok());
    Load {
        source: text(1),
        state: text(2),
        rows: [3, 4, 5, 6, 7].map(|column| number(row.get(column))),
        error_code: text(8),
        error: text(9),
        hint: None,
        same_as: row[10].as_deref().and_then(|text| text.parse().ok()),
        seconds: real(11),
        clock: text(12).unwrap_or_default(),
        progress: text(13).map(|phase| Progress {
            phase,
            bytes_done: number(row.get(14)),
            bytes_total: number(row.get(15)),
            rows_read: number(row.get(16)),
            bytes_per_second: real(17),
            seconds_left: real(18),
        }),
    }
}

/// A number of the server's; 0 for NULL.
fn number<N: std::str::FromStr + Default>(text: Option<&Option<String>>) -> N {
    text.and_then(|text| text.as_deref()).and_then(|text| text.parse().ok()).unwrap_or_default()
}
