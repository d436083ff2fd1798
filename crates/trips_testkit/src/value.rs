//! Values of feeds: a canonical form is its own canonical form, and a number has the written digits.

use trips_core::feed::definition::ColumnKind;
use trips_core::feed::value::{MAX_ID, Nulls, canonical, number};
use trips_core::model::canonical::Canonical;
use trips_core::model::decimal::DecimalMark;
use trips_core::model::error::SqlState;

use crate::check_reason;

/// [`check`], with both decimal marks.
pub fn check_bytes(value: &[u8]) {
    check(value, DecimalMark::Point);
    check(value, DecimalMark::Comma);
}

/// A value is NULL, or in canonical form, or a matching error, in a column of every kind.
pub fn check(value: &[u8], decimal: DecimalMark) {
    let ids = [(None, false), (None, true), (Some(2), false), (Some(9), true)];
    let ids = ids.map(|(decimals, strip_zeros)| ColumnKind::Id { decimals, strip_zeros });
    let others = [ColumnKind::Text, ColumnKind::Number, ColumnKind::Json, ColumnKind::Time];
    for kind in others.into_iter().chain(ids) {
        check_kind(value, kind, decimal);
    }
    // Written by Rust, a number is read as the same number.
    if let Some(number_of) = number(value, decimal) {
        assert!(number_of.is_finite() && (number_of != 0.0 || number_of.is_sign_positive()));
        for text in [format!("{number_of:e}"), format!("{number_of}")] {
            let written = text.replace('.', &char::from(decimal.byte()).to_string());
            let again = number(written.as_bytes(), decimal);
            assert!(text.len() > 128 || again == Some(number_of), "{value:?} {written}");
        }
    }
}

fn check_kind(value: &[u8], kind: ColumnKind, decimal: DecimalMark) {
    let nulls = Nulls::new(&["NULL", "\\N"]);
    let of = |value: &[u8]| canonical(value.to_vec().into(), kind, &nulls, decimal);
    // A borrowed field has the result of an owned one.
    assert_eq!(of(value), canonical(value.into(), kind, &nulls, decimal));
    match of(value) {
        Ok(None) => assert_eq!(nulls.trimmed(value), None),
        Ok(Some(Canonical::Text(text) | Canonical::Json(text))) => {
            assert!(!text.is_empty() && !text.contains('\0'));
            let is_id = matches!(kind, ColumnKind::Id { .. });
            if is_id {
                // A point is the decimal mark of canonical ids.
                assert!(text.len() <= MAX_ID + 10);
                let again =
                    canonical(text.as_bytes().into(), kind, &nulls, DecimalMark::Point).unwrap();
                let is_other = decimal == DecimalMark::Comma || text.len() > MAX_ID;
                let same = Some(Canonical::Text(text.clone()));
                assert!(is_other || again == same, "{again:?} is not {same:?}");
            } else {
                assert_eq!(Some(text.as_bytes()), nulls.trimmed(value));
            }
        }
        Ok(Some(Canonical::Number(_))) => assert_eq!(kind, ColumnKind::Number),
        Ok(Some(Canonical::Time(_))) => panic!("a time needs its forms"),
        Err(error) => {
            check_reason(&error.reason);
            match error.state {
                SqlState::StringDataRightTruncation => assert!(value.len() > MAX_ID),
                SqlState::CharacterNotInRepertoire => {
                    assert!(std::str::from_utf8(value).is_err() || value.contains(&0));
                }
                state => panic!("a value is not refused with {state:?}"),
            }
        }
    }
}
