//! Spellings of values, each with its canonical form.

use proptest::prelude::*;

use super::*;

fn of(field: &[u8], kind: ColumnKind, decimal: DecimalMark) -> Option<Canonical<'static>> {
    let nulls = Nulls::new(&["NULL", "\\N", "#N/A"]);
    canonical(field.to_vec().into(), kind, &nulls, decimal).expect("no error")
}

const ID: ColumnKind = ColumnKind::Id { decimals: None, strip_zeros: false };

fn text(text: &str) -> Option<Canonical<'_>> {
    Some(Canonical::Text(text.into()))
}

#[test]
fn nulls_are_words_of_the_feed() {
    for field in ["", " ", "\t\u{feff} ", "NULL", " NULL", "\\N\r", "#N/A"] {
        for form in [ColumnKind::Text, ColumnKind::Number, ID] {
            assert_eq!(of(field.as_bytes(), form, DecimalMark::Point), None, "{field:?}");
        }
    }
    for field in ["null", "Null", "NULLNULL", "N", "\\n", "None"] {
        assert_eq!(of(field.as_bytes(), ColumnKind::Text, DecimalMark::Point), text(field));
    }
    assert!(!Nulls::default().is_null(b"NULL"));
}

#[test]
fn texts_are_trimmed() {
    let point = DecimalMark::Point;
    assert_eq!(of(" Elm St & 2 Ave ".as_bytes(), ColumnKind::Text, point), text("Elm St & 2 Ave"));
    assert_eq!(of("151.0".as_bytes(), ColumnKind::Text, point), text("151.0"));
    assert_eq!(of("[[1,2]] ".as_bytes(), ColumnKind::Json, point), Some(json("[[1,2]]")));
    assert_eq!(of("{'a': 1}".as_bytes(), ColumnKind::Json, point), text("{'a': 1}"));
    let deep = "[".repeat(100_000);
    assert_eq!(of(deep.as_bytes(), ColumnKind::Json, point), text(&deep));
}

fn json(text: &str) -> Canonical<'_> {
    Canonical::Json(text.into())
}

#[test]
fn bytes_that_are_not_text_are_errors() {
    for field in [&b"A\xf1o"[..], b"a\0b"] {
        for form in [ColumnKind::Text, ColumnKind::Json, ColumnKind::Number, ColumnKind::Time] {
            let result =
                canonical(field.into(), form, &Nulls::default(), DecimalMark::Point).unwrap_err();
            assert_eq!(result.state.code(), "22021", "{field:?}");
        }
    }
    let id = "7".repeat(MAX_ID + 1);
    let at = |length: usize| {
        canonical(id.as_bytes()[..length].into(), ID, &Nulls::default(), DecimalMark::Point)
    };
    assert!(at(MAX_ID).is_ok());
    let error = at(MAX_ID + 1).unwrap_err();
    assert_eq!(error.state.code(), "22001");
    assert!(error.reason.ends_with("has 1001 bytes; the limit of an id is 1000"), "{error:?}");
}

#[test]
fn ids() {
    let plain = ID;
    let citi = ColumnKind::Id { decimals: Some(2), strip_zeros: false };
    let london = ColumnKind::Id { decimals: None, strip_zeros: true };
    for (form, field, expected) in [
        (plain, "151", "151"),
        (plain, "151.0", "151"),
        (plain, "151.", "151"),
        (plain, "264.000", "264"),
        (plain, "0.0", "0"),
        (plain, "007.0", "007"),
        (plain, "5379.1", "5379.1"),
        (plain, "5379.10", "5379.10"),
        (plain, "1.0.0", "1.0.0"),
        (plain, ".0", ".0"),
        (plain, "-1.0", "-1.0"),
        (plain, "1.0e3", "1.0e3"),
        (plain, "A27", "A27"),
        (plain, "HB101.0", "HB101.0"),
        (plain, "107-108", "107-108"),
        (citi, "5379.1", "5379.10"),
        (citi, "5379.10", "5379.10"),
        (citi, "5379.100", "5379.10"),
        (citi, "5379.123", "5379.123"),
        (citi, "5379.1230", "5379.123"),
        (citi, "5379.05", "5379.05"),
        (citi, "3186.0", "3186"),
        (citi, "SYS016", "SYS016"),
        (london, "001059", "1059"),
        (london, "0", "0"),
        (london, "000", "0"),
        (london, "000.0", "0"),
        (london, "010.0", "10"),
        (london, "0069", "69"),
        (london, "00A1", "0A1"),
        (london, "A001", "A001"),
    ] {
        let found = of(field.as_bytes(), form, DecimalMark::Point);
        assert_eq!(found, text(expected), "{field:?}");
        let again = of(expected.as_bytes(), form, DecimalMark::Point);
        assert_eq!(again, text(expected), "{field:?} twice");
    }
    for (field, expected) in [
        ("151,0", "151"),
        ("40001.0", "40001"),
        ("5379,1", "5379.10"),
        ("5379,105", "5379.105"),
        ("5379.1", "5379.10"),
        ("1.317", "1317"),
        ("1.317,1", "1317.10"),
        ("21.0", "21"),
    ] {
        let found = of(field.as_bytes(), citi, DecimalMark::Comma);
        assert_eq!(found, text(expected), "{field:?}");
    }
}

#[test]
fn ids_with_separators_of_thousands() {
    let plain = ID;
    let citi = ColumnKind::Id { decimals: Some(2), strip_zeros: false };
    let london = ColumnKind::Id { decimals: None, strip_zeros: true };
    for (form, field, expected) in [
        (plain, "1,317", "1317"),
        (plain, "1,001", "1001"),
        (plain, "1,317.0", "1317"),
        (plain, "1,317.5", "1317.5"),
        (plain, "12,345,678", "12345678"),
        (plain, "1 317", "1317"),
        (plain, "1\u{202f}317", "1317"),
        (plain, "AB,12", "AB,12"),
        (plain, "AB,123", "AB,123"),
        (plain, "1,31", "1,31"),
        (plain, "1,3170", "1,3170"),
        (plain, "1317,100", "1317,100"),
        (plain, "0,317", "0,317"),
        (plain, "001,317", "001,317"),
        (plain, "1,317e3", "1,317e3"),
        (plain, "1,317A", "1,317A"),
        (plain, "-1,317", "-1,317"),
        (plain, "1.317", "1.317"),
        (citi, "1,317.1", "1317.10"),
        (london, "001,317", "1317"),
    ] {
        let found = of(field.as_bytes(), form, DecimalMark::Point);
        assert_eq!(found, text(expected), "{field:?}");
        let again = of(expected.as_bytes(), form, DecimalMark::Point);
        assert_eq!(again, text(expected), "{field:?} twice");
    }
}

#[test]
fn an_id_is_copied_only_if_it_changes() {
    for (field, is_copied) in
        [("3186.0", false), ("001059", false), ("5379.10", false), ("5379.1", true)]
    {
        let id = id(field, Some(2), true, DecimalMark::Point).unwrap();
        assert_eq!(matches!(id, Cow::Owned(_)), is_copied, "{field}");
    }
}

#[test]
fn numbers() {
    for (field, point, comma) in [
        ("151", Some(151.0), Some(151.0)),
        ("-0", Some(0.0), Some(0.0)),
        ("1.5", Some(1.5), None),
        ("1,5", None, Some(1.5)),
        ("37,7899", None, Some(37.7899)),
        ("2,904.0", Some(2904.0), None),
        ("2.904,0", None, Some(2904.0)),
        ("1,317", Some(1317.0), Some(1.317)),
        ("1.317", Some(1.317), Some(1317.0)),
        ("0.317", Some(0.317), None),
        ("0,317", None, Some(0.317)),
        ("1,234,567", Some(1_234_567.0), None),
        ("1 234 567,5", None, Some(1_234_567.5)),
        ("1\u{a0}234.5", Some(1234.5), None),
        ("1\u{202f}234", Some(1234.0), Some(1234.0)),
        ("$8.65", Some(8.65), None),
        ("-$8.65", Some(-8.65), None),
        ("$-8.65", Some(-8.65), None),
        ("€ 8,65", None, Some(8.65)),
        ("100%", Some(100.0), Some(100.0)),
        ("12.5 %", Some(12.5), None),
        ("1e3", Some(1000.0), Some(1000.0)),
        ("1.5E-1", Some(0.15), None),
        ("1,5E-1", None, Some(0.15)),
        ("1,234e2", Some(123_400.0), Some(123.4)),
        (".5", Some(0.5), None),
        (",5", None, Some(0.5)),
        ("$.5", Some(0.5), None),
        ("5.", Some(5.0), None),
        ("+3", Some(3.0), Some(3.0)),
        ("12345,678", None, Some(12345.678)),
        ("1,23", None, Some(1.23)),
        ("1,2345", None, Some(1.2345)),
    ] {
        assert_eq!(number(field.as_bytes(), DecimalMark::Point), point, "{field:?}");
        assert_eq!(number(field.as_bytes(), DecimalMark::Comma), comma, "{field:?} with a comma");
        let expected = point.map_or_else(|| text(field), |n| Some(Canonical::Number(n)));
        assert_eq!(of(field.as_bytes(), ColumnKind::Number, DecimalMark::Point), expected);
    }
}

#[test]
fn texts_that_are_not_numbers() {
    for field in [
        "1,,234",
        "1,234,",
        "1.2,3",
        "1.2.3",
        "1,2,3",
        "--1",
        "+-1",
        "-$-1",
        "$-$1",
        "$",
        "%",
        "-",
        "e5",
        ".",
        ",",
        "nan",
        "inf",
        "1e400",
        "0x10",
        "2h 12m 14s",
        "12 34",
        "１",
    ] {
        for decimal in [DecimalMark::Point, DecimalMark::Comma] {
            assert_eq!(number(field.as_bytes(), decimal), None, "{field:?}");
            assert_eq!(of(field.as_bytes(), ColumnKind::Number, decimal), text(field));
        }
    }
    assert!(number(b"-0", DecimalMark::Comma).unwrap().is_sign_positive());
    assert_eq!(number("1".repeat(MAX_NUMBER + 1).as_bytes(), DecimalMark::Point), None);
}

/// Digits with a separator of thousands.
fn grouped(digits: &str, separator: &str) -> String {
    let text = |group| std::str::from_utf8(group).expect("digits");
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().map(text).collect();
    groups.join(separator)
}

/// A number of two decimals, in one of the ways in which files write it.
fn spelled(cents: i64, way: usize, decimal: DecimalMark) -> String {
    let (sign, cents) = (if cents < 0 { "-" } else { "" }, cents.unsigned_abs());
    let (whole, rest, mark) = (cents / 100, cents % 100, char::from(decimal.byte()));
    let digits = whole.to_string();
    let grouped = |separator: &str| grouped(&digits, separator);
    match way {
        0 => format!("{sign}{whole}{mark}{rest:02}"),
        1 => format!(" {sign}{whole}{mark}{rest:02}000 "),
        2 => format!(
            "{sign}{}{mark}{rest:02}",
            grouped(&decimal.thousands().escape_ascii().to_string())
        ),
        3 => format!("{sign}${}{mark}{rest:02}", grouped("\u{a0}")),
        4 => format!("{sign}{cents}e-2"),
        5 => format!("€{sign}000{whole}{mark}{rest:02}"),
        _ => format!("{sign}{whole}{mark}{rest:02}%"),
    }
}

proptest! {
    #[test]
    fn the_spelling_of_a_number_does_not_matter(
        cents in -100_000_000_000_i64..100_000_000_000, way in 0_usize..7, has_comma: bool,
    ) {
        let decimal = if has_comma { DecimalMark::Comma } else { DecimalMark::Point };
        let spelled = spelled(cents, way, decimal);
        #[expect(clippy::cast_precision_loss, reason = "under 2^53")]
        let expected = Some(Canonical::Number(cents as f64 / 100.0));
        prop_assert_eq!(of(spelled.as_bytes(), ColumnKind::Number, decimal), expected, "{}", spelled);
    }

    #[test]
    fn the_spelling_of_an_id_does_not_matter(
        id in 0_u32..1_000_000, hundredths in 0_u32..100, zeros in 0_usize..4, more in 0_usize..3,
    ) {
        let form = ColumnKind::Id { decimals: Some(2), strip_zeros: true };
        let of = |text: &str| of(text.as_bytes(), form, DecimalMark::Point);
        let zeros = "0".repeat(zeros);
        let fraction = format!("{hundredths:02}");
        let shortest = fraction.trim_end_matches('0');
        let expected =
            if hundredths == 0 { id.to_string() } else { format!("{id}.{fraction}") };
        for integer in [id.to_string(), grouped(&id.to_string(), ",")] {
            let spelled = format!("{zeros}{integer}.{shortest}{}", "0".repeat(more));
            prop_assert_eq!(of(&spelled), text(&expected), "{}", spelled);
        }
        prop_assert_eq!(of(&expected), text(&expected));
    }

    #[test]
    fn any_bytes_have_a_canonical_form_or_an_error(
        bytes in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..40),
            "[-+$€%0-9eE., \u{a0}NUL\\\\\\[\\]{}\"]{0,20}".prop_map(String::into_bytes),
        ],
    ) {
        trips_testkit::value::check_bytes(&bytes);
    }
}
