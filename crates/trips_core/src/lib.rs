//! Trips from bytes: what `trips_pipeline` knows about files, without a line of PostgreSQL in it.
//!
//! The data goes one way through the modules:
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
//! Everything here works on byte slices and owns what it returns or borrows it from its input, so
//! that it can run in any thread, be fuzzed, and be used without a server. There is no `unsafe` in it,
//! and the compiler sees to that.

#![forbid(unsafe_code)]

pub mod check;
pub mod columns;
pub mod feed;
pub mod format;
pub mod key;
pub mod model;
pub mod pool;
pub mod sort;
pub mod split;
pub mod text;
pub mod wire;
