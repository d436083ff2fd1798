//! The feed of a file, by its header alone.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fs;

use trips_core::feed::builtin;
use trips_core::feed::detect::{Catalogue, Detection};
use trips_core::format::delimited::header::HeaderError;
use trips_testkit::feed_fixtures::{Fixture, Style, directory, file_name, fixtures};

use super::open;

/// The feed of a file, its version, and the names that it does not store.
fn detected(file: &[u8]) -> Result<(String, String, Vec<String>), HeaderError> {
    let (_, plan) = open(file)?;
    let header = csv::ReaderBuilder::new()
        .delimiter(plan.feed().dialect.delimiter)
        .from_reader(file)
        .byte_headers()
        .expect("a header")
        .clone();
    let names: Vec<Cow<'_, [u8]>> = header.iter().map(Cow::Borrowed).collect();
    let catalogue = Catalogue::new(builtin::all().to_vec());
    let version = match catalogue.detect(&names, Some(plan.feed().dialect.delimiter)) {
        Detection::Feed(found) => found.version.to_owned(),
        _ => panic!("the header has no feed"),
    };
    let mut not_stored = plan.not_stored().to_vec();
    not_stored.sort();
    Ok((plan.feed_name().to_owned(), version, not_stored))
}

fn not_stored(fixture: &Fixture) -> Vec<String> {
    let names = fixture.expected["not_stored"].as_array().expect("an array");
    let mut names: Vec<String> =
        names.iter().map(|name| format!("\"{}\"", name.as_str().expect("a name"))).collect();
    names.sort();
    names
}

#[test]
fn each_fixture_is_found_by_its_header() {
    let fixtures = fixtures();
    assert!(fixtures.len() >= 89, "{} fixtures", fixtures.len());
    let mut faults = Vec::new();
    for fixture in &fixtures {
        let files = (0..6).map(|seed| fixture.restyled(&Style::other(seed)));
        let expected = (fixture.feed.clone(), fixture.version.clone(), not_stored(fixture));
        for file in std::iter::once(fixture.bytes.clone()).chain(files) {
            match detected(&file) {
                Ok(found) if found == expected => {}
                other => faults.push(format!("{other:?} instead of {expected:?}")),
            }
        }
    }
    assert!(
        faults.is_empty(),
        "{} of {}:\n{}",
        faults.len(),
        fixtures.len() * 7,
        faults.join("\n")
    );
}

/// A file that no version names would be tested by nobody.
#[test]
fn each_file_is_of_a_version() {
    let expected: BTreeSet<String> =
        fixtures().iter().map(|f| format!("{}/{}", f.feed, file_name(&f.version))).collect();
    let mut found = BTreeSet::new();
    for folder in fs::read_dir(directory()).expect("the folder").map(Result::unwrap) {
        let Ok(files) = fs::read_dir(folder.path()) else { continue };
        for file in files.map(Result::unwrap) {
            let name = file.file_name().into_string().expect("UTF-8");
            let (name, extension) = name.split_once('.').expect("an extension");
            assert!(["csv", "json", "expected.json"].contains(&extension), "{name}.{extension}");
            found.insert(format!("{}/{name}", folder.file_name().into_string().expect("UTF-8")));
        }
    }
    assert_eq!(found, expected);
}
