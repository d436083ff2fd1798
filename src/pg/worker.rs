//! Background workers: how they start, connect, wait, and end a transaction that fails. The rooms above name their
//! main functions ([`WorkerKind`]).

use std::ffi::CStr;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use pgrx::bgworkers::{
    BackgroundWorker, BackgroundWorkerBuilder, BackgroundWorkerStatus, BgWorkerStartTime,
    DynamicBackgroundWorker,
};
use pgrx::{PgLogLevel, PgSqlErrorCode, PgTryBuilder, Spi, ereport, pg_sys};

use super::error_fields::{self, Caught};
use super::{compat, databases, deferred, extension, own_settings};
use crate::pg::interrupts;

/// Delay before PostgreSQL restarts a worker that an error has ended; after a crash there is no delay.
const RESTART: Duration = Duration::from_secs(5);

/// A kind of background workers.
#[derive(Debug, Clone, Copy)]
pub struct WorkerKind {
    /// Its name in `pg_stat_activity.backend_type`.
    pub name: &'static str,
    /// The name of its main function in the extension's library.
    pub function: &'static str,
}

impl WorkerKind {
    /// Starts a worker in a database; `false` if there is no free slot (`max_worker_processes`). PostgreSQL restarts it
    /// after an error.
    pub fn start(self, database: pg_sys::Oid, argument: i64) -> bool {
        let builder = self.builder(database).set_argument(Some(argument.into()));
        builder.set_restart_time(Some(RESTART)).load_dynamic().is_ok()
    }

    /// Starts a worker in a database that PostgreSQL does not restart; None if there is no free slot.
    pub fn start_once(self, database: pg_sys::Oid) -> Option<StartedWorker> {
        self.builder(database).load_dynamic().ok().map(StartedWorker)
    }

    /// Registers a worker without a database, which starts with the server, if the library is preloaded.
    pub fn start_with_server(self) {
        // SAFETY: reads a variable of the postmaster.
        if !unsafe { pg_sys::process_shared_preload_libraries_in_progress } {
            return;
        }
        BackgroundWorkerBuilder::new(self.name)
            .set_type(self.name)
            .set_library(extension::LIBRARY)
            .set_function(self.function)
            .set_start_time(BgWorkerStartTime::RecoveryFinished)
            .set_restart_time(Some(RESTART))
            .enable_spi_access()
            .load();
    }

    /// Whether the process is a worker of this kind.
    pub fn is_of(self, pid: i32) -> bool {
        // SAFETY: the result is NULL, or a C string in memory of this process that the next call changes.
        unsafe {
            let kind = pg_sys::GetBackgroundWorkerTypeByPid(pid);
            !kind.is_null() && CStr::from_ptr(kind).to_bytes() == self.name.as_bytes()
        }
    }

    fn builder(self, database: pg_sys::Oid) -> BackgroundWorkerBuilder {
        BackgroundWorkerBuilder::new(self.name)
            .set_type(self.name)
            .set_library(extension::LIBRARY)
            .set_function(self.function)
            .set_extra(&database.to_u32().to_string())
            .set_restart_time(None)
            .enable_spi_access()
    }
}

/// A worker that this process has started.
pub struct StartedWorker(DynamicBackgroundWorker);

impl StartedWorker {
    /// Whether it is running, or about to run.
    pub fn is_alive(&self) -> bool {
        matches!(self.0.pid(), Ok(_) | Err(BackgroundWorkerStatus::NotYetStarted))
    }
}

/// Whether the server can never have a slot for a worker.
pub fn has_no_workers() -> bool {
    // SAFETY: reads a variable of the backend.
    unsafe { pg_sys::max_worker_processes == 0 }
}

/// The database of this session.
pub fn current_database() -> pg_sys::Oid {
    // SAFETY: reads a variable of the backend.
    unsafe { pg_sys::MyDatabaseId }
}

/// Connects a worker to no database: any may be dropped. The worker's main function calls this first.
pub fn connect_to_no_database() {
    handle_signals();
    apply_own_settings();
    BackgroundWorker::connect_worker_to_spi(None, None);
}

/// Connects a worker to the database that it was started for. The worker's main function calls this first. It connects as
/// the superuser of the cluster, because the owner of the tables may not be allowed to log in. Returns `false` when the
/// database does not exist or does not allow connections. Then the worker must return: PostgreSQL does not restart a
/// worker that returns.
pub fn connect() -> bool {
    let Ok(database) = BackgroundWorker::get_extra().parse::<u32>().map(pg_sys::Oid::from) else {
        return false;
    };
    if !databases::has_directory(database) {
        return false;
    }
    handle_signals();
    apply_own_settings();
    // SAFETY: a background worker with database access connects, once. An invalid role is that of the superuser.
    unsafe {
        pg_sys::BackgroundWorkerInitializeConnectionByOid(
            database,
            pg_sys::InvalidOid,
            pg_sys::BGWORKER_BYPASS_ALLOWCONN,
        );
    }
    allows_connections()
}

/// Whether the database of this process allows connections.
fn allows_connections() -> bool {
    let query = "SELECT d.datallowconn FROM pg_catalog.pg_database AS d
                  WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()";
    try_transaction(|| Spi::get_one::<bool>(query)).is_ok_and(|found| found == Ok(Some(true)))
}

/// Sets `track_activities`, independent of the database: other processes read the progress slots of this one.
pub fn track_activities() {
    // SAFETY: two C strings, which are copied.
    unsafe {
        pg_sys::SetConfigOption(
            c"track_activities".as_ptr(),
            c"on".as_ptr(),
            pg_sys::GucContext::PGC_SUSET,
            pg_sys::GucSource::PGC_S_SESSION,
        );
    }
}

/// Calls `work` with this `lock_timeout`.
pub fn with_lock_timeout<T>(timeout: Duration, work: impl FnOnce() -> T) -> T {
    let timeout = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: the variable of a setting of type integer.
    let _before = unsafe { Replaced::set(&raw mut pg_sys::LockTimeout, timeout) };
    work()
}

/// Calls `work` with `synchronous_commit = off`.
pub fn without_flush<T>(work: impl FnOnce() -> T) -> T {
    let off = pg_sys::SyncCommitLevel::SYNCHRONOUS_COMMIT_OFF.cast_signed();
    // SAFETY: the variable of a setting of type enum.
    let _before = unsafe { Replaced::set(&raw mut pg_sys::synchronous_commit, off) };
    work()
}

/// The variable of a setting has another value until this is dropped, also by a panic.
struct Replaced {
    variable: *mut i32,
    before: i32,
}

impl Replaced {
    /// # Safety
    /// The variable is a static one of the backend, of type int.
    unsafe fn set(variable: *mut i32, value: i32) -> Self {
        // SAFETY: our caller promises a static variable; the backend has one thread.
        Self { variable, before: unsafe { variable.replace(value) } }
    }
}

impl Drop for Replaced {
    fn drop(&mut self) {
        // SAFETY: as in `set`.
        unsafe { self.variable.write(self.before) }
    }
}

/// Waits until the last commit of this process is on disk.
pub fn flush_commits() {
    // SAFETY: reads a variable of the backend: 0, or the end of a record that has been written.
    unsafe { pg_sys::XLogFlush(pg_sys::XactLastCommitEnd) }
}

/// Writes a message to the server's log.
pub fn log(text: &str) {
    let text = format!("trips_pipeline: {text}");
    ereport!(PgLogLevel::LOG, PgSqlErrorCode::ERRCODE_WARNING, text);
}

fn apply_own_settings() {
    deferred::this_is_a_worker();
    own_settings::set_for_worker();
}

// SAFETY: PostgreSQL's own handlers (postgres.h, interrupt.h). Only their addresses are used: the functions of this name in
// `pg_sys` are wrappers of pgrx, which do more than a handler may.
unsafe extern "C-unwind" {
    fn die(signal: i32);
    fn SignalHandlerForConfigReload(signal: i32);
}

/// Sets the handlers that a session has. PostgreSQL starts a background worker with its signals blocked.
fn handle_signals() {
    // SAFETY: both handlers set flags and the latch. The default handler of SIGTERM would end the process at once, in the
    // middle of an allocation too.
    unsafe {
        compat::handle_signal(libc::SIGTERM, die);
        compat::handle_signal(libc::SIGHUP, SignalHandlerForConfigReload);
        pg_sys::BackgroundWorkerUnblockSignals();
    }
}

/// Reads the configuration files again after SIGHUP.
pub fn reload_settings() {
    // SAFETY: a flag that the handler sets, and PostgreSQL's function for it, between two commands.
    unsafe {
        if (&raw const pg_sys::ConfigReloadPending).read_volatile() != 0 {
            (&raw mut pg_sys::ConfigReloadPending).write_volatile(0);
            pg_sys::ProcessConfigFile(pg_sys::GucContext::PGC_SIGHUP);
        }
    }
}

/// Waits until the latch is set, but not longer than this; then it is reset.
pub fn wait(timeout: Duration) {
    wait_on(None, timeout);
}

/// Sleeps for `time`. Latch events do not end the sleep early, and query cancels are ignored.
pub fn sleep(time: Duration) {
    let end = Instant::now() + time;
    while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
    {
        clear_cancel();
        wait(left.max(Duration::from_millis(1)));
    }
}

/// Ignores a cancel that arrived before this point: it was meant for earlier work.
pub fn clear_cancel() {
    // SAFETY: a flag that a signal sets, checked between two transactions.
    unsafe { (&raw mut pg_sys::QueryCancelPending).write_volatile(0) }
}

/// Waits until there is something to read, or the latch is set, but not longer than this; whether it ended
/// before that time.
pub fn wait_for(readable: &OwnedFd, timeout: Duration) -> bool {
    wait_on(Some(readable.as_raw_fd()), timeout)
}

fn wait_on(readable: Option<RawFd>, timeout: Duration) -> bool {
    let mut events = pg_sys::WL_LATCH_SET | pg_sys::WL_TIMEOUT | pg_sys::WL_EXIT_ON_PM_DEATH;
    if readable.is_some() {
        events |= pg_sys::WL_SOCKET_READABLE;
    }
    let milliseconds = i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX);
    // SAFETY: waits on the latch of this process, and on an open descriptor. The wait event shows an extension to
    // monitoring.
    let happened = unsafe {
        let happened = pg_sys::WaitLatchOrSocket(
            pg_sys::MyLatch,
            events.cast_signed(),
            readable.unwrap_or(pg_sys::PGINVALID_SOCKET),
            milliseconds,
            pg_sys::PG_WAIT_EXTENSION,
        );
        pg_sys::ResetLatch(pg_sys::MyLatch);
        happened
    };
    interrupts::check();
    happened & pg_sys::WL_TIMEOUT.cast_signed() == 0
}

/// The error that ended a transaction of a worker.
#[derive(Debug)]
pub struct Failed {
    /// The message.
    pub error: Box<Caught>,
}

impl Failed {
    /// Whether a cancel was requested.
    pub fn is_cancel(&self) -> bool {
        self.error.code == "57014"
    }

    /// Writes it to the server's log.
    pub fn log(&self) {
        let Caught { code, message, detail, .. } = &*self.error;
        let detail = detail.as_ref().map_or_else(String::new, |detail| format!("\n{detail}"));
        log(&format!("{message}{detail} ({code})"));
    }
}

/// Works in a transaction of its own. An error ends that transaction, not the worker. A cancel that arrived earlier
/// does not count.
pub fn try_transaction<T>(work: impl FnOnce() -> T + std::panic::UnwindSafe) -> Result<T, Failed> {
    clear_cancel();
    try_next_transaction(work)
}

/// Works in the next transaction of longer work: a cancel that arrived since the last one counts.
pub fn try_next_transaction<T>(
    work: impl FnOnce() -> T + std::panic::UnwindSafe,
) -> Result<T, Failed> {
    // SAFETY: no transaction is open between those of a worker. What is pushed is popped before the commit, or by the
    // abort.
    unsafe {
        pg_sys::SetCurrentStatementStartTimestamp();
        pg_sys::StartTransactionCommand();
        pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
    }
    let preserved = error_fields::preserve_beyond_transactions();
    let result = PgTryBuilder::new(AssertUnwindSafe(|| {
        let result = work();
        // SAFETY: as above.
        unsafe {
            pg_sys::PopActiveSnapshot();
            pg_sys::CommitTransactionCommand();
        }
        Ok(result)
    }))
    .catch_others(|cause| Err(Failed { error: Box::new(Caught::of(&cause)) }))
    .execute();
    drop(preserved);
    // SAFETY: PostgreSQL no longer handles the error; the worker aborts its transaction. Statistics are reported
    // outside a transaction.
    unsafe {
        if result.is_err() {
            pg_sys::AbortCurrentTransaction();
        }
        pg_sys::pgstat_report_stat(false);
    }
    result
}
