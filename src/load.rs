//! The ways of a load: a file into the history, a file into staging, staging into the history.

pub mod deliver;
pub mod loader;
pub mod merge;

use std::cell::{Cell, RefCell};

use crate::error::LoadError;
use crate::events;
use crate::ledger::{self, Delivery, Ticket};
use crate::pg::locks::Lock;
use crate::pg::relation::Table;
use crate::pg::session::{self, AsOwner};
use crate::witness::{Failure, Witness};

/// A load that has begun: the rights of the tables' owner, a number in the ledger, and what is known
/// of the delivery so far. It outlives the errors of the load, which are told from it.
pub struct Attempt {
    /// The load in the ledger.
    pub ticket: Ticket,
    /// What is found out about the file.
    pub delivery: RefCell<Delivery>,
    witness: Cell<Option<Witness>>,
    // In this order they go: the rights first, then the table that they came from.
    _owner: AsOwner,
    _ledger: Table,
}

impl Attempt {
    /// Begins a load for the current user, who has been checked.
    pub fn begin(source: &str) -> Result<Self, LoadError> {
        let requested_by = session::role_name(session::current_user());
        let ledger = Table::open_for_insert(c"loads");
        let owner = AsOwner::of(&ledger);
        let ticket = ledger::begin(requested_by)?;
        Lock::Load(ticket.load_id).try_take();
        let delivery = RefCell::new(Delivery { source: source.to_owned(), ..Delivery::default() });
        let witness = Cell::new(None);
        Ok(Self { ticket, delivery, witness, _owner: owner, _ledger: ledger })
    }

    /// From now on somebody watches; `false` when no worker is free.
    pub fn call_witness(&self, delivery: &Delivery) -> bool {
        let witness = Witness::start(&self.ticket, delivery);
        let is_there = witness.is_some();
        self.witness.set(witness);
        is_there
    }

    /// Has the ledger remember how the load fails; returns whether it does.
    pub fn fail(&self, code: String, error: String) -> bool {
        let digest = self.delivery.borrow().digest;
        let witness =
            self.witness.take().or_else(|| Witness::start(&self.ticket, &self.delivery.borrow()));
        witness.is_some_and(|witness| witness.fail(&Failure::new(code, error, digest)))
    }

    /// The load is done.
    pub fn finish(self) {
        events::publish_at_commit(self.ticket.load_id);
        if let Some(witness) = self.witness.take() {
            witness.finish();
        }
    }
}
