//! Any records in any style, and any bytes in any chunks.

use std::fmt::Write;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{MAX_RECORD, feed, records};

/// Any JSON value, with names and texts that are special.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(|number| json!(number)),
        (-1e9..1e9_f64).prop_map(|number| json!(number)),
        text().prop_map(Value::String),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            proptest::collection::vec((text(), inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-d]{0,6}",
        r#"[\[\]{}",:\\/ ]{0,8}"#,
        "\\PC{0,4}",
        "[\u{0}-\u{1f}]{0,3}",
        "[🚲ň\u{2028}]{0,3}"
    ]
}

/// A record with columns of the feed, and other members.
fn record() -> impl Strategy<Value = Map<String, Value>> {
    let name = prop_oneof![
        4 => prop_oneof![Just("id"), Just("at"), Just("note"), Just("path"), Just("x")].prop_map(str::to_owned),
        1 => text().prop_map(|text| format!("other{text}")),
    ];
    proptest::collection::vec((name, value()), 0..8).prop_map(|all| {
        let mut record: Map<String, Value> = all.into_iter().collect();
        for name in ["id", "at"] {
            record.entry(name).or_insert(json!(7));
        }
        record
    })
}

/// Writes a value with whitespace and escapes by these numbers.
fn write(value: &Value, numbers: &mut impl Iterator<Item = u8>, out: &mut String) {
    let mut space = |out: &mut String| {
        out.push_str(match numbers.next().unwrap_or(0) % 8 {
            0 => " ",
            1 => "\t ",
            2 => "\r\n",
            _ => "",
        });
    };
    space(out);
    match value {
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                out.push_str(if i > 0 { "," } else { "" });
                write(item, numbers, out);
            }
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            for (i, (name, value)) in members.iter().enumerate() {
                out.push_str(if i > 0 { "," } else { "" });
                write(&Value::String(name.clone()), numbers, out);
                out.push(':');
                write(value, numbers, out);
            }
            out.push('}');
        }
        Value::String(text) => {
            out.push('"');
            for c in text.chars() {
                let number = numbers.next().unwrap_or(0);
                match c {
                    '"' | '\\' if number.is_multiple_of(2) => {
                        out.push('\\');
                        out.push(c);
                    }
                    '/' if number.is_multiple_of(2) => out.push_str("\\/"),
                    '\n' if number.is_multiple_of(2) => out.push_str("\\n"),
                    c if c < ' ' || matches!(c, '"' | '\\') || number % 16 == 1 => {
                        for unit in c.encode_utf16(&mut [0; 2]) {
                            let _ = write!(out, "\\u{unit:04x}");
                        }
                    }
                    c => out.push(c),
                }
            }
            out.push('"');
        }
        other => out.push_str(&other.to_string()),
    }
    let mut space = |out: &mut String| {
        out.push_str(if numbers.next().unwrap_or(0).is_multiple_of(8) { " " } else { "" })
    };
    space(out);
}

/// The texts of a record as `serde_json` reads it.
fn expected(record: &Map<String, Value>) -> Vec<(String, String)> {
    let text = |name: &str| {
        let text = match record.get(name)? {
            Value::Null => return None,
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        (!text.is_empty()).then(|| (name.to_owned(), text))
    };
    ["at", "id", "note", "path", "x"].iter().filter_map(|name| text(name)).collect()
}

/// The same text, whatever JSON in it looks like.
fn parsed(texts: Vec<(String, String)>) -> Vec<(String, Value)> {
    let value = |text: &str| serde_json::from_str(text).unwrap_or(Value::String(text.to_owned()));
    texts
        .into_iter()
        .map(|(name, text)| {
            let value = value(&text);
            (name, value)
        })
        .collect()
}

proptest! {
    #[test]
    fn records_are_those_of_serde_json(
        all in proptest::collection::vec(record(), 1..6),
        numbers in proptest::collection::vec(any::<u8>(), 1..200),
        layout in 0..5,
        chunk in 1_usize..400,
        read in 1_usize..60,
    ) {
        let mut numbers = numbers.iter().copied().cycle();
        let texts: Vec<String> = all.iter().map(|record| {
            let mut out = String::new();
            write(&Value::Object(record.clone()), &mut numbers, &mut out);
            if layout == 0 { out.replace("\r\n", " ") } else { out }
        }).collect();
        let file = match layout {
            0 => texts.join("\n"),
            1 => texts.iter().map(|text| text.replacen('{', "{\n", 1)).collect(),
            2 => format!("[{}]", texts.join(",")),
            3 => format!("{{\"a\":1,\"data\":{{\"rides\":[{}]}}}}", texts.join(",")),
            _ => texts.iter().map(|text| format!("[{text}]")).collect(),
        };
        let (found, error) = records(file.as_bytes(), (&feed(), MAX_RECORD), (chunk, read));
        prop_assert_eq!(error, None, "{}", file);
        let found: Result<Vec<_>, String> = found.into_iter().map(|record| record.1).collect();
        let found: Vec<_> = found.map_err(TestCaseError::fail)?.into_iter().map(parsed).collect();
        let expected: Vec<_> = all.iter().map(|record| parsed(expected(record))).collect();
        prop_assert_eq!(found, expected, "{}", file);
    }

    #[test]
    fn where_chunks_and_buffers_end_does_not_matter(
        file in "[{}\\[\\]\",:\\\\ia\n 1]{0,200}",
        begin in prop_oneof![Just("["), Just("{\"rides\":["), Just(""), Just("[{\"id\":1,\"at\":1},\n")],
        max_record in 1_usize..60,
        chunk in 1_usize..100,
        read in 1_usize..50,
    ) {
        let file = format!("{begin}{{\"id\":1,\"at\":1}}{file}");
        let whole = records(file.as_bytes(), (&feed(), max_record), (1 << 20, 1 << 20));
        let parts = records(file.as_bytes(), (&feed(), max_record), (chunk, read));
        // A fault ends the load, wherever the chunk ends in which it is.
        prop_assert_eq!(&parts.1, &whole.1, "{}", file);
        if whole.1.is_none() {
            prop_assert_eq!(parts.0, whole.0, "{}", file);
        }
    }
}
