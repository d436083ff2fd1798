//! Runs cases one after the other in one session of one server.

use std::sync::{Arc, Mutex};

use postgres::error::DbError;
use postgres::{Client, NoTls, Row};
use trips_tests::{Cluster, Load};

use super::case::{Case, Expected, Input};

/// As if nothing had been loaded. DELETE, because it is many times as fast as TRUNCATE here.
const RESET: &str = "RESET ALL; DELETE FROM trips.hist_trip_data; DELETE FROM trips.stg_trip_data;
                     DELETE FROM trips.loads; DELETE FROM trips.daily_trip_counts";

/// No case takes that long on a busy machine: a file that is refused is not read to its end. RESET ALL keeps it.
const TIMEOUT: &str = "-c statement_timeout=120s";

pub struct Session<'a> {
    cluster: &'a Cluster,
    client: Client,
    notices: Arc<Mutex<Vec<String>>>,
    cases: u32,
}

/// Whether a terminal would take the character for a command; lines and tabs are the log's own.
pub fn speaks_to_terminals(c: char) -> bool {
    c.is_control() && !matches!(c, '\n' | '\t')
}

/// Whether a text that repeats parts of the input may be shown to people.
fn is_harmless(text: &str) -> bool {
    !text.chars().any(speaks_to_terminals)
        && !text.lines().any(|line| line.starts_with("FORGED"))
        && text.chars().count() < 2000
}

fn require(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

impl<'a> Session<'a> {
    pub fn new(cluster: &'a Cluster) -> Self {
        let notices = Arc::new(Mutex::new(Vec::new()));
        let received = notices.clone();
        let mut config = cluster.config();
        config.options(TIMEOUT);
        config.notice_callback(move |notice| {
            received.lock().expect("nobody panics").push(notice.message().to_owned());
        });
        let mut client = config.connect(NoTls).expect("a connection");
        // The settings are known once the library is loaded.
        client.batch_execute("LOAD 'trips_pipeline'").expect("the library");
        Self { cluster, client, notices, cases: 0 }
    }

    /// Runs a case; its name is in front of what went wrong.
    pub fn run(&mut self, case: &Case) -> Result<(), String> {
        let label = format!("#{} {}", case.kind, case.name);
        self.cases += 1;
        self.client
            .batch_execute(&format!("{RESET}; {}", case.setup))
            .map_err(|error| format!("{label}: {error:?}"))?;
        self.notices.lock().expect("nobody panics").clear();
        let path = match &case.input {
            Input::Bytes(bytes) => self.cluster.file(&format!("case-{}.csv", self.cases), bytes),
            Input::Made(make) => make(self.cluster),
            Input::Scene(play) => {
                play(self.cluster, &mut self.client);
                return Ok(());
            }
        };
        let on_error = if case.abort { "abort" } else { "stage" };
        let query = "SELECT * FROM trips.ingest($1, $2)";
        let checked = match self.client.query_one(query, &[&path, &on_error]) {
            Ok(row) => self.check_loaded(case, &row),
            Err(error) => match error.as_db_error() {
                Some(error) => self.check_refused(case, error),
                None => Err(format!("the connection broke: {error}")),
            },
        };
        checked.map_err(|what| format!("{label}: {what}"))
    }

    fn check_loaded(&mut self, case: &Case, row: &Row) -> Result<(), String> {
        let found = Load::from_row(row).rows;
        let Expected::Loaded { rows, staged, stored, notice } = &case.expected else {
            return Err(format!("was loaded with {found:?}"));
        };
        let lines = self.staged(case)?;
        require(found == *rows && lines == *staged, || {
            format!("{found:?} instead of {rows:?}, staged {lines:?} instead of {staged:?}")
        })?;
        if let Some((expression, expected)) = stored {
            let query =
                format!("SELECT {expression} FROM trips.hist_trip_data ORDER BY date_time, 1");
            let rows = self.client.query(&query, &[]).map_err(|error| error.to_string())?;
            let values: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
            require(values == *expected, || format!("stored {values:?} instead of {expected:?}"))?;
        }
        let shown = self.notices.lock().expect("nobody panics").join("\n");
        require(is_harmless(&shown) && shown.contains(notice), || format!("notices: {shown:?}"))
    }

    /// The staged rows, each with a reason that can be shown and the very bytes of its record.
    fn staged(&mut self, case: &Case) -> Result<Vec<(i64, String, Option<String>)>, String> {
        let query = "SELECT line_no, error_code, column_name, error,
                            coalesce(raw_bytes, convert_to(raw_line, 'UTF8'))
                       FROM trips.stg_trip_data ORDER BY line_no";
        let rows = self.client.query(query, &[]).map_err(|error| error.to_string())?;
        for row in &rows {
            let (reason, raw): (String, Vec<u8>) = (row.get(3), row.get(4));
            require(!reason.is_empty() && is_harmless(&reason), || format!("reason {reason:?}"))?;
            if let Input::Bytes(bytes) = &case.input
                && bytes.len() < 10_000
            {
                let is_there = bytes.windows(raw.len()).any(|part| part == raw);
                require(is_there, || format!("the file does not have {raw:?}"))?;
            }
        }
        Ok(rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect())
    }

    fn check_refused(&mut self, case: &Case, error: &DbError) -> Result<(), String> {
        let (message, hint) = (error.message(), error.hint().unwrap_or_default());
        let shown = format!("{message}\n{}\n{hint}", error.detail().unwrap_or_default());
        let found = error.code().code();
        let Expected::Refused { code, words, hint: advice } = case.expected else {
            return Err(format!("was refused: {found} {shown}"));
        };
        let fits = found == code && message.contains(words) && hint.contains(advice);
        require(fits && !hint.is_empty() && is_harmless(&shown), || format!("{found} {shown:?}"))?;
        // Nothing of it is left but a row of the ledger.
        let query = "SELECT (SELECT count(*) FROM trips.hist_trip_data),
                            (SELECT count(*) FROM trips.stg_trip_data),
                            (SELECT count(*) FROM trips.loads WHERE state = 'failed' AND error_code = $1)";
        let row = self.client.query_one(query, &[&code]).map_err(|error| error.to_string())?;
        let left: [i64; 3] = [row.get(0), row.get(1), row.get(2)];
        require(left == [0, 0, 1], || format!("history, staging, failed loads: {left:?}"))
    }
}
