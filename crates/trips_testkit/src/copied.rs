//! Parses rows of PostgreSQL's binary COPY.

use trips_core::key::TripKey;

/// The values of a row; none is NULL.
pub type Values<'a> = Vec<Option<&'a [u8]>>;

/// Removes the first row of this many columns; panics on a row that PostgreSQL would reject.
pub fn take_row<'a>(rows: &mut &'a [u8], columns: i16) -> Values<'a> {
    assert_eq!(take::<2>(rows), columns.to_be_bytes());
    let mut values = Values::new();
    for _ in 0..columns {
        let length = i32::from_be_bytes(take(rows));
        values.push((length != -1).then(|| {
            let (value, rest) = rows.split_at(usize::try_from(length).expect("a length"));
            *rows = rest;
            value
        }));
    }
    values
}

fn take<const N: usize>(rows: &mut &[u8]) -> [u8; N] {
    let (taken, rest) = rows.split_first_chunk().expect("the row goes on");
    *rows = rest;
    *taken
}

/// A text that PostgreSQL can store: UTF-8 without NUL.
pub fn text(value: &[u8]) -> &str {
    let text = std::str::from_utf8(value).expect("text is UTF-8");
    assert!(!text.contains('\0'), "{text:?}");
    text
}

/// A whole number of eight bytes, not NULL.
pub fn bigint(value: Option<&[u8]>) -> i64 {
    i64::from_be_bytes(value.and_then(|v| v.try_into().ok()).expect("eight bytes"))
}

/// A key, not NULL.
pub fn key(value: Option<&[u8]>) -> TripKey {
    value.and_then(|v| v.try_into().ok()).expect("sixteen bytes")
}
