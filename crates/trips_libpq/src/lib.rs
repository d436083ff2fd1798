//! Sessions of the database through libpq, for the programs: what they begin with, and why there is none.

mod connection;
mod error;
mod fault;
mod session;

pub use connection::{Connection, Row};
pub use error::PqError;
pub use fault::{Fault, shown};
pub use session::Session;
