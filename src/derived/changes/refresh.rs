//! A REFRESH of the materialized view by hand.
//!
//! It waits for loads, and sees the weekly sums as they were when it began: so what a load has committed meanwhile
//! would be gone from the view. It is mended in the same transaction, which alone has the view.

use pgrx::pg_sys;

use crate::derived::view;
use crate::error::LoadError;
use crate::history::{History, pending_counts};
use crate::pg::relation::Table;
use crate::pg::session::{self, AsOwner};
use crate::pg::{event_trigger, locks};

/// A REFRESH begins. If it is one of our view, it waits for loads before it keeps the view's readers waiting, and
/// takes the two locks in the order in which a load takes them.
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

/// A REFRESH has ended. Whoever has refreshed our view has it alone: the commands of others are known by that they
/// have not, without a query, and whatever rights they lack on our schema.
pub fn refreshed() -> Result<(), LoadError> {
    let Some(view) = Table::find(view::NAME) else { return Ok(()) };
    if !locks::holds_exclusive(view) || pending_counts::is_own_command() || session::is_restoring()
    {
        return Ok(());
    }
    let Some(weekly) = Table::find_for_insert(c"weekly_trip_counts") else { return Ok(()) };
    let _owner = AsOwner::of(&weekly);
    view::keep_all();
    Ok(())
}
