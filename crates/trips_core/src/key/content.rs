//! The scheme `content`: the key is over the five values of a trip.
//!
//! The message is, byte for byte, how PostgreSQL's binary COPY writes the five columns. So the bytes that are hashed
//! are the bytes that are stored.

use super::TripKey;
use super::hash::{Context, SideBySide};
use crate::columns::{KEY_COUNT, TripColumn};
use crate::model::point::Point;
use crate::model::trip::Trip;
use crate::wire::copy_binary::{RowWriter, values_of};

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
const POINT_LENGTH: [u8; 4] = 16_u32.to_be_bytes();

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

/// Parts of the values that [`encode`] wrote.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct KeyPart<'a> {
    /// The region and the datasource, each with its length.
    pub(crate) group: [&'a [u8]; 2],
    /// The origin and the destination, without their lengths.
    pub(crate) points: [Option<&'a [u8]>; 2],
}

impl<'a> KeyPart<'a> {
    /// Finds them.
    ///
    /// # Panics
    /// When [`encode`] did not write the bytes.
    #[inline]
    pub(crate) fn of(encoded: &'a [u8]) -> Self {
        Self::usual(encoded).unwrap_or_else(|| Self::any(encoded))
    }

    /// Those of a trip with both points: one length says where they are.
    #[inline]
    fn usual(encoded: &'a [u8]) -> Option<Self> {
        let length = u32::from_be_bytes(*encoded.first_chunk()?) as usize;
        let (region, rest) = encoded.split_at_checked(length.checked_add(4)?)?;
        let (fixed, datasource) = rest.split_first_chunk::<{ 2 * POINT + TIME }>()?;
        let has_points = fixed[..4] == POINT_LENGTH && fixed[POINT..POINT + 4] == POINT_LENGTH;
        let points = [Some(&fixed[4..POINT]), Some(&fixed[POINT + 4..2 * POINT])];
        has_points.then_some(Self { group: [region, datasource], points })
    }

    fn any(encoded: &'a [u8]) -> Self {
        let values: [Option<&[u8]>; KEY_COUNT] = values_of(encoded);
        let [region, origin, destination, _, datasource] = values;
        let region = &encoded[..4 + region.map_or(0, <[u8]>::len)];
        let datasource = &encoded[encoded.len() - 4 - datasource.map_or(0, <[u8]>::len)..];
        Self { group: [region, datasource], points: [origin, destination] }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::timestamp::Timestamp;

    /// Whatever a trip has: both ways of finding its parts agree.
    #[test]
    fn parts_are_found() {
        let point = Point::new(14.4, 50.1).ok();
        let texts = ["", "a", "Praha", "a region of more than sixteen bytes"];
        for (i, region) in texts.into_iter().enumerate() {
            for (origin, destination) in
                [(point, point), (point, None), (None, point), (None, None)]
            {
                for datasource in [None, Some(""), Some(texts[3 - i])] {
                    let date_time = Timestamp(16 << 32);
                    let trip = Trip { region, origin, destination, date_time, datasource };
                    let mut encoded = Vec::new();
                    encode(&trip, &mut encoded);
                    let found = KeyPart::of(&encoded);
                    assert_eq!(found, KeyPart::any(&encoded), "{trip:?}");
                    let is_usual = origin.is_some() && destination.is_some();
                    assert_eq!(KeyPart::usual(&encoded).is_some(), is_usual, "{trip:?}");
                    assert_eq!(&found.group[0][4..], region.as_bytes());
                    assert_eq!(&found.group[1][4..], datasource.unwrap_or_default().as_bytes());
                    let lengths = found.points.map(|point| point.map_or(0, <[u8]>::len));
                    assert_eq!(
                        lengths,
                        [origin, destination].map(|p| 16 * usize::from(p.is_some()))
                    );
                }
            }
        }
    }
}
