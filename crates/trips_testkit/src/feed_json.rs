//! The fixtures of feeds as JSON lines.

use csv::ByteRecord;
use serde_json::{Map, Value};
use trips_core::feed::builtin;
use trips_core::feed::definition::{ColumnKind, Definition};

use crate::feed_fixtures::Fixture;

/// The records of a fixture as JSON lines: a member for each field, which is in an object if its name has a dot. Numbers are
/// numbers, documents are values, and empty fields are null or not there. None if the file is not in UTF-8, or has
/// decimal commas.
///
/// # Panics
/// When the file is not CSV.
#[must_use]
pub fn lines(fixture: &Fixture) -> Option<Vec<u8>> {
    let (records, delimiter, _) = fixture.records();
    let definition = builtin::get(&fixture.feed).expect("a feed");
    let dialects = &definition.form.dialects;
    let has_comma =
        dialects.iter().any(|it| it.delimiter == delimiter && it.decimal.byte() == b',');
    if has_comma || std::str::from_utf8(&fixture.bytes).is_err() {
        return None;
    }
    let header: Vec<String> = records[0].iter().map(text).collect();
    let mut file = Vec::new();
    // A record with another number of fields has no members.
    let is_whole = |record: &&ByteRecord| {
        record.len() >= header.len() && record.iter().skip(header.len()).all(<[u8]>::is_empty)
    };
    for (number, record) in records[1..].iter().filter(is_whole).enumerate() {
        let mut line = Map::new();
        for (name, field) in header.iter().zip(record) {
            let value = value(definition, name, &text(field));
            if value != Value::Null || number % 2 == 0 {
                insert(&mut line, name, value);
            }
        }
        file.extend_from_slice(Value::Object(line).to_string().as_bytes());
        file.push(b'\n');
    }
    Some(file)
}

fn text(field: &[u8]) -> String {
    String::from_utf8(field.to_vec()).expect("UTF-8")
}

fn value(definition: &Definition, name: &str, text: &str) -> Value {
    let column = definition.column_of_header(name.as_bytes());
    let is_of =
        |kind: fn(ColumnKind) -> bool| column.is_some_and(|id| kind(definition.get(id).kind));
    let json = || serde_json::from_str::<Value>(text).ok();
    // A number whose own spelling is that of the file.
    let is_own = |json: &Value| serde_json::to_string(json).is_ok_and(|own| own == text);
    let number = || json().filter(|json| json.is_number() && is_own(json));
    match text {
        "" => Value::Null,
        _ if is_of(|kind| kind == ColumnKind::Json) => json().unwrap_or_else(|| text.into()),
        _ if is_of(|kind| kind != ColumnKind::Text) => number().unwrap_or_else(|| text.into()),
        _ => text.into(),
    }
}

/// Adds a member at a dotted path.
fn insert(object: &mut Map<String, Value>, path: &str, value: Value) {
    match path.split_once('.').filter(|(name, rest)| !name.is_empty() && !rest.is_empty()) {
        Some((name, rest))
            if path.starts_with("start_location") || path.starts_with("end_location") =>
        {
            let inner = object.entry(name).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(inner) = inner {
                insert(inner, rest, value);
            }
        }
        _ => {
            object.insert(path.to_owned(), value);
        }
    }
}
