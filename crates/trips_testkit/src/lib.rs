//! What `trips_core` promises for any bytes: laws, each a function that panics when one is broken.
//!
//! They stand here once and are called with three kinds of input: the seeds in `fuzz/seeds`, by
//! `cargo test`; what proptest makes, by `cargo test`, too; what a search for new paths through the
//! code finds, by `make fuzz`.

#![forbid(unsafe_code)]

mod copied;
pub mod date;
pub mod file;
mod outcome;
pub mod point;
pub mod reader;
mod short_reads;

/// What must hold for some bytes.
pub type Law = fn(&[u8]);

/// Every law under the name of its fuzz target and of its directory of seeds.
pub const LAWS: [(&str, Law); 4] =
    [("date", date::law), ("file", file::law), ("point", point::law), ("reader", reader::law)];

/// A reason can be shown to a person and stored: one line of a bounded length.
fn check_reason(reason: &str) {
    assert!(!reason.is_empty());
    assert!(!reason.contains(char::is_control), "{reason:?}");
    // Sixty characters of the value, escaped, and a sentence.
    assert!(reason.chars().count() < 600, "{reason}");
}
