//! A load from its number to its end, however it ends.

use std::cell::{Cell, RefCell};
use std::panic::AssertUnwindSafe;

use pgrx::{PgLogLevel, PgSqlErrorCode, PgTryBuilder, ereport, pg_sys};

use super::ingest::{self, Request};
use crate::error::LoadError;
use crate::events;
use crate::history::{History, owners};
use crate::ledger::{self, Delivery, Failure, LoadInfo, SameBytes, Ticket, Totals};
use crate::monitor::client::{self, MonitoredLoad};
use crate::pg::error_fields::Caught;
use crate::pg::extension;
use crate::pg::locks::Lock;
use crate::pg::relation::Table;
use crate::pg::row::LoadRow;
use crate::pg::session::{self, AsOwner};
use crate::pg::table_locks::{self, Mode};
use crate::settings;

/// A load that has begun: the rights of the tables' owner, a number in the ledger, and what is known
/// of the delivery so far. It outlives the errors of the load, which are told from it.
pub struct Attempt {
    /// The load in the ledger.
    pub ticket: Ticket,
    /// What is found out about the file.
    pub delivery: RefCell<Delivery>,
    monitored: Cell<Option<MonitoredLoad>>,
    _rights: Rights,
}

/// The rights of the tables' owner, while this lives; the extension stays to the end of the transaction.
pub(super) struct Rights {
    // In this order they go: the rights first, then the table that they came from.
    _owner: AsOwner,
    _ledger: Table,
}

impl Rights {
    /// Takes them. Who the caller is must have been asked before.
    pub(super) fn take() -> Result<Self, LoadError> {
        if !session::database_is_utf8() {
            return Err(LoadError::DatabaseEncoding);
        }
        extension::hold();
        // It is the first lock of a load on a table: a deadlock must not end the load here either.
        if let Some(ledger) = Table::find(c"loads") {
            table_locks::take(ledger, Mode::RowExclusive)?;
        }
        let ledger = Table::open_for_insert(c"loads");
        let owner = AsOwner::of(&ledger);
        owners::require_one_owner(ledger.owner())?;
        owners::require_all_rows()?;
        Ok(Self { _owner: owner, _ledger: ledger })
    }
}

impl Attempt {
    /// Begins a load for the current user, who has been checked.
    pub fn begin(source: &str) -> Result<Self, LoadError> {
        let role = session::current_user();
        let rights = Rights::take()?;
        Ok(Self::of(ledger::begin(role)?, Self::delivery_of(source), rights))
    }

    /// Begins a load that nobody has asked for but the owner of the tables.
    pub fn begin_as_owner(source: &str) -> Result<Self, LoadError> {
        let rights = Rights::take()?;
        // The current user is the owner by now.
        let role = session::current_user();
        Ok(Self::of(ledger::begin(role)?, Self::delivery_of(source), rights))
    }

    /// Begins a load that has its number already.
    pub fn resume(source: &str, load_id: i64, role: pg_sys::Oid) -> Result<Self, LoadError> {
        let rights = Rights::take()?;
        let ticket = ledger::begin_again(load_id, role)?;
        Ok(Self::of(ticket, Self::delivery_of(source), rights))
    }

    /// A load of this number and these bytes.
    pub(super) fn of(ticket: Ticket, delivery: Delivery, rights: Rights) -> Self {
        Lock::Load(ticket.load_id).try_take();
        Lock::AtWork(ticket.load_id).try_take();
        let (delivery, monitored) = (RefCell::new(delivery), Cell::new(None));
        Self { ticket, delivery, monitored, _rights: rights }
    }

    fn delivery_of(source: &str) -> Delivery {
        Delivery { source: source.to_owned(), ..Delivery::default() }
    }

    /// From now on the load monitor follows the load, if it does not yet. Without one the load goes on.
    pub fn register(&self, delivery: &Delivery) {
        let load = self.monitored.get().unwrap_or_else(|| client::register(self.info(delivery)));
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

    fn info(&self, delivery: &Delivery) -> LoadInfo {
        LoadInfo {
            load_id: self.ticket.load_id,
            source: delivery.source.clone(),
            bytes: delivery.bytes,
            changed_at: delivery.changed_at,
            requested_by: self.ticket.requested_by.clone(),
            started_at: self.ticket.started_at.into(),
            ledger: Table::open_for_insert(c"loads").oid().to_u32(),
            one_snapshot: session::has_one_snapshot(),
        }
    }

    /// Takes the history; who must wait for it can be seen and cancelled, and is remembered when he is ended.
    pub fn hold_history(&self, delivery: &Delivery) -> Result<History, LoadError> {
        if let Some(history) = History::try_hold()? {
            return Ok(history);
        }
        self.register(delivery);
        History::hold()
    }

    /// Enters the load as done, or as skipped because of `same_as` when it has no totals. The monitor has done with
    /// this row of the ledger before.
    pub fn enter(
        &self,
        delivery: &Delivery,
        totals: Option<Totals>,
        same_as: Option<i64>,
    ) -> Result<LoadRow, LoadError> {
        if let Some(load) = self.monitored.get() {
            load.wait_until_entered();
        }
        ledger::enter(&self.ticket, delivery, totals, same_as)
    }

    /// The bytes are known: only the ledger hears of it.
    pub fn skip(&self, delivery: &Delivery, known: SameBytes) -> Result<LoadRow, LoadError> {
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
        self.enter(delivery, None, Some(known.load_id))
    }

    /// Has the ledger remember how the load fails; returns whether it does.
    pub fn fail(&self, failure: Failure) -> bool {
        let Delivery { digest, options, .. } = self.delivery.borrow().clone();
        let failure = Failure { digest, options, role: self.ticket.role.to_u32(), ..failure };
        let register = || client::register(self.info(&self.delivery.borrow()));
        let load = self.monitored.take().unwrap_or_else(register);
        load.fail(&failure)
    }

    /// The load is done.
    pub fn finish(self) {
        events::publish_at_commit(self.ticket.load_id);
        if let Some(load) = self.monitored.take() {
            load.finish();
        }
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        // Its transaction may go on with something else. While an ERROR unwinds, the abort gives it back.
        if !std::thread::panicking() {
            Lock::AtWork(self.ticket.load_id).give_back();
        }
    }
}

/// Loads a file, and has the ledger remember it if it fails.
pub fn load_file(request: &Request<'_>, attempt: Attempt) -> Result<LoadRow, LoadError> {
    attempt.delivery.borrow_mut().options =
        Some(settings::options(request.abort_on_error, request.max_errors));
    observed(attempt, |attempt| {
        let result = ingest::deliver(request, attempt);
        let shows_content = request.access.shows_content();
        if shows_content { result } else { result.map_err(LoadError::without_content) }
    })
}

/// Does the work of a load, tells its end, and has the ledger remember it if it fails.
pub(super) fn observed(
    attempt: Attempt,
    work: impl FnOnce(&Attempt) -> Result<LoadRow, LoadError>,
) -> Result<LoadRow, LoadError> {
    // An error of PostgreSQL (a cancel, a full disk, a lost lock) is remembered too, and goes on.
    let observer = AssertUnwindSafe(&attempt);
    let result = PgTryBuilder::new(AssertUnwindSafe(|| work(&attempt)))
        .catch_others(move |cause| {
            let failure = Failure::of_caught(Caught::of(&cause));
            session::after_error();
            // A second error must not take the place of the first.
            PgTryBuilder::new(AssertUnwindSafe(|| observer.fail(failure)))
                .catch_others(|_| false)
                .execute();
            cause.rethrow()
        })
        .execute();
    match &result {
        Ok(_) => attempt.finish(),
        // The monitor would enter it as lost.
        Err(error) if error.is_of_delivery() || attempt.monitored.get().is_some() => {
            remember(error, &attempt)
        }
        Err(_) => {}
    }
    result
}

fn remember(error: &LoadError, attempt: &Attempt) {
    if !attempt.fail(Failure::of_load(error)) {
        ereport!(
            PgLogLevel::WARNING,
            PgSqlErrorCode::ERRCODE_CONFIGURATION_LIMIT_EXCEEDED,
            "could not record the failed load in trips.loads yet",
            "The load monitor waits for a lock on trips.loads, or no background worker slot is free."
        );
    }
}
