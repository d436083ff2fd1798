//! The context of a load: its number, its source, the privileges of the tables' owner, its monitor.

use std::cell::{Cell, RefCell};

use pgrx::pg_sys;

use super::notices;
use crate::error::{LoadError, RequestError};
use crate::events;
use crate::history::{History, owners};
use crate::ledger::{self, LoadHeader, LoadInfo, LoadRow, LoadSource, SameBytes, Totals};
use crate::monitor::client::{self, MonitoredLoad};
use crate::pg::extension;
use crate::pg::locks::Lock;
use crate::pg::relation::Table;
use crate::pg::safe_drop::drop_unless_panicking;
use crate::pg::session::{self, RunsAsOwner};
use crate::pg::table_locks::{self, Mode};

/// A load that has begun. It outlives the errors of the load, which are recorded from it.
pub struct LoadContext {
    /// The load in the ledger.
    pub header: LoadHeader,
    /// What the load knows of the file so far.
    pub source: RefCell<LoadSource>,
    pub(super) monitored: Cell<Option<MonitoredLoad>>,
    privileges: OwnerPrivileges,
}

/// The privileges of the tables' owner until this is dropped. The extension cannot be dropped before the transaction ends.
pub struct OwnerPrivileges {
    // Dropped in this order: the privileges first, then the table they came from.
    _owner: RunsAsOwner,
    ledger: Table,
}

impl OwnerPrivileges {
    /// Switches to the owner. Callers read the current user before.
    pub fn acquire() -> Result<Self, LoadError> {
        if !session::database_is_utf8() {
            return Err(RequestError::DatabaseEncoding.into());
        }
        extension::lock();
        // The first table lock of a load. A deadlock must not end the load here.
        if let Some(ledger) = Table::find(c"loads") {
            table_locks::lock(ledger, Mode::RowExclusive)?;
        }
        let ledger = Table::open_for_insert(c"loads");
        let owner = session::run_as_owner(&ledger);
        owners::require_one_owner(ledger.owner())?;
        owners::require_all_rows()?;
        Ok(Self { _owner: owner, ledger })
    }
}

impl LoadContext {
    /// Begins a load for the current user, whose privileges the caller has checked.
    pub fn begin(name: &str) -> Result<Self, LoadError> {
        let role = session::current_user();
        let privileges = OwnerPrivileges::acquire()?;
        Ok(Self::of(ledger::begin(role)?, Self::source_named(name), privileges))
    }

    /// Begins a load for the owner of the tables.
    pub fn begin_as_owner(name: &str) -> Result<Self, LoadError> {
        let privileges = OwnerPrivileges::acquire()?;
        // The current user is already the owner.
        let role = session::current_user();
        Ok(Self::of(ledger::begin(role)?, Self::source_named(name), privileges))
    }

    /// Begins a load that has its number from the queue.
    pub fn resume(name: &str, load_id: i64, role: pg_sys::Oid) -> Result<Self, LoadError> {
        let privileges = OwnerPrivileges::acquire()?;
        let header = ledger::resume(load_id, role)?;
        Ok(Self::of(header, Self::source_named(name), privileges))
    }

    /// The context of a load with this header and this source.
    pub fn of(header: LoadHeader, source: LoadSource, privileges: OwnerPrivileges) -> Self {
        Lock::Load(header.load_id).try_lock();
        Lock::Cancelable(header.load_id).try_lock();
        let (source, monitored) = (RefCell::new(source), Cell::new(None));
        Self { header, source, monitored, privileges }
    }

    fn source_named(name: &str) -> LoadSource {
        LoadSource { name: name.to_owned(), ..LoadSource::default() }
    }

    /// Registers the load with the load monitor, once. Without a monitor the load continues.
    pub fn register(&self, source: &LoadSource) {
        let load = self.monitored.get().unwrap_or_else(|| client::register(self.info(source)));
        self.monitored.set(Some(load));
        if load.must_report_unmonitored() {
            notices::unmonitored();
        }
    }

    pub(super) fn info(&self, source: &LoadSource) -> LoadInfo {
        LoadInfo {
            load_id: self.header.load_id,
            source: source.name.clone(),
            bytes: source.bytes,
            changed_at: source.changed_at,
            requested_by: self.header.requested_by.clone(),
            started_at: self.header.started_at.into(),
            // The table is open already: after an error no table can be opened.
            ledger: self.privileges.ledger.oid().to_u32(),
            one_snapshot: session::has_one_snapshot(),
        }
    }

    /// Locks the history. A load that must wait registers first, so that users see it and can cancel it.
    pub fn lock_history(&self, source: &LoadSource) -> Result<History, LoadError> {
        if let Some(history) = History::try_lock_for_load()? {
            return Ok(history);
        }
        self.register(source);
        History::lock_for_load()
    }

    /// Records the load as loaded, or as skipped because of `same_as` when it has no totals. Waits until the monitor has
    /// written the row of the load.
    pub fn record_end(
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

    /// Records that another load has the same bytes.
    pub fn skip(&self, source: &LoadSource, known: SameBytes) -> Result<LoadRow, LoadError> {
        notices::same_bytes(known);
        self.record_end(source, None, Some(known.load_id))
    }

    /// Publishes the end of the load at commit.
    pub fn finish(self) {
        events::publish_at_commit(self.header.load_id);
        if let Some(load) = self.monitored.take() {
            load.finish();
        }
    }
}

// The transaction may continue without the load.
drop_unless_panicking!(LoadContext, |context| {
    Lock::Cancelable(context.header.load_id).unlock();
});
