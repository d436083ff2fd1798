//! Queries of the history: checks of their arguments, and area queries.

pub mod areas;
mod error;
mod period;
mod similar;

pub use self::error::QueryError;
pub use self::period::{YEARS, check_period, check_weeks};
pub use self::similar::{check_grouping, ends_of};
