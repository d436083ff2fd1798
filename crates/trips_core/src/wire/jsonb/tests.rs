use proptest::prelude::*;

use super::numeric::Decimal;
use super::*;

fn on_disk(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    of_text(text, &mut out).unwrap();
    out
}

fn shown(details: &[u8]) -> String {
    let mut out = Vec::new();
    text_of(details, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn code(error: ValueError) -> &'static str {
    error.state.code()
}

/// `SELECT encode(t_attrs[1], 'hex') FROM heap_page_item_attrs(…)` of PostgreSQL 15, without the varlena header.
#[cfg(target_endian = "little")]
#[test]
fn bytes_are_those_of_postgresql() {
    let mut count = 0;
    for line in include_str!("vectors.txt").lines() {
        let (text, expected) = line.split_once(" | ").unwrap();
        let found: String = on_disk(text).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(found, expected, "{text}");
        count += 1;
    }
    assert_eq!(count, 8);
}

#[test]
fn text_is_that_of_postgresql() {
    for (text, expected) in [
        (r#"{"tip":1.50,"bike":"B7"}"#, r#"{"tip": 1.50, "bike": "B7"}"#),
        (
            r#"{"bb":1,"a":[1e2,-0.0,0.00012,[],{}],"bb":2}"#,
            r#"{"a": [100, 0.0, 0.00012, [], {}], "bb": 2}"#,
        ),
        (
            r#"{"a":"\u0001\"\\\n","b":null,"c":true,"d":false}"#,
            r#"{"a": "\u0001\"\\\n", "b": null, "c": true, "d": false}"#,
        ),
        (
            r#"{"a":10000,"b":-123456789.5,"c":1E-70,"d":9999.9999}"#,
            &format!(
                r#"{{"a": 10000, "b": -123456789.5, "c": 0.{}1, "d": 9999.9999}}"#,
                "0".repeat(69)
            ),
        ),
    ] {
        assert_eq!(shown(&on_disk(text)), expected);
    }
}

#[test]
fn what_jsonb_cannot_hold_is_refused() {
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(64), "]".repeat(64));
    for text in [
        "",
        "1",
        "[]",
        "{",
        "{}x",
        "{\"a\"}",
        "{\"a\":}",
        "{a:1}",
        "{\"a\":1,}",
        "{\"a\":01}",
        "{\"a\":1.}",
        "{\"a\":.5}",
        "{\"a\":+1}",
        "{\"a\":1e}",
        "{\"a\":-}",
        "{\"a\":NaN}",
        "{\"a\":nul}",
        "{\"a\":\"\\u0000\"}",
        "{\"a\":\"\\ud800\"}",
        "{\"a\":\"\\ud800\\u0041\"}",
        "{\"a\":\"\\udc00\"}",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"\n\"}",
        "{\"a\":\"",
        "{\"a\":\"\\u00",
        "{\"a\":1e131072}",
        "{\"a\":1e-16384}",
        "{\"a\":0e1073741823}",
        "{\"a\" 1}",
        "{\"a\":[1 2]}",
        "{\"a\":[1}}",
        &deep,
    ] {
        let mut out = vec![9];
        assert_eq!(of_text(text, &mut out).map_err(code), Err("22P02"), "{text}");
        assert_eq!(out, [9]);
    }
    // The largest and the smallest exponents of numeric.
    for text in [
        "{\"a\":1e131071}",
        "{\"a\":1e-16383}",
        "{\"a\":0e131072}",
        "{\"a\":0e-16383}",
        " {\n\"a\"\t:\r[ ] } ",
    ] {
        on_disk(text);
    }
    on_disk(&deep.replacen('[', "", 1).replacen(']', "", 1));
}

#[test]
fn keys_are_sorted_once_and_nulls_are_left_out() {
    let names = ["bb", "a", "ccc", "aa"].map(str::to_owned);
    let time = Timestamp(500_000);
    let values = [
        Some(Canonical::Text("é".into())),
        Some(Canonical::Number(-0.0)),
        None,
        Some(Canonical::Time(time)),
    ];
    let mut bytes = vec![1];
    assert_eq!(DetailsWriter::of(&names, DetailsForm::OnDisk).write(&values, &mut bytes), Ok(true));
    let expected = r#"{"a": 0, "aa": "2000-01-01 00:00:00.5", "bb": "é"}"#;
    assert_eq!(shown(&bytes[1..]), expected);
    assert_eq!(bytes[1..], on_disk(expected));
    let mut text = Vec::new();
    let mut writer = DetailsWriter::of(&names, DetailsForm::Text);
    assert_eq!(writer.write(&values, &mut text), Ok(true));
    assert_eq!(on_disk(std::str::from_utf8(&text).unwrap()), bytes[1..]);
    for form in [DetailsForm::OnDisk, DetailsForm::Text] {
        let mut out = vec![1];
        assert_eq!(
            DetailsWriter::of(&names, form).write(&[None, None, None, None], &mut out),
            Ok(false)
        );
        assert_eq!(out, [1]);
    }
}

#[test]
fn times_are_written_as_postgresql_shows_them() {
    for (micros, expected) in [
        (0, "2000-01-01 00:00:00"),
        (-1, "1999-12-31 23:59:59.999999"),
        (580_813_420_100_000, "2018-05-28 09:03:40.1"),
        (-63_082_281_600_000_000, "0001-01-01 00:00:00"),
        (252_455_615_999_000_000, "9999-12-31 23:59:59"),
    ] {
        let mut out = Vec::new();
        time_text(Timestamp(micros), &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}

#[test]
fn details_have_a_limit() {
    let names = ["a".to_owned()];
    for form in [DetailsForm::OnDisk, DetailsForm::Text] {
        let mut writer = DetailsWriter::of(&names, form);
        let mut write = |value: Canonical<'_>| {
            let mut out = vec![7];
            let written = writer.write(&[Some(value)], &mut out).map_err(code);
            assert_eq!(written.is_err(), out == [7]);
            written
        };
        assert_eq!(write(Canonical::Text("\0".into())), Err("22021"));
        assert_eq!(write(Canonical::Text("x".repeat(MAX_JSON_TEXT).into())), Err("54000"));
        assert_eq!(
            write(Canonical::Json("[ ]".replace(' ', &" ".repeat(MAX_JSON_TEXT)).into())),
            Err("54000")
        );
        assert_eq!(write(Canonical::Json("[\0".into())), Err("22021"));
        // Header, two entries, the key.
        assert_eq!(write(Canonical::Text("x".repeat(MAX_DETAILS - 13).into())), Ok(true));
        assert_eq!(write(Canonical::Number(f64::MAX)), Ok(true));
        assert_eq!(write(Canonical::Number(5e-324)), Ok(true));
    }
    let mut writer = DetailsWriter::of(&names, DetailsForm::OnDisk);
    let many = format!("[{}0]", "0,".repeat(MAX_DETAILS / 10));
    let long = "x".repeat(MAX_DETAILS - 12);
    for value in [Canonical::Text(long.as_str().into()), Canonical::Json(many.into())] {
        assert_eq!(writer.write(&[Some(value)], &mut Vec::new()).map_err(code), Err("54000"));
    }
    let text = format!(r#"{{"a":"{long}"}}"#);
    assert_eq!(of_text(&text, &mut Vec::new()).map_err(code), Err("54000"));
}

#[test]
fn json_that_jsonb_cannot_hold_is_a_string() {
    let names = ["a".to_owned()];
    for (json, expected) in [
        (r#"[1, {"b": 2}]"#, r#"{"a": [1, {"b": 2}]}"#),
        (" 5 ", r#"{"a": 5}"#),
        ("[1", r#"{"a": "[1"}"#),
        (r#""\u0000""#, r#"{"a": "\"\\u0000\""}"#),
    ] {
        let (mut bytes, mut text) = (Vec::new(), Vec::new());
        let value = [Some(Canonical::Json(json.into()))];
        DetailsWriter::of(&names, DetailsForm::OnDisk).write(&value, &mut bytes).unwrap();
        DetailsWriter::of(&names, DetailsForm::Text).write(&value, &mut text).unwrap();
        assert_eq!(shown(&bytes), expected);
        assert_eq!(on_disk(std::str::from_utf8(&text).unwrap()), bytes);
    }
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_filter("finite", |n| n.is_finite()).prop_map(Into::into),
        "[ -~é\\t\\n]{0,20}".prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 60, 6, |value| {
        prop_oneof![
            prop::collection::vec(value.clone(), 0..6).prop_map(Into::into),
            prop::collection::hash_map("[a-c\"]{0,3}", value, 0..6)
                .prop_map(|map| map.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}

/// Every container begins at a multiple of 4, and its entries cover its bytes.
fn check_structure(details: &[u8]) -> Result<(), TestCaseError> {
    let word = |at: usize| u32::from_ne_bytes(details[at..at + 4].try_into().unwrap());
    let header = word(0);
    let count = (header & container::COUNT) as usize;
    let entries = if header & container::OBJECT == 0 { count } else { 2 * count };
    let (data, mut end, mut keys) = (4 + entries * 4, 0, Vec::new());
    for i in 0..entries {
        let entry = word(4 + i * 4);
        prop_assert_eq!(entry & container::HAS_OFFSET != 0, i % 32 == 0, "entry {}", i);
        let start = end;
        let bits = (entry & container::LENGTH) as usize;
        end = if i % 32 == 0 { bits } else { start + bits };
        let value = &details[data + start..data + end];
        let padding = (4 - (data + start) % 4) % 4;
        if header & container::OBJECT != 0 && i < count {
            prop_assert_eq!(entry & container::KIND, container::STRING);
            keys.push((value.len(), value));
        } else if entry & container::KIND == container::CONTAINER {
            prop_assert!(value[..padding].iter().all(|&byte| byte == 0));
            check_structure(&value[padding..])?;
        }
    }
    prop_assert_eq!(data + end, details.len());
    prop_assert!(keys.is_sorted_by(|a, b| a < b), "keys are sorted by length, then bytes");
    Ok(())
}

proptest! {
    #[test]
    fn what_is_written_is_read(map in prop::collection::hash_map("[a-c]{0,5}", json(), 0..50), column in json()) {
        let object = serde_json::Value::from(map.into_iter().collect::<serde_json::Map<_, _>>());
        let details = on_disk(&object.to_string());
        check_structure(&details)?;
        let text = shown(&details);
        prop_assert_eq!(on_disk(&text), details, "{}", text);
        let again: serde_json::Value = serde_json::from_str(&text).unwrap();
        prop_assert!(is_equal(&again, &object), "{} {}", again, object);
        // A column of the type JSON.
        let (mut bytes, json) = (Vec::new(), column.to_string());
        let mut writer = DetailsWriter::of(&["k".to_owned()], DetailsForm::OnDisk);
        writer.write(&[Some(Canonical::Json(json.as_str().into()))], &mut bytes).unwrap();
        prop_assert_eq!(bytes, on_disk(&format!("{{\"k\":{json}}}")));
    }

    /// Any bytes are text or refused, without a panic.
    #[test]
    fn damaged_details_are_no_details(
        text in "[{}\\[\\]\",:0-9a\\\\u.e-]{0,40}",
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let _ = of_text(&text, &mut Vec::new());
        let mut details = on_disk(r#"{"a": [1, 2.5, {"b": "c"}], "bb": -1e-70, "c": null}"#);
        let at = at.index(details.len());
        details[at] = byte;
        let _ = text_of(&details, &mut Vec::new());
        let _ = text_of(&details[..at], &mut Vec::new());
    }

    #[test]
    fn numbers_keep_their_digits(text in "-?(0|[1-9][0-9]{0,12})(\\.[0-9]{1,12})?") {
        let decimal = Decimal::parse(text.as_bytes()).unwrap();
        let (mut bytes, mut shown) = (Vec::new(), Vec::new());
        decimal.write(0, &mut bytes);
        numeric::text_of(&bytes[4..], &mut shown).unwrap();
        let is_zero = text.bytes().all(|b| matches!(b, b'-' | b'0' | b'.'));
        let expected = if is_zero { text.trim_start_matches('-') } else { &text };
        prop_assert_eq!(String::from_utf8(shown).unwrap(), expected);
    }
}

/// serde_json rounds the last digit of some numbers.
fn is_equal(a: &serde_json::Value, b: &serde_json::Value) -> bool {
    use serde_json::Value::{Array, Number, Object};
    match (a, b) {
        (Number(a), Number(b)) => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            (a - b).abs() <= a.abs() * 1e-14
        }
        (Array(a), Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_equal(a, b)),
        (Object(a), Object(b)) => {
            a.len() == b.len()
                && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| is_equal(a, b)))
        }
        _ => a == b,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    /// Numbers without text have the bytes of their text.
    #[test]
    fn short_numbers_are_those_of_their_text(
        number in prop_oneof![
            (any::<i64>(), 0_i32..8).prop_map(|(n, d)| (n % 1_000_000_000_000_000) as f64 / 10_f64.powi(d)),
            (-20_000_i32..20_000, 0_i32..6).prop_map(|(n, d)| f64::from(n) / 10_f64.powi(d)),
            prop_oneof![Just(0.0), Just(-0.0), Just(1e15), Just(-1e15), Just(0.000_04), Just(1e300), Just(1e-300),
                Just(99_999_999_999.999_9), Just(0.1 + 0.2), Just(10_000.0), Just(0.000_1)],
            any::<f64>().prop_filter("finite", |number| number.is_finite()),
        ],
        before in 0_usize..5,
    ) {
        let (mut short, mut text) = (vec![b'x'; before], Vec::new());
        let mut long = short.clone();
        number_text(number, &mut text);
        let parsed = Decimal::parse(&text);
        if numeric::write_short(number, 0, &mut short) {
            parsed.expect("a number").write(0, &mut long);
        }
        prop_assert_eq!(short, long, "{}", number);
    }

    /// What a writer wrote before changes nothing.
    #[test]
    fn records_do_not_depend_on_those_before(
        records in prop::collection::vec(prop::collection::vec(prop::option::of(0_i32..50_000), 40), 1..6),
    ) {
        let names: Vec<String> = (0..40).map(|i| format!("{}{i}", "n".repeat(i % 5))).collect();
        let mut writer = DetailsWriter::of(&names, DetailsForm::OnDisk);
        for record in records {
            let value = |n: i32| match n % 3 {
                0 => Canonical::Text(n.to_string().into()),
                _ => Canonical::Number(f64::from(n) / 100.0),
            };
            let values: Vec<_> = record.into_iter().map(|n| n.map(value)).collect();
            let (mut again, mut fresh) = (vec![1, 2, 3], vec![1, 2, 3]);
            let written = writer.write(&values, &mut again).unwrap();
            let mut other = DetailsWriter::of(&names, DetailsForm::OnDisk);
            prop_assert_eq!(other.write(&values, &mut fresh).unwrap(), written);
            prop_assert_eq!(again, fresh);
        }
    }
}
