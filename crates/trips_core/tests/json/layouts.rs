//! Layouts of files, and the texts of their records.

use trips_core::check::constraints::{Constraints, ZeroCoordinates};
use trips_core::format::Chunk;
use trips_core::format::not_stored::NotStored;
use trips_core::format::parser::{Parser, Target};

use super::{MAX_RECORD, at_once, feed, one, open, texts};

#[test]
fn values_are_texts() {
    for (value, text) in [
        ("9007199254740993", "9007199254740993"),
        ("0.10000000000000000000001", "0.10000000000000000000001"),
        ("1e3", "1e3"),
        ("-1.50E-2", "-1.50E-2"),
        ("true", "true"),
        (r#""a b""#, "a b"),
        (r#""Plze\u0148 \ud83d\udeb2 \"\\\/""#, "Plzeň 🚲 \"\\/"),
        (r#"[1, {"a b": " "}]"#, r#"[1,{"a b":" "}]"#),
    ] {
        let found = one(&format!(r#"{{"id":1,"at":2,"x":{value}}}"#)).expect("a record");
        assert_eq!(found, texts(&[("id", "1"), ("at", "2"), ("x", text)]), "{value}");
    }
    for null in ["null", "\"\""] {
        let found = one(&format!(r#"{{"id":1,"at":2,"x":{null}}}"#)).expect("a record");
        assert_eq!(found, texts(&[("id", "1"), ("at", "2")]), "{null}");
    }
}

#[test]
fn members_are_found_by_their_path_in_any_case_and_order() {
    let expected = texts(&[("id", "1"), ("at", "2"), ("from.lon", "3"), ("from.lat", "4")]);
    for record in [
        r#"{"id":1,"at":2,"from":{"lon":3,"lat":4}}"#,
        r#"{"from":{"lat":4,"other":{"lon":9},"lon":3},"at":2,"ID":1,"more":[{"id":7}]}"#,
        r#"{"from.lon":3,"from.lat":4,"\u0069d":1," At ":2}"#,
    ] {
        assert_eq!(one(record), Ok(expected.clone()), "{record}");
    }
    // The first record did not have this member.
    assert_eq!(one(r#"{"id":1,"at":2,"y":5}"#), Ok(texts(&[("id", "1"), ("at", "2"), ("x", "5")])));
    let (found, _) = at_once(r#"{"id":1,"at":2,"Comment":"c"}"#);
    assert_eq!(found[0].1, Ok(texts(&[("id", "1"), ("at", "2"), ("note", "c")])));
    assert_eq!(
        one(r#"{"id":1,"at":2,"comment":"c","note":null,"Remark":"r"}"#),
        Ok(texts(&[("id", "1"), ("at", "2"), ("note", "r")]))
    );
}

#[test]
fn a_member_is_there_once() {
    for (record, name) in [
        (r#"{"id":1,"at":2,"id":3}"#, "id"),
        (r#"{"id":1,"at":2,"id":1}"#, "id"),
        (r#"{"id":1,"at":2,"x":3,"y":3}"#, "y"),
        (r#"{"id":1,"at":2,"from":{"lon":3},"from.lon":3}"#, "from.lon"),
    ] {
        assert_eq!(one(record), Err(format!("the record has member \"{name}\" twice")), "{record}");
    }
    let expected = texts(&[("id", "1"), ("at", "2")]);
    assert_eq!(one(r#"{"id":1,"at":2,"id":null,"other":1,"other":2}"#), Ok(expected));
}

#[test]
fn every_layout_gives_the_same_records() {
    let all = [
        r#"{"id":1,"at":2}"#,
        r#"{ "id" : "}" , "at":3, "x": [ { } ] }"#,
        r#"{"at":4,"id":"]\"{"}"#,
    ];
    let expected: Vec<_> = at_once(&all.join("\n")).0.into_iter().map(|record| record.1).collect();
    assert!(expected.iter().all(Result::is_ok));
    let list = all.join(" ,\n");
    for file in [
        all.join("\r\n"),
        all.map(|record| format!("\u{1e}{record}\n")).concat(),
        all.map(|record| format!("\u{feff}{record}\n")).concat(),
        all.concat(),
        all.map(|record| record.replace(',', ",\n")).join("\n"),
        format!("[{list}]"),
        format!("\u{feff} [\n{list}\n]\n"),
        format!("[{}]\n[]\n[{},{}]", all[0], all[1], all[2]),
        format!(r#"{{"version":"1","rides":[{list}],"links":{{"next":null}}}}"#),
        format!(r#"{{"data":{{"at":"{{\"rides\":[","rides":[{list}]}},"n":-1.5e3,"m":[[]]}}"#),
        format!(r#"{{"rides":[{}]}} {{"rides":null}} {{"rides":[{},{}]}}"#, all[0], all[1], all[2]),
        format!(
            r#"{{"data":{{"rides":[{}]}}}}{{"data":{{"rides":[{},{}]}}}}"#,
            all[0], all[1], all[2]
        ),
        format!(
            "{{\"features\":[{}]}}",
            all.map(|record| format!(
                r#"{{"type":"Feature","properties":{record},"geometry":null}}"#
            ))
            .join(",")
        ),
    ] {
        let (found, error) = at_once(&file);
        assert_eq!(error, None, "{file}");
        let found: Vec<_> = found.into_iter().map(|record| record.1).collect();
        assert_eq!(found, expected, "{file}");
    }
}

#[test]
fn a_file_without_a_record_is_one_of_no_trips() {
    for file in ["[]", " [ ] ", r#"{"rides":[]}"#, r#"{"data":{"rides":[]},"links":{}}"#] {
        assert_eq!(at_once(file), (Vec::new(), None), "{file}");
    }
    for (file, reason) in [
        ("{\"a\": tru}\n{\"b\": tru}", "no record can be read: record 1: the record is not JSON"),
        ("[1, 2]", "no record can be read: record 1: the record is not JSON"),
        ("{}", "invalid header: columns id, at are missing"),
    ] {
        let error = at_once(file).1.expect(file);
        assert!(error.starts_with(reason), "{file}: {error}");
    }
}

#[test]
fn names_that_a_feed_does_not_have_are_named_once() {
    let not_stored = |file: &str| {
        let (_, plan) = open(file.as_bytes(), &feed(), MAX_RECORD).expect("JSON");
        plan.not_stored().to_vec()
    };
    let file = concat!(
        r#"{"id":1,"at":2,"a":{"b":1,"c":{}},"from":{"lon":1,"alt":{"m":1}}}"#,
        "\n",
        r#"{"id":1,"at":2,"path":{"z":1},"d":null,"from":null}"#
    );
    assert_eq!(not_stored(file), [r#""a""#, r#""from.alt""#, r#""d""#]);
    assert_eq!(not_stored(r#"[{"id":1,"at":2,"from":null}]"#), [""; 0]);
    let feature =
        r#"{"type":"Feature","properties":{"id":1,"at":2,"e":1},"geometry":{"type":"Point"}}"#;
    assert_eq!(not_stored(feature), [r#""e""#, r#""geometry""#]);
}

/// The names that the feed does not have, of all chunks of a file.
fn not_stored_of_all(file: &str, size: usize) -> Vec<String> {
    let (mut reader, plan) = open(file.as_bytes(), &feed(), MAX_RECORD).expect("JSON");
    let mut found = NotStored::default();
    found.add_header(plan.not_stored());
    let constraints = Constraints::new("1900-01-01", "2099-12-31", ZeroCoordinates::Keep);
    let parser = Parser {
        plan,
        target: Target::History,
        load_id: 1,
        max_record: MAX_RECORD,
        constraints: constraints.expect("dates"),
        keeps_grid_points: false,
    };
    while let Some(chunk) = reader.next_chunk(size, 0).expect("a chunk") {
        let parsed = Chunk::Json(chunk).parse_next(&parser, &mut parser.first_header());
        found.add(&parsed.expect("memory").not_stored);
    }
    found.names().to_vec()
}

/// A member that the first records do not have is not dropped silently.
#[test]
fn names_that_appear_late_are_found() {
    let first = format!("{}\n", r#"{"id":1,"at":2,"a":{"b":1},"from":{"lon":1}}"#).repeat(30_000);
    let last = [
        r#"{"id":1,"at":2,"A":{"c":1},"from":{"alt":{"m":1},"lon":2},"path":{"z":1},"late":null}"#,
        r#"{"id":1,"at":2,"from":{"lon":2,"alt":9,"lat":1},"from.zone":1,"__index_level_0__":7}"#,
        r#"{"id":1,"at":2,"late":3,"a.b":1}"#,
    ];
    let expected = [r#""a""#, r#""from.alt""#, r#""late""#, r#""from.zone""#];
    let lines = first.clone() + &last.join("\n");
    for size in [1, 100_000, 1 << 20] {
        assert_eq!(not_stored_of_all(&lines, size), expected, "{size}");
    }
    let list = format!("[{}]", lines.replace('\n', ","));
    assert_eq!(not_stored_of_all(&list, 1 << 20), expected);
    let features = lines.lines().map(|record| {
        format!(r#"{{"type":"Feature","geometry":null,"properties":{record},"bbox":[1]}}"#)
    });
    let features: Vec<String> = features.collect();
    let features = format!(r#"{{"features":[{}]}}"#, features.join(","));
    let expected = [r#""a""#, r#""geometry""#, r#""from.alt""#, r#""late""#, r#""from.zone""#];
    let mut found = not_stored_of_all(&features, 1 << 20);
    found.sort();
    let mut expected = expected.to_vec();
    expected.sort_unstable();
    assert_eq!(found, expected);
}
