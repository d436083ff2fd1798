//! Invariants of `trips_core` and `trips_containers` for any bytes: functions that panic when one is violated.
//!
//! They are called with three kinds of input: the seeds in `fuzz/seeds`, by `cargo test`; generated input of proptest,
//! by `cargo test`, too; inputs that `make fuzz` finds.

#![forbid(unsafe_code)]

pub mod containers;
mod copied;
pub mod date;
pub mod feed_fixtures;
pub mod feed_json;
pub mod file;
pub mod found;
pub mod json;
mod outcome;
pub mod parquet;
pub mod parquet_checksums;
pub mod parquet_file;
pub mod place;
pub mod point;
pub mod program;
pub mod reader;
mod short_reads;
pub mod times;
pub mod value;

/// Panics if the invariants of a target do not hold for these bytes.
pub type Check = fn(&[u8]);

/// Every check, with the name of its fuzz target and of its directory of seeds.
pub const CHECKS: [(&str, Check); 15] = [
    ("bzip2", containers::check::check_bzip2),
    ("date", date::check_bytes),
    ("file", file::check_bytes),
    ("gzip", containers::check::check_gzip),
    ("json", json::check_bytes),
    ("parquet", parquet_file::check_bytes),
    ("place", place::check_bytes),
    ("point", point::check_bytes),
    ("program", program::check_bytes),
    ("reader", reader::check_bytes),
    ("times", times::check_bytes),
    ("value", value::check_bytes),
    ("xz", containers::check::check_xz),
    ("zip", containers::check::check_zip),
    ("zstd", containers::check::check_zstd),
];

/// A reason can be shown and stored: one line of a limited length.
fn check_reason(reason: &str) {
    assert!(!reason.is_empty());
    assert!(!reason.contains(char::is_control), "{reason:?}");
    // Sixty characters of the value, escaped, and a sentence.
    assert!(reason.chars().count() < 600, "{reason}");
}
