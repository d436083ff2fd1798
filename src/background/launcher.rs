//! The launcher, which PostgreSQL starts when the library is preloaded. It restarts the queues of all databases, and
//! starts the folder watcher.

use std::time::Duration;

use pgrx::pg_sys;

use super::{RETRY, log};
use crate::pg::databases::{self, Database};
use crate::pg::worker::{self, StartedWorker, WorkerKind};
use crate::{queue, settings};

/// The launcher itself.
const LAUNCHER: WorkerKind =
    WorkerKind { name: "trips_pipeline launcher", function: "trips_launcher" };
/// The folder watcher. The launcher restarts it if its database still exists.
const WATCHER: WorkerKind =
    WorkerKind { name: "trips_pipeline watcher", function: "trips_watcher" };
/// Sleep of a launcher without work.
const IDLE_INTERVAL: Duration = Duration::from_secs(3600);

/// Registers the launcher, if the library is preloaded.
pub fn register() {
    LAUNCHER.start_with_server();
}

#[derive(Default)]
struct Launcher {
    /// The databases whose queues are not restarted yet; None before they are known.
    waiting: Option<Vec<pg_sys::Oid>>,
    watcher: Option<StartedWorker>,
    /// The reason that was reported why the folder is not watched.
    reported: Option<String>,
}

/// The main function of the launcher.
pub fn launch() {
    let mut launcher = Launcher::default();
    loop {
        worker::wait(launcher.look());
        worker::reload_settings();
    }
}

impl Launcher {
    /// Starts the missing workers; returns when to check again.
    fn look(&mut self) -> Duration {
        let folder = settings::watched_folder();
        let wants_watcher = folder.is_some();
        let lacks_watcher =
            wants_watcher && !self.watcher.as_ref().is_some_and(StartedWorker::is_alive);
        let is_any_waiting = self.waiting.as_ref().is_none_or(|waiting| !waiting.is_empty());
        if lacks_watcher || is_any_waiting {
            match worker::try_transaction(databases::open_databases) {
                Ok(databases) => {
                    self.start_queues(&databases);
                    if lacks_watcher && let Some(folder) = folder {
                        self.start_watcher(&databases, &folder.database);
                    }
                }
                Err(failed) => failed.log(),
            }
        }
        let is_any_waiting = self.waiting.as_ref().is_none_or(|waiting| !waiting.is_empty());
        if wants_watcher || is_any_waiting { RETRY } else { IDLE_INTERVAL }
    }

    /// More databases than free slots: the others follow when some workers have ended.
    fn start_queues(&mut self, databases: &[Database]) {
        let all = || databases.iter().filter(|d| !d.is_template).map(|d| d.oid).collect();
        let waiting = self.waiting.get_or_insert_with(all);
        waiting.retain(|&oid| {
            databases.iter().any(|database| database.oid == oid) && !queue::start_worker(oid, 0)
        });
    }

    fn start_watcher(&mut self, databases: &[Database], name: &str) {
        let database = databases.iter().find(|database| database.name == name);
        self.watcher = database.and_then(|database| WATCHER.start_once(database.oid));
        let reason = match (database, &self.watcher) {
            (_, Some(_)) => None,
            (None, _) => Some(format!(
                "could not start the directory watcher: database \"{name}\" (trips.watch_database) does not exist or does not accept connections"
            )),
            (Some(_), None) => Some(
                "could not start the directory watcher: no background worker slot is free (max_worker_processes)"
                    .to_owned(),
            ),
        };
        if let Some(reason) = reason.as_deref().filter(|_| reason != self.reported) {
            log(reason);
        }
        self.reported = reason;
    }
}
