//! The load monitor: a background worker that enters into the ledger what a load's own transaction cannot, because it
//! is lost when the load fails, and seen by nobody before it commits.
//!
//! Each database has one monitor at most. The first load starts it. It serves every session of the database through
//! shared memory ([`crate::pg::shared_state`]), and ends soon after the last load.
//!
//! * [`client`] is the side of the sessions: it registers a load, asks for its `running` row, and reports its failure.
//! * [`worker`] is the monitor itself, [`writer`] what it writes.
//! * [`message`] is what a session writes into its mailbox.

pub mod client;
mod message;
mod open_loads;
pub mod worker;
mod writer;
