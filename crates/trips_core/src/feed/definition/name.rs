//! Names of columns as they are compared.

use super::Encoding;
use crate::text::encoding::encoding_of_record;
use crate::text::name;

/// A name in the form for comparisons: without byte order mark and blanks around it, runs of blanks as one blank, in
/// lower case.
///
/// ```
/// assert_eq!(trips_core::feed::definition::fold("\u{feff} Trip  Duration "), "trip duration");
/// ```
#[must_use]
pub fn fold(name: &str) -> String {
    name::folded(name.as_bytes())
}

/// As [`fold`], of a name in the first of the encodings that it is valid in.
pub(crate) fn fold_encoded(name: &[u8], encodings: &[Encoding]) -> String {
    let text = encoding_of_record(encodings, name).and_then(|encoding| encoding.decode(name));
    text.map_or_else(|| name::folded(name), |text| fold(&text))
}

/// Whether a column of this folded name is passed over in every file: it has no name, or the name that a tool gave to
/// an index or a doubled column.
#[must_use]
pub fn is_passed_over(folded: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let is_index = |text: &str| text.strip_suffix("__").is_some_and(is_number);
    folded.is_empty()
        || folded.strip_prefix("unnamed:").is_some_and(|rest| is_number(rest.trim_start()))
        || folded.strip_prefix("__index_level_").is_some_and(is_index)
        || folded.rsplit_once("_duplicate_column_name_").is_some_and(|(_, rest)| is_number(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_folded() {
        for (name, folded) in [
            ("\u{feff}Dropoff Centroid  Location", "dropoff centroid location"),
            ("Trip_type ", "trip_type"),
            ("AÑO\u{a0} DE\tX", "año de x"),
            ("", ""),
            (" \u{feff} ", ""),
        ] {
            assert_eq!(fold(name), folded);
            assert_eq!(fold(folded), folded);
        }
    }

    #[test]
    fn names_of_windows_1252_are_decoded_for_a_feed_that_allows_them() {
        let name = b"A\xf1o_de_nacimiento";
        assert_eq!(
            fold_encoded(name, &[Encoding::Utf8, Encoding::Windows1252]),
            "año_de_nacimiento"
        );
        assert_eq!(fold_encoded(name, &[Encoding::Utf8]), "a\u{fffd}o_de_nacimiento");
    }

    #[test]
    fn names_of_tools_are_passed_over() {
        for name in
            ["", "unnamed: 0", "unnamed:12", "__index_level_0__", "x_duplicate_column_name_1"]
        {
            assert!(is_passed_over(name), "{name}");
        }
        for name in
            ["unnamed", "unnamed: x", "__index_level___", "index", "duplicate_column_name_1"]
        {
            assert!(!is_passed_over(name), "{name}");
        }
    }
}
