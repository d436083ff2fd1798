//! Bytes of files to trips: the part of `trips_pipeline` without PostgreSQL.
//!
//! The data passes through the modules in one direction:
//!
//! ```text
//! bytes -> chunk -> record  -> header + feed  -> trip        -> block      -> batch
//!          whole    framed     which column is    typed,         trips of a    a time range:
//!          records  by RFC     which value        validated, or  chunk, by     keyed, sorted, each
//!                   4180                          rejected       time          once, as COPY's rows
//! ```
//!
//! The steps from chunk to block and from blocks to batch run in the threads of a [`pool`].
//!
//! All functions work on byte slices, and own their results or borrow them from their input. So they can run in any
//! thread, be fuzzed, and be used without a server. The compiler rejects `unsafe` here.

#![forbid(unsafe_code)]

pub mod check;
pub mod columns;
pub mod explain;
pub mod feed;
pub mod format;
pub mod key;
pub mod mend;
pub mod model;
pub mod pool;
pub mod sort;
pub mod split;
pub mod text;
pub mod upload;
pub mod wire;
