//! The scheme `content`: the key is over the five values of a trip.
//!
//! The message is, byte for byte, how PostgreSQL's binary COPY writes the five columns. So the bytes that are hashed
//! are the bytes that are stored.

use super::TripKey;
use super::hash::{Context, SideBySide};
use crate::columns::TripColumn;
use crate::model::point::Point;
use crate::model::trip::{Trip, Value};
use crate::wire::copy_binary::RowWriter;

/// Appends the values of the key part as they are hashed.
///
/// # Panics
/// When a text is over 2 GiB; a validated trip's never is.
pub fn encode(trip: &Trip<'_>, out: &mut Vec<u8>) {
    let mut row = RowWriter::values(out);
    for column in TripColumn::ALL {
        match trip.value(column) {
            None => row.null(),
            Some(Value::Text(text)) => row.value(text.as_bytes()),
            Some(Value::Timestamp(time)) => row.int8(time.0),
            Some(Value::Point(Point { longitude, latitude })) => {
                let mut bytes = [0; 16];
                bytes[..8].copy_from_slice(&longitude.to_be_bytes());
                bytes[8..].copy_from_slice(&latitude.to_be_bytes());
                row.value(&bytes)
            }
        };
    }
}

/// The key of the values that [`encode`] wrote.
#[must_use]
#[inline]
pub fn of_encoded(encoded: &[u8]) -> TripKey {
    Context::CONTENT.key(encoded)
}

/// The key of a trip.
#[must_use]
pub fn of_trip(trip: &Trip<'_>) -> TripKey {
    let mut encoded = Vec::with_capacity(128);
    encode(trip, &mut encoded);
    of_encoded(&encoded)
}

/// The keys of many encoded trips: hashed side by side, they take a fraction of the time.
#[derive(Debug)]
pub struct ContentKeys(SideBySide);

impl Default for ContentKeys {
    fn default() -> Self {
        Self(SideBySide::new(&Context::CONTENT))
    }
}

impl ContentKeys {
    /// Adds the values that [`encode`] wrote, under a number. `put` gets the numbers and keys that are known now.
    #[inline]
    pub fn push(&mut self, encoded: &[u8], number: usize, mut put: impl FnMut(usize, TripKey)) {
        self.0.push(encoded, number, &mut put);
    }

    /// Passes the keys that are left.
    pub fn finish(&mut self, mut put: impl FnMut(usize, TripKey)) {
        self.0.finish(&mut put);
    }
}
