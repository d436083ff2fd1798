//! The built-in feeds: every known header has its feed, in any order and spelling, and never without a required name.

use std::borrow::Cow;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use trips_core::feed::builtin;
use trips_core::feed::definition::{Definition, Required, Version, fold};
use trips_core::feed::detect::{Catalogue, Detection};

/// Feed, version and header of every publication that is known. Feed `-`: no feed, or stations.
const HEADERS: &str = include_str!("feeds/headers.txt");

fn catalogue() -> Catalogue {
    Catalogue::new(builtin::all().to_vec())
}

fn fields(names: &[impl AsRef<[u8]>]) -> Vec<Cow<'_, [u8]>> {
    names.iter().map(|name| Cow::Borrowed(name.as_ref())).collect()
}

/// Feed and version, `tie of …`, `stations` or `-`.
fn found(catalogue: &Catalogue, names: &[impl AsRef<[u8]>]) -> String {
    match catalogue.detect(&fields(names), None) {
        Detection::Feed(found) => format!("{} {}", found.feed.name, found.version),
        Detection::Tie(all) => {
            let names: Vec<&str> = all.iter().map(|one| one.feed.name.as_str()).collect();
            format!("tie of {}", names.join(", "))
        }
        Detection::None(_) => "-".into(),
        Detection::Stations(_) => "stations".into(),
    }
}

fn known_headers() -> impl Iterator<Item = (String, Vec<&'static str>)> {
    HEADERS.lines().filter(|line| !line.starts_with("//")).map(|line| {
        let (expected, header) = line.split_once(": ").expect("a feed, a version and a header");
        (expected.to_owned(), header.split(',').collect())
    })
}

#[test]
fn every_known_header_has_its_feed_and_version() {
    let catalogue = catalogue();
    let differ = |(expected, names): (String, Vec<&str>)| {
        let found = found(&catalogue, &names);
        (found != expected).then(|| format!("{found}, not {expected}: {}", names.join(",")))
    };
    let wrong: Vec<String> = known_headers().filter_map(differ).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_version_of_every_feed_has_a_known_header() {
    let known: HashSet<String> = known_headers().map(|(expected, _)| expected).collect();
    for feed in builtin::all() {
        for version in &feed.versions {
            let name = format!("{} {}", feed.name, version.name);
            assert!(known.contains(&name), "no header of {name} in tests/feeds/headers.txt");
        }
    }
}

/// The names of a version, each in one spelling.
fn least_header<'f>(feed: &'f Definition, version: &'f Version) -> Vec<&'f str> {
    let name = |required: &'f Required| match required {
        Required::Column(column) => feed.get(*column).name.as_str(),
        Required::Spelling(folded, _) => folded.as_str(),
    };
    version.required.iter().map(name).collect()
}

fn lacks(feed: &Definition, version: &Version, names: &HashSet<String>) -> bool {
    let has = |required: &Required| match required {
        Required::Column(column) => {
            feed.get(*column).spellings.iter().any(|name| names.contains(&fold(name)))
        }
        Required::Spelling(folded, _) => names.contains(folded),
    };
    !version.required.iter().all(has)
}

#[test]
fn the_least_header_of_a_version_is_of_its_feed_and_no_longer_without_a_name() {
    let catalogue = catalogue();
    for feed in builtin::all() {
        for version in &feed.versions {
            let names = least_header(feed, version);
            let Detection::Feed(one) = catalogue.detect(&fields(&names), None) else {
                panic!("{} {}: {}", feed.name, version.name, found(&catalogue, &names));
            };
            assert_eq!(one.feed.name, feed.name, "{}", version.name);
            assert_eq!(one.matched, names.len());
            for left_out in 0..names.len() {
                let mut names = names.clone();
                let lost = names.remove(left_out);
                let still = found(&catalogue, &names);
                let this = format!("{} {}", feed.name, version.name);
                assert_ne!(still, this, "without {lost:?}");
            }
        }
    }
}

#[test]
fn a_header_without_a_name_is_refused_with_the_name_and_its_feed() {
    let catalogue = catalogue();
    let names = ["started_at", "ended_at", "ride_id", "start_lat", "start_lng", "end_lat"];
    let Detection::None(Some(near)) = catalogue.detect(&fields(&names), Some(b',')) else {
        panic!("{}", found(&catalogue, &names));
    };
    assert_eq!((near.feed.as_str(), near.version.as_str()), ("lyft", "13 columns"));
    assert_eq!(near.missing, ["start_station_id", "end_station_id", "end_lng", "member_casual"]);
    let names = ["ride_id", "started_at", "ended_at", "start_lat"];
    let near = catalogue.nearest(&fields(&names)).expect("a near feed");
    assert_eq!((near.feed.as_str(), near.missing.len()), ("lyft", 6));
    assert!(catalogue.nearest(&fields(&["a", "b"])).is_none());
    // A damaged header of the high-volume feed is not one of the other for-hire vehicles.
    let names = ["hvfhs_license_num", "pickup_datetime", "dispatching_base_num", "PUlocationID"];
    let near = catalogue.nearest(&fields(&names)).expect("a near feed");
    assert_eq!((near.feed.as_str(), found(&catalogue, &names).as_str()), ("tlc_fhvhv", "-"));
}

#[test]
fn a_feed_without_the_delimiter_in_its_dialects_is_no_candidate() {
    let catalogue = catalogue();
    let names = ["Date/Time", "Lat", "Lon", "Base"];
    assert!(matches!(catalogue.detect(&fields(&names), Some(b',')), Detection::Feed(_)));
    let Detection::None(Some(near)) = catalogue.detect(&fields(&names), Some(b';')) else {
        panic!("found with a wrong delimiter")
    };
    assert_eq!((near.feed.as_str(), near.missing.len()), ("uber_2014", 0));
    assert_eq!(catalogue.delimiters()[0], b',');
    assert!(catalogue.delimiters().contains(&b';'));
}

#[test]
fn equal_feeds_are_a_tie_of_both() {
    let json = r#"{ "name": "NAME", "title": "T", "columns": { "at": { "type": "time" }, "x": {} },
        "versions": { "1": ["at"] }, "time": { "columns": ["at"], "forms": ["YYYY-MM-DD"] },
        "region": [{ "constant": "R" }], "identity": { "scheme": "content" } }"#;
    let feed = |name| Definition::parse(&json.replace("NAME", name)).expect("a feed").into();
    let catalogue = Catalogue::new(vec![feed("b"), feed("a")]);
    assert_eq!(found(&catalogue, &["x", "at"]), "tie of a, b");
    assert_eq!(found(&catalogue, &["x"]), "-");
}

#[test]
fn a_header_in_windows_1252_is_compared_as_text() {
    let catalogue = catalogue();
    let mut names: Vec<&[u8]> = vec![b"Viaje_Id", b"Inicio_del_viaje", b"Fin_del_viaje"];
    names.extend([&b"Origen_Id"[..], b"Destino_Id", b"A\xf1o_de_nacimiento"]);
    let Detection::Feed(one) = catalogue.detect(&fields(&names), None) else { panic!("no feed") };
    assert_eq!((one.feed.name.as_str(), one.matched), ("mibici", 6));
    let born = one.feed.column_of_header(names[5]).expect("a known column");
    assert!(one.feed.personal.contains(&born));
}

/// Any names of any feeds, in any spelling, among others.
fn mixed_names() -> impl Strategy<Value = Vec<String>> {
    let all: Vec<String> = builtin::all()
        .iter()
        .flat_map(|feed| &feed.columns)
        .flat_map(|column| column.spellings.clone())
        .collect();
    let of_one = prop::sample::select(builtin::all().to_vec()).prop_flat_map(|feed| {
        let names: Vec<String> =
            feed.columns.iter().flat_map(|column| column.spellings.clone()).collect();
        let count = names.len();
        prop::sample::subsequence(names, 0..=count)
    });
    let others = prop::collection::vec(prop::sample::select(all), 0..6);
    let unknown = prop::collection::vec("[a-z ]{0,12}", 0..3);
    (of_one, others, unknown).prop_map(|(a, b, c)| [a, b, c].concat()).prop_shuffle()
}

proptest! {
    #[test]
    fn no_feed_is_found_without_its_required_names(names in mixed_names()) {
        let catalogue = catalogue();
        let have: HashSet<String> = names.iter().map(|name| fold(name)).collect();
        for one in catalogue.candidates(&fields(&names), None) {
            let mut versions = one.feed.versions.iter().filter(|v| v.name == one.version);
            let version = versions.next().expect("the version");
            prop_assert!(!lacks(one.feed, version, &have), "{} {}", one.feed.name, one.version);
            prop_assert!(one.feed.without.iter().all(|name| !have.contains(name)));
        }
        if let Detection::None(Some(near)) = catalogue.detect(&fields(&names), None) {
            let feed = catalogue.get(&near.feed).expect("a feed");
            prop_assert!(feed.versions.iter().all(|version| lacks(feed, version, &have)));
            prop_assert!(!near.missing.is_empty());
        }
    }

    #[test]
    fn order_case_and_blanks_of_a_header_change_nothing(
        (names, other) in mixed_names().prop_flat_map(|names| (Just(names.clone()), Just(names).prop_shuffle())),
        blanks in "[ \t\u{feff}]{0,3}",
    ) {
        let catalogue = catalogue();
        let spelt: Vec<String> = other
            .iter()
            .map(|name| format!("{blanks}{}{blanks}", name.to_uppercase().replace(' ', "  ")))
            .collect();
        prop_assert_eq!(found(&catalogue, &names), found(&catalogue, &spelt));
    }
}

/// What the first line of a file is, under the first delimiter that gives it a feed.
fn found_in(catalogue: &Catalogue, bytes: &[u8]) -> String {
    let header = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let of_delimiter = |delimiter| {
        let mut reader = csv::ReaderBuilder::new();
        let mut reader = reader.delimiter(delimiter).has_headers(false).from_reader(header);
        let record = reader.byte_records().next().expect("a record").expect("a record");
        let names: Vec<&[u8]> = record.iter().collect();
        match catalogue.detect(&fields(&names), Some(delimiter)) {
            Detection::None(_) => None,
            _ => Some(found(catalogue, &names)),
        }
    };
    catalogue.delimiters().into_iter().find_map(of_delimiter).unwrap_or("-".into())
}

#[test]
fn every_fixture_has_the_feed_and_the_version_of_its_name() {
    let catalogue = catalogue();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/feeds");
    let mut seen = 0;
    for feed in builtin::all() {
        for version in &feed.versions {
            let is_word = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
            let name: String = version.name.to_lowercase().chars().map(is_word).collect();
            let path = folder.join(&feed.name).join(format!("{name}.csv"));
            let bytes = std::fs::read(&path).unwrap_or_else(|_| panic!("no {}", path.display()));
            let expected = format!("{} {}", feed.name, version.name);
            assert_eq!(found_in(&catalogue, &bytes), expected);
            seen += 1;
        }
    }
    assert_eq!(seen, builtin::all().iter().map(|feed| feed.versions.len()).sum::<usize>());
}

/// Run by hand: `TRIPS_FILES=/folder cargo test -p trips_core --test feeds -- --ignored --nocapture`.
#[test]
#[ignore = "needs a folder of files in TRIPS_FILES"]
fn files_of_a_folder() {
    let catalogue = catalogue();
    let folder = PathBuf::from(std::env::var_os("TRIPS_FILES").expect("TRIPS_FILES"));
    let mut paths: Vec<PathBuf> =
        folder.read_dir().expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    let is_csv = |path: &&PathBuf| path.extension().is_some_and(|extension| extension == "csv");
    for path in paths.iter().filter(is_csv) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        println!("{name}: {}", found_in(&catalogue, &std::fs::read(path).expect("a file")));
    }
}
