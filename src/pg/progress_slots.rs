//! The progress slots of backends, the titles of their processes, and their backend status.
//!
//! PostgreSQL gives each backend twenty numbers for the command that it runs. COPY uses the first eight. The commands
//! of this extension run as a COPY and use the slots from [`FIRST_SLOT`] on.

use std::ffi::{CStr, CString};

use pgrx::pg_sys;

use super::compat;

/// How many slots a command of this extension has.
pub const SLOTS: usize = 8;
/// Slot 11 in SQL is number 10 here.
const FIRST_SLOT: i32 = 10;
/// Slots of COPY and their values (commands/progress.h).
const PROGRESS_COPY_TUPLES: i32 = 2;
const PROGRESS_COPY_COMMAND: i32 = 4;
const PROGRESS_COPY_COMMAND_FROM: i64 = 1;
const PROGRESS_COPY_TYPE: i32 = 5;
const PROGRESS_COPY_TYPE_CALLBACK: i64 = 4;

/// Starts a COPY of no table yet. It clears all slots.
pub fn start_command() {
    start(pg_sys::InvalidOid);
}

/// Starts a COPY FROM of this table with the slots that COPY itself would set. It clears all others.
pub fn start_copy_of(table: pg_sys::Oid) {
    start(table);
    set(PROGRESS_COPY_COMMAND, PROGRESS_COPY_COMMAND_FROM);
    set(PROGRESS_COPY_TYPE, PROGRESS_COPY_TYPE_CALLBACK);
}

fn start(table: pg_sys::Oid) {
    // SAFETY: starts the command in this backend's own entry; no memory is passed.
    unsafe {
        pg_sys::pgstat_progress_start_command(
            pg_sys::ProgressCommandType::PROGRESS_COMMAND_COPY,
            table,
        );
    }
}

/// Ends the command. The abort of the transaction does it, too.
pub fn end_command() {
    // SAFETY: ends the command of this backend's own entry.
    unsafe { pg_sys::pgstat_progress_end_command() }
}

/// Sets the number of rows that COPY shows.
pub fn set_copied_rows(rows: i64) {
    set(PROGRESS_COPY_TUPLES, rows);
}

/// Sets all slots of this extension.
pub fn publish(slots: &[i64; SLOTS]) {
    for (slot, &value) in (FIRST_SLOT..).zip(slots) {
        set(slot, value);
    }
}

/// Sets one slot of this extension.
pub fn publish_one(index: usize, value: i64) {
    assert!(index < SLOTS, "there are {SLOTS} slots");
    set(FIRST_SLOT + i32::try_from(index).expect("a small number"), value);
}

fn set(slot: i32, value: i64) {
    debug_assert!((0..20).contains(&slot), "a backend has 20 slots");
    // SAFETY: writes one of the twenty numbers of this backend's own entry. The callers pass 0 to 17.
    unsafe { pg_sys::pgstat_progress_update_param(slot, value) }
}

/// The title of this process, as `ps` shows it.
pub fn title() -> CString {
    let mut length = 0;
    // SAFETY: the function returns a text of this length, valid until the title changes; it is copied.
    let text = unsafe {
        let text = pg_sys::get_ps_display(&raw mut length).cast::<u8>();
        match usize::try_from(length) {
            Ok(length) if !text.is_null() => std::slice::from_raw_parts(text, length).to_vec(),
            _ => Vec::new(),
        }
    };
    CString::new(text).unwrap_or_default()
}

/// Sets the title of this process.
pub fn set_title(title: &CStr) {
    // SAFETY: a C string, which is copied into the memory of the process's title.
    unsafe { pg_sys::set_ps_display(title.as_ptr()) }
}

/// A process that runs a COPY in this database.
#[derive(Debug, Clone, Copy)]
pub struct CopyProcess {
    /// Its process id.
    pub pid: i32,
    /// Its role.
    pub user: pg_sys::Oid,
    /// Its slots from [`FIRST_SLOT`] on.
    pub slots: [i64; SLOTS],
}

/// Copies of the backend status of all processes of the server. PostgreSQL makes them once a transaction.
fn entries() -> impl Iterator<Item = pg_sys::PgBackendStatus> {
    // SAFETY: the entries are copies for this transaction, numbered from 1 on; a missing one is NULL.
    let entry = |number| unsafe { compat::backend_entry(number).as_ref() };
    // SAFETY: makes the copies.
    let count = unsafe { pg_sys::pgstat_fetch_stat_numbackends() };
    (1..=count).filter_map(entry).map(|entry| entry.backendStatus)
}

/// The role of a session or worker; `None` when the process does not exist.
pub fn user_of(pid: i32) -> Option<pg_sys::Oid> {
    entries().find(|entry| entry.st_procpid == pid).map(|entry| entry.st_userid)
}

/// The processes that run a COPY in this database, as of the first call of the transaction. Processes with
/// `track_activities = off` are missing.
pub fn copy_processes() -> impl Iterator<Item = CopyProcess> {
    // SAFETY: reads a variable of the backend.
    let database = unsafe { pg_sys::MyDatabaseId };
    entries().filter_map(move |entry| {
        let slots = *entry.st_progress_param[FIRST_SLOT as usize..].first_chunk()?;
        let is_copy = entry.st_progress_command
            == pg_sys::ProgressCommandType::PROGRESS_COMMAND_COPY
            && entry.st_databaseid == database;
        is_copy.then_some(CopyProcess { pid: entry.st_procpid, user: entry.st_userid, slots })
    })
}

/// Discards the copies: the next call reads the backend status again, also in this transaction.
pub fn discard_copies() {
    // SAFETY: frees the copies of this backend.
    unsafe { pg_sys::pgstat_clear_backend_activity_snapshot() }
}

/// When the checkpointer started, and with it the server's shared memory. Microseconds since 2000-01-01 UTC.
pub fn server_started() -> Option<i64> {
    let checkpointer = pg_sys::BackendType::B_CHECKPOINTER;
    let found = entries().find(|entry| entry.st_backendType == checkpointer);
    found.map(|entry| entry.st_proc_start_timestamp)
}

/// Publishes a mark, a number and the process id in the first slots of this process, which runs no command.
pub fn publish_numbers(numbers: [i64; 3]) {
    for (slot, number) in (0..).zip(numbers) {
        set(slot, number);
    }
}

/// The numbers that a process of this database publishes with this mark.
pub fn numbers_of_a_process(mark: i64) -> Option<[i64; 3]> {
    // SAFETY: reads a variable of the backend.
    let database = unsafe { pg_sys::MyDatabaseId };
    discard_copies();
    let found = entries().find_map(|entry| {
        let numbers = *entry.st_progress_param.first_chunk()?;
        // PostgreSQL does not clear the slots of a process that has ended for the next one.
        let is_own = numbers[2] == i64::from(entry.st_procpid) && entry.st_procpid != 0;
        (entry.st_databaseid == database && numbers[0] == mark && is_own).then_some(numbers)
    });
    discard_copies();
    found
}
