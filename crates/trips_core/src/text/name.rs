//! Names of columns in the form for comparisons.

use crate::text::whitespace;

/// A name without a byte order mark and whitespace around it, each run of whitespace inside as one space, in lower
/// case. Underscores and spaces stay different.
///
/// ```
/// use trips_core::text::name::folded;
/// assert_eq!(folded("\u{feff}Dropoff Centroid  Location ".as_bytes()), "dropoff centroid location");
/// assert_ne!(folded(b"start_time"), folded(b"start time"));
/// ```
#[must_use]
pub fn folded(name: &[u8]) -> String {
    let text = String::from_utf8_lossy(whitespace::trim_name(name));
    let mut folded = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !folded.is_empty() {
            folded.push(' ');
        }
        folded.extend(word.chars().flat_map(char::to_lowercase));
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_compared() {
        for (name, expected) in [
            ("Trip  Duration", "trip duration"),
            ("\u{feff}\"x", "\"x"),
            (" \tRegion\u{a0}", "region"),
            ("AÑO_de_nacimiento", "año_de_nacimiento"),
            ("a\nb", "a b"),
            ("", ""),
            (" \u{200b}", ""),
        ] {
            assert_eq!(folded(name.as_bytes()), expected, "{name:?}");
            assert_eq!(folded(expected.as_bytes()), expected, "twice");
        }
        assert_eq!(folded(b"A\xf1o"), "a\u{fffd}o");
    }
}
