//! PostgreSQL's C functions behind safe ones: the only room with `unsafe` and `pg_sys`.
//!
//! Every function here calls PostgreSQL and must run in the backend's own thread. An ERROR of
//! PostgreSQL unwinds through them as a panic, with destructors run; what belongs to the transaction
//! (locks, pins, snapshots) is released by its abort.

pub mod backtraces;
pub mod change;
pub mod compat;
pub mod copy;
pub mod databases;
pub mod ddl;
pub mod deferred;
pub mod error_fields;
pub mod extension;
pub mod free_memory;
pub mod guc_check;
pub mod heap_append;
pub mod index_scan;
pub mod latest;
pub mod lease;
pub mod locks;
pub mod matview;
pub mod own_settings;
pub mod partitions;
pub mod progress;
pub mod read;
pub mod relation;
pub mod row;
pub mod session;
pub mod shared_state;
pub mod signals;
pub mod subtransaction;
pub mod table_locks;
pub mod upgrade;
pub mod worker;
