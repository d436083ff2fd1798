//! The places of a trip, as feeds write them.
//!
//! A place that is not known is NULL, and its trip loads. A place outside of the feed's bounds is an error: longitude
//! and latitude are swapped there, or a sign is lost.

use crate::feed::definition::{BoundingBox, LinePoint};
use crate::feed::value::Nulls;
use crate::model::decimal::DecimalMark;
use crate::model::error::{SqlState, ValueError};
use crate::model::point::{self, Point};
use crate::text::escape::quoted;

pub mod geojson;

use geojson::Positions;

/// What a feed says of all its places.
#[derive(Debug, Clone, Copy)]
pub struct PlaceRules<'a> {
    /// The feed's name, for messages.
    pub feed: &'a str,
    /// Where places are; None is everywhere.
    pub bounds: Option<BoundingBox>,
    /// `(0 0)` is a place that is not known. Otherwise the setting `trips.zero_coordinates` decides.
    pub zero_is_unknown: bool,
    /// Its words for NULL.
    pub nulls: &'a Nulls,
    /// The decimal mark of the file.
    pub decimal: DecimalMark,
}

/// The fields of a place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum PlaceText<'a> {
    /// Two fields of degrees.
    Pair {
        /// The longitude.
        longitude: &'a [u8],
        /// The latitude.
        latitude: &'a [u8],
    },
    /// Longitude and latitude, where the file has numbers.
    Degrees(f64, f64),
    /// Well-known text.
    Wkt(&'a [u8]),
    /// Latitude and longitude in one field, with or without brackets.
    LatLon(&'a [u8]),
    /// A GeoJSON document, or an array of positions.
    GeoJson(&'a [u8], LinePoint),
}

/// The place that some fields are; None if it is NULL.
///
/// It is NULL if one field of a pair is NULL, if the text is `POINT EMPTY` or has no position, and for `(0 0)` if the
/// feed says so.
///
/// # Errors
/// 22P02 when the fields are not a place, 22003 when it is not on the earth or outside of the bounds.
///
/// ```
/// use trips_core::feed::{definition::BoundingBox, place::{PlaceRules, PlaceText, place}, value::Nulls};
/// use trips_core::model::decimal::DecimalMark;
/// let rules = PlaceRules {
///     feed: "mds",
///     bounds: Some(BoundingBox { west: -98.5, south: 29.8, east: -97.0, north: 30.8 }),
///     zero_is_unknown: true,
///     nulls: &Nulls::default(),
///     decimal: DecimalMark::Point,
/// };
/// assert_eq!(place(PlaceText::LatLon(b"0, 0"), &rules), Ok(None));
/// let swapped = place(PlaceText::Wkt(b"POINT (30.27 -97.74)"), &rules).unwrap_err();
/// assert!(swapped.reason.ends_with("longitude and latitude seem to be swapped"));
/// ```
pub fn place(text: PlaceText<'_>, rules: &PlaceRules<'_>) -> Result<Option<Point>, ValueError> {
    let point = match text {
        PlaceText::Pair { longitude, latitude } => {
            let trimmed = rules.nulls.trimmed(longitude).zip(rules.nulls.trimmed(latitude));
            let Some((longitude, latitude)) = trimmed else { return Ok(None) };
            let degrees = |text| degrees(text, rules.decimal);
            let numbers = degrees(longitude).zip(degrees(latitude));
            numbers.ok_or_else(|| not_degrees(longitude, latitude)).and_then(on_earth)
        }
        PlaceText::Degrees(longitude, latitude) => on_earth((longitude, latitude)),
        PlaceText::Wkt(text) => {
            let Some(text) = rules.nulls.trimmed(text).filter(|text| !is_empty_point(text)) else {
                return Ok(None);
            };
            point::parse(text)
        }
        PlaceText::LatLon(text) => {
            let Some(text) = rules.nulls.trimmed(text) else { return Ok(None) };
            let numbers = lat_lon(text, rules.decimal);
            numbers.ok_or_else(|| not_lat_lon(text)).and_then(on_earth)
        }
        PlaceText::GeoJson(text, end) => {
            let Some(text) = rules.nulls.trimmed(text) else { return Ok(None) };
            let Positions { first, last, .. } = geojson::positions(text)?;
            let Some([longitude, latitude]) = (if end == LinePoint::First { first } else { last })
            else {
                return Ok(None);
            };
            on_earth((longitude, latitude))
        }
    }?;
    let is_unknown = |point: &Point| rules.zero_is_unknown && point.is_zero();
    point.filter(|point| !is_unknown(point)).map(|point| in_bounds(point, rules)).transpose()
}

fn on_earth((longitude, latitude): (f64, f64)) -> Result<Option<Point>, ValueError> {
    Point::new(longitude, latitude).map(Some)
}

/// A number of degrees. Degrees have no thousands: a point is a decimal mark in every file.
fn degrees(text: &[u8], decimal: DecimalMark) -> Option<f64> {
    const LONGEST: usize = 64;
    if decimal == DecimalMark::Point {
        return point::number(text);
    }
    let Some(mark) = memchr::memchr(b',', text) else { return point::number(text) };
    let mut plain = [0; LONGEST];
    let plain = plain.get_mut(..text.len())?;
    plain.copy_from_slice(text);
    plain[mark] = b'.';
    point::number(plain)
}

fn is_empty_point(text: &[u8]) -> bool {
    let Some((word, rest)) = text.split_at_checked(5) else { return false };
    word.eq_ignore_ascii_case(b"POINT") && rest.trim_ascii().eq_ignore_ascii_case(b"EMPTY")
}

/// Longitude and latitude of a text that begins with the latitude.
fn lat_lon(text: &[u8], decimal: DecimalMark) -> Option<(f64, f64)> {
    let inner = match text {
        [b'(', inner @ .., b')'] | [b'[', inner @ .., b']'] => inner.trim_ascii(),
        _ => text,
    };
    let is_separator = |byte: &u8| match decimal {
        DecimalMark::Point => matches!(byte, b',' | b';'),
        DecimalMark::Comma => *byte == b';',
    };
    let at = inner.iter().position(is_separator);
    let at = at.or_else(|| inner.iter().position(u8::is_ascii_whitespace))?;
    let (latitude, longitude) = (inner[..at].trim_ascii(), inner[at + 1..].trim_ascii());
    Some((degrees(longitude, decimal)?, degrees(latitude, decimal)?))
}

/// Rejects a point outside of the feed's bounds.
fn in_bounds(point: Point, rules: &PlaceRules<'_>) -> Result<Point, ValueError> {
    let Point { longitude, latitude } = point;
    let Some(bounds) = rules.bounds.filter(|bounds| !bounds.contains(longitude, latitude)) else {
        return Ok(point);
    };
    let is_inside = |longitude, latitude| bounds.contains(longitude, latitude);
    let guess = if is_inside(latitude, longitude) {
        "; longitude and latitude seem to be swapped"
    } else if is_inside(-longitude, latitude)
        || is_inside(longitude, -latitude)
        || is_inside(-longitude, -latitude)
    {
        "; a sign seems to be wrong"
    } else {
        ""
    };
    let feed = quoted(rules.feed.as_bytes());
    let reason =
        format!("POINT ({longitude} {latitude}) is outside of the box of feed {feed}{guess}");
    Err(ValueError::new(SqlState::NumericValueOutOfRange, reason))
}

#[cold]
fn not_degrees(longitude: &[u8], latitude: &[u8]) -> ValueError {
    let (longitude, latitude) = (quoted(longitude), quoted(latitude));
    let reason = format!("longitude {longitude} and latitude {latitude} are not two numbers");
    ValueError::new(SqlState::InvalidTextRepresentation, reason)
}

#[cold]
fn not_lat_lon(text: &[u8]) -> ValueError {
    let reason = format!("{} is not a place: expected latitude, longitude", quoted(text));
    ValueError::new(SqlState::InvalidTextRepresentation, reason)
}

#[cfg(test)]
#[path = "place_tests.rs"]
mod tests;
