//! The columns of the records at some offset of a file: a later header changes them.

use std::fmt;
use std::sync::Arc;

use crate::feed::plan::Plan;

/// The columns of the next record.
#[derive(Debug, Clone)]
pub enum HeaderState {
    /// Those of a header.
    Known(Arc<Plan>),
    /// Unknown: the record that begins in this line names columns, and is not a complete header.
    Unknown {
        /// Number of the line, from 1.
        line: u64,
    },
}

/// Two states are equal if they read every record in the same way.
impl PartialEq for HeaderState {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Known(a), Self::Known(b)) => Arc::ptr_eq(a, b) || a.reads_as(b),
            (Self::Unknown { line: a }, Self::Unknown { line: b }) => a == b,
            _ => false,
        }
    }
}

impl Eq for HeaderState {}

impl HeaderState {
    /// Number of fields of a record, if known.
    #[must_use]
    pub fn count(&self) -> Option<usize> {
        match self {
            Self::Known(plan) => Some(plan.field_count),
            Self::Unknown { .. } => None,
        }
    }

    /// Parses the text of [`fmt::Display`], for a file that begins with this header.
    #[must_use]
    pub fn read(text: &str, first: &Plan) -> Option<Self> {
        if let Some(line) = text.strip_prefix("unknown:") {
            return line.parse().ok().map(|line| Self::Unknown { line });
        }
        first.of_positions(text).map(|plan| Self::Known(Arc::new(plan)))
    }
}

/// In a form without whitespace, for a command line.
impl fmt::Display for HeaderState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(plan) => f.write_str(&plan.positions()),
            Self::Unknown { line } => write!(f, "unknown:{line}"),
        }
    }
}
