//! Points: a parsed point is on the earth, in canonical form, and has the written numbers.

use trips_core::model::error::SqlState;
use trips_core::model::point::{Point, parse};

use crate::check_reason;

/// A value is a canonical point, or NULL, or a matching error.
pub fn check_bytes(value: &[u8]) {
    match parse(value) {
        Ok(None) => assert!(value.trim_ascii().is_empty()),
        Ok(Some(point)) => {
            check_canonical(point);
            let (longitude, latitude) = numbers(value).expect("a point has two numbers");
            let same = |a: f64, b: f64| a.to_bits() == (b + 0.0).to_bits();
            let is_antimeridian = point.longitude == 180.0 && longitude == -180.0;
            assert!(is_antimeridian || same(point.longitude, longitude), "{longitude}: {point:?}");
            assert!(same(point.latitude, latitude), "{latitude}: {point:?}");
            check_printed(point);
        }
        Err(error) => {
            check_reason(&error.reason);
            let is_outside = |(x, y): (f64, f64)| x.abs() > 180.0 || y.abs() > 90.0;
            match error.state {
                SqlState::NumericValueOutOfRange => assert!(numbers(value).is_some_and(is_outside)),
                SqlState::InvalidTextRepresentation => {
                    assert!(!value.trim_ascii().is_empty());
                    assert_eq!(numbers(value), None, "{error:?}");
                }
                state => panic!("a point is not refused with {state:?}"),
            }
        }
    }
}

/// Finite, in range, and in canonical form.
pub(crate) fn check_canonical(Point { longitude, latitude }: Point) {
    assert!(longitude > -180.0 && longitude <= 180.0, "{longitude}");
    assert!((-90.0..=90.0).contains(&latitude), "{latitude}");
    for number in [longitude, latitude] {
        assert!(number != 0.0 || number.is_sign_positive(), "a negative zero");
    }
    assert_eq!(Point::new(longitude, latitude), Ok(Point { longitude, latitude }));
}

/// The shortest text of the numbers, and one with an exponent, are read as the same point.
fn check_printed(point: Point) {
    let Point { longitude, latitude } = point;
    for text in
        [format!("POINT ({longitude} {latitude})"), format!("point({longitude:e} {latitude:e})")]
    {
        assert_eq!(parse(text.as_bytes()), Ok(Some(point)), "{text}");
    }
}

/// The two numbers of a point, if it is one: split into words, and parsed by the standard library.
fn numbers(value: &[u8]) -> Option<(f64, f64)> {
    let upper = value.trim_ascii().to_ascii_uppercase();
    let text = upper.strip_prefix(b"SRID=4326;").unwrap_or(&upper).trim_ascii();
    let inner = text.strip_prefix(b"POINT")?.trim_ascii_start();
    let inner = std::str::from_utf8(inner.strip_prefix(b"(")?.strip_suffix(b")")?).ok()?;
    let mut words = inner.split(|c: char| c.is_ascii_whitespace()).filter(|word| !word.is_empty());
    let mut number = || {
        let word = words.next()?;
        // The library takes the words for infinity and not-a-number, too.
        let is_decimal = word.chars().all(|c| c.is_ascii_digit() || ".+-E".contains(c));
        is_decimal.then(|| word.parse().ok())?
    };
    let both = (number()?, number()?);
    words.next().is_none().then_some(both)
}
