//! What a load is doing, in the progress slots of its backend, where any session can see it.
//!
//! PostgreSQL gives every backend twenty numbers for the command that it runs. COPY uses the first
//! eight; a load runs as a COPY into the history and puts its own numbers behind them. The view
//! trips.load_progress reads them; pg_stat_progress_copy shows COPY's own.

use pgrx::pg_sys;

/// Marks a backend as ours: "trip" in ASCII. The view looks for it.
const MARK: i64 = 0x7472_6970;
/// Slot 11 in SQL is number 10 here; our slots follow one another.
const FIRST_SLOT: i32 = 10;

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

/// The numbers of one load.
#[derive(Debug)]
pub struct Progress {
    /// Mark, load_id, phase, bytes done, bytes in all, rows read, start (microseconds since 1970).
    slots: [i64; 7],
}

impl Progress {
    /// A load begins.
    pub fn begin(load_id: i64, bytes_total: u64) -> Self {
        let total = i64::try_from(bytes_total).unwrap_or(i64::MAX);
        let mut progress = Self { slots: [MARK, load_id, 0, 0, total, 0, now()] };
        progress.phase(Phase::Hashing);
        progress
    }

    /// Another phase begins. A COPY that ended took all slots with it: they are written anew.
    pub fn phase(&mut self, phase: Phase) {
        self.slots[2] = phase as i64;
        // SAFETY: starts the command in this backend's own entry; no memory is passed. It concerns
        // no table until COPY says which.
        unsafe {
            pg_sys::pgstat_progress_start_command(
                pg_sys::ProgressCommandType::PROGRESS_COMMAND_COPY,
                pg_sys::InvalidOid,
            );
        }
        self.publish();
    }

    /// A COPY has begun and cleared the slots.
    pub fn publish(&self) {
        for (slot, value) in (FIRST_SLOT..).zip(self.slots) {
            set(slot, value);
        }
    }

    /// So much of the file is done in this phase.
    pub fn bytes(&mut self, done: u64) {
        self.slots[3] = i64::try_from(done).unwrap_or(i64::MAX);
        set(FIRST_SLOT + 3, self.slots[3]);
    }

    /// So many rows are read.
    pub fn rows(&mut self, read: u64) {
        self.slots[5] = i64::try_from(read).unwrap_or(i64::MAX);
        set(FIRST_SLOT + 5, self.slots[5]);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // SAFETY: ends the command of this backend's own entry. An abort does it by itself.
            unsafe { pg_sys::pgstat_progress_end_command() }
        }
    }
}

fn set(slot: i32, value: i64) {
    // SAFETY: writes one of the twenty numbers of this backend's own entry; 10 to 16 are in range.
    unsafe { pg_sys::pgstat_progress_update_param(slot, value) }
}

fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |d| i64::try_from(d.as_micros()).unwrap_or(i64::MAX))
}
