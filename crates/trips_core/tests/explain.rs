//! Which feed a file is of, and how that is explained: both are one decision.

use std::borrow::Cow;

use proptest::prelude::*;
use proptest::sample::Index;
use trips_core::feed::builtin;
use trips_core::feed::choice::FeedChoice;
use trips_core::feed::definition::Required;
use trips_core::feed::detect::Near;
use trips_core::format::delimited::explain::{Explanation, Fit, explain};
use trips_core::format::delimited::header::{
    ColumnError, Guess, HeaderError, read_first_record, read_header,
};
use trips_core::format::delimited::record::RecordReader;
use trips_core::format::encoding::Decoder;

const MAX_RECORD: usize = 1 << 16;

fn reader(file: &[u8]) -> RecordReader<Decoder<&[u8]>> {
    let bytes = Decoder::detect(file).expect("memory does not fail");
    let encoding = bytes.encoding();
    RecordReader::new(bytes, MAX_RECORD).with_encoding(encoding)
}

/// The feed that a load takes.
fn loaded(choice: &FeedChoice, file: &[u8]) -> Result<String, HeaderError> {
    read_header(choice, &mut reader(file), MAX_RECORD).map(|plan| plan.feed_name().to_owned())
}

/// What is explained.
fn explained<'c>(choice: &'c FeedChoice, file: &[u8]) -> Result<Vec<Explanation<'c>>, HeaderError> {
    let first = read_first_record(choice, &mut reader(file), MAX_RECORD)?;
    Ok(explain(choice, &first))
}

fn utf16(text: &str) -> Vec<u8> {
    format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// The required names of each version of each built-in feed.
fn versions() -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for feed in builtin::all() {
        for version in &feed.versions {
            let name = |required: &Required| match required {
                Required::Column(column) => feed.get(*column).name.clone(),
                Required::Spelling(folded, _) => folded.clone(),
            };
            all.push(version.required.iter().map(name).collect());
        }
    }
    all
}

/// A change of a header.
#[derive(Debug, Clone)]
enum Change {
    Drop(Index),
    Double(Index),
    Add(&'static str),
    /// Adds a column of another version.
    Mix(Index, Index),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        any::<Index>().prop_map(Change::Drop),
        any::<Index>().prop_map(Change::Double),
        prop_oneof![Just("colour"), Just(""), Just("id"), Just("Lat"), Just("datetime")]
            .prop_map(Change::Add),
        (any::<Index>(), any::<Index>()).prop_map(|(a, b)| Change::Mix(a, b)),
    ]
}

prop_compose! {
    fn header()(
        version: Index,
        changes in prop::collection::vec(change(), 0..4),
        order in prop::collection::vec(any::<u32>(), 300),
        delimiter in prop_oneof![6 => Just(','), 2 => Just(';'), 1 => Just('\t'), 1 => Just('|'), 1 => Just('^')],
        quoted: bool,
        is_utf16 in prop::bool::weighted(0.1),
    ) -> Vec<u8> {
        let versions = versions();
        let mut names = version.get(&versions).clone();
        for change in changes {
            match change {
                Change::Drop(at) if !names.is_empty() => drop(names.remove(at.index(names.len()))),
                Change::Double(at) if !names.is_empty() => names.push(at.get(&names).clone()),
                Change::Drop(_) | Change::Double(_) => {}
                Change::Add(name) => names.push(name.to_owned()),
                Change::Mix(version, at) => {
                    let other = version.get(&versions);
                    names.push(at.get(other).clone());
                }
            }
        }
        let mut names: Vec<_> = order.into_iter().cycle().zip(names).collect();
        names.sort();
        let write = |(_, name): (u32, String)| {
            if quoted || name.contains(delimiter) { format!("\"{name}\"") } else { name }
        };
        let names: Vec<String> = names.into_iter().map(write).collect();
        let text = names.join(&delimiter.to_string()) + "\n";
        if is_utf16 { utf16(&text) } else { text.into_bytes() }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn the_chosen_feed_is_the_loaded_one(file in header()) {
        let choice = FeedChoice::builtin();
        let shown = String::from_utf8_lossy(&file).into_owned();
        match (loaded(&choice, &file), explained(&choice, &file)) {
            (Ok(feed), Ok(found)) => {
                let chosen: Vec<_> = found.iter().filter(|it| it.fit == Fit::Chosen).collect();
                prop_assert_eq!(chosen.len(), 1, "{}", shown);
                prop_assert_eq!(&chosen[0].feed.name, &feed, "{}", shown);
                prop_assert_eq!(&found[0].feed.name, &feed, "{}: it is not the first", shown);
                prop_assert!(found.iter().all(|it| it.missing.is_empty()), "{}", shown);
            }
            (Err(HeaderError::Columns(_) | HeaderError::Tie(_) | HeaderError::Stations(_)), Ok(found)) => {
                prop_assert!(found.iter().all(|it| it.fit != Fit::Chosen), "{}", shown);
            }
            (Err(load), Err(explain)) => {
                prop_assert_eq!(load.to_string(), explain.to_string(), "{}", shown);
            }
            (load, explain) => prop_assert!(false, "{}: {:?} {:?}", shown, load, explain),
        }
    }

    /// The error names the feed that is explained as the nearest one, and the same names.
    #[test]
    fn the_nearest_feed_is_the_one_of_the_error(file in header()) {
        let choice = FeedChoice::builtin();
        let Err(HeaderError::Columns(ColumnError::Missing { feed, missing, .. })) =
            loaded(&choice, &file) else { return Ok(()) };
        let found = explained(&choice, &file).expect("an explanation");
        let [near] = &found[..] else {
            prop_assert!(found.is_empty() && feed == "trips");
            return Ok(());
        };
        prop_assert_eq!(&near.feed.name, &feed);
        match near.fit {
            Fit::Nearest => prop_assert_eq!(near.missing.len(), missing.len()),
            other => {
                prop_assert_eq!(other, Fit::OtherDelimiter);
            }
        }
    }

    #[test]
    fn any_bytes_have_one_answer(
        file in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..60),
            "[<{}PK\u{1f}a-z,;|\t\"\n ]{0,60}".prop_map(String::into_bytes),
        ],
    ) {
        let choice = FeedChoice::builtin();
        match (loaded(&choice, &file), explained(&choice, &file)) {
            (Ok(feed), Ok(found)) => prop_assert_eq!(&found[0].feed.name, &feed),
            (Err(_), Ok(found)) => prop_assert!(found.iter().all(|it| it.fit != Fit::Chosen)),
            (Err(load), Err(explain)) => prop_assert_eq!(load.to_string(), explain.to_string()),
            (Ok(feed), Err(error)) => prop_assert!(false, "{} {}", feed, error),
        }
    }
}

const LYFT: &str = "ride_id,rideable_type,started_at,ended_at,start_station_name,start_station_id,end_station_name,\
    end_station_id,start_lat,start_lng,end_lat,end_lng,member_casual\n";

#[test]
fn a_delimiter_of_no_feed_is_named_with_the_nearest_feed() {
    let choice = FeedChoice::builtin();
    for delimiter in [';', '\t', '|'] {
        let file = LYFT.replace(',', &delimiter.to_string());
        let error = loaded(&choice, file.as_bytes()).unwrap_err();
        let HeaderError::Columns(ColumnError::Missing { feed, guess, .. }) = error else {
            panic!("{error}")
        };
        assert_eq!((feed.as_str(), guess), ("lyft", Some(Guess::Delimiter(delimiter))));
        let found = explained(&choice, file.as_bytes()).unwrap();
        let [near] = &found[..] else { panic!("{found:?}") };
        assert_eq!((near.feed.name.as_str(), near.fit), ("lyft", Fit::OtherDelimiter));
        assert_eq!((near.matched, near.missing.len()), (13, 0));
    }
    // A name is missing too.
    let file = LYFT.replace("ride_id,", "").replace(',', "|");
    let error = loaded(&choice, file.as_bytes()).unwrap_err();
    assert_eq!(error.to_string(), "invalid header: column ride_id is missing");
}

#[test]
fn utf_16_of_a_feed_without_it_is_refused_in_both() {
    let choice = FeedChoice::builtin();
    let load = loaded(&choice, &utf16(LYFT)).unwrap_err();
    let explain = explained(&choice, &utf16(LYFT)).unwrap_err();
    assert_eq!(load.to_string(), explain.to_string());
    assert!(load.to_string().contains("UTF-16"), "{load}");
}

#[test]
fn a_given_feed_that_the_header_is_not_of() {
    let given = |feed: &str| FeedChoice { feed: Some(feed.to_owned()), ..FeedChoice::builtin() };
    let missing = |feed: &str| match loaded(&given(feed), LYFT.as_bytes()) {
        Err(HeaderError::Columns(ColumnError::Missing { missing, fits, .. })) => (missing, fits),
        other => panic!("{other:?}"),
    };
    let divvy = builtin::all().iter().find(|feed| feed.name == "divvy").unwrap();
    let (names, fits) = missing("divvy");
    assert_eq!(fits, ["lyft"]);
    // As many names as the nearest version lacks, and as the feed writes them.
    let catalogue = trips_core::feed::detect::Catalogue::new(vec![divvy.clone()]);
    let header: Vec<_> =
        LYFT.trim().split(',').map(|name| Cow::Borrowed(name.as_bytes())).collect();
    if let Some(Near { missing, .. }) = catalogue.nearest(&header) {
        assert_eq!(names.len(), missing.len());
    }
    assert!(names.iter().all(|name| !name.starts_with("01 - rental details")), "{names:?}");
    let (_, fits) = missing("trips");
    assert_eq!(fits, ["lyft"]);
    assert_eq!(loaded(&given("lyft"), LYFT.as_bytes()).unwrap(), "lyft");
}

/// The version of a feed that a header nearly fits, whatever the order of the versions.
#[test]
fn the_nearest_version_lacks_the_smallest_part() {
    let given = FeedChoice { feed: Some("lyft".into()), ..FeedChoice::builtin() };
    for name in LYFT.trim().split(',') {
        let names: Vec<&str> = LYFT.trim().split(',').filter(|other| *other != name).collect();
        match loaded(&given, format!("{}\n", names.join(",")).as_bytes()) {
            Ok(_) => {}
            Err(error) => {
                assert_eq!(error.to_string(), format!("invalid header: column {name} is missing"));
            }
        }
    }
}
