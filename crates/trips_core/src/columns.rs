//! The one table of columns: what `trips.hist_trip_data` has, in the order of its rows.
//!
//! A row is its key part, then what a load adds (`trip_key`, `load_id`), then its tail. The key part is
//! what the content key of a trip hashes. The tail has the columns that only feeds fill, which may all be NULL: rows of
//! files with the five columns end before it.
//! Encoding, decoding, batches, staged rows, COPY's lists of columns and the heap's attributes are
//! derived from this table. A server test compares it with `pg_attribute`.

use std::ffi::CStr;
use std::fmt;

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SqlType {
    /// `text`
    Text,
    /// `point`: longitude and latitude.
    Point,
    /// `timestamp`
    Timestamp,
    /// `uuid`
    Uuid,
    /// `bigint`
    Int8,
    /// `jsonb`
    Jsonb,
}

impl SqlType {
    /// Number of bytes of a value, if it is fixed.
    #[must_use]
    pub const fn fixed_len(self) -> Option<usize> {
        match self {
            Self::Text | Self::Jsonb => None,
            Self::Point | Self::Uuid => Some(16),
            Self::Timestamp | Self::Int8 => Some(8),
        }
    }
}

/// A column of the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its name in SQL.
    pub name: &'static CStr,
    /// Its type.
    pub kind: SqlType,
    /// NOT NULL.
    pub is_required: bool,
    /// The key of a trip hashes it.
    pub in_key: bool,
}

/// The columns of the history, in the order of its rows.
#[rustfmt::skip]
pub const COLUMNS: [Column; 10] = [
    Column { name: c"region", kind: SqlType::Text, is_required: true, in_key: true },
    Column { name: c"origin_coord", kind: SqlType::Point, is_required: false, in_key: true },
    Column { name: c"destination_coord", kind: SqlType::Point, is_required: false, in_key: true },
    Column { name: c"date_time", kind: SqlType::Timestamp, is_required: true, in_key: true },
    Column { name: c"datasource", kind: SqlType::Text, is_required: false, in_key: true },
    Column { name: c"trip_key", kind: SqlType::Uuid, is_required: true, in_key: false },
    Column { name: c"load_id", kind: SqlType::Int8, is_required: true, in_key: false },
    Column { name: c"ended_at", kind: SqlType::Timestamp, is_required: false, in_key: false },
    Column { name: c"trip_id", kind: SqlType::Text, is_required: false, in_key: false },
    Column { name: c"details", kind: SqlType::Jsonb, is_required: false, in_key: false },
];

/// Number of columns of a row of the history.
pub const COUNT: usize = COLUMNS.len();
/// Number of columns of the key part: they are the first ones.
pub const KEY_COUNT: usize = key_count();
/// Position of `date_time`.
pub const DATE_TIME: usize = TripColumn::DateTime as usize;
/// Position of `trip_key`: a load adds it after the key part.
pub const TRIP_KEY: usize = KEY_COUNT;
/// Position of `load_id`.
pub const LOAD_ID: usize = KEY_COUNT + 1;
/// The first column of the tail. A row without a tail has this many columns.
pub const TAIL: usize = KEY_COUNT + 2;
/// Number of columns of the tail.
pub const TAIL_COUNT: usize = COUNT - TAIL;
/// Position of `details`, the last column.
pub const DETAILS: usize = COUNT - 1;
/// The columns of the unique index `(date_time, trip_key)`, in its order.
pub const INDEX: [usize; 2] = [DATE_TIME, TRIP_KEY];

/// The names of all columns, for COPY.
pub const NAMES: [&CStr; COUNT] = names();

const fn key_count() -> usize {
    let mut count = 0;
    while count < COLUMNS.len() && COLUMNS[count].in_key {
        count += 1;
    }
    let mut rest = count;
    while rest < COLUMNS.len() {
        assert!(!COLUMNS[rest].in_key, "the key part comes first");
        let is_added = rest < count + 2;
        assert!(COLUMNS[rest].is_required == is_added, "the columns of the tail may be NULL");
        rest += 1;
    }
    count
}

const fn names() -> [&'static CStr; COUNT] {
    let mut names = [c""; COUNT];
    let mut i = 0;
    while i < COUNT {
        names[i] = COLUMNS[i].name;
        i += 1;
    }
    names
}

/// Bytes of the fixed-length values in the columns `from..to` of a row, each with its length.
pub(crate) const fn fixed_bytes(from: usize, to: usize) -> usize {
    let mut bytes = 0;
    let mut i = from;
    while i < to {
        bytes += 4;
        if let Some(len) = COLUMNS[i].kind.fixed_len() {
            bytes += len;
        }
        i += 1;
    }
    bytes
}

/// Number of texts in the key part.
pub(crate) const fn key_texts() -> usize {
    let mut count = 0;
    let mut i = 0;
    while i < KEY_COUNT {
        if matches!(COLUMNS[i].kind, SqlType::Text) {
            count += 1;
        }
        i += 1;
    }
    count
}

/// A column of the key part. Its number is its position in [`COLUMNS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TripColumn {
    /// `region`
    Region,
    /// `origin_coord`
    Origin,
    /// `destination_coord`
    Destination,
    /// `date_time`
    DateTime,
    /// `datasource`
    Datasource,
}

impl TripColumn {
    /// All of them, in the order of [`COLUMNS`].
    pub const ALL: [Self; KEY_COUNT] =
        [Self::Region, Self::Origin, Self::Destination, Self::DateTime, Self::Datasource];

    /// Its row in the table of columns.
    #[must_use]
    pub const fn column(self) -> Column {
        COLUMNS[self as usize]
    }

    /// Its name in SQL, in the history and in staging.
    ///
    /// # Panics
    /// Never: the names are ASCII.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self.column().name.to_str() {
            Ok(name) => name,
            Err(_) => panic!("a column has an ASCII name"),
        }
    }
}

impl fmt::Display for TripColumn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_of_the_key_are_the_first_ones() {
        for (i, column) in TripColumn::ALL.into_iter().enumerate() {
            assert!(column as usize == i && column.column().in_key, "{column}");
        }
        assert_eq!(COLUMNS[DATE_TIME].kind, SqlType::Timestamp);
        assert_eq!((COLUMNS[TRIP_KEY].name, COLUMNS[TRIP_KEY].kind), (c"trip_key", SqlType::Uuid));
        assert_eq!((COLUMNS[LOAD_ID].name, COLUMNS[LOAD_ID].kind), (c"load_id", SqlType::Int8));
        assert_eq!((COLUMNS[DETAILS].name, COLUMNS[DETAILS].kind), (c"details", SqlType::Jsonb));
        assert!(COLUMNS[TAIL..].iter().all(|column| !column.is_required), "a row may end before");
        assert_eq!(fixed_bytes(0, KEY_COUNT), 5 * 4 + 2 * 16 + 8);
    }
}
