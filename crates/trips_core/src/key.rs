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

use crate::model::point::Point;
use crate::model::trip::Trip;

/// 128 bits that stand for a trip's content; PostgreSQL keeps them as a `uuid`.
pub type TripKey = [u8; 16];

/// Appends the five values as they are hashed.
///
/// # Panics
/// When a text is over 2 GiB; a validated trip's never is.
pub fn encode(trip: &Trip<'_>, out: &mut Vec<u8>) {
    encode_text(Some(trip.region), out);
    encode_point(trip.origin, out);
    encode_point(trip.destination, out);
    encode_value(&trip.date_time.0.to_be_bytes(), out);
    encode_text(trip.datasource, out);
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

pub(crate) fn encode_value(bytes: &[u8], out: &mut Vec<u8>) {
    let length = i32::try_from(bytes.len()).expect("a value is under 2 GiB");
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(bytes);
}

pub(crate) fn encode_missing(out: &mut Vec<u8>) {
    out.extend_from_slice(&(-1_i32).to_be_bytes());
}

pub(crate) fn encode_text(text: Option<&str>, out: &mut Vec<u8>) {
    match text {
        Some(text) => encode_value(text.as_bytes(), out),
        None => encode_missing(out),
    }
}

fn encode_point(point: Option<Point>, out: &mut Vec<u8>) {
    let Some(Point { longitude, latitude }) = point else {
        return encode_missing(out);
    };
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&longitude.to_be_bytes());
    bytes[8..].copy_from_slice(&latitude.to_be_bytes());
    encode_value(&bytes, out);
}
