//! The errors of rows of staging that another process made.

use thiserror::Error;

/// The error of a rejected line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum LineFault {
    /// It does not have the columns, or a value is invalid.
    #[error("is invalid")]
    Values,
    /// It names another load.
    #[error("belongs to another load")]
    OtherLoad,
    /// Its record is longer than the limit.
    #[error("is longer than a record may be")]
    TooLong,
}
