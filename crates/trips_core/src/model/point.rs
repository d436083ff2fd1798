//! `POINT (longitude latitude)`, well-known text of one point in degrees, WGS 84.

use crate::model::error::{SqlState, ValueError};
use crate::model::number;
use crate::text::escape::quoted;

/// A point on the earth, in degrees, WGS 84.
///
/// Longitude is over -180 and up to 180: the antimeridian is always 180. Neither number is a negative zero. So equal
/// points have equal bits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Degrees east.
    pub longitude: f64,
    /// Degrees north, -90 to 90.
    pub latitude: f64,
}

/// As the index of areas takes it.
impl From<Point> for trips_areas::Coord {
    fn from(Point { longitude, latitude }: Point) -> Self {
        Self { longitude, latitude }
    }
}

impl Point {
    /// The point with these coordinates, in canonical form.
    ///
    /// # Errors
    /// 22003 when a number is not finite or out of range.
    pub fn new(longitude: f64, latitude: f64) -> Result<Self, ValueError> {
        let in_range = |name: &str, value: f64, limit: f64| {
            if value.abs() <= limit {
                return Ok(value + 0.0); // -0 + 0 is 0
            }
            // Written out, a number can have 300 digits.
            let shown = if value.abs() < 1e9 { format!("{value}") } else { format!("{value:e}") };
            let mut reason =
                format!("{name} {shown} is out of range: expected -{limit} to {limit}");
            if name == "latitude" && value.abs() <= 180.0 && longitude.abs() <= 90.0 {
                reason.push_str("; longitude and latitude seem to be swapped");
            }
            Err(ValueError::new(SqlState::NumericValueOutOfRange, reason))
        };
        let longitude_in_range = in_range("longitude", longitude, 180.0)?;
        let latitude = in_range("latitude", latitude, 90.0)?;
        let longitude = if longitude_in_range == -180.0 { 180.0 } else { longitude_in_range };
        Ok(Self { longitude, latitude })
    }

    /// The same without a reason if it is none.
    #[inline]
    pub(crate) fn in_range(longitude: f64, latitude: f64) -> Option<Self> {
        if longitude.abs() > 180.0 || latitude.abs() > 90.0 {
            return None;
        }
        let longitude = if longitude == -180.0 { 180.0 } else { longitude };
        Some(Self { longitude: longitude + 0.0, latitude: latitude + 0.0 }) // -0 + 0 is 0
    }

    /// Whether it is `(0, 0)`.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self.longitude == 0.0 && self.latitude == 0.0
    }
}

/// Parses a point; None for an empty field or whitespace.
///
/// The word may be in any case, with whitespace wherever well-known text allows it. A prefix `SRID=4326;` is
/// accepted, because coordinates are WGS 84 anyway.
///
/// # Errors
/// 22P02 when the text is not a point with two numbers, 22003 when a number is out of range.
///
/// ```
/// use trips_core::model::point::{Point, parse};
/// assert_eq!(parse(b"point( 14.42 50.09 )"), Ok(Some(Point { longitude: 14.42, latitude: 50.09 })));
/// assert_eq!(parse(b""), Ok(None));
/// assert_eq!(parse(b"POINT (14.42)").unwrap_err().state.code(), "22P02");
/// ```
pub fn parse(value: &[u8]) -> Result<Option<Point>, ValueError> {
    let text = value.trim_ascii();
    if text.is_empty() {
        return Ok(None);
    }
    match numbers(text) {
        Some((longitude, latitude)) => Point::new(longitude, latitude).map(Some),
        None => Err(not_a_point(value)),
    }
}

/// A point of the usual form that the text begins with, `POINT (14.42 50.09)`, and its length. None does not say that
/// there is none.
#[inline]
pub(crate) fn prefix(text: &[u8]) -> Option<(Point, usize)> {
    let rest = text.strip_prefix(b"POINT")?;
    let rest = rest.strip_prefix(b" (").or_else(|| rest.strip_prefix(b"("))?;
    let (longitude, length) = number::prefix(rest)?;
    let rest = rest[length..].strip_prefix(b" ")?;
    let (latitude, length) = number::prefix(rest)?;
    let rest = rest[length..].strip_prefix(b")")?;
    Some((Point::in_range(longitude, latitude)?, text.len() - rest.len()))
}

/// Parses two numbers in degrees as a point; None for two empty fields, or two of whitespace.
///
/// The result, or the error, is that of [`parse`] for the text of [`pair_text`].
///
/// # Errors
/// 22P02 when one is not a number, 22003 when a number is out of range.
pub fn parse_pair(longitude: &[u8], latitude: &[u8]) -> Result<Option<Point>, ValueError> {
    let (x, y) = (longitude.trim_ascii(), latitude.trim_ascii());
    if x.is_empty() && y.is_empty() {
        return Ok(None);
    }
    match number(x).zip(number(y)) {
        Some((longitude, latitude)) => Point::new(longitude, latitude).map(Some),
        None => Err(not_a_point(&pair_text(longitude, latitude))),
    }
}

/// Two numbers as well-known text; two empty values are an empty text.
///
/// Values that are not one word each get a comma between them: `` and `1 2` must not become the point (1, 2).
#[must_use]
pub fn pair_text(longitude: &[u8], latitude: &[u8]) -> Vec<u8> {
    let (longitude, latitude) = (longitude.trim_ascii(), latitude.trim_ascii());
    if longitude.is_empty() && latitude.is_empty() {
        return Vec::new();
    }
    let is_word = |value: &[u8]| !value.is_empty() && !value.iter().any(u8::is_ascii_whitespace);
    let between = if is_word(longitude) && is_word(latitude) { &b" "[..] } else { b", " };
    [b"POINT (", longitude, between, latitude, b")"].concat()
}

#[cold]
fn not_a_point(value: &[u8]) -> ValueError {
    ValueError::new(
        SqlState::InvalidTextRepresentation,
        format!("{} is not a point: expected POINT (longitude latitude)", quoted(value)),
    )
}

/// The two numbers between the parentheses.
fn numbers(text: &[u8]) -> Option<(f64, f64)> {
    let text = strip_word(text, b"SRID=4326;").unwrap_or(text).trim_ascii();
    let text = strip_word(text, b"POINT")?.trim_ascii_start();
    let inner = text.strip_prefix(b"(")?.strip_suffix(b")")?.trim_ascii();
    let blank = inner.iter().position(u8::is_ascii_whitespace)?;
    let (longitude, latitude) = inner.split_at(blank);
    Some((number(longitude)?, number(latitude.trim_ascii_start())?))
}

fn strip_word<'a>(text: &'a [u8], word: &[u8]) -> Option<&'a [u8]> {
    let (head, rest) = text.split_at_checked(word.len())?;
    head.eq_ignore_ascii_case(word).then_some(rest)
}

/// A decimal number. Rust would also accept words for infinity and not-a-number; they are rejected.
pub(crate) fn number(text: &[u8]) -> Option<f64> {
    if let Some(number) = number::whole(text) {
        return Some(number);
    }
    if !text.iter().all(|b| matches!(b, b'0'..=b'9' | b'.' | b'-' | b'+' | b'e' | b'E')) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(longitude: f64, latitude: f64) -> Result<Option<Point>, ValueError> {
        Ok(Some(Point { longitude, latitude }))
    }

    #[test]
    fn spellings() {
        for text in [
            "POINT (1.5 -2)",
            "POINT(1.5 -2)",
            "point ( 1.5\t-2 ) ",
            " Point  (+1.5 -2.0)",
            "POINT (15e-1 -.2E1)",
            "SRID=4326;POINT (1.5 -2.)",
            "srid=4326; point(1.5 -2)",
        ] {
            assert_eq!(parse(text.as_bytes()), point(1.5, -2.0), "{text}");
        }
    }

    #[test]
    fn not_points() {
        for text in [
            "POINT",
            "POINT ()",
            "POINT (1)",
            "POINT (1 2 3)",
            "POINT Z (1 2 3)",
            "POINT EMPTY",
            "POINT (1,5 2,5)",
            "POINT (1, 2)",
            "POINT (nan 1)",
            "POINT (inf 1)",
            "POINT (0x1A 1)",
            "POINT (1_0 1)",
            "POINT (1 2",
            "POINT 1 2",
            "(1 2)",
            "1 2",
            "MULTIPOINT (1 2)",
            "POINT (1 2) x",
            "SRID=3857;POINT (1 2)",
            "POINT (１ ２)",
            "POINT (- 1)",
            "POINT (e 1)",
        ] {
            let error = parse(text.as_bytes()).expect_err(text);
            assert_eq!(error.state.code(), "22P02", "{text}");
        }
    }

    #[test]
    fn numbers_are_those_of_the_library() {
        for text in [
            "0",
            "-0",
            "1.",
            ".5",
            "-.5",
            "007.250",
            "9007199254740991",
            "9007199254740992",
            "90.071992547409915",
            "14.4973794438195",
            "0.30000000000000004",
            "1e5",
            "-1E-5",
            "+3",
            "123456789012345678901234567890",
            ".",
            "",
            "-",
            "1.2.3",
            "--1",
            "1-",
            "0.1234567890123456",
        ] {
            let library: Option<f64> = text.parse().ok();
            assert_eq!(
                number(text.as_bytes()).map(f64::to_bits),
                library.map(f64::to_bits),
                "{text}"
            );
        }
    }

    #[test]
    fn an_empty_number_of_a_pair_is_no_number() {
        for (longitude, latitude) in [("", "1 2"), ("1 2", " "), ("1 2", "3"), ("1", "2 3")] {
            let (x, y) = (longitude.as_bytes(), latitude.as_bytes());
            let error = parse_pair(x, y).unwrap_err();
            assert_eq!(error.state, SqlState::InvalidTextRepresentation);
            assert_eq!(parse(&pair_text(x, y)), Err(error), "{longitude:?} {latitude:?}");
        }
    }

    #[test]
    fn ranges_and_canonical_values() {
        assert_eq!(parse(b"POINT (180 90)"), point(180.0, 90.0));
        assert_eq!(parse(b"POINT (-180 -90)"), point(180.0, -90.0));
        for text in ["POINT (181 0)", "POINT (0 90.0001)", "POINT (1e400 0)", "POINT (-180.1 1)"] {
            assert_eq!(parse(text.as_bytes()).expect_err(text).state.code(), "22003");
        }
        let zero = parse(b"POINT (-0 -0.0)").unwrap().unwrap();
        assert!(zero.longitude.is_sign_positive() && zero.latitude.is_sign_positive());
        let huge = parse(b"POINT (1e300 0)").unwrap_err();
        assert_eq!(huge.reason, "longitude 1e300 is out of range: expected -180 to 180");
        let swapped = parse(b"POINT (50.1 114.4)").unwrap_err();
        assert!(swapped.reason.contains("swapped"), "{}", swapped.reason);
    }
}
