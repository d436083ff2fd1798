//! PostgreSQL's C functions behind safe ones: with [`crate::os`] the only room with `unsafe`, and the only one with C
//! functions of PostgreSQL. It knows no room above it, and no table:
//! of the extension it knows the name, the library and the schema ([`extension`]), and the numbers of its locks
//! ([`locks::Lock`]).
//!
//! Every function here calls PostgreSQL and must run in the backend's own thread. An ERROR of
//! PostgreSQL unwinds through them as a panic, with destructors run; the abort of the transaction releases locks, pins
//! and snapshots.

pub mod compat;
pub mod copy;
pub mod databases;
pub mod deferred;
pub mod error_fields;
pub mod event_trigger;
pub mod extension;
pub mod guc;
pub mod heap_append;
mod heap_pages;
pub mod index_build;
pub mod index_insert;
pub mod index_scan;
pub mod interrupts;
pub mod jsonb;
pub mod locks;
pub mod matview;
mod new_pages;
pub mod own_settings;
pub mod partitions;
pub mod plans;
pub mod progress_slots;
pub mod relation;
pub mod row;
pub mod safe_drop;
mod segment_file;
pub mod session;
pub mod shared_state;
pub mod spi;
pub mod stored_row;
pub mod subtransaction;
pub mod table_locks;
pub mod temp_file;
pub mod transition_tables;
pub mod upgrade;
mod visible_rows;
pub mod worker;
