//! The trips of each fixture are the expected ones, whatever the order of its columns and records, and its spelling.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{Map, Value, json};
use trips_core::check::constraints::{Constraints, ZeroCoordinates};
use trips_core::feed::program::FeedTrip;
use trips_core::format::delimited::trip_reader::TripReader;
use trips_core::key::{Scheme, TripKey};
use trips_core::model::point::Point;
use trips_core::model::timestamp::Timestamp;
use trips_core::wire::jsonb::DetailsForm;
use trips_testkit::feed_fixtures::{Fixture, Style, fixtures};

use super::open;

/// What a file gives.
struct Read {
    scheme: &'static str,
    not_stored: Vec<String>,
    trips: BTreeMap<u64, Value>,
    keys: BTreeMap<u64, TripKey>,
    rejected: BTreeMap<u64, Value>,
}

/// The values of a tail, each with its length.
fn tail_values(tail: &[u8]) -> Vec<Option<&[u8]>> {
    let (mut rest, mut values) = (tail, Vec::new());
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let length = usize::try_from(i32::from_be_bytes(*length)).ok();
        let (value, after) = after.split_at(length.unwrap_or(0));
        values.push(length.map(|_| value));
        rest = after;
    }
    values
}

fn point(point: Option<Point>) -> Value {
    point.map_or(Value::Null, |point| json!([point.longitude, point.latitude]))
}

fn trip_of(line: u64, found: &FeedTrip<'_>) -> Value {
    let trip = &found.trip;
    let values = tail_values(found.tail);
    let value = |at: usize| values.get(at).copied().flatten();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
    let end = value(0).map(|end| Timestamp(i64::from_be_bytes(end.try_into().expect("8 bytes"))));
    let details = value(2).map(|json| serde_json::from_slice::<Value>(json).expect("JSON"));
    json!({
        "line": line,
        "region": trip.region,
        "origin": point(trip.origin),
        "destination": point(trip.destination),
        "date_time": trip.date_time.full_text(),
        "ended_at": end.map(Timestamp::full_text),
        "trip_id": value(1).map(text),
        "datasource": trip.datasource,
        "details": details,
    })
}

fn read(bytes: &[u8]) -> Result<Read, String> {
    let (mut reader, plan) = open(bytes).map_err(|error| error.to_string())?;
    let mut read = Read {
        scheme: match plan.feed().scheme() {
            Scheme::Content => "content",
            Scheme::Columns { .. } => "columns",
            Scheme::SourceId => "source_id",
        },
        not_stored: plan.not_stored().iter().map(|n| n.trim_matches('"').to_owned()).collect(),
        trips: BTreeMap::new(),
        keys: BTreeMap::new(),
        rejected: BTreeMap::new(),
    };
    let constraints =
        Constraints::new("1900-01-01", "2100-01-01", ZeroCoordinates::Warn).expect("dates");
    let mut trips = TripReader::new(plan, DetailsForm::Text);
    while let Some(record) = reader.next_record().expect("memory can be read") {
        match trips.read(&record, &constraints) {
            Ok(found) => {
                read.trips.insert(record.line, trip_of(record.line, &found));
                read.keys.insert(record.line, found.identity.base_key(&found.trip));
            }
            Err(rejection) => {
                let column = rejection.column.as_ref().map(|column| column.name().to_owned());
                let rejection = json!({ "sqlstate": rejection.state.code(), "column": column });
                read.rejected.insert(record.line, rejection);
            }
        }
    }
    Ok(read)
}

/// Numbers as doubles: `7` and `7.0` are one value.
fn normal(value: &Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64()),
        Value::Array(values) => values.iter().map(normal).collect(),
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| (name.clone(), normal(value)));
            Value::Object(members.collect::<Map<String, Value>>())
        }
        other => other.clone(),
    }
}

fn list<'v>(expected: &'v Value, member: &str) -> Vec<&'v Value> {
    expected[member].as_array().into_iter().flatten().collect()
}

fn faults(fixture: &Fixture) -> Vec<String> {
    let (name, expected) = (fixture.name(), &fixture.expected);
    let read = match read(&fixture.bytes) {
        Ok(read) => read,
        Err(error) => return vec![format!("{name}: {error}")],
    };
    let mut faults = Vec::new();
    let mut compare = |what: &str, found: &Value, expected: &Value| {
        if normal(found) != normal(expected) {
            faults.push(format!("{name}: {what}\n  found    {found}\n  expected {expected}"));
        }
    };
    compare("scheme", &json!(read.scheme), &expected["scheme"]);
    compare("not stored", &json!(read.not_stored), &expected["not_stored"]);
    let found: Vec<&Value> = read.trips.values().collect();
    let trips = list(expected, "trips");
    compare("number of trips", &json!(found.len()), &json!(trips.len()));
    for (found, expected) in found.iter().zip(&trips) {
        compare("trip", found, expected);
    }
    let rejected = list(expected, "rejected").into_iter();
    let rejected: BTreeMap<u64, Value> = rejected
        .map(|one| {
            let line = one["line"].as_u64().expect("a line");
            (line, json!({ "sqlstate": one["sqlstate"], "column": one["column"] }))
        })
        .collect();
    compare("rejected", &json!(read.rejected), &json!(rejected));
    let mut lines_of: HashMap<TripKey, Vec<u64>> = HashMap::new();
    for (line, key) in &read.keys {
        lines_of.entry(*key).or_default().push(*line);
    }
    let equal: BTreeSet<Vec<u64>> = lines_of.into_values().filter(|l| l.len() > 1).collect();
    compare("equal records", &json!(equal), &expected["equal"]);
    faults
}

#[test]
fn each_fixture_gives_the_expected_trips() {
    let faults: Vec<String> = fixtures().iter().flat_map(faults).collect();
    assert!(faults.is_empty(), "{} faults\n{}", faults.len(), faults.join("\n"));
}

/// The keys of a file do not depend on the order of its columns and records, on quotes, line ends, and the spelling of
/// numbers and ids.
#[test]
fn another_style_gives_the_same_keys() {
    let mut faults = Vec::new();
    for fixture in fixtures() {
        let sorted = |bytes: &[u8]| {
            let mut keys: Vec<TripKey> = read(bytes)?.keys.into_values().collect();
            keys.sort_unstable();
            Ok::<_, String>(keys)
        };
        let expected = sorted(&fixture.bytes);
        for seed in 1..=4 {
            if sorted(&fixture.restyled(&Style::other(seed))) != expected {
                faults.push(format!("{}, style {seed}", fixture.name()));
            }
        }
    }
    assert!(faults.is_empty(), "other keys:\n{}", faults.join("\n"));
}
