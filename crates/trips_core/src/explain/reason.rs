//! The kind of a reason: the reason without what the record has.

/// The most bytes of a kind.
const LONGEST: usize = 200;
/// What stands for a value.
const VALUE: &str = "…";

/// The reason without values: quoted texts, and words with digits before "expected".
///
/// ```
/// use trips_core::explain::kind_of;
/// let kind = kind_of(r#""5/6" is not a date and time: expected YYYY-MM-DD HH:MM:SS"#);
/// assert_eq!(kind, "… is not a date and time: expected YYYY-MM-DD HH:MM:SS");
/// assert_eq!(kind_of("the record has 3 fields, expected 5"), "the record has … fields, expected 5");
/// assert_eq!(kind_of(r#""say "9" now" is empty"#), "… is empty");
/// ```
#[must_use]
pub fn kind_of(reason: &str) -> String {
    // A value may have quotes itself: it ends at the last one.
    let kind = match (reason.find('"'), reason.rfind('"')) {
        (Some(begin), Some(end)) if begin < end => {
            format!(
                "{}{VALUE}{}",
                without_numbers(&reason[..begin]),
                without_numbers(&reason[end + 1..])
            )
        }
        _ => without_numbers(reason),
    };
    let end = kind.floor_char_boundary(LONGEST);
    kind[..end].to_owned()
}

/// The text without words that have digits. What is expected stays.
fn without_numbers(text: &str) -> String {
    let end = text.find("expected ").unwrap_or(text.len());
    let (head, expected) = text.split_at(end);
    let mut words: Vec<&str> = Vec::new();
    for word in head.split(' ') {
        let is_number = word.bytes().any(|byte| byte.is_ascii_digit());
        match (is_number, words.last()) {
            (true, Some(&VALUE)) => {}
            (true, _) => words.push(VALUE),
            (false, _) => words.push(word),
        }
    }
    words.join(" ") + expected
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::point::Point;
    use crate::text::escape::quoted;

    #[test]
    fn kinds_of_reasons() {
        for (reason, kind) in [
            ("region is empty", "region is empty"),
            (
                "latitude 114.4 is out of range: expected -90 to 90; longitude and latitude seem to be swapped",
                "latitude … is out of range: expected -90 to 90; longitude and latitude seem to be swapped",
            ),
            (
                r#"POINT (41.9 -87.6) is outside of the box of feed "lyft"; a sign seems to be wrong"#,
                "POINT … is outside of the box of feed …; a sign seems to be wrong",
            ),
            (
                r#"longitude "a" and latitude "1" are not two numbers"#,
                "longitude … are not two numbers",
            ),
            ("\"", "\""),
            ("", ""),
        ] {
            assert_eq!(kind_of(reason), kind, "{reason}");
        }
        let swapped = Point::new(50.1, 114.4).unwrap_err().reason;
        assert_eq!(kind_of(&swapped), kind_of(&Point::new(50.25, 99.0).unwrap_err().reason));
    }

    proptest! {
        /// A value does not show in the kind, whatever it is.
        #[test]
        fn no_value_is_in_a_kind(value in "\\PC{0,80}", other in "\\PC{0,80}") {
            let of = |value: &str| {
                kind_of(&format!("{} is not a date and time: expected X", quoted(value.as_bytes())))
            };
            prop_assert_eq!(of(&value), of(&other));
        }
    }
}
