//! What the system does not give: memory for small allocations, and for threads that begin.
//!
//! Rust ends the process when an allocation fails whose caller cannot handle that, and a server whose backend ends so
//! restarts all sessions. Allocations whose size follows the data are made by `try_reserve`, which reports the failure.
//! For the others there is [`Reserve`]. What the C library needs at the begin of a thread is checked by
//! [`thread::start`].

mod reserve;
pub mod thread;

pub use reserve::{LARGEST, RESERVE, Reserve, SMALL};
