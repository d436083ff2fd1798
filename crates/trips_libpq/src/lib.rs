//! Sessions of the database through libpq, for the programs: what they begin with, and why there is none.

mod connection;
mod fault;
mod session;

pub use connection::{Connection, PqError, Row};
pub use fault::{Fault, shown};
pub use session::Session;
