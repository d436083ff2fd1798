//! What a load is doing, where any session can see it: in the progress slots of its backend, in the title
//! of its process, and for a person who waits in psql, in a NOTICE now and then.
//!
//! PostgreSQL gives every backend twenty numbers for the command that it runs. COPY uses the first
//! eight; a load runs as a COPY into the history and puts its own numbers behind them. The view
//! trips.load_progress reads them; pg_stat_progress_copy shows COPY's own.

use std::cell::Cell;
use std::ffi::{CStr, CString};
use std::time::{Duration, Instant};

use pgrx::{PgLogLevel, PgSqlErrorCode, ereport, pg_sys};

use super::compat;

/// Marks a backend as ours: "trip" in ASCII. The view looks for it.
const MARK: i64 = 0x7472_6970;
/// Slot 11 in SQL is number 10 here; our slots follow one another.
const FIRST_SLOT: i32 = 10;
/// COPY's own slots and what stands in them (commands/progress.h).
const PROGRESS_COPY_TUPLES: i32 = 2;
const PROGRESS_COPY_COMMAND: i32 = 4;
const PROGRESS_COPY_COMMAND_FROM: i64 = 1;
const PROGRESS_COPY_TYPE: i32 = 5;
const PROGRESS_COPY_TYPE_CALLBACK: i64 = 4;
const PHASE: usize = 2;
const BYTES_DONE: usize = 3;
const ROWS_READ: usize = 5;

/// What a load does; the view names the numbers.
#[derive(Debug, Clone, Copy)]
pub enum Phase {
    /// The file's bytes are hashed.
    Hashing = 1,
    /// Another load has the history.
    Waiting = 2,
    /// Lines become trips.
    Reading = 3,
    /// Trips are compared with the history, and new ones go in.
    Inserting = 4,
    /// The summary is brought up to date.
    Summarizing = 5,
}

impl Phase {
    /// Whether these are the numbers of this phase.
    pub fn is_of(self, load: &AtWork) -> bool {
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

/// How often a byte of the file is passed, before it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passes {
    /// It is read.
    Reading,
    /// It is read, and later its trip is compared and written: half is done when it is read.
    ReadingAndWriting,
}

/// The numbers of one load.
#[derive(Debug)]
pub struct Progress {
    /// Mark, load_id, phase, bytes done, bytes in all, rows read, start (microseconds since 1970), the role that has
    /// asked for it.
    slots: Cell<[i64; 8]>,
    passes: Passes,
    /// Bytes that are read, and bytes whose trips are written.
    read: Cell<u64>,
    written: Cell<u64>,
    /// The run that is written: trips of it that are done, all of them, and where its bytes begin.
    run: Cell<(u64, u64, u64)>,
    /// Time between two NOTICEs; none when nobody wants them.
    interval: Option<Duration>,
    told: Cell<Instant>,
    /// Title of the process before.
    title: CString,
}

impl Progress {
    /// A load begins that a role has asked for.
    pub fn begin(
        load_id: i64,
        asked_by: pg_sys::Oid,
        bytes_total: u64,
        passes: Passes,
        interval: Option<Duration>,
    ) -> Self {
        let role = i64::from(asked_by.to_u32());
        let slots = [MARK, load_id, 0, 0, saturated(bytes_total), 0, now(), role];
        let progress = Self {
            slots: Cell::new(slots),
            passes,
            read: Cell::default(),
            written: Cell::default(),
            run: Cell::default(),
            interval,
            told: Cell::new(Instant::now()),
            title: title(),
        };
        progress.phase(Phase::Hashing);
        progress
    }

    /// Another phase begins. A COPY that ended took all slots with it: they are written anew.
    pub fn phase(&self, phase: Phase) {
        // SAFETY: starts the command in this backend's own entry; no memory is passed. It concerns
        // no table until COPY says which. The title is a C string, which is copied.
        unsafe {
            pg_sys::pgstat_progress_start_command(
                pg_sys::ProgressCommandType::PROGRESS_COMMAND_COPY,
                pg_sys::InvalidOid,
            );
            pg_sys::set_ps_display(phase.title().as_ptr());
        }
        let mut slots = self.slots.get();
        slots[PHASE] = phase as i64;
        self.slots.set(slots);
        self.publish();
    }

    /// What COPY would show, where trips go into a table without it.
    pub fn inserts_without_copy(&self, table: pg_sys::Oid) {
        // SAFETY: as in `phase`; COPY, too, says which table it fills.
        unsafe {
            pg_sys::pgstat_progress_start_command(
                pg_sys::ProgressCommandType::PROGRESS_COMMAND_COPY,
                table,
            );
        }
        set(PROGRESS_COPY_COMMAND, PROGRESS_COPY_COMMAND_FROM);
        set(PROGRESS_COPY_TYPE, PROGRESS_COPY_TYPE_CALLBACK);
        self.publish();
    }

    /// So many rows of this table are in, where COPY does not count them.
    pub fn inserted(&self, rows: u64) {
        set(PROGRESS_COPY_TUPLES, saturated(rows));
    }

    /// A COPY has begun and cleared the slots.
    pub fn publish(&self) {
        for (slot, value) in (FIRST_SLOT..).zip(self.slots.get()) {
            set(slot, value);
        }
    }

    /// So much of the file is hashed.
    pub fn hashed(&self, bytes: u64) {
        self.set(BYTES_DONE, bytes);
        self.tell();
    }

    /// So much of the file, and so many rows, are read.
    pub fn read(&self, bytes: u64, rows: u64) {
        self.read.set(bytes);
        self.set(ROWS_READ, rows);
        self.show_bytes();
    }

    /// A run of so many trips begins to be written. It holds what was read and is not written yet.
    pub fn begin_run(&self, trips: u64) {
        self.run.set((0, trips, self.written.get()));
    }

    /// So many trips more of the run are written, or known already.
    pub fn wrote(&self, trips: u64) {
        let (done, all, begin) = self.run.get();
        let done = done + trips;
        self.run.set((done, all, begin));
        let bytes = u128::from(self.read.get().saturating_sub(begin));
        let share = bytes * u128::from(done.min(all)) / u128::from(all.max(1));
        self.written.set(begin + u64::try_from(share).unwrap_or(0));
        self.show_bytes();
    }

    /// All that was read is written.
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
        self.tell();
    }

    fn set(&self, index: usize, value: u64) {
        let mut slots = self.slots.get();
        slots[index] = saturated(value);
        self.slots.set(slots);
        set(FIRST_SLOT + i32::try_from(index).expect("one of eight"), slots[index]);
    }

    /// Tells a person how far it is, when it is time.
    fn tell(&self) {
        let is_due = self.interval.is_some_and(|interval| self.told.get().elapsed() >= interval);
        if !is_due {
            return;
        }
        self.told.set(Instant::now());
        let [_, load_id, _, done, total, rows, ..] = self.slots.get();
        let share = match total {
            0 => String::new(),
            _ => format!("{} % of {total} bytes, ", i128::from(done) * 100 / i128::from(total)),
        };
        ereport!(
            PgLogLevel::NOTICE,
            PgSqlErrorCode::ERRCODE_SUCCESSFUL_COMPLETION,
            format!("load {load_id}: {share}{rows} rows read")
        );
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        // SAFETY: the title is a C string, which is copied into the memory of the process's title.
        unsafe { pg_sys::set_ps_display(self.title.as_ptr()) }
        if !std::thread::panicking() {
            // SAFETY: ends the command of this backend's own entry. An abort does it by itself.
            unsafe { pg_sys::pgstat_progress_end_command() }
        }
    }
}

/// What this process calls itself now.
fn title() -> CString {
    let mut length = 0;
    // SAFETY: the function gives a text of this length, which is ours to read until the title changes.
    let text = unsafe {
        let text = pg_sys::get_ps_display(&raw mut length).cast::<u8>();
        match usize::try_from(length) {
            Ok(length) if !text.is_null() => std::slice::from_raw_parts(text, length).to_vec(),
            _ => Vec::new(),
        }
    };
    CString::new(text).unwrap_or_default()
}

/// A load that is at work in this database, in whatever session.
#[derive(Debug, Clone)]
pub struct AtWork {
    /// Its number.
    pub load_id: i64,
    /// The process that makes it.
    pub pid: i32,
    /// The role of that process.
    pub user: pg_sys::Oid,
    /// The role that has asked for it; invalid when that is gone.
    pub asked_by: pg_sys::Oid,
    /// What it does, as [`Phase`] numbers it.
    pub phase: i64,
    /// Bytes that are done, and all of them.
    pub bytes: [i64; 2],
    /// Rows that are read.
    pub rows_read: i64,
    /// When it began: microseconds since 1970.
    pub started: i64,
}

/// Copies of what all processes of the server show, made when the transaction looks for the first time.
fn entries() -> impl Iterator<Item = pg_sys::PgBackendStatus> {
    // SAFETY: the entries are copies for this transaction, numbered from 1 on; one that is not there is NULL.
    let entry = |number| unsafe { compat::backend_entry(number).as_ref() };
    // SAFETY: makes the copies.
    let count = unsafe { pg_sys::pgstat_fetch_stat_numbackends() };
    (1..=count).filter_map(entry).map(|entry| entry.backendStatus)
}

/// The role of a session or worker; none when it is gone.
pub fn user_of(pid: i32) -> Option<pg_sys::Oid> {
    entries().find(|entry| entry.st_procpid == pid).map(|entry| entry.st_userid)
}

/// The loads that are at work in this database, as they were when the transaction looked for the first time. A
/// session that does not track what it does is not seen.
pub fn at_work() -> Vec<AtWork> {
    // SAFETY: reads a variable of the backend.
    let database = unsafe { pg_sys::MyDatabaseId };
    let load = |entry: pg_sys::PgBackendStatus| {
        let first = FIRST_SLOT as usize;
        let slots = *entry.st_progress_param[first..].first_chunk()?;
        let [mark, load_id, phase, done, all, rows_read, started, role] = slots;
        let is_ours = entry.st_progress_command
            == pg_sys::ProgressCommandType::PROGRESS_COMMAND_COPY
            && entry.st_databaseid == database
            && mark == MARK;
        is_ours.then(|| AtWork {
            load_id,
            pid: entry.st_procpid,
            user: entry.st_userid,
            asked_by: pg_sys::Oid::from(u32::try_from(role).unwrap_or_default()),
            phase,
            bytes: [done, all],
            rows_read,
            started,
        })
    };
    entries().filter_map(load).collect()
}

/// Looks at the sessions anew at the next question, also in this transaction.
pub fn look_again() {
    // SAFETY: gives back what the backend has copied.
    unsafe { pg_sys::pgstat_clear_backend_activity_snapshot() }
}

/// When the server's shared memory was made, and with it the process that writes checkpoints: no load from before is
/// alive. Microseconds since 2000-01-01 UTC.
pub fn server_started() -> Option<i64> {
    let checkpointer = pg_sys::BackendType::B_CHECKPOINTER;
    let found = entries().find(|entry| entry.st_backendType == checkpointer);
    found.map(|entry| entry.st_proc_start_timestamp)
}

/// Publishes numbers in the first progress slots of this process, which runs no command that has progress: a mark, a
/// number, and the process's id.
pub fn publish_numbers(numbers: [i64; 3]) {
    for (slot, number) in (0..).zip(numbers) {
        set(slot, number);
    }
}

/// The numbers that a process of this database publishes with this mark.
pub fn numbers_of_a_process(mark: i64) -> Option<[i64; 3]> {
    // SAFETY: reads a variable of the backend.
    let database = unsafe { pg_sys::MyDatabaseId };
    look_again();
    let found = entries().find_map(|entry| {
        let numbers = *entry.st_progress_param.first_chunk()?;
        // The slots of a process that has ended are not cleared for the next one.
        let is_own = numbers[2] == i64::from(entry.st_procpid) && entry.st_procpid != 0;
        (entry.st_databaseid == database && numbers[0] == mark && is_own).then_some(numbers)
    });
    look_again();
    found
}

fn set(slot: i32, value: i64) {
    // SAFETY: writes one of the twenty numbers of this backend's own entry; 0 to 17 are in range.
    unsafe { pg_sys::pgstat_progress_update_param(slot, value) }
}

fn saturated(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |d| i64::try_from(d.as_micros()).unwrap_or(i64::MAX))
}
