//! The five columns of a staged row, read again.

use std::borrow::Cow;

use super::places::{swapped_wkt, with_points};
use super::rules::{Rules, is_of_place, is_out_of_place};
use crate::check::constraints::Constraints;
use crate::check::trip_text::TripText;
use crate::columns::{KEY_COUNT, TripColumn};

/// The texts of the five columns.
type Texts<'a> = [Cow<'a, [u8]>; KEY_COUNT];

const ENDS: [&[TripColumn]; 3] = [
    &[TripColumn::Origin, TripColumn::Destination],
    &[TripColumn::Origin],
    &[TripColumn::Destination],
];

/// The texts as the rules mean them; None if the rules change none of them. The columns have no time zone, so instants
/// stay as they are.
///
/// ```
/// use trips_core::check::constraints::Constraints;
/// use trips_core::mend::{mended_texts, rules::Rules};
/// let swap = Rules { swap_coordinates: true, ..Rules::default() };
/// let of = |origin: &str| {
///     let texts = [&b"Seoul"[..], origin.as_bytes(), b"", b"2024-06-17 08:05:00", b""];
///     mended_texts(texts, &swap, &Constraints::default()).map(|texts| texts[1].to_vec())
/// };
/// assert_eq!(of("POINT (37.5 126.9)").unwrap(), b"POINT (126.9 37.5)");
/// assert_eq!(of("POINT (126.9 37.5)"), None);
/// ```
#[must_use]
pub fn mended_texts<'a>(
    texts: [&'a [u8]; KEY_COUNT],
    rules: &Rules,
    constraints: &Constraints,
) -> Option<Texts<'a>> {
    let mut mended: Texts<'a> = texts.map(Cow::Borrowed);
    let mut is_changed = false;
    let mut set = |texts: &mut Texts<'a>, column: TripColumn, text: Option<Vec<u8>>| {
        if let Some(text) = text {
            texts[column as usize] = text.into();
            is_changed = true;
        }
    };
    if let Some(times) = rules.times.as_ref().filter(|times| !times.are_instants()) {
        let time = times.canonical(&mended[TripColumn::DateTime as usize]);
        set(&mut mended, TripColumn::DateTime, time.map(String::into_bytes));
    }
    if rules.decimal_comma {
        for end in [TripColumn::Origin, TripColumn::Destination] {
            let text = with_points(&mended[end as usize]);
            set(&mut mended, end, text);
        }
    }
    if rules.swap_coordinates
        && let Some(swapped) = swapped(&mended, constraints)
    {
        return Some(swapped);
    }
    is_changed.then_some(mended)
}

/// The texts with exchanged coordinates, if an end needs it.
fn swapped<'a>(texts: &Texts<'a>, constraints: &Constraints) -> Option<Texts<'a>> {
    let places = |texts: &Texts<'a>| {
        // Only the places count: another column may be invalid, too.
        let mut all = texts.clone();
        all[TripColumn::Region as usize] = Cow::Borrowed(b"-");
        TripText::of(all).validate(constraints).err().filter(is_of_place)
    };
    if !places(texts).is_some_and(|rejection| is_out_of_place(&rejection)) {
        return None;
    }
    ENDS.iter().find_map(|ends| {
        let mut swapped = texts.clone();
        let mut is_changed = false;
        for end in *ends {
            if let Some(text) = swapped_wkt(&texts[*end as usize]) {
                swapped[*end as usize] = text.into();
                is_changed = true;
            }
        }
        (is_changed && places(&swapped).is_none()).then_some(swapped)
    })
}

#[cfg(test)]
mod tests {
    use super::super::rules::Times;
    use super::*;
    use crate::model::time_form::DayMonthOrder;

    fn mended(texts: [&str; 5], rules: &Rules) -> Option<[String; 5]> {
        let texts = texts.each_ref().map(|text| text.as_bytes());
        let mended = mended_texts(texts, rules, &Constraints::default())?;
        Some(mended.map(|text| String::from_utf8(text.into_owned()).unwrap()))
    }

    /// A record whose places are valid stays, and so does an end that is valid only as it is.
    #[test]
    fn places_that_fit_stay() {
        let rules = Rules { swap_coordinates: true, ..Rules::default() };
        let swap = |origin: &str, destination: &str| {
            let texts = ["R", origin, destination, "2024-01-01 00:00:00", "s"];
            mended(texts, &rules).map(|[_, origin, destination, ..]| (origin, destination))
        };
        let some = |one: &str, other: &str| Some((one.to_owned(), other.to_owned()));
        assert_eq!(
            swap("POINT (37 126)", "POINT (38 127)"),
            some("POINT (126 37)", "POINT (127 38)")
        );
        assert_eq!(
            swap("POINT (37 126)", "POINT (127 38)"),
            some("POINT (126 37)", "POINT (127 38)")
        );
        assert_eq!(
            swap("POINT (126 37)", "POINT (38 127)"),
            some("POINT (126 37)", "POINT (127 38)")
        );
        assert_eq!(swap("", "POINT (38 127)"), some("", "POINT (127 38)"));
        // It fits in both ways: as the other end of its record.
        assert_eq!(
            swap("POINT (37 126)", "POINT (38 27)"),
            some("POINT (126 37)", "POINT (27 38)")
        );
        assert_eq!(swap("POINT (37 26)", "POINT (38 27)"), None);
        assert_eq!(swap("POINT (200 100)", "POINT (38 127)"), None);
        assert_eq!(swap("x", "POINT (38 127)"), None);
    }

    #[test]
    fn all_rules_at_once() {
        let rules = Rules {
            swap_coordinates: true,
            decimal_comma: true,
            times: Some(Times::of_order(DayMonthOrder::DayFirst)),
        };
        let texts = ["R", "POINT (37,5 126,9)", "", "17/06/2024 08:05", "s"];
        let expected = ["R", "POINT (126.9 37.5)", "", "2024-06-17 08:05:00", "s"];
        assert_eq!(mended(texts, &rules), Some(expected.map(str::to_owned)));
        assert_eq!(mended(["", "", "", "", ""], &rules), None);
    }
}
