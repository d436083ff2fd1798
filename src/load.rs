//! The ways of a load: a file into the history, a file into staging, staging into the history.

pub mod deliver;
pub mod loader;
pub mod merge;

use crate::error::LoadError;
use crate::ledger::{self, Ticket};
use crate::pg::relation::Table;
use crate::pg::session::{self, AsOwner};

/// What every load begins with: the rights of the tables' owner, and a number in the ledger.
pub struct Begun {
    /// The load in the ledger.
    pub ticket: Ticket,
    // In this order they go: the rights first, then the table that they came from.
    _owner: AsOwner,
    _ledger: Table,
}

/// Begins a load for the current user, who has been checked.
pub fn begin() -> Result<Begun, LoadError> {
    let requested_by = session::role_name(session::current_user());
    let ledger = Table::open_for_insert(c"loads");
    let owner = AsOwner::of(&ledger);
    let ticket = ledger::begin(requested_by)?;
    Ok(Begun { ticket, _owner: owner, _ledger: ledger })
}
