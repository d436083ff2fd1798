//! The same trips in JSON: equal values, equal keys, equal rejections.

use trips_testkit::feed_fixtures::{Fixture, fixtures};
use trips_testkit::feed_json;

use super::chunks::{Found, read};

/// SQLSTATE and column of each rejected record, without those that no JSON has: a wrong number of fields.
fn rejected(found: &Found) -> Vec<(&str, Option<&str>)> {
    let all = found.rejected.iter().map(|(_, state, column)| (&**state, column.as_deref()));
    all.filter(|(state, _)| *state != "22P04").collect()
}

/// What is different in a file of JSON.
fn faults(fixture: &Fixture, json: &[u8], chunk_size: usize) -> Option<String> {
    let expected = read(&fixture.bytes, 1 << 20).expect("a header");
    let found = match read(json, chunk_size) {
        Ok(found) => found,
        Err(error) => return Some(format!("{}: {error}", fixture.name())),
    };
    let is_equal = found.keys == expected.keys
        && found.trips == expected.trips
        && rejected(&found) == rejected(&expected);
    (!is_equal).then(|| format!("{}:\n  {found:?}\n  {expected:?}", fixture.name()))
}

#[test]
fn each_fixture_has_the_same_trips_as_json_lines() {
    let mut count = 0;
    let mut found = Vec::new();
    for fixture in fixtures() {
        let Some(lines) = feed_json::lines(&fixture) else { continue };
        count += 1;
        found.extend([1 << 20, 100].iter().filter_map(|size| faults(&fixture, &lines, *size)));
    }
    assert!(found.is_empty(), "{} of {count}:\n{}", found.len(), found.join("\n"));
    assert!(count >= 75, "{count} fixtures");
}

#[test]
fn pages_and_lists_of_publishers_have_the_same_trips() {
    let mut names = Vec::new();
    for fixture in fixtures() {
        let Some(json) = fixture.json() else { continue };
        assert_eq!(faults(&fixture, &json, 1), None);
        names.push(fixture.name());
    }
    assert_eq!(names, ["mds-0_2", "mds_2-2_0", "oslo-2018"]);
}
