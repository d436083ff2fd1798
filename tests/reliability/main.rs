//! What a load leaves behind when it is killed, cancelled, or runs out of disk: all of the file or
//! nothing of it, a ledger that says so, and a next load that completes it. The same of retracts, replacements,
//! corrections, retries and deletions.
//!
//! `TRIPS_STRIKES` is the number of strikes of the crash matrix: of loads, and again of all other operations together
//! (60 unless it is set);
//! `make test-reliability` runs the long form.

mod crash_matrix;
mod deadlock_search;
mod disk_full;
mod latency;
mod operation_matrix;
mod operations;
mod random_bounds;
mod strike;
mod subject;
mod whole_state;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The tests run one after the other: how fast a load ends after a cancel, and which phase a strike hits, must
/// not depend on the others.
static TURN: Mutex<()> = Mutex::new(());

/// Waits for this test's turn, whatever became of the others.
fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A number from the environment.
fn setting(name: &str, default: u32) -> u32 {
    std::env::var(name).map_or(default, |value| value.parse().expect("a number"))
}
