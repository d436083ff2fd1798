//! The content key: equal trips have equal keys, on every machine, under every setting.
//!
//! A key is the first 16 bytes of BLAKE3 over the trip's five values in the order region, origin,
//! destination, date_time, datasource. Each value is its length in bytes (4 bytes, big-endian
//! two's complement; -1 and no bytes for a value that is missing) and then its bytes:
//!
//! * text: UTF-8;
//! * point: longitude, then latitude, each an IEEE 754 double, 8 bytes big-endian;
//! * date and time: microseconds since 2000-01-01 00:00:00, 8 bytes big-endian two's complement.
//!
//! This is, byte for byte, how PostgreSQL's binary COPY writes the five columns, so the bytes that
//! are hashed are the bytes that are stored.

use crate::columns::TripColumn;
use crate::model::point::Point;
use crate::model::trip::{Trip, Value};
use crate::wire::copy_binary::RowWriter;

/// 128 bits that identify the content of a trip; PostgreSQL stores them as a `uuid`.
pub type TripKey = [u8; 16];

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
pub fn of_encoded(encoded: &[u8]) -> TripKey {
    let mut key = [0; 16];
    key.copy_from_slice(&blake3::hash(encoded).as_bytes()[..16]);
    key
}

/// The key of a trip.
#[must_use]
pub fn of_trip(trip: &Trip<'_>) -> TripKey {
    let mut encoded = Vec::with_capacity(128);
    encode(trip, &mut encoded);
    of_encoded(&encoded)
}
