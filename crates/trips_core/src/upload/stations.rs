//! The stations of an archive, in the first part of an upload: a later merge of its rejected records needs them.

use std::collections::TryReserveError;

use crate::feed::stations::{MAX_ID, YEARS};
use crate::feed::zones::ZoneRow;
use crate::model::point::Point;
use crate::upload::decode::DecodeError;
use crate::wire::copy_binary::{Cursor, RowWriter};

/// The most bytes of the stations of an upload.
pub const MAX_BYTES: usize = 8 * 1024 * 1024;

/// Encodes stations, without their names and regions: id, first and last year, longitude and latitude, each behind its
/// length.
///
/// # Errors
/// When there is no memory.
///
/// ```
/// use trips_core::feed::zones::ZoneRow;
/// use trips_core::model::point::Point;
/// use trips_core::upload::stations::{decode, encode};
/// let (id, point) = ("5".to_owned(), Point::new(-87.6, 41.8).ok());
/// let year = Some(2015);
/// let station = ZoneRow { id, valid_from: year, valid_to: year, name: None, region: None, point };
/// let bytes = encode(std::slice::from_ref(&station)).unwrap();
/// assert_eq!(decode(&bytes), Ok(vec![station]));
/// ```
pub fn encode(stations: &[ZoneRow]) -> Result<Vec<u8>, TryReserveError> {
    let mut out = Vec::new();
    out.try_reserve(stations.iter().map(|station| station.id.len() + 44).sum())?;
    for station in stations {
        let mut row = RowWriter::values(&mut out);
        row.value(station.id.as_bytes());
        for year in [station.valid_from, station.valid_to] {
            row.optional(year.map(i32::to_be_bytes).as_ref().map(|bytes| &bytes[..]));
        }
        let point = station.point.map(|point| [point.longitude, point.latitude]);
        for at in [0, 1] {
            let degrees = point.map(|degrees| degrees[at].to_be_bytes());
            row.optional(degrees.as_ref().map(|bytes| &bytes[..]));
        }
    }
    Ok(out)
}

/// Decodes the bytes of [`encode`].
///
/// # Errors
/// When they are not as [`encode`] writes the stations of a file.
pub fn decode(bytes: &[u8]) -> Result<Vec<ZoneRow>, DecodeError> {
    let (mut from, mut stations) = (Cursor(bytes), Vec::new());
    if bytes.len() > MAX_BYTES {
        return Err(DecodeError::Length);
    }
    while !from.0.is_empty() {
        let number = stations.len() + 1;
        let station = station(&mut from).ok_or(DecodeError::Station { number })?;
        stations.try_reserve(1)?;
        stations.push(station);
    }
    Ok(stations)
}

fn station(from: &mut Cursor<'_>) -> Option<ZoneRow> {
    let id = std::str::from_utf8(from.value()??).ok()?;
    if id.is_empty() || id.len() > MAX_ID || id.contains('\0') {
        return None;
    }
    let mut year = || match from.value()? {
        None => Some(None),
        Some(bytes) => {
            let year = i32::from_be_bytes(bytes.try_into().ok()?);
            YEARS.contains(&year).then_some(Some(year))
        }
    };
    let (valid_from, valid_to) = (year()?, year()?);
    if valid_from.zip(valid_to).is_some_and(|(first, last)| first > last) {
        return None;
    }
    let mut degrees = || match from.value()? {
        None => Some(None),
        Some(bytes) => Some(Some(f64::from_be_bytes(bytes.try_into().ok()?))),
    };
    let point = match (degrees()?, degrees()?) {
        (None, None) => None,
        (Some(longitude), Some(latitude)) => Some(Point::new(longitude, latitude).ok()?),
        _ => return None,
    };
    Some(ZoneRow { id: id.to_owned(), valid_from, valid_to, name: None, region: None, point })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::constraints::Constraints;
    use crate::feed::definition::IdentityRule;
    use crate::upload::part::{Part, Piece};
    use crate::upload::part_reader::PartReader;

    fn stations() -> Vec<ZoneRow> {
        let row = |id: &str, year: Option<i32>, point: Option<(f64, f64)>| ZoneRow {
            id: id.to_owned(),
            valid_from: year,
            valid_to: year,
            name: None,
            region: None,
            point: point.and_then(|(x, y)| Point::new(x, y).ok()),
        };
        vec![row("5", Some(2015), Some((-87.600_000_000_000_01, 41.9))), row("ž", None, None)]
    }

    /// A part without records, with stations.
    fn part(first_byte: u64, member_no: u64) -> Vec<u8> {
        let member = if member_no > 0 { "a.csv" } else { "" }.to_owned();
        let piece = Piece { content: 1000, member_no, member, ..Piece::default() };
        let stations = encode(&stations()).unwrap();
        let part = Part { bytes: 1, piece, stations, ..Part::new(7, first_byte, "divvy") };
        part.encode().unwrap()
    }

    /// They are the last section of a part.
    #[test]
    fn stations_travel_with_the_first_part() {
        let bytes = part(0, 1);
        assert_eq!(PartReader::new(&bytes[..]).unwrap().stations().unwrap(), stations());
        let decoded = |bytes: &[u8]| {
            Part::decode(bytes, &Constraints::default(), &IdentityRule::Content)
                .map(|part| part.encode().unwrap())
        };
        assert_eq!(decoded(&bytes), Ok(bytes.clone()));
        let mut other = bytes.clone();
        *other.last_mut().unwrap() = 7;
        assert_eq!(decoded(&other), Err(DecodeError::Station { number: 2 }));
        for other in [&bytes[..bytes.len() - 1], &[&bytes[..], b"\0"].concat()] {
            assert_eq!(decoded(other), Err(DecodeError::Length));
        }
        // Others than the first part of an archive have none.
        for bytes in [part(1, 1), part(0, 0)] {
            assert_eq!(decoded(&bytes), Err(DecodeError::NoStations));
        }
    }

    #[test]
    fn what_is_damaged_is_refused() {
        let bytes = encode(&stations()).unwrap();
        assert_eq!(decode(&bytes), Ok(stations()));
        assert_eq!(decode(&[]), Ok(Vec::new()));
        let first = encode(&stations()[..1]).unwrap().len();
        for length in (1..bytes.len()).filter(|length| *length != first) {
            let number = if length < first { 1 } else { 2 };
            assert_eq!(decode(&bytes[..length]), Err(DecodeError::Station { number }), "{length}");
        }
        let longer = [&bytes[..], b"\0"].concat();
        assert_eq!(decode(&longer), Err(DecodeError::Station { number: 3 }));
        // The id, the years, the longitude.
        for (at, with) in [
            (4, &b"\0"[..]),
            (4, b"\xff"),
            (9, &1899_i32.to_be_bytes()),
            (9, &2016_i32.to_be_bytes()),
            (17, &2100_i32.to_be_bytes()),
            (25, &180.5_f64.to_be_bytes()),
            (25, &f64::NAN.to_be_bytes()),
        ] {
            let mut other = bytes.clone();
            other[at..at + with.len()].copy_from_slice(with);
            assert_eq!(decode(&other), Err(DecodeError::Station { number: 1 }), "{at} {with:?}");
        }
        let long = ZoneRow { id: "5".repeat(MAX_ID + 1), ..stations()[0].clone() };
        let long = encode(&[long]).unwrap();
        assert_eq!(decode(&long), Err(DecodeError::Station { number: 1 }));
        assert_eq!(decode(&vec![0; MAX_BYTES + 1]), Err(DecodeError::Length));
    }
}
