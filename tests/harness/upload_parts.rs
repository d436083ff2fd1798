//! Files as outside readers upload them.

use std::ffi::OsString;

use serde_json::Value;
use trips_core::check::constraints::Constraints;
use trips_core::feed::choice::FeedChoice;
use trips_core::format::delimited::header::read_header;
use trips_core::format::delimited::record::RecordReader;
use trips_core::format::order::find_order;
use trips_core::format::parser::{Parser, Target};
use trips_core::upload::part::Part;

/// Parts, and the warnings beside them.
type PartsAndWarnings = (Vec<Vec<u8>>, Vec<String>);

const MAX_RECORD: usize = 1 << 20;

/// BLAKE3 of a file's bytes.
#[must_use]
pub fn digest(file: &[u8]) -> Vec<u8> {
    blake3::hash(file).as_bytes().to_vec()
}

/// A file of a built-in feed as parts of about this many bytes each.
///
/// # Panics
/// When it has no header.
#[must_use]
pub fn parts_of(file: &[u8], load_id: i64, bytes: usize) -> Vec<Vec<u8>> {
    let choice = FeedChoice::builtin();
    let open = || {
        let mut reader = RecordReader::new(file, MAX_RECORD);
        let plan = read_header(&choice, &mut reader, MAX_RECORD).expect("a header");
        (reader, plan)
    };
    let (mut reader, mut plan) = open();
    if plan.feed().needs_order() {
        let order = find_order(&plan, open().0, MAX_RECORD, || ());
        plan.set_order(order.expect("an order of day and month"));
    }
    let feed = plan.feed_name().to_owned();
    let (target, constraints) = (Target::Upload, Constraints::default());
    let parser = Parser {
        plan,
        target,
        load_id,
        max_record: MAX_RECORD,
        constraints,
        keeps_grid_points: false,
    };
    let (mut parts, mut begin, mut columns) = (Vec::new(), 0, parser.first_header());
    while let Some(chunk) = reader.next_chunk(bytes, 0).expect("memory") {
        let mut part = Part::new(load_id, begin, &feed);
        let parsed = parser.parse_next(chunk, &mut columns).expect("memory");
        part.push(&parsed).expect("memory");
        part.close().expect("memory");
        // The first one has the header, too.
        part.bytes = reader.position() - begin;
        begin = reader.position();
        parts.push(part.encode().expect("memory"));
    }
    parts
}

/// The parts of a file as `trips_reader` prints them for a load, with splits of about this many bytes.
///
/// # Errors
/// SQLSTATE and message, if it refuses the file.
///
/// # Panics
/// When it fails otherwise.
pub fn parts_by_reader(
    path: &str,
    load_id: i64,
    split_bytes: u64,
) -> Result<Vec<Vec<u8>>, (String, String)> {
    Ok(parts_and_warnings(path, load_id, split_bytes, None)?.0)
}

/// The same with a file of zones, and with the warnings that it prints.
///
/// # Errors
/// SQLSTATE and message, if it refuses the file.
///
/// # Panics
/// When it fails otherwise.
pub fn parts_and_warnings(
    path: &str,
    load_id: i64,
    split_bytes: u64,
    zones: Option<&str>,
) -> Result<PartsAndWarnings, (String, String)> {
    let run = |arguments: Vec<String>| {
        let arguments: Vec<OsString> = arguments.into_iter().map(OsString::from).collect();
        let mut out = Vec::new();
        trips_reader::run(&arguments, &mut out).unwrap_or_else(|error| panic!("{path}: {error}"));
        out
    };
    let split = run(vec!["split".into(), path.into(), format!("split_bytes={split_bytes}")]);
    let found: Value = serde_json::from_slice(&split).expect("JSON");
    if let Some(refused) = found.get("refused") {
        let text = |name: &str| refused[name].as_str().expect("a text").to_owned();
        return Err((text("code"), text("message")));
    }
    let mut parts = Vec::new();
    for split in found["splits"].as_array().expect("splits") {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let mut arguments = vec!["read".into(), path.into(), format!("load_id={load_id}")];
        arguments.extend(zones.map(|zones| format!("zones_file={zones}")));
        let values = ["first_byte", "bytes", "first_line", "blake3", "columns", "piece"];
        let values = values.iter().zip(split.as_array().expect("a split"));
        let known = [("file_bytes", &found["bytes"]), ("mtime_ns", &found["mtime_ns"])];
        for (name, value) in values.map(|(name, value)| (*name, value)).chain(known) {
            if !value.is_null() {
                arguments.push(format!("{name}={}", text(value)));
            }
        }
        let printed = run(arguments);
        let mut rest = &printed[..];
        while let Some((length, behind)) = rest.split_first_chunk() {
            let length = usize::try_from(u64::from_be_bytes(*length)).expect("a length");
            let (part, behind) = behind.split_at(length);
            parts.push(part.to_vec());
            rest = behind;
        }
    }
    let warnings = found["warnings"].as_array().into_iter().flatten();
    let warnings = warnings.filter_map(|warning| warning.as_str().map(str::to_owned));
    Ok((parts, warnings.collect()))
}
