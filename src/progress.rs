//! The progress of a load for other sessions: in the progress slots of its backend, in the title of its process, and in
//! NOTICEs to the client.
//!
//! A load runs as a COPY into the history and sets its own slots behind those of COPY. The view `trips.load_progress`
//! shows them; `pg_stat_progress_copy` shows those of COPY.

use std::cell::Cell;
use std::ffi::{CStr, CString};
use std::time::{Duration, Instant};

use pgrx::{PgLogLevel, PgSqlErrorCode, ereport, pg_sys};

use crate::pg::progress_slots::{self, SLOTS};
use crate::pg::safe_drop::drop_unless_panicking;

pub use crate::pg::progress_slots::{discard_copies, server_started, user_of};

/// Marks the slots of a load: "trip" in ASCII.
const MARK: i64 = 0x7472_6970;
const PHASE: usize = 2;
const BYTES_DONE: usize = 3;
const ROWS_READ: usize = 5;

/// The phase of a load; the view has a name for each number.
#[derive(Debug, Clone, Copy)]
pub enum Phase {
    /// It hashes the bytes of the file.
    Hashing = 1,
    /// It waits for another load.
    Waiting = 2,
    /// It parses lines.
    Reading = 3,
    /// It compares trips with the history and inserts the new ones.
    Inserting = 4,
    /// It updates the summary.
    Summarizing = 5,
}

impl Phase {
    /// Whether the load is in this phase.
    pub fn is_of(self, load: &RunningLoad) -> bool {
        load.phase == self as i64
    }

    fn title(self) -> &'static CStr {
        match self {
            Self::Hashing => c"trips: hashing",
            Self::Waiting => c"trips: waiting for another load",
            Self::Reading => c"trips: reading",
            Self::Inserting => c"trips: inserting",
            Self::Summarizing => c"trips: summarizing",
        }
    }
}

/// How often the load passes a byte of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passes {
    /// It reads the byte.
    Reading,
    /// It reads the byte, and compares and writes its trip later. Half is done when the byte is read.
    ReadingAndWriting,
}

/// The progress of one load.
#[derive(Debug)]
pub struct Progress {
    /// Mark, load_id, phase, bytes done, bytes in all, rows read, start (microseconds since 1970), the role that requested
    /// the load.
    slots: Cell<[i64; SLOTS]>,
    passes: Passes,
    /// Bytes read, and bytes whose trips are written.
    read: Cell<u64>,
    written: Cell<u64>,
    /// The run that is being written: trips done, all trips, and where its bytes begin.
    run: Cell<(u64, u64, u64)>,
    /// Time between two NOTICEs; `None` turns them off.
    interval: Option<Duration>,
    last_notice: Cell<Instant>,
    /// The title of the process before the load.
    _title: Title,
}

impl Progress {
    /// Begins a load that a role has requested.
    pub fn begin(
        load_id: i64,
        requested_by: pg_sys::Oid,
        bytes_total: u64,
        passes: Passes,
        interval: Option<Duration>,
    ) -> Self {
        let role = i64::from(requested_by.to_u32());
        let slots = [MARK, load_id, 0, 0, saturated(bytes_total), 0, now(), role];
        let progress = Self {
            slots: Cell::new(slots),
            passes,
            read: Cell::default(),
            written: Cell::default(),
            run: Cell::default(),
            interval,
            last_notice: Cell::new(Instant::now()),
            _title: Title(progress_slots::title()),
        };
        progress.phase(Phase::Hashing);
        progress
    }

    /// Begins another phase. A COPY clears all slots when it ends, so all are set again.
    pub fn phase(&self, phase: Phase) {
        progress_slots::start_command();
        progress_slots::set_title(phase.title());
        let mut slots = self.slots.get();
        slots[PHASE] = phase as i64;
        self.slots.set(slots);
        self.publish();
    }

    /// Sets the slots of COPY for a table that is filled without COPY.
    pub fn inserts_without_copy(&self, table: pg_sys::Oid) {
        progress_slots::start_copy_of(table);
        self.publish();
    }

    /// This many rows of that table are inserted.
    pub fn inserted(&self, rows: u64) {
        progress_slots::set_copied_rows(saturated(rows));
    }

    /// Sets the slots again after a COPY has begun and cleared them.
    pub fn publish(&self) {
        progress_slots::publish(&self.slots.get());
    }

    /// This many bytes of the file are hashed.
    pub fn hashed(&self, bytes: u64) {
        self.set(BYTES_DONE, bytes);
        self.notify_when_due();
    }

    /// This many bytes of the file, and this many rows, are read.
    pub fn read(&self, bytes: u64, rows: u64) {
        self.read.set(bytes);
        self.set(ROWS_READ, rows);
        self.show_bytes();
    }

    /// Begins to write a run of this many trips: all that is read and not written yet.
    pub fn begin_run(&self, trips: u64) {
        self.run.set((0, trips, self.written.get()));
    }

    /// This many more trips of the run are written, or were duplicates.
    pub fn wrote(&self, trips: u64) {
        let (done, all, begin) = self.run.get();
        let done = done + trips;
        self.run.set((done, all, begin));
        let bytes = u128::from(self.read.get().saturating_sub(begin));
        let share = bytes * u128::from(done.min(all)) / u128::from(all.max(1));
        self.written.set(begin + u64::try_from(share).unwrap_or(0));
        self.show_bytes();
    }

    /// All that is read is written.
    pub fn end_run(&self) {
        self.written.set(self.read.get());
        self.show_bytes();
    }

    fn show_bytes(&self) {
        let read = self.read.get();
        let done = match self.passes {
            Passes::Reading => read,
            Passes::ReadingAndWriting => read.midpoint(self.written.get()),
        };
        self.set(BYTES_DONE, done);
        self.notify_when_due();
    }

    fn set(&self, index: usize, value: u64) {
        let mut slots = self.slots.get();
        slots[index] = saturated(value);
        self.slots.set(slots);
        progress_slots::publish_one(index, slots[index]);
    }

    /// Sends a NOTICE with the progress when the interval has passed.
    fn notify_when_due(&self) {
        let is_due =
            self.interval.is_some_and(|interval| self.last_notice.get().elapsed() >= interval);
        if !is_due {
            return;
        }
        self.last_notice.set(Instant::now());
        let [_, load_id, _, done, total, rows, ..] = self.slots.get();
        let share = match total {
            0 => String::new(),
            _ => format!("{} % of {total} bytes, ", i128::from(done) * 100 / i128::from(total)),
        };
        ereport!(
            PgLogLevel::NOTICE,
            PgSqlErrorCode::ERRCODE_SUCCESSFUL_COMPLETION,
            format!("load {load_id}: {share}rows read: {rows}")
        );
    }
}

drop_unless_panicking!(Progress, |_progress| {
    progress_slots::end_command();
});

/// The title of the process. Drop restores it.
#[derive(Debug)]
struct Title(CString);

impl Drop for Title {
    fn drop(&mut self) {
        progress_slots::set_title(&self.0);
    }
}

/// A load that a process of this database is running.
#[derive(Debug, Clone)]
pub struct RunningLoad {
    /// Its number.
    pub load_id: i64,
    /// Its process.
    pub pid: i32,
    /// The role of that process.
    pub user: pg_sys::Oid,
    /// The role that requested it; invalid when the role does not exist any more.
    pub requested_by: pg_sys::Oid,
    /// The number of its [`Phase`].
    pub phase: i64,
    /// Bytes done, and bytes in all.
    pub bytes: [i64; 2],
    /// Rows read.
    pub rows_read: i64,
    /// When it began: microseconds since 1970.
    pub started: i64,
}

/// The loads that run in this database, as of the first call of the transaction. Loads of sessions with
/// `track_activities = off` are missing.
pub fn running_loads() -> Vec<RunningLoad> {
    let load = |process: progress_slots::CopyProcess| {
        let [mark, load_id, phase, done, all, rows_read, started, role] = process.slots;
        (mark == MARK).then(|| RunningLoad {
            load_id,
            pid: process.pid,
            user: process.user,
            requested_by: pg_sys::Oid::from(u32::try_from(role).unwrap_or_default()),
            phase,
            bytes: [done, all],
            rows_read,
            started,
        })
    };
    progress_slots::copy_processes().filter_map(load).collect()
}

fn saturated(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |d| i64::try_from(d.as_micros()).unwrap_or(i64::MAX))
}
