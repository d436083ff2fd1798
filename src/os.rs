//! Calls of the kernel and of the C library, without PostgreSQL.

pub mod backtraces;
pub mod lease;
pub mod memory;
pub mod signals;
