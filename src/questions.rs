//! Questions about the history: their arguments are checked, and those about areas are answered.

pub mod areas;
mod error;
mod period;
mod similar;

pub use self::error::QueryError;
pub use self::period::{YEARS, check_period, check_weeks};
pub use self::similar::{check_grouping, ends_of};
