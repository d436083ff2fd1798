//! The texts of places with exchanged coordinates, or with points for decimal commas.

use crate::model::decimal::DecimalMark;

/// A `POINT (a b)` with its numbers exchanged; None if it is none.
pub(super) fn swapped_wkt(text: &[u8]) -> Option<Vec<u8>> {
    let open = text.iter().position(|byte| *byte == b'(')? + 1;
    let close = text.iter().rposition(|byte| *byte == b')').filter(|close| *close >= open)?;
    let mut words = text[open..close].split(u8::is_ascii_whitespace).filter(|w| !w.is_empty());
    let (first, second) = (words.next()?, words.next()?);
    if words.next().is_some() {
        return None;
    }
    Some([&text[..open], second, b" ", first, &text[close..]].concat())
}

/// Latitude and longitude in one field, exchanged; None if the field has another form.
pub(super) fn swapped_lat_lon(text: &[u8], decimal: DecimalMark) -> Option<Vec<u8>> {
    let trimmed = text.trim_ascii();
    let (open, inner, close) = match trimmed {
        [b'(', inner @ .., b')'] => (&b"("[..], inner.trim_ascii(), &b")"[..]),
        [b'[', inner @ .., b']'] => (&b"["[..], inner.trim_ascii(), &b"]"[..]),
        inner => (&b""[..], inner, &b""[..]),
    };
    let is_separator = |byte: &u8| match decimal {
        DecimalMark::Point => matches!(byte, b',' | b';'),
        DecimalMark::Comma => *byte == b';',
    };
    let at = inner.iter().position(is_separator);
    let at = at.or_else(|| inner.iter().position(u8::is_ascii_whitespace))?;
    let (first, second) = (inner[..at].trim_ascii(), inner[at + 1..].trim_ascii());
    Some([open, second, &inner[at..=at], first, close].concat())
}

/// The text with a point for each comma between two digits. None if it has a point, or no such comma.
pub(super) fn with_points(text: &[u8]) -> Option<Vec<u8>> {
    if text.contains(&b'.') {
        return None;
    }
    let mut points = text.to_vec();
    let is_mark = |at: usize| {
        let is_digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
        text[at] == b',' && at > 0 && is_digit(text.get(at - 1)) && is_digit(text.get(at + 1))
    };
    let mut is_changed = false;
    for at in (0..text.len()).filter(|at| is_mark(*at)) {
        points[at] = b'.';
        is_changed = true;
    }
    is_changed.then_some(points)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: Option<Vec<u8>>) -> Option<String> {
        bytes.map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn points_are_swapped_as_they_are_written() {
        for (from, to) in [
            ("POINT (50.10 114.4)", Some("POINT (114.4 50.10)")),
            ("SRID=4326;point( 1e1\t-2 )", Some("SRID=4326;point(-2 1e1)")),
            ("POINT (1)", None),
            ("POINT (1 2 3)", None),
            ("POINT EMPTY", None),
            (")(", None),
            ("", None),
        ] {
            assert_eq!(text(swapped_wkt(from.as_bytes())).as_deref(), to, "{from}");
        }
    }

    #[test]
    fn two_numbers_in_one_field() {
        let point = |from: &str| text(swapped_lat_lon(from.as_bytes(), DecimalMark::Point));
        assert_eq!(point(" (114.4, 50.1) ").as_deref(), Some("(50.1,114.4)"));
        assert_eq!(point("114.4 50.1").as_deref(), Some("50.1 114.4"));
        assert_eq!(point("114.4"), None);
        let comma = text(swapped_lat_lon(b"114,4;50,1", DecimalMark::Comma));
        assert_eq!(comma.as_deref(), Some("50,1;114,4"));
    }

    #[test]
    fn commas_between_digits() {
        for (from, to) in [
            ("POINT (14,42 50,09)", Some("POINT (14.42 50.09)")),
            ("POINT (14, 50)", None),
            ("POINT (14.42 50,09)", None),
            (",5", None),
            ("", None),
        ] {
            assert_eq!(text(with_points(from.as_bytes())).as_deref(), to, "{from}");
        }
    }
}
