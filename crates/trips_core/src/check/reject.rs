//! Why a record is rejected.

use std::fmt;
use std::sync::Arc;

use crate::columns::TripColumn;
use crate::model::error::{SqlState, ValueError};
use crate::model::position::Position;

/// The column of a rejected value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RejectedColumn {
    /// One of the five columns.
    Trip(TripColumn),
    /// A column of the feed, by its own name.
    Feed(Arc<str>),
}

impl RejectedColumn {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Trip(column) => column.name(),
            Self::Feed(name) => name,
        }
    }
}

impl From<TripColumn> for RejectedColumn {
    fn from(column: TripColumn) -> Self {
        Self::Trip(column)
    }
}

impl fmt::Display for RejectedColumn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why one record is not a trip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// The invalid column; None if the whole record is invalid.
    pub column: Option<RejectedColumn>,
    /// The kind of error.
    pub state: SqlState,
    /// What was found and what was expected, for a message.
    pub reason: String,
}

impl Rejection {
    /// The error of the value of this column.
    #[must_use]
    pub fn of_value(column: impl Into<RejectedColumn>, error: ValueError) -> Self {
        Self { column: Some(column.into()), state: error.state, reason: error.reason }
    }

    /// A fault of the record as a whole.
    pub fn of_record(state: SqlState, reason: impl Into<String>) -> Self {
        Self { column: None, state, reason: reason.into() }
    }
}

/// A rejected record, as messages show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLine {
    /// Its position in the file.
    pub position: Position,
    /// The error.
    pub rejection: Rejection,
}

impl fmt::Display for BadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.position)?;
        if let Some(column) = &self.rejection.column {
            write!(f, ", column {column}")?;
        }
        write!(f, ": {}", self.rejection.reason)
    }
}
