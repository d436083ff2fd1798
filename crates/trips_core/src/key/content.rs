//! The scheme `content`: the key is over the five values of a trip.
//!
//! The message is, byte for byte, how PostgreSQL's binary COPY writes the five columns. So the bytes that are hashed
//! are the bytes that are stored.

use super::TripKey;
use super::hash::{Context, SideBySide};
use crate::columns::TripColumn;
use crate::model::point::Point;
use crate::model::trip::Trip;
use crate::wire::copy_binary::RowWriter;

/// Appends the values of the key part as they are hashed.
///
/// # Panics
/// When a text is over 2 GiB; a validated trip's never is.
#[inline]
pub fn encode(trip: &Trip<'_>, out: &mut Vec<u8>) {
    let mut row = RowWriter::values(out);
    row.value(trip.region.as_bytes());
    match (trip.origin, trip.destination) {
        (Some(origin), Some(destination)) => {
            // Most trips have both points: their values are of one length.
            let mut values = [0; 2 * POINT + TIME];
            let (points, time) = values.split_at_mut(2 * POINT);
            encode_point(origin, &mut points[..POINT]);
            encode_point(destination, &mut points[POINT..]);
            time[3] = 8;
            time[4..].copy_from_slice(&trip.date_time.0.to_be_bytes());
            row.encoded(&values);
        }
        points => {
            for point in [points.0, points.1] {
                let mut value = [0; POINT];
                match point {
                    Some(point) => {
                        encode_point(point, &mut value);
                        row.encoded(&value);
                    }
                    None => _ = row.null(),
                }
            }
            row.int8(trip.date_time.0);
        }
    }
    row.optional(trip.datasource.map(str::as_bytes));
}

/// Bytes of a point and of a time, with their lengths.
const POINT: usize = 4 + 16;
const TIME: usize = 4 + 8;

#[inline]
fn encode_point(Point { longitude, latitude }: Point, out: &mut [u8]) {
    out[3] = 16;
    out[4..12].copy_from_slice(&longitude.to_be_bytes());
    out[12..20].copy_from_slice(&latitude.to_be_bytes());
}

// The order of the columns, in which their values are written.
const _: () = {
    use TripColumn::{Datasource, DateTime, Destination, Origin, Region};
    assert!(matches!(TripColumn::ALL, [Region, Origin, Destination, DateTime, Datasource]));
};

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
