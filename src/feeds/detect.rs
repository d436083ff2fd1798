//! `trips.detect_feed`: which feeds the header of a file fits, and why.

use std::borrow::Cow;
use std::io::Read;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use trips_core::feed::definition::{
    ColumnId, Definition, EndedAt, IdentityColumn, IdentityRule, Place, ValueSource, is_passed_over,
};
use trips_core::feed::detect::Catalogue;
use trips_core::format::delimited::record::RecordReader;
use trips_core::format::encoding::Decoder;

use super::definitions::{catalogue, definition};
use crate::error::{FileError, LoadError};
use crate::settings;
use crate::source::{Access, Source};

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

/// The names of a header, under one delimiter.
struct Header {
    names: Vec<Cow<'static, [u8]>>,
    delimiter: u8,
}

/// The feeds that the header of a file fits, the best first. If there is none, the nearest feed.
///
/// # Errors
/// Those of the file; 22P04 if its first record is not a header.
pub fn detect(path: &str, access: &Access) -> Result<Vec<Match>, LoadError> {
    let catalogue = catalogue()?;
    let header = read_header(&catalogue, path, access)?;
    let mut matches = matches(&catalogue, &header);
    if !access.shows_content() {
        matches.iter_mut().for_each(|found| found.not_stored.clear());
    }
    Ok(matches)
}

/// What a feed makes of the header of a file, whatever other feeds make of it.
///
/// # Errors
/// Those of the file; 42704 for an unknown feed.
pub fn describe(path: &str, feed: &str, access: &Access) -> Result<Match, LoadError> {
    let feed = definition(feed)?;
    let header = read_header(&Catalogue::new(vec![feed.clone()]), path, access)?;
    Ok(of_feed(&feed, &header))
}

/// The header of a file, under the delimiter whose best feed knows the most names; the comma if there is no such feed.
fn read_header(catalogue: &Catalogue, path: &str, access: &Access) -> Result<Header, LoadError> {
    let file = Source::open(path, access)?;
    let max_record = settings::max_record_size();
    let read_error = |error| file.read_error(error);
    let mut start = Vec::new();
    let source = Decoder::detect(file.bytes()).map_err(read_error)?;
    let limit = max_record as u64 + 2;
    source.take(limit).read_to_end(&mut start).map_err(read_error)?;
    let mut best: Option<(usize, Header)> = None;
    for delimiter in catalogue.delimiters() {
        let Some(names) = names(&start, delimiter, max_record) else { continue };
        let candidates = catalogue.candidates(&names, Some(delimiter));
        let matched = candidates.first().map_or(0, |candidate| candidate.matched);
        if best.as_ref().is_none_or(|(most, _)| matched > *most) {
            best = Some((matched, Header { names, delimiter }));
        }
    }
    let none = || FileError::NoHeader { file: path.into() }.into();
    best.map(|(_, header)| header).ok_or_else(none)
}

/// The fields of the first record.
fn names(start: &[u8], delimiter: u8, max_record: usize) -> Option<Vec<Cow<'static, [u8]>>> {
    let mut reader = RecordReader::new(start, max_record);
    reader.set_delimiter(delimiter);
    let record = reader.next_record().ok()??;
    let names = record.fields().map(|name| Cow::Owned(name.into_owned()));
    record.error.is_none().then(|| names.collect())
}

fn matches(catalogue: &Catalogue, header: &Header) -> Vec<Match> {
    let candidates = catalogue.candidates(&header.names, Some(header.delimiter));
    let most = candidates.first().map_or(0, |best| best.matched);
    let is_tie = candidates.iter().filter(|candidate| candidate.matched == most).count() > 1;
    let fitting = candidates.iter().map(|candidate| {
        let is_best = candidate.matched == most;
        let note = match (is_best, is_tie) {
            (true, false) => "the feed knows more names of the header than all others",
            (true, true) => {
                "several feeds know this number of names: a load needs the argument feed"
            }
            (false, _) => "the header fits, but another feed knows more of its names",
        };
        Match {
            version: Some(candidate.version.to_owned()),
            is_chosen: is_best && !is_tie,
            matched: candidate.matched,
            note,
            ..of_feed(candidate.feed, header)
        }
    });
    let fitting: Vec<Match> = fitting.collect();
    if !fitting.is_empty() {
        return fitting;
    }
    let stations = catalogue.stations_of(&header.names).into_iter().map(|feed| Match {
        note: "a station file of the feed: use trips.load_stations()",
        mapping: Value::Null,
        ..of_feed(feed, header)
    });
    let stations: Vec<Match> = stations.collect();
    if !stations.is_empty() {
        return stations;
    }
    let near = catalogue.nearest(&header.names);
    let near = near.and_then(|near| Some((catalogue.get(&near.feed)?.clone(), near)));
    let nearest = near.map(|(feed, near)| Match {
        version: Some(near.version),
        missing: near.missing,
        note: "the nearest feed: the header lacks columns",
        ..of_feed(&feed, header)
    });
    nearest.into_iter().collect()
}

/// What a feed makes of a header.
fn of_feed(feed: &Arc<Definition>, header: &Header) -> Match {
    let known = header.names.iter().filter(|name| feed.column_of_header(name).is_some()).count();
    let unknown = header.names.iter().filter(|name| feed.column_of_header(name).is_none());
    let unknown = unknown.map(|name| String::from_utf8_lossy(name).trim().to_owned());
    Match {
        feed: feed.name.clone(),
        version: None,
        is_chosen: false,
        matched: known,
        missing: Vec::new(),
        mapping: mapping(feed, header),
        not_stored: unknown.filter(|name| !is_passed_over(&name.to_lowercase())).collect(),
        note: "",
    }
}

/// Which columns of the file become what: an object by the columns of the history.
fn mapping(feed: &Definition, header: &Header) -> Value {
    // The spellings of the file, not those of the feed.
    let names = |column: ColumnId| {
        let is_it = move |name: &&Cow<'_, [u8]>| feed.column_of_header(name) == Some(column);
        let found = header.names.iter().filter(is_it);
        found.map(|name| String::from_utf8_lossy(name).trim().to_owned()).collect::<Vec<_>>()
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
