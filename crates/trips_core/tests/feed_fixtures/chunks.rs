//! Files in chunks, as loads read them: the batches have the expected trips, and the same keys in any style.

use std::collections::{BTreeSet, TryReserveError};

use proptest::prelude::*;
use serde_json::{Value, json};
use trips_core::check::constraints::Constraints;
use trips_core::format::delimited::header::HeaderError;
use trips_core::format::parser::{Parser, Target};
use trips_core::key::{SameId, Scheme, TripKey, occurrence_key};
use trips_core::model::timestamp::Timestamp;
use trips_core::sort::batch;
use trips_core::sort::block::{Block, RowBuffer};
use trips_core::sort::groups::GroupCache;
use trips_core::sort::ids::RunIds;
use trips_core::wire::jsonb;
use trips_testkit::feed_fixtures::{Fixture, Style, fixtures};

use super::{MAX_RECORD, open_any};

/// The result of a file.
#[derive(Debug)]
pub(super) struct Found {
    /// The trips as JSON, without lines, in an order of their own; equal ones of a feed with ids are one.
    pub(super) trips: Vec<Value>,
    pub(super) keys: BTreeSet<TripKey>,
    /// Line, SQLSTATE and column of each rejected record.
    pub(super) rejected: Vec<(u64, String, Option<String>)>,
}

/// Reads a file in chunks of about this size.
pub(super) fn read(file: &[u8], chunk_size: usize) -> Result<Found, HeaderError> {
    let (mut reader, plan) = open_any(file)?;
    let constraints = Constraints::default();
    let (target, load_id) = (Target::History, 1);
    let parser = Parser {
        plan,
        target,
        load_id,
        max_record: MAX_RECORD,
        constraints,
        keeps_grid_points: false,
    };
    let mut header = parser.first_header();
    let mut blocks: Vec<Block> = Vec::new();
    let (mut rejected, mut buffer) = (Vec::new(), RowBuffer::default());
    while let Some(chunk) = reader.next_chunk(chunk_size, 0).expect("memory") {
        let give = |_| -> Result<(), TryReserveError> { unreachable!("it is one partial") };
        let mut chunk = chunk;
        let parsed = chunk.parse(&parser, &header, usize::MAX, &mut buffer, give).expect("memory");
        if let Some(after) = &parsed.header {
            header = after.clone();
        }
        let (order, feed) = (parser.plan.feed().order(), parser.plan.feed_name());
        assert_eq!(parsed.proofs.contradiction(order, feed).map(|c| c.message), None);
        for bad in &parsed.first_bad {
            let column = bad.rejection.column.as_ref().map(|column| column.name().to_owned());
            rejected.push((bad.position.value, bad.rejection.state.code().to_owned(), column));
        }
        blocks.push(parsed.block);
    }
    if parser.plan.feed().scheme() == Scheme::SourceId {
        let ids = RunIds::of(&blocks, 45).expect("memory");
        ids.resolve(&blocks, SameId::Keep).expect("memory").apply(&mut blocks);
    }
    let mut cache = GroupCache::default();
    let batch = batch::build(&blocks, (None, None), 1, false, &mut cache).expect("memory");
    let mut begin = 0;
    let mut trips = Vec::new();
    for entry in &batch.entries {
        trips.push(trip(&batch.rows[begin..entry.end as usize]));
        begin = entry.end as usize;
    }
    trips.sort_by_key(ToString::to_string);
    let keys: BTreeSet<TripKey> = batch.entries.iter().map(|entry| entry.key).collect();
    assert_eq!(keys.len(), batch.entries.len(), "a key is there twice");
    Ok(Found { trips, keys, rejected })
}

/// The values of a row of binary COPY.
fn values(row: &[u8]) -> Vec<Option<&[u8]>> {
    let (count, mut rest) = row.split_first_chunk().expect("a row");
    let mut values = Vec::new();
    for _ in 0..u16::from_be_bytes(*count) {
        let (length, behind) = rest.split_first_chunk().expect("a length");
        let length = usize::try_from(i32::from_be_bytes(*length)).ok();
        let (value, behind) = behind.split_at(length.unwrap_or(0));
        values.push(length.map(|_| value));
        rest = behind;
    }
    assert!(rest.is_empty());
    values
}

/// A row of the history as the expectations write it.
fn trip(row: &[u8]) -> Value {
    let mut values = values(row);
    values.resize(10, None);
    let text = |i: usize| values[i].map(|bytes| String::from_utf8(bytes.to_vec()).expect("UTF-8"));
    let time = |i: usize| {
        let micros = values[i].map(|bytes| i64::from_be_bytes(bytes.try_into().expect("8 bytes")));
        micros.map(|micros| Timestamp(micros).full_text())
    };
    let point = |i: usize| {
        let (x, y) = values[i]?.split_at(8);
        Some([x, y].map(|bytes| f64::from_be_bytes(bytes.try_into().expect("8 bytes"))))
    };
    let details = values[9].map(|payload| {
        let mut json = Vec::new();
        jsonb::text_of(payload, &mut json).expect("details");
        as_doubles(&serde_json::from_slice(&json).expect("JSON"))
    });
    json!({
        "region": text(0), "origin": point(1), "destination": point(2), "date_time": time(3),
        "datasource": text(4), "ended_at": time(7), "trip_id": text(8), "details": details,
    })
}

/// JSON with all numbers as doubles.
fn as_doubles(value: &Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64()),
        Value::Array(values) => values.iter().map(as_doubles).collect(),
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name.clone(), as_doubles(value))).collect()
        }
        other => other.clone(),
    }
}

/// The lines of equal records: they are occurrences of their own, or one trip by their id.
fn equal_lines(fixture: &Fixture) -> Vec<Vec<i64>> {
    let groups = fixture.expected["equal"].as_array().expect("groups").iter();
    let lines = |group: &Value| {
        group.as_array().expect("lines").iter().map(|l| l.as_i64().expect("a line")).collect()
    };
    groups.map(lines).collect()
}

fn expected_trips(fixture: &Fixture) -> Vec<Value> {
    let mut later: Vec<i64> =
        equal_lines(fixture).iter().flat_map(|lines| lines[1..].to_vec()).collect();
    if fixture.expected["scheme"] == "columns" {
        later.clear();
    }
    let all = fixture.expected["trips"].as_array().expect("trips").iter();
    let kept = all.filter(|trip| !later.contains(&trip["line"].as_i64().expect("a line")));
    let mut trips: Vec<Value> = kept
        .map(|trip| {
            let mut trip = as_doubles(trip);
            trip.as_object_mut().expect("a trip").remove("line");
            trip
        })
        .collect();
    trips.sort_by_key(ToString::to_string);
    trips
}

/// What is wrong with the rejected records.
fn rejection_fault(fixture: &Fixture, found: &Found) -> Option<String> {
    let expected = fixture.expected["rejected"].as_array().expect("rejected");
    let fits = |((line, state, column), expected): (&(u64, String, Option<String>), &Value)| {
        let names = expected["names"].as_array().expect("names");
        let is_column = match column {
            None => expected["column"].is_null(),
            Some(name) => expected["column"] == **name || names.iter().any(|n| *n == **name),
        };
        expected["line"] == *line && expected["sqlstate"] == **state && is_column
    };
    let is_equal =
        found.rejected.len() == expected.len() && found.rejected.iter().zip(expected).all(fits);
    (!is_equal).then(|| format!("{:?} instead of {expected:?}", found.rejected))
}

/// Number of keys that are a later occurrence of another key.
fn occurrences(keys: &BTreeSet<TripKey>) -> usize {
    let later = |key: &TripKey| (2..10).filter(|&n| keys.contains(&occurrence_key(key, n))).count();
    keys.iter().map(later).sum()
}

#[test]
fn each_fixture_gives_its_trips() {
    let mut faults = Vec::new();
    for fixture in fixtures() {
        for chunk_size in [1 << 20, 50] {
            let found = match read(&fixture.bytes, chunk_size) {
                Ok(found) => found,
                Err(error) => {
                    faults.push(format!("{}: {error}", fixture.name()));
                    continue;
                }
            };
            let expected = expected_trips(&fixture);
            if found.trips.len() == expected.len() {
                let pairs =
                    found.trips.iter().zip(&expected).filter(|(found, expected)| found != expected);
                faults.extend(pairs.map(|(found, expected)| {
                    format!("{}:\n  {found}\n  {expected}", fixture.name())
                }));
            } else {
                faults.push(format!("{}: {:?}\n  {expected:?}", fixture.name(), found.trips));
            }
            faults.extend(
                rejection_fault(&fixture, &found)
                    .map(|fault| format!("{}: {fault}", fixture.name())),
            );
            let is_numbered = fixture.expected["scheme"] == "columns";
            let numbered: usize = equal_lines(&fixture).iter().map(|lines| lines.len() - 1).sum();
            if occurrences(&found.keys) != if is_numbered { numbered } else { 0 } {
                faults.push(format!(
                    "{}: {} occurrences",
                    fixture.name(),
                    occurrences(&found.keys)
                ));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Keys of a file in any order of columns and rows, quoting, line ends and spelling of numbers.
#[test]
fn each_fixture_has_the_same_keys_in_any_style() {
    for fixture in fixtures() {
        let expected = read(&fixture.bytes, 1 << 20).expect("a header").keys;
        for seed in 0..6 {
            let file = fixture.restyled(&Style::other(seed));
            assert_eq!(
                read(&file, 200).expect("a header").keys,
                expected,
                "{}:\n{}",
                fixture.name(),
                String::from_utf8_lossy(&file)
            );
        }
    }
}

proptest! {
    #[test]
    fn keys_do_not_depend_on_the_style(
        number in any::<prop::sample::Index>(),
        column_order in any::<u64>(),
        row_order in prop::option::of(any::<u64>()),
        (quotes_all, crlf, respells_numbers) in any::<(bool, bool, bool)>(),
        chunk_size in 1_usize..3_000,
    ) {
        let fixtures = fixtures();
        let fixture = &fixtures[number.index(fixtures.len())];
        let style = Style { column_order, row_order, quotes_all, crlf, respells_numbers };
        let expected = read(&fixture.bytes, 1 << 20).expect("a header").keys;
        prop_assert_eq!(read(&fixture.restyled(&style), chunk_size).expect("a header").keys, expected, "{}", fixture.name());
    }
}
