//! The load monitor: a background worker that writes the ledger rows that a load's own transaction cannot write. That
//! transaction is lost when the load fails, and other sessions do not see it before it commits.
//!
//! Each database has one monitor at most. The first load starts it. It serves all sessions of the database through
//! shared memory ([`crate::pg::shared_state`]), and ends soon after the last load.
//!
//! * [`client`] is the sessions' side: it registers a load, requests its `running` row, and reports its failure.
//! * [`worker`] is the monitor itself, [`writer`] writes the rows.
//! * [`message`] is what a session writes into its mailbox.

pub mod client;
mod message;
mod open_loads;
pub mod worker;
mod writer;
