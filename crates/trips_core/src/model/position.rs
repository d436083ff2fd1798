//! The position of a record in its file, as messages show it.

use std::fmt;

/// Bits of a [`PositionKind::Row`] that number the row in its row group.
const ROW_BITS: u32 = 40;

/// What the number of a position counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum PositionKind {
    /// Lines of text, from 1: delimited text, JSON lines.
    #[default]
    Line,
    /// Records, from 1: the elements of JSON arrays and pages.
    Record,
    /// Rows of row groups: Parquet.
    Row,
}

/// The position of a record. Positions of one kind are in the order of the file.
///
/// ```
/// use trips_core::model::position::{Position, PositionKind};
/// let row = Position::row(2, 17).unwrap();
/// assert_eq!(row.to_string(), "row group 2, row 17");
/// assert_eq!((row.row_group(), row.number()), (Some(2), 17));
/// assert_eq!(Position::line(5).to_string(), "line 5");
/// assert_eq!(Position { kind: PositionKind::Row, value: row.value }, row);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Position {
    /// What it counts.
    pub kind: PositionKind,
    /// The number. Of a row: its row group, from 0, in the upper 24 bits, and its number, from 1, in the lower 40.
    pub value: u64,
}

impl Position {
    /// Row groups of a file at most: the number stays positive as `bigint`.
    pub const ROW_GROUPS: u32 = 1 << (u64::BITS - 1 - ROW_BITS);
    /// Rows of a row group at most.
    pub const ROWS: u64 = (1 << ROW_BITS) - 1;

    /// The record that begins in this line, from 1.
    #[must_use]
    pub const fn line(number: u64) -> Self {
        Self { kind: PositionKind::Line, value: number }
    }

    /// The record with this number, from 1.
    #[must_use]
    pub const fn record(number: u64) -> Self {
        Self { kind: PositionKind::Record, value: number }
    }

    /// A row, from 1, of a row group, from 0; None if one of them is over its limit.
    #[must_use]
    pub const fn row(row_group: u32, row: u64) -> Option<Self> {
        if row_group >= Self::ROW_GROUPS || row > Self::ROWS {
            return None;
        }
        Some(Self { kind: PositionKind::Row, value: (row_group as u64) << ROW_BITS | row })
    }

    /// The row group, from 0, if the file has any.
    #[must_use]
    pub const fn row_group(self) -> Option<u32> {
        match self.kind {
            // 24 bits.
            PositionKind::Row => Some((self.value >> ROW_BITS) as u32),
            PositionKind::Line | PositionKind::Record => None,
        }
    }

    /// The line, the record, or the row in its row group, from 1.
    #[must_use]
    pub const fn number(self) -> u64 {
        match self.kind {
            PositionKind::Row => self.value & Self::ROWS,
            PositionKind::Line | PositionKind::Record => self.value,
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.number();
        match self.kind {
            PositionKind::Line => write!(f, "line {number}"),
            PositionKind::Record => write!(f, "record {number}"),
            PositionKind::Row => {
                write!(f, "row group {}, row {number}", self.value >> ROW_BITS)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_keep_both_numbers_and_their_order() {
        let mut before = 0;
        for (group, row) in [(0, 1), (0, Position::ROWS), (1, 1), (Position::ROW_GROUPS - 1, 7)] {
            let position = Position::row(group, row).unwrap();
            assert_eq!((position.row_group(), position.number()), (Some(group), row));
            assert!(position.value > before && i64::try_from(position.value).is_ok());
            before = position.value;
        }
        assert_eq!(Position::row(Position::ROW_GROUPS, 1), None);
        assert_eq!(Position::row(0, Position::ROWS + 1), None);
        assert_eq!(Position::record(3).to_string(), "record 3");
        assert_eq!((Position::record(3).row_group(), Position::line(4).number()), (None, 4));
    }
}
