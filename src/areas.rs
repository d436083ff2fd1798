//! Questions about areas.

pub mod ask;
pub mod error;
