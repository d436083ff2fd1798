//! Trips from bytes: what `trips_pipeline` knows about files, without a line of PostgreSQL in it.
//!
//! The data goes one way through the modules:
//!
//! ```text
//! bytes -> record  -> header + feed  -> trip              -> run
//!          framed     which column is    typed, validated,    sorted by (date_time, key),
//!          by RFC     which value        keyed, or rejected   rows as binary COPY bytes
//!          4180                          with a reason
//! ```
//!
//! Everything here works on byte slices and owns what it returns or borrows it from its input, so
//! that it can run in any thread, be fuzzed, and be used without a server.

pub mod counts;
pub mod escape;
pub mod feed;
pub mod header;
pub mod key;
pub mod point;
pub mod record;
pub mod reject;
pub mod run;
pub mod staged;
pub mod timestamp;
pub mod trip;
