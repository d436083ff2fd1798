//! What is derived from the history stays right when somebody else than a load changes it.
//!
//! The triggers of the history and of its partitions call this room: before a statement, for the lock that
//! loads take, and after it, to count again the days that it has touched.

use pgrx::pg_sys;

use crate::error::LoadError;
use crate::history::{self, Days, History};
use crate::pg::relation::Table;
use crate::pg::session::{self, AsOwner};
use crate::{areas, ledger, summary};

/// What a statement has touched.
#[derive(Debug)]
pub enum Touched {
    /// These days.
    Days(Vec<i32>),
    /// Any day of this table, if it is a partition of the history.
    Partition(pg_sys::Oid),
    /// Any day.
    Everything,
}

/// A statement begins: it waits for loads, and loads wait for its transaction.
pub fn begin() {
    if !history::is_at_work() {
        History::lock();
    }
}

/// A statement has ended.
pub fn end(touched: Touched) -> Result<(), LoadError> {
    // Loads book what they do themselves. After a restore, the triggers of the partitions come last: until
    // they are there, rows come with what is derived from them.
    if history::is_at_work() || !history::is_followed()? {
        return Ok(());
    }
    let days = match touched {
        Touched::Days(days) => ranges(&days),
        Touched::Everything => vec![Days::ALL],
        Touched::Partition(oid) => history::days_of(oid)?.into_iter().collect(),
    };
    if days.is_empty() {
        return Ok(());
    }
    let history = Table::open_for_insert(c"hist_trip_data");
    let _owner = AsOwner::of(&history);
    count_again(&days)
}

/// A table has been altered: perhaps a partition was attached or detached by hand.
pub fn partitions_altered() -> Result<(), LoadError> {
    // While a dump is restored, what it has of partitions, triggers and counts comes in its own order.
    if history::is_at_work() || session::is_restoring()? || !history::is_altered()? {
        return Ok(());
    }
    follow_partitions()
}

/// Tables have been dropped, perhaps partitions among them.
pub fn partitions_dropped() -> Result<(), LoadError> {
    if session::is_restoring()? || !history::has_lost_partitions()? {
        Ok(())
    } else {
        follow_partitions()
    }
}

/// Follows the partitions that there are, and counts those that are new, and the days of those that are gone.
fn follow_partitions() -> Result<(), LoadError> {
    // They may have been dropped, too.
    let Some(counts) = Table::find_for_insert(c"daily_trip_counts") else { return Ok(()) };
    let Some(history) = Table::find_for_insert(c"hist_trip_data") else { return Ok(()) };
    History::lock();
    // Each table may have an owner of its own; that is what the command may have changed.
    let counted = {
        let _owner = AsOwner::of(&counts);
        summary::days()?
    };
    let _owner = AsOwner::of(&history);
    drop(history);
    let mut days = history::settle()?;
    days.extend(ranges(&history::without_partition(counted)));
    if days.is_empty() { Ok(()) } else { count_again(&days) }
}

/// Counts days again, and forgets what area questions would be answered from.
pub fn count_again(days: &[Days]) -> Result<(), LoadError> {
    if session::has_one_snapshot() && ledger::has_moved_on()? {
        return Err(LoadError::Serialization);
    }
    let mut is_changed = false;
    for &days in days {
        is_changed |= summary::count_again(days)?;
        areas::forget(days)?;
    }
    if is_changed { summary::refresh() } else { Ok(()) }
}

/// Makes everything anew.
pub fn rebuild() -> Result<(), LoadError> {
    let history = Table::open_for_insert(c"hist_trip_data");
    let _owner = AsOwner::of(&history);
    drop(history);
    History::lock();
    history::follow_all()?;
    count_again(&[Days::ALL])?;
    summary::refresh()?;
    areas::fill()
}

/// Days that follow each other, together.
fn ranges(days: &[i32]) -> Vec<Days> {
    let ranges = days.chunk_by(|a, b| a + 1 == *b);
    ranges.map(|days| Days { first: days.first().copied(), last: days.last().copied() }).collect()
}
