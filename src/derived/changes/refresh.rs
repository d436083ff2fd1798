//! A REFRESH of the materialized view by hand.
//!
//! It waits for loads, and uses its snapshot from before the wait. So the view would lack the rows that a load has
//! committed meanwhile. They are restored in the same transaction, which has an exclusive lock on the view.

use pgrx::pg_sys;

use crate::derived::view;
use crate::error::LoadError;
use crate::history::{History, pending_counts};
use crate::pg::relation::Table;
use crate::pg::session;
use crate::pg::{event_trigger, locks};

/// A REFRESH begins. If it is one of our view, it waits for loads before it blocks the view's readers, and takes the
/// two locks in the order of a load.
pub fn refresh_begins(call: pg_sys::FunctionCallInfo) -> Result<(), LoadError> {
    if let Some(view) = Table::find(view::NAME)
        && event_trigger::will_refresh(call, view)
        && !pending_counts::is_own_command()
        && !session::is_restoring()
    {
        History::lock_for_change()?;
    }
    Ok(())
}

/// A REFRESH has ended. A REFRESH of our view has an exclusive lock on it. Other commands have not: this is found out
/// without a query, and without any privilege on our schema.
pub fn refreshed() -> Result<(), LoadError> {
    let Some(view) = Table::find(view::NAME) else { return Ok(()) };
    if !locks::holds_exclusive(view) || pending_counts::is_own_command() || session::is_restoring()
    {
        return Ok(());
    }
    let Some(weekly) = Table::find_for_insert(c"weekly_trip_counts") else { return Ok(()) };
    let _owner = session::run_as_owner(&weekly);
    view::keep_all();
    Ok(())
}
