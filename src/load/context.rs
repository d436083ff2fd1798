//! A load from its number to its end, however it ends.

use std::cell::{Cell, RefCell};
use std::panic::AssertUnwindSafe;

use pgrx::{PgLogLevel, PgSqlErrorCode, PgTryBuilder, ereport, pg_sys};

use super::ingest::{self, Request};
use crate::error::{LoadError, RequestError};
use crate::events;
use crate::history::{History, owners};
use crate::ledger::{self, LoadFailure, LoadHeader, LoadInfo, LoadSource, SameBytes, Totals};
use crate::monitor::client::{self, MonitoredLoad};
use crate::pg::error_fields::Caught;
use crate::pg::extension;
use crate::pg::locks::Lock;
use crate::pg::relation::Table;
use crate::pg::row::LoadRow;
use crate::pg::session::{self, AsOwner};
use crate::pg::table_locks::{self, Mode};
use crate::settings;

/// A load that has begun: the privileges of the tables' owner, a number in the ledger, and the header of the load so
/// far. It outlives the errors of the load, because they are reported from it.
pub struct LoadContext {
    /// The load in the ledger.
    pub header: LoadHeader,
    /// Adds to the header what the load finds out about the file.
    pub source: RefCell<LoadSource>,
    monitored: Cell<Option<MonitoredLoad>>,
    _privileges: OwnerPrivileges,
}

/// The privileges of the tables' owner while this lives. The extension stays locked until the transaction ends.
pub struct OwnerPrivileges {
    // Drop order: first the privileges, then the table that they came from.
    _owner: AsOwner,
    _ledger: Table,
}

impl OwnerPrivileges {
    /// Acquires the owner's privileges. The caller's privileges must have been checked before.
    pub fn acquire() -> Result<Self, LoadError> {
        if !session::database_is_utf8() {
            return Err(RequestError::DatabaseEncoding.into());
        }
        extension::lock();
        // It is the first table lock of a load: a deadlock must not end the load here either.
        if let Some(ledger) = Table::find(c"loads") {
            table_locks::lock(ledger, Mode::RowExclusive)?;
        }
        let ledger = Table::open_for_insert(c"loads");
        let owner = AsOwner::of(&ledger);
        owners::require_one_owner(ledger.owner())?;
        owners::require_all_rows()?;
        Ok(Self { _owner: owner, _ledger: ledger })
    }
}

impl LoadContext {
    /// Begins a load for the current user, whose privileges have been checked.
    pub fn begin(name: &str) -> Result<Self, LoadError> {
        let role = session::current_user();
        let privileges = OwnerPrivileges::acquire()?;
        Ok(Self::of(ledger::begin(role)?, Self::source_named(name), privileges))
    }

    /// Begins a load that the owner of the tables requests.
    pub fn begin_as_owner(name: &str) -> Result<Self, LoadError> {
        let privileges = OwnerPrivileges::acquire()?;
        // The current user is already the owner.
        let role = session::current_user();
        Ok(Self::of(ledger::begin(role)?, Self::source_named(name), privileges))
    }

    /// Begins a load that has its number already.
    pub fn resume(name: &str, load_id: i64, role: pg_sys::Oid) -> Result<Self, LoadError> {
        let privileges = OwnerPrivileges::acquire()?;
        let header = ledger::resume(load_id, role)?;
        Ok(Self::of(header, Self::source_named(name), privileges))
    }

    /// A load with this number and these bytes.
    pub fn of(header: LoadHeader, source: LoadSource, privileges: OwnerPrivileges) -> Self {
        Lock::Load(header.load_id).try_lock();
        Lock::Cancelable(header.load_id).try_lock();
        let (source, monitored) = (RefCell::new(source), Cell::new(None));
        Self { header, source, monitored, _privileges: privileges }
    }

    fn source_named(name: &str) -> LoadSource {
        LoadSource { name: name.to_owned(), ..LoadSource::default() }
    }

    /// Registers the load with the load monitor, unless it already is. Without a monitor the load continues.
    pub fn register(&self, source: &LoadSource) {
        let load = self.monitored.get().unwrap_or_else(|| client::register(self.info(source)));
        self.monitored.set(Some(load));
        if load.is_to_be_told_unmonitored() {
            ereport!(
                PgLogLevel::NOTICE,
                PgSqlErrorCode::ERRCODE_CONFIGURATION_LIMIT_EXCEEDED,
                "could not start the load monitor: no background worker slot is free",
                "trips.loads shows loads without a monitor only after they commit. Raise max_worker_processes."
            );
        }
    }

    fn info(&self, source: &LoadSource) -> LoadInfo {
        LoadInfo {
            load_id: self.header.load_id,
            source: source.name.clone(),
            bytes: source.bytes,
            changed_at: source.changed_at,
            requested_by: self.header.requested_by.clone(),
            started_at: self.header.started_at.into(),
            ledger: Table::open_for_insert(c"loads").oid().to_u32(),
            one_snapshot: session::has_one_snapshot(),
        }
    }

    /// Acquires the history lock. While it waits, the load is visible, can be cancelled, and is recorded if it is
    /// terminated.
    pub fn lock_history(&self, source: &LoadSource) -> Result<History, LoadError> {
        if let Some(history) = History::try_lock_for_load()? {
            return Ok(history);
        }
        self.register(source);
        History::lock_for_load()
    }

    /// Inserts the ledger row: done, or skipped because of `same_as` if it has no totals. The monitor no longer changes
    /// this row.
    pub fn enter(
        &self,
        source: &LoadSource,
        totals: Option<Totals>,
        same_as: Option<i64>,
    ) -> Result<LoadRow, LoadError> {
        if let Some(load) = self.monitored.get() {
            load.wait_until_entered();
        }
        ledger::record_end(&self.header, source, totals, same_as)
    }

    /// The bytes are known: only the ledger gets a row.
    pub fn skip(&self, source: &LoadSource, known: SameBytes) -> Result<LoadRow, LoadError> {
        if known.staged > 0 {
            let (load_id, staged) = (known.load_id, known.staged);
            ereport!(
                PgLogLevel::NOTICE,
                PgSqlErrorCode::ERRCODE_SUCCESSFUL_COMPLETION,
                format!(
                    "load {load_id} has the same bytes; {staged} of its rows wait in staging: SELECT * FROM trips.merge_staged({load_id})"
                )
            );
        }
        self.enter(source, None, Some(known.load_id))
    }

    /// Records in the ledger how the load has failed; returns whether it could.
    pub fn fail(&self, failure: LoadFailure) -> bool {
        let LoadSource { digest, options, .. } = self.source.borrow().clone();
        let failure = LoadFailure { digest, options, role: self.header.role.to_u32(), ..failure };
        let register = || client::register(self.info(&self.source.borrow()));
        let load = self.monitored.take().unwrap_or_else(register);
        load.fail(&failure)
    }

    /// The load is done.
    pub fn finish(self) {
        events::publish_at_commit(self.header.load_id);
        if let Some(load) = self.monitored.take() {
            load.finish();
        }
    }
}

impl Drop for LoadContext {
    fn drop(&mut self) {
        // Its transaction may continue with other work. While an ERROR unwinds, the abort releases it.
        if !std::thread::panicking() {
            Lock::Cancelable(self.header.load_id).unlock();
        }
    }
}

/// Loads a file, and records the failure in the ledger if it fails.
pub fn load_file(request: &Request<'_>, context: LoadContext) -> Result<LoadRow, LoadError> {
    context.source.borrow_mut().options =
        Some(settings::options(request.abort_on_error, request.max_errors));
    record_failure_of(context, |context| {
        let result = ingest::deliver(request, context);
        let shows_content = request.access.shows_content();
        if shows_content { result } else { result.map_err(LoadError::redacted) }
    })
}

/// Runs a load, sends its end, and records the failure in the ledger if it fails.
pub fn record_failure_of(
    context: LoadContext,
    work: impl FnOnce(&LoadContext) -> Result<LoadRow, LoadError>,
) -> Result<LoadRow, LoadError> {
    // An error of PostgreSQL (a cancel, a full disk, a lost lock) is recorded too, and raised again.
    let observer = AssertUnwindSafe(&context);
    let result = PgTryBuilder::new(AssertUnwindSafe(|| work(&context)))
        .catch_others(move |cause| {
            let failure = LoadFailure::of_caught(Caught::of(&cause));
            session::after_error();
            // A second error must not replace the first.
            PgTryBuilder::new(AssertUnwindSafe(|| observer.fail(failure)))
                .catch_others(|_| false)
                .execute();
            cause.rethrow()
        })
        .execute();
    match &result {
        Ok(_) => context.finish(),
        // The monitor would record it as failed.
        Err(error) if error.is_recorded() || context.monitored.get().is_some() => {
            record_failure(error, &context)
        }
        Err(_) => {}
    }
    result
}

fn record_failure(error: &LoadError, context: &LoadContext) {
    if !context.fail(LoadFailure::of_load(error)) {
        ereport!(
            PgLogLevel::WARNING,
            PgSqlErrorCode::ERRCODE_CONFIGURATION_LIMIT_EXCEEDED,
            "could not record the failed load in trips.loads yet",
            "The load monitor waits for a lock on trips.loads, or no background worker slot is free."
        );
    }
}
