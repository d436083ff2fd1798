//! `trips.detect_feed`: which feeds the header of a file fits, and why.

use std::borrow::Cow;

use serde_json::{Map, Value, json};
use trips_core::feed::choice::{FeedChoice, Options};
use trips_core::feed::definition::{
    ColumnId, Definition, EndedAt, IdentityColumn, IdentityRule, Place, StationColumns,
    ValueSource, is_passed_over,
};
use trips_core::feed::zones::Zones;
use trips_core::format::delimited::explain::{Explanation, Fit, explain};
use trips_core::format::delimited::header::{FirstRecord, HeaderError};

use super::begin::{Sizes, begin};
use super::definitions::catalogue;
use crate::error::{FileError, LoadError};
use crate::pg::interrupts;
use crate::source::{Access, Content, Contents, Source};

/// A feed that a header fits or nearly fits.
#[derive(Debug, Clone, PartialEq)]
pub struct Match {
    /// Its name.
    pub feed: String,
    /// The version of it, NULL for a station file.
    pub version: Option<String>,
    /// Whether a load takes it.
    pub is_chosen: bool,
    /// Number of names of the header that the feed knows.
    pub matched: usize,
    /// Names that the header lacks.
    pub missing: Vec<String>,
    /// Which columns of the file become what.
    pub mapping: Value,
    /// Names of the header that the feed does not know; none if the caller may not see the file.
    pub not_stored: Vec<String>,
    /// Why.
    pub note: &'static str,
}

/// The feeds that the header of a file fits, the best first. If there is none, the nearest feed.
///
/// # Errors
/// Those of a load that has not read a record yet, but not that the header is of no feed or of several.
pub fn detect(path: &str, access: &Access) -> Result<Vec<Match>, LoadError> {
    let mut matches = read(path, None, access)?;
    if !access.shows_content() {
        matches.iter_mut().for_each(|found| found.not_stored.clear());
    }
    Ok(matches)
}

/// What a feed makes of the header of a file that it fits, whatever other feeds make of it.
///
/// # Errors
/// Those of a load that has not read a record yet; 42704 for an unknown feed.
pub fn describe(path: &str, feed: &str, access: &Access) -> Result<Match, LoadError> {
    let none = || FileError::Header { file: path.into(), error: HeaderError::NoFeeds }.into();
    read(path, Some(feed), access)?.into_iter().next().ok_or_else(none)
}

/// The feeds of a file, of all feeds or of a given one, as a load finds them. Of an archive, they are those of the first
/// member that a load would read.
fn read(path: &str, feed: Option<&str>, access: &Access) -> Result<Vec<Match>, LoadError> {
    let (catalogue, zones) = (catalogue()?, Zones::builtin());
    let feed = feed.map(str::to_owned);
    let choice = FeedChoice { catalogue, feed, zones, options: Options::default() };
    let file = Source::open(path, access)?;
    let contents = Contents::open(&file)?;
    let mut found = None;
    for index in 0..contents.len() {
        interrupts::check();
        let content = contents.read(index)?;
        let file = content.file.clone();
        match first_record(content, &choice)? {
            Ok(first) if first.plan.is_ok() || found.is_none() => {
                let is_good = first.plan.is_ok();
                found = Some(Ok(first));
                if is_good {
                    break;
                }
            }
            Err(error) if found.is_none() => found = Some(Err(FileError::Header { file, error })),
            _ => {}
        }
    }
    let none = || FileError::NoTrips { file: path.into() };
    let first = found.unwrap_or_else(|| Err(none()))?;
    Ok(explain(&choice, &first).into_iter().map(|found| of_feed(found, &first)).collect())
}

/// The first record of a file or a member, or why it has none.
fn first_record(
    content: Content,
    choice: &FeedChoice,
) -> Result<Result<FirstRecord, HeaderError>, LoadError> {
    let (choice, sizes) = (choice.clone(), Sizes::of_settings());
    let file = content.file.clone();
    let read = move |content: Content| begin(content, &choice, sizes, false);
    match content.process(read).unwrap_or_else(|error| Err(error.into())) {
        Err(HeaderError::Read(error)) => Err(LoadError::of_read(&file, error)),
        begun => Ok(begun.map(|begun| begun.first)),
    }
}

/// What a feed makes of a header.
fn of_feed(found: Explanation<'_>, header: &FirstRecord) -> Match {
    let (feed, stations) = (found.feed, found.feed.stations.as_ref());
    let is_of_stations = found.fit == Fit::Stations;
    let is_known = |name: &[u8]| match stations.filter(|_| is_of_stations) {
        Some(stations) => stations.member(&feed.folded(name)).is_some(),
        None => feed.column_of_header(name).is_some(),
    };
    let unknown = header.names.iter().filter(|name| !is_known(name));
    let unknown = unknown.map(|name| spelling(name));
    Match {
        feed: feed.name.clone(),
        version: found.version,
        is_chosen: found.fit == Fit::Chosen,
        matched: found.matched,
        missing: found.missing,
        mapping: match stations.filter(|_| is_of_stations) {
            Some(stations) => json!({ "stations": station_mapping(feed, stations, header) }),
            None => mapping(feed, header),
        },
        not_stored: unknown.filter(|name| !is_passed_over(&name.to_lowercase())).collect(),
        note: note(found.fit),
    }
}

fn note(fit: Fit) -> &'static str {
    match fit {
        Fit::Chosen => "the feed of the file: it knows more names of the header than all others",
        Fit::Tie => "several feeds know this number of names: a load needs the argument feed",
        Fit::Fewer => "the header fits, but another feed knows more of its names",
        Fit::Duplicate => "the feed of the file, but the header has one of its columns twice",
        Fit::Stations => "a station file of the feed: use trips.load_stations()",
        Fit::Nearest => "the nearest feed: the header lacks columns",
        Fit::OtherDelimiter => "the nearest feed: its files have another delimiter",
    }
}

/// A name as the file spells it.
fn spelling(name: &[u8]) -> String {
    String::from_utf8_lossy(name).trim().to_owned()
}

/// Which columns of a station file become what.
fn station_mapping(feed: &Definition, stations: &StationColumns, header: &FirstRecord) -> Value {
    let names = |member: &str| {
        let is_it = |name: &&Cow<'_, [u8]>| stations.member(&feed.folded(name)) == Some(member);
        header.names.iter().filter(is_it).map(|name| spelling(name)).collect::<Vec<_>>()
    };
    let members = stations.members().into_iter().map(|(member, _)| (member, names(member)));
    let members = members.filter(|(_, names)| !names.is_empty());
    Value::Object(members.map(|(member, names)| (member.to_owned(), json!(names))).collect())
}

/// Which columns of the file become what: an object by the columns of the history.
fn mapping(feed: &Definition, header: &FirstRecord) -> Value {
    // The spellings of the file, not those of the feed.
    let names = |column: ColumnId| {
        let is_it = move |name: &&Cow<'_, [u8]>| feed.column_of_header(name) == Some(column);
        header.names.iter().filter(is_it).map(|name| spelling(name)).collect::<Vec<_>>()
    };
    let all = |columns: &[ColumnId]| columns.iter().flat_map(|id| names(*id)).collect::<Vec<_>>();
    let mut mapping = Map::new();
    let mut add = |column: &str, value: Value| {
        if !matches!(&value, Value::Null) && value != json!([]) {
            mapping.insert(column.to_owned(), value);
        }
    };
    add("date_time", json!(all(&feed.time.columns)));
    add(
        "ended_at",
        match &feed.ended_at {
            Some(EndedAt::Columns(columns)) => json!(all(columns)),
            Some(EndedAt::Points { points, .. }) => json!(all(&[*points])),
            None => Value::Null,
        },
    );
    let place = |places: &[Place]| {
        let has = |place: &&Place| place.columns().all(|column| !names(column).is_empty());
        match places.iter().find(has) {
            Some(Place::Zone { set, id }) => json!({ "zone_set": set, "id": all(&[*id]) }),
            Some(place) => json!(all(&place.columns().collect::<Vec<_>>())),
            None => Value::Null,
        }
    };
    add("origin_coord", place(&feed.origin));
    add("destination_coord", place(&feed.destination));
    let value = |sources: &[ValueSource]| {
        let source = sources.iter().filter_map(|source| match source {
            ValueSource::Constant(text) => Some(json!({ "constant": text })),
            ValueSource::Column(id) => names(*id).first().map(|name| json!({ "column": name })),
            ValueSource::Zone(_) => Some(json!("zone")),
            ValueSource::Area(_) => Some(json!("area")),
        });
        Value::Array(source.collect())
    };
    add("region", value(&feed.region));
    add("datasource", value(&feed.datasource));
    add("trip_id", feed.trip_id.map_or(Value::Null, |id| json!(all(&[id]))));
    add("details", json!(all(&feed.details)));
    add("never stored", json!(all(&feed.personal)));
    add("identity", identity(feed, &names));
    Value::Object(mapping)
}

/// The columns of the file that make the key of a trip.
fn identity(feed: &Definition, names: &impl Fn(ColumnId) -> Vec<String>) -> Value {
    match &feed.identity {
        IdentityRule::Content => json!("the five values"),
        IdentityRule::SourceId { columns, .. } => {
            json!(columns.iter().flat_map(|column| names(*column)).collect::<Vec<_>>())
        }
        IdentityRule::Columns { columns, .. } => {
            let value = |column: &IdentityColumn| match column {
                IdentityColumn::Column(id) => names(*id).into_iter().next(),
                IdentityColumn::Time => Some("@time".to_owned()),
                IdentityColumn::EndedAt => Some("@ended_at".to_owned()),
            };
            json!(columns.iter().filter_map(value).collect::<Vec<_>>())
        }
    }
}
