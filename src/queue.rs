//! The queue `trips.queue`: loads that wait for a worker.

pub mod cancel;
pub mod new_files;
pub mod running;
pub mod submit;

use std::cell::Cell;

use pgrx::datum::DatumWithOid;
use pgrx::{
    JsonB, PgSqlErrorCode, PgTryBuilder, PgXactCallbackEvent, Spi, pg_sys, register_xact_callback,
};
use serde_json::{Map, Value};
use trips_core::key::SameId;

use crate::error::{LoadError, Report};
use crate::pg::relation::Table;
use crate::pg::session::{self, RunsAsOwner};
use crate::pg::worker::{self, WorkerKind};
use crate::settings::{self, LoadOptions};

/// The workers of the queue.
pub const WORKER: WorkerKind = WorkerKind { name: "trips_pipeline queue", function: "trips_queue" };

/// Starts a worker of a database's queue; `after` is the load for which it is started, or 0. `false` if there is no free
/// slot.
pub fn start_worker(database: pg_sys::Oid, after: i64) -> bool {
    WORKER.start(database, after)
}

/// A queued load.
#[derive(Debug)]
pub struct QueuedLoad {
    /// Its number in the ledger.
    pub load_id: i64,
    /// Absolute path of the file.
    pub path: String,
    /// Load it although its bytes are known.
    pub force: bool,
    /// Which records it takes.
    pub options: QueuedOptions,
    /// Settings of the submitting session.
    pub settings: Map<String, Value>,
    /// Number of workers that have begun it.
    pub attempts: i32,
    /// The requesting role; None if only its name is known, because the queue comes from a dump.
    pub role: Option<pg_sys::Oid>,
}

/// The arguments of a queued load, as the queue has them.
#[derive(Debug, Clone)]
pub struct QueuedOptions {
    abort_on_error: bool,
    max_errors: Option<u64>,
    feed: Option<String>,
    region: Option<String>,
    datasource: Option<String>,
    on_change: Option<SameId>,
}

impl QueuedOptions {
    /// A copy of the arguments.
    pub fn of(options: LoadOptions<'_>) -> Self {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Self {
            abort_on_error: options.abort_on_error,
            max_errors: options.max_errors,
            feed: owned(options.feed),
            region: owned(options.region),
            datasource: owned(options.datasource),
            on_change: options.on_change,
        }
    }

    /// The arguments.
    pub fn get(&self) -> LoadOptions<'_> {
        LoadOptions {
            abort_on_error: self.abort_on_error,
            max_errors: self.max_errors,
            feed: self.feed.as_deref(),
            region: self.region.as_deref(),
            datasource: self.datasource.as_deref(),
            on_change: self.on_change,
        }
    }
}

impl QueuedLoad {
    /// Applies the settings of the submitting session until the transaction ends.
    pub fn apply_settings(&self) -> Result<(), LoadError> {
        // Only these settings, even if others were written there by hand.
        for (name, _) in settings::constraints_as_text() {
            let Some(value) = self.settings.get(name).and_then(Value::as_str) else { continue };
            let args = [name.into(), value.into()];
            Spi::run_with_args("SELECT pg_catalog.set_config($1, $2, true)", &args)?;
        }
        Ok(())
    }
}

fn as_owner() -> (RunsAsOwner, Table) {
    let table = Table::open_for_insert(c"queue");
    (session::run_as_owner(&table), table)
}

/// The roles may have another owner than the queue.
fn as_owner_of_roles() -> (RunsAsOwner, Table) {
    let table = Table::open_for_insert(c"trips_internal.queue_roles");
    (session::run_as_owner(&table), table)
}

/// The settings of this session that apply to its loads.
pub fn settings_of_session() -> Map<String, Value> {
    settings::constraints_as_text()
        .map(|(name, value)| (name.to_owned(), Value::String(value)))
        .into_iter()
        .collect()
}

/// Inserts a load.
pub fn enter(job: &QueuedLoad) -> Result<(), LoadError> {
    enter_job(job)?;
    if let Some(role) = job.role {
        let _owner = as_owner_of_roles();
        Spi::run_with_args(
            "INSERT INTO trips_internal.queue_roles (load_id, role) VALUES ($1, $2)",
            &[job.load_id.into(), role.into()],
        )?;
    }
    Ok(())
}

fn enter_job(job: &QueuedLoad) -> Result<(), LoadError> {
    let _owner = as_owner();
    let options = job.options.get();
    let args: [DatumWithOid<'_>; 10] = [
        job.load_id.into(),
        job.path.as_str().into(),
        options.on_error().into(),
        options.max_errors.and_then(|limit| i64::try_from(limit).ok()).into(),
        job.force.into(),
        options.feed.into(),
        options.region.into(),
        options.datasource.into(),
        JsonB(Value::Object(job.settings.clone())).into(),
        options.on_change.map(SameId::word).into(),
    ];
    Ok(Spi::run_with_args(
        "INSERT INTO trips.queue (load_id, path, on_error, max_errors, force, feed, region, datasource,
                settings, on_change)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        &args,
    )?)
}

/// The role that requested a queued load; None if only its name is known.
pub fn role_of(load_id: i64) -> Result<Option<pg_sys::Oid>, LoadError> {
    let _owner = as_owner_of_roles();
    Spi::connect(|client| {
        let query = "SELECT r.role FROM trips_internal.queue_roles AS r WHERE r.load_id = $1";
        let mut found = client.select(query, Some(1), &[load_id.into()])?;
        Ok(found.next().map(|row| row.get(1)).transpose()?.flatten())
    })
}

/// The numbers of the queued loads, in order, and whether a worker has begun them.
pub fn waiting() -> Result<Vec<(i64, bool)>, LoadError> {
    let _owner = as_owner();
    Spi::connect(|client| {
        let query = "SELECT load_id, attempts > 0 FROM trips.queue ORDER BY load_id";
        let rows = client.select(query, None, &[])?;
        let load = |row: pgrx::spi::SpiHeapTupleData<'_>| Ok(row.get(1)?.zip(row.get(2)?));
        let loads = rows.map(load).collect::<Result<Vec<_>, LoadError>>()?;
        Ok(loads.into_iter().flatten().collect())
    })
}

/// Begins a queued load: counts the attempt, and returns the job; None if it is no longer queued.
pub fn begin(load_id: i64) -> Result<Option<QueuedLoad>, LoadError> {
    let role = role_of(load_id)?;
    let _owner = as_owner();
    Spi::connect_mut(|client| {
        let query = "UPDATE trips.queue AS q SET attempts = q.attempts + 1 WHERE q.load_id = $1
                     RETURNING q.path, q.on_error, q.max_errors, q.force, q.settings, q.attempts,
                               q.feed, q.region, q.datasource, q.on_change";
        let mut rows = client.update(query, Some(1), &[load_id.into()])?;
        let Some(row) = rows.next() else { return Ok(None) };
        let settings = match row.get::<JsonB>(5)? {
            Some(JsonB(Value::Object(settings))) => settings,
            _ => Map::new(),
        };
        Ok(Some(QueuedLoad {
            load_id,
            path: row.get(1)?.unwrap_or_default(),
            force: row.get(4)?.unwrap_or_default(),
            options: QueuedOptions {
                abort_on_error: row.get::<String>(2)?.as_deref() == Some("abort"),
                max_errors: row.get::<i64>(3)?.and_then(|limit| u64::try_from(limit).ok()),
                feed: row.get(7)?,
                region: row.get(8)?,
                datasource: row.get(9)?,
                on_change: row.get::<String>(10)?.and_then(|word| SameId::of_word(&word)),
            },
            settings,
            attempts: row.get(6)?.unwrap_or_default(),
            role,
        }))
    })
}

/// Deletes a load from the queue.
pub fn delete(load_id: i64) -> Result<(), LoadError> {
    let _owner = as_owner();
    Ok(Spi::run_with_args("DELETE FROM trips.queue WHERE load_id = $1", &[load_id.into()])?)
}

/// When a worker is to check the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// When the transaction has committed: there is a new load.
    AtCommit,
    /// When the transaction has ended, with or without success: a worker may have skipped the locked load.
    AtEnd,
}

thread_local! {
    /// The load for which a worker is started at the end of this transaction.
    static PENDING_START: Cell<Option<(i64, Wake)>> = const { Cell::new(None) };
}

/// Starts one worker for the queue when this transaction has ended, however many loads it submits. The lock
/// [`Lock::Queued`](crate::pg::locks::Lock::Queued) of the load is held until then.
pub fn wake_worker(load_id: i64, when: Wake) {
    let before = PENDING_START.get();
    let when = before.map_or(when, |(_, before)| if before == Wake::AtEnd { before } else { when });
    PENDING_START.set(Some((load_id, when)));
    if before.is_some() {
        return;
    }
    register_xact_callback(PgXactCallbackEvent::PreCommit, start_pending);
    // The worker waits until a prepared transaction has ended.
    register_xact_callback(PgXactCallbackEvent::Prepare, start_pending);
    register_xact_callback(PgXactCallbackEvent::Abort, || {
        // An ERROR that leaves an abort callback ends the backend. Without this worker the load waits for the next one.
        PgTryBuilder::new(start_after_abort).catch_others(|_| ()).execute();
    });
}

fn start_after_abort() {
    if let Some((load_id, Wake::AtEnd)) = PENDING_START.take() {
        start_worker(worker::current_database(), load_id);
    }
}

fn start_pending() {
    let Some((load_id, _)) = PENDING_START.take() else { return };
    if settings::max_workers() > 0 && !start_worker(worker::current_database(), load_id) {
        Report::new(
            PgSqlErrorCode::ERRCODE_CONFIGURATION_LIMIT_EXCEEDED,
            "could not start a background worker for the queued load: no background worker slot is free",
        )
        .detail("The load waits until a load of this database ends, another load is submitted, or the server starts.")
        .hint("Increase max_worker_processes.")
        .notice();
    }
}
