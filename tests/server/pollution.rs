//! A clean file is polluted in every way that we know, at its first, a middle and its last row, in
//! three styles of CSV. Whatever the dirt is, it stays where it was put: the server lives, the books
//! balance, every other row is in the history as it was, and nothing is there that was not meant.
//!
//! In the spirit of the Pollock benchmark (Vitagliano et al., PVLDB 16, 2023).

mod clean;
mod framing;
mod texts;

use std::io::Write;

use postgres::Client;
use trips_tests::{Database, FIVE_COLUMNS as HEADER};

use clean::{Fate, Kind, ROWS, Row, STYLES, Style, Trip, Whole};

/// What went wrong, each with the file in which it did.
#[derive(Default)]
struct Tally {
    files: usize,
    crashes: Vec<String>,
    unbalanced: Vec<String>,
    wrong_values: Vec<String>,
    lost: Vec<String>,
}

#[test]
fn pollution() {
    let database = Database::on_shared();
    let mut client = database.client();
    let mut tally = Tally::default();
    let trips = clean::trips();
    for kind in
        [framing::ROWS, framing::LINES, framing::QUOTES, texts::BYTES, texts::VALUES].concat()
    {
        for (number, style) in STYLES.iter().enumerate() {
            for (position, at) in [0, ROWS / 2, ROWS - kind.rows].into_iter().enumerate() {
                let file = Polluted::new(&kind, &trips, style, at, number * 3 + position);
                file.check(&database, &mut client, &mut tally);
            }
        }
    }
    let Tally { files, crashes, unbalanced, wrong_values, lost } = &tally;
    // Not by println!, which is kept back while a test succeeds.
    let _ = writeln!(
        std::io::stderr(),
        "pollution: {files} files, {} crashes, {} unbalanced, {} wrong values, {} untouched rows lost",
        crashes.len(),
        unbalanced.len(),
        wrong_values.len(),
        lost.len()
    );
    assert!(*files >= 400, "only {files} files");
    let failed = [crashes, unbalanced, wrong_values, lost].map(|list| list.join("\n")).join("\n");
    assert!(failed.trim().is_empty(), "{failed}");
}

/// A file with dirt in it, and what must become of it.
struct Polluted {
    label: String,
    bytes: Vec<u8>,
    /// The physical lines of the dirt, first and last.
    lines: (i64, i64),
    /// The rows that nobody has touched and that are in the file.
    untouched: Vec<Trip>,
    fate: Fate,
}

impl Polluted {
    fn new(kind: &Kind, trips: &[Trip], style: &Style, at: usize, pick: usize) -> Self {
        let is_last = at + kind.rows == trips.len();
        let end = if is_last && !style.ends_at_end { "" } else { style.eol };
        let row = Row { trips: &trips[at..at + kind.rows], style, end, pick };
        let fate = (kind.make)(&row);
        let head = fate.head.clone().unwrap_or_else(|| HEADER.trim_end().as_bytes().to_vec());
        let mut bytes = [&head, style.eol.as_bytes()].concat();
        for trip in &trips[..at] {
            bytes.extend([&trip.line(style), style.eol].concat().bytes());
        }
        let first = 1 + line_ends(&bytes);
        bytes.extend(&fate.bytes);
        let lines = (first, first + line_ends(&fate.bytes));
        let mut untouched = trips[..at].to_vec();
        if fate.whole != Whole::EndsHere {
            let rest = &trips[at + kind.rows..];
            untouched.extend_from_slice(rest);
            let lines: Vec<String> = rest.iter().map(|trip| trip.line(style)).collect();
            bytes.extend(lines.join(style.eol).bytes());
            if !rest.is_empty() && style.ends_at_end {
                bytes.extend(style.eol.bytes());
            }
        }
        let label = format!("{}, {}, row {at}, variant {pick}", kind.name, style.name);
        Self { label, bytes, lines, untouched, fate }
    }

    fn check(&self, database: &Database, client: &mut Client, tally: &mut Tally) {
        tally.files += 1;
        // DELETE, because it is many times as fast as TRUNCATE here.
        let reset = "DELETE FROM trips.hist_trip_data; DELETE FROM trips.stg_trip_data;
                     DELETE FROM trips.loads; DELETE FROM trips.daily_trip_counts";
        client.batch_execute(reset).expect("a reset");
        let pid = backend(client);
        // A new name each time: to write over a file, some file systems wait for the disk.
        let path = database.file(&format!("polluted-{}.csv", tally.files), &self.bytes);
        let result = client.query_one("SELECT * FROM trips.ingest($1)", &[&path]);
        let is_alive = !client.is_closed() && backend(client) == pid;
        if !is_alive {
            tally.crashes.push(self.label.clone());
            *client = database.client();
            return;
        }
        match result {
            Ok(row) => {
                let names = ["rows_read", "rows_inserted", "rows_duplicate", "rows_staged"];
                self.check_loaded(names.map(|name| row.get(name)), client, tally);
            }
            Err(error) => self.check_refused(&error, client, tally),
        }
    }

    fn check_loaded(&self, rows: [i64; 4], client: &mut Client, tally: &mut Tally) {
        let mut unbalanced =
            |what: String| tally.unbalanced.push(format!("{}: {what}", self.label));
        let (all, becomes) = (self.untouched.len(), self.fate.becomes.len());
        let (inserted, staged) = match self.fate.whole {
            Whole::Refused(code) => return unbalanced(format!("is loaded instead of {code}")),
            Whole::AllStaged => (0, all + self.fate.staged),
            Whole::Usual | Whole::EndsHere => (all + becomes, self.fate.staged),
        };
        let duplicate = self.fate.duplicates;
        let expected = [inserted + duplicate + staged, inserted, duplicate, staged];
        if rows.map(usize::try_from) != expected.map(Ok) {
            unbalanced(format!("read, inserted, duplicate, staged are {rows:?}, not {expected:?}"));
        }
        let found = history(client);
        if found.len() != inserted {
            unbalanced(format!("the history has {} rows", found.len()));
        }
        for what in self.staging_faults(staged, client) {
            unbalanced(what);
        }
        if self.fate.whole != Whole::AllStaged {
            self.compare(found, tally);
        }
    }

    /// Each row that was not inserted waits in staging, with its line, its bytes and a reason.
    fn staging_faults(&self, expected: usize, client: &mut Client) -> Vec<String> {
        let query = "SELECT line_no, coalesce(raw_bytes, convert_to(raw_line, 'UTF8')),
                            coalesce(error_code ~ '^[0-9A-Z]{5}$' AND error <> '', false)
                       FROM trips.stg_trip_data ORDER BY line_no";
        let rows = client.query(query, &[]).expect("the staging");
        let mut faults = Vec::new();
        if rows.len() != expected {
            faults.push(format!("staging has {} rows, not {expected}", rows.len()));
        }
        for row in &rows {
            let (line, raw): (i64, Vec<u8>) = (row.get(0), row.get(1));
            let is_dirt = self.fate.bytes.windows(raw.len()).any(|part| part == raw);
            let is_there = (self.lines.0..=self.lines.1).contains(&line) && is_dirt;
            if !is_there && self.fate.whole != Whole::AllStaged {
                faults.push(format!("line {line} is staged, it is not the dirt's"));
            }
            if !row.get::<_, bool>(2) {
                faults.push(format!("line {line} is staged without a reason"));
            }
        }
        faults
    }

    /// The history is the untouched rows and what the dirt may become, no more and no less.
    fn compare(&self, mut found: Vec<Stored>, tally: &mut Tally) {
        let mut take = |trip: &Trip| {
            let stored = trip.stored();
            let at = found.iter().position(|row| *row == stored);
            at.map(|at| found.swap_remove(at)).is_some()
        };
        for trip in &self.untouched {
            if !take(trip) {
                tally.lost.push(format!("{}: {trip:?}", self.label));
            }
        }
        for trip in &self.fate.becomes {
            if !take(trip) {
                tally.unbalanced.push(format!("{}: {trip:?} is missing", self.label));
            }
        }
        let wrong = found.iter().map(|row| format!("{}: {row:?}", self.label));
        tally.wrong_values.extend(wrong);
    }

    fn check_refused(&self, error: &postgres::Error, client: &mut Client, tally: &mut Tally) {
        let code = error.code().map_or("", |code| code.code());
        if self.fate.whole != Whole::Refused(error_code(code)) {
            tally.lost.push(format!("{}: refused, {error:?}", self.label));
        }
        let left = history(client).len() + self.staging_faults(0, client).len();
        if left > 0 {
            tally.unbalanced.push(format!("{}: refused, and not without a trace", self.label));
        }
    }
}

/// The codes with which dirt may refuse a file.
fn error_code(code: &str) -> &'static str {
    ["22P04", "42701", "42703"].into_iter().find(|known| *known == code).unwrap_or("another")
}

/// A row of the history as text.
type Stored = [Option<String>; 5];

fn history(client: &mut Client) -> Vec<Stored> {
    let query = "SELECT region, origin_coord::text, destination_coord::text,
                        to_char(date_time, 'YYYY-MM-DD HH24:MI:SS.US'), datasource
                   FROM trips.hist_trip_data";
    let rows = client.query(query, &[]).expect("the history");
    rows.iter().map(|row| std::array::from_fn(|i| row.get(i))).collect()
}

fn backend(client: &mut Client) -> i32 {
    client.query_one("SELECT pg_backend_pid()", &[]).map_or(0, |row| row.get(0))
}

/// How many lines end in these bytes: by LF, CRLF or CR.
fn line_ends(bytes: &[u8]) -> i64 {
    let ends = |(i, byte): (usize, &u8)| match byte {
        b'\n' => i == 0 || bytes[i - 1] != b'\r',
        _ => *byte == b'\r',
    };
    i64::try_from(bytes.iter().enumerate().filter(|&at| ends(at)).count()).expect("a small file")
}
