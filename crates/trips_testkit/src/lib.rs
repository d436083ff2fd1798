//! Invariants of `trips_core` for any bytes: functions that panic when one is violated.
//!
//! They are called with three kinds of input: the seeds in `fuzz/seeds`, by `cargo test`; generated input of proptest,
//! by `cargo test`, too; inputs that `make fuzz` finds.

#![forbid(unsafe_code)]

mod copied;
pub mod date;
pub mod file;
mod outcome;
pub mod point;
pub mod reader;
mod short_reads;

/// An invariant of some bytes.
pub type Law = fn(&[u8]);

/// Every invariant, with the name of its fuzz target and of its directory of seeds.
pub const LAWS: [(&str, Law); 4] =
    [("date", date::law), ("file", file::law), ("point", point::law), ("reader", reader::law)];

/// A reason can be shown and stored: one line of a limited length.
fn check_reason(reason: &str) {
    assert!(!reason.is_empty());
    assert!(!reason.contains(char::is_control), "{reason:?}");
    // Sixty characters of the value, escaped, and a sentence.
    assert!(reason.chars().count() < 600, "{reason}");
}
