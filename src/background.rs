//! Loads without a session: what the workers of the queue do, and the one that watches a folder.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use pgrx::Spi;

use crate::error::LoadError;
use crate::pg::extension;
use crate::pg::relation::Table;
use crate::pg::session::{self, AsOwner};
use crate::pg::worker::{self, Failed};
use crate::settings;

mod shift;
mod watch;

pub use self::shift::{go_on, work_on_queue};

/// How long the launcher waits for an extension that is not there.
const RETRY: Duration = Duration::from_secs(5);

/// Works on the tables in a transaction of its own; `None` when that failed, which is in the log, or the
/// extension is not there.
fn in_database<T>(work: impl FnOnce() -> Result<T, LoadError>) -> Option<T> {
    worker::forget_cancel();
    try_in_database(work).unwrap_or_else(|failed| {
        failed.log();
        None
    })
}

/// Works on the tables in a transaction of its own; `None` when the extension is not there. A cancel that has come
/// before counts.
fn try_in_database<T>(work: impl FnOnce() -> Result<T, LoadError>) -> Result<Option<T>, Failed> {
    worker::try_next_transaction(AssertUnwindSafe(|| {
        let is_there = prepare().unwrap_or_else(LoadError::raise);
        is_there.then(|| work().unwrap_or_else(LoadError::raise))
    }))
}

/// Names mean PostgreSQL's own from here on, whatever a trigger has set before; whether the extension is there.
fn prepare() -> Result<bool, LoadError> {
    session::use_own_names()?;
    let is_held = extension::hold();
    let is_there = Spi::get_one::<bool>("SELECT to_regclass('trips.queue') IS NOT NULL")?;
    Ok(is_held && is_there == Some(true))
}

fn as_owner_of_ledger() -> (AsOwner, Table) {
    let ledger = Table::open_for_insert(c"loads");
    (AsOwner::of(&ledger), ledger)
}

/// The main function of the launcher, which PostgreSQL starts when the library is preloaded: has the
/// queues of all databases go on, then watches a folder if it is told to.
pub fn launch() {
    for database in in_any_database(databases).unwrap_or_default() {
        worker::start_queue_worker(database, 0);
    }
    let database = settings::watch_database();
    while settings::watch_database() == database {
        match settings::watched_folder() {
            Some(folder) => watch::watch(&folder),
            None => worker::wait(Duration::from_secs(3600)),
        }
        worker::reload_settings();
    }
}

/// Works in a transaction of its own, also where the extension is not.
fn in_any_database<T>(work: impl FnOnce() -> Result<T, LoadError>) -> Option<T> {
    let result = worker::try_transaction(AssertUnwindSafe(|| {
        prepare().unwrap_or_else(LoadError::raise);
        work().unwrap_or_else(LoadError::raise)
    }));
    result.map_err(|failed| failed.log()).ok()
}

fn databases() -> Result<Vec<pgrx::pg_sys::Oid>, LoadError> {
    Spi::connect(|client| {
        let query =
            "SELECT oid FROM pg_database WHERE datallowconn AND NOT datistemplate ORDER BY oid";
        let rows = client.select(query, None, &[])?;
        let oids = rows.map(|row| row.get(1)).collect::<Result<Vec<_>, _>>()?;
        Ok(oids.into_iter().flatten().collect())
    })
}
