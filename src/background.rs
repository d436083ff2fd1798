//! Loads without a session: the queue workers, the folder watcher, and the launcher that starts them.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use crate::error::LoadError;
use crate::pg::extension;
use crate::pg::locks::{Lock, SessionLock};
use crate::pg::worker::{self, Failed};
use crate::{ledger, settings};

mod entry;
mod folder;
mod launcher;
mod queue_worker;

pub use self::launcher::register as register_launcher;
pub use self::queue_worker::{resume_queue, start_worker_for_queue, work_on_queue};

/// Time that the launcher and the folder watcher wait for a missing database, extension or folder.
const RETRY: Duration = Duration::from_secs(5);

/// Works on the tables in a transaction of its own; `None` if that failed (the log has the error), or if the extension
/// does not exist.
fn in_database<T>(work: impl FnOnce() -> Result<T, LoadError>) -> Option<T> {
    worker::clear_cancel();
    try_in_database(work).unwrap_or_else(|failed| {
        failed.log();
        None
    })
}

/// Works on the tables in a transaction of its own; `None` if the extension is not there. A cancel that arrived earlier
/// counts.
fn try_in_database<T>(work: impl FnOnce() -> Result<T, LoadError>) -> Result<Option<T>, Failed> {
    worker::try_next_transaction(AssertUnwindSafe(|| {
        let is_there = extension::begin_work(ledger::TABLE)
            .unwrap_or_else(|error| LoadError::from(error).raise());
        is_there.then(|| work().unwrap_or_else(LoadError::raise))
    }))
}

/// Writes a message to the server's log.
fn log(text: &str) {
    worker::log(text);
}

/// The main function of the folder watcher, in the database into which its files are loaded. It ends when the settings
/// name another database, or no folder.
pub fn watch_folder() {
    let database = settings::watched_folder().map(|folder| folder.database);
    let mut lock = None;
    while let Some(folder) = settings::watched_folder()
        && Some(&folder.database) == database.as_ref()
    {
        // A restarted launcher has started another watcher.
        lock = lock.or_else(|| SessionLock::try_lock(Lock::Watcher));
        if lock.is_some() {
            folder::watch(&folder);
        } else {
            worker::wait(RETRY);
            worker::reload_settings();
        }
    }
}
