//! Calls of the kernel and of the C library. Nothing here knows PostgreSQL.

pub mod backtraces;
pub mod lease;
pub mod memory;
pub mod signals;
