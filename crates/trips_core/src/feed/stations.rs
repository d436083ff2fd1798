//! Station files: where the stations of a feed without coordinates are.
//!
//! A city publishes one beside its trips, often a new one each year. Its columns have other names in each feed, so the
//! feed lists them. A station without coordinates is kept, with its name and without a place.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{self, Read};

use csv::{ByteRecord, ReaderBuilder};
use serde::Deserialize;
use thiserror::Error;

use crate::feed::definition::{
    ColumnKind, Definition, Dialect, Place, StationColumns, Zero, fold, fold_encoded,
};
use crate::feed::place::{PlaceRules, PlaceText, place};
pub use crate::feed::station_year::{YEARS, year_of};
use crate::feed::value::{self, Nulls};
use crate::feed::zones::ZoneRow;
use crate::model::canonical::Canonical;
use crate::model::decimal::DecimalMark;
use crate::model::error::{SqlState, ValueError};
use crate::text::encoding::{Encoding, encoding_of_record};
use crate::text::list::columns_are;
use crate::text::whitespace;

/// The most bytes of a station file.
pub const MAX_BYTES: u64 = 64 << 20;
/// The most records of a station file.
pub const MAX_STATIONS: usize = 200_000;
/// The most bytes in which the header of a station file is looked for.
pub const MAX_HEADER: u64 = 1 << 20;
/// The most errors that are reported.
pub const MAX_ERRORS: usize = 10;
/// The most bytes of an id: an index of PostgreSQL has it.
pub const MAX_ID: usize = 1000;
/// The most bytes of a name.
const MAX_NAME: usize = 1000;

/// How a station file is read.
#[derive(Debug, Clone, Copy)]
pub struct StationForm<'a> {
    /// The names of its columns.
    pub names: &'a StationColumns,
    /// The dialects of the feed: the first under which the header has the columns.
    pub dialects: &'a [Dialect],
    /// The encodings of the feed, tried in this order for each record.
    pub encodings: &'a [Encoding],
    /// The kind of the column of trips that has the ids.
    pub id: ColumnKind,
    /// NULL words and bounds. The decimal mark is that of the dialect.
    pub rules: PlaceRules<'a>,
    /// The year in which the stations are valid; None: always.
    pub year: Option<i32>,
}

/// The stations of a file.
#[derive(Debug, Default, PartialEq)]
pub struct Stations {
    /// One row for each id, in the order of the file.
    pub rows: Vec<ZoneRow>,
    /// Number of records with an id that an earlier record has: the last record counts.
    pub repeated: u64,
    /// Number of stations without a place.
    pub without_place: u64,
    /// Number of records that are not stations.
    pub rejected: u64,
    /// The first [`MAX_ERRORS`] of them.
    pub errors: Vec<StationError>,
    /// The first [`MAX_ERRORS`] records with a repeated id.
    pub repeats: Vec<Repeat>,
}

/// A record with the id of an earlier record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repeat {
    /// Number of the first line of the record, from 1.
    pub line: u64,
    /// Number of the first line of the earlier record.
    pub earlier: u64,
    /// The id.
    pub id: String,
}

/// An error of one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StationError {
    /// Number of the first line of the record, from 1.
    pub line: u64,
    /// The kind of error.
    pub state: SqlState,
    /// What was found and what was expected.
    pub reason: String,
}

/// Why a file has no stations of the feed.
#[derive(Debug, Error)]
pub enum StationsError {
    /// It could not be read.
    #[error("could not read the file: {0}")]
    Read(#[from] io::Error),
    /// It is larger than [`MAX_BYTES`], or has more records than [`MAX_STATIONS`].
    #[error("the file is larger than {MAX_BYTES} bytes or has more than {MAX_STATIONS} stations")]
    TooLarge,
    /// Columns are missing in its header: spellings joined by "or".
    #[error("{} missing", columns_are(.0))]
    Missing(Vec<String>),
    /// The header has a column more than once.
    #[error("column {0} appears twice")]
    Duplicate(String),
    /// No record is a station: the first [`MAX_ERRORS`] of them.
    #[error("line {}: {}", .0[0].line, .0[0].reason)]
    Records(Vec<StationError>),
}

/// A record, by the columns of all feeds.
#[derive(Deserialize)]
struct Station<'r> {
    #[serde(borrow)]
    id: &'r [u8],
    #[serde(borrow, default)]
    name: Option<&'r [u8]>,
    #[serde(borrow, default)]
    longitude: &'r [u8],
    #[serde(borrow, default)]
    latitude: &'r [u8],
    #[serde(borrow, default)]
    lat_lon: Option<&'r [u8]>,
    #[serde(borrow, default)]
    wkt: Option<&'r [u8]>,
}

impl<'r> Station<'r> {
    fn place(&self) -> PlaceText<'r> {
        match (self.lat_lon, self.wkt) {
            (Some(text), _) => PlaceText::LatLon(text),
            (None, Some(text)) => PlaceText::Wkt(text),
            (None, None) => PlaceText::Pair { longitude: self.longitude, latitude: self.latitude },
        }
    }
}

/// Reads a station file of a feed, whose stations are valid in this year; None: always.
///
/// # Errors
/// Those of [`read_stations`].
pub fn stations_of<R: Read>(
    feed: &Definition,
    year: Option<i32>,
    source: R,
) -> Result<Stations, StationsError> {
    let Some(names) = &feed.stations else { return Ok(Stations::default()) };
    let nulls = Nulls::new(&feed.form.nulls);
    let id = feed.origin.iter().chain(&feed.destination).find_map(|place| match place {
        Place::Zone { id, .. } => Some(feed.get(*id).kind),
        _ => None,
    });
    let rules = PlaceRules {
        feed: &feed.name,
        bounds: feed.bounds,
        zero_is_unknown: feed.zero == Zero::Unknown,
        nulls: &nulls,
        decimal: DecimalMark::Point,
    };
    let (dialects, encodings) = (&feed.form.dialects, &feed.form.encodings);
    let id = id.unwrap_or_default();
    read_stations(source, &StationForm { names, dialects, encodings, id, rules, year })
}

/// Reads a station file: CSV, with a header.
///
/// # Errors
/// The file cannot be read, is too large, or lacks a column; it has records, and none of them is a station.
pub fn read_stations<R: Read>(
    source: R,
    form: &StationForm<'_>,
) -> Result<Stations, StationsError> {
    let mut bytes = Vec::new();
    source.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(StationsError::TooLarge);
    }
    let mut missing = Vec::new();
    for dialect in form.dialects {
        let mut reader = ReaderBuilder::new()
            .delimiter(dialect.delimiter)
            .flexible(true)
            .from_reader(bytes.as_slice());
        match header_of(
            reader.byte_headers().map_err(io::Error::other)?,
            form.names,
            form.encodings,
        ) {
            Ok(header) => {
                let rules = PlaceRules { decimal: dialect.decimal, ..form.rules };
                let form = StationForm { rules, ..*form };
                return read_records(&bytes, &mut reader, &header, &form);
            }
            Err(StationsError::Missing(names)) if missing.is_empty() => missing = names,
            Err(StationsError::Missing(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Err(StationsError::Missing(missing))
}

/// Whether a file with these first bytes has the columns of the feed's station files.
///
/// ```
/// use trips_core::feed::{builtin, stations::has_station_header};
/// let divvy = builtin::get("divvy").unwrap();
/// assert!(has_station_header(divvy, b"id,name,latitude,longitude\n5,Elm St,"));
/// assert!(!has_station_header(divvy, b"id,name\n5,Elm St"));
/// ```
#[must_use]
pub fn has_station_header(feed: &Definition, first: &[u8]) -> bool {
    let Some(names) = &feed.stations else { return false };
    feed.form.dialects.iter().any(|dialect| {
        let mut reader =
            ReaderBuilder::new().delimiter(dialect.delimiter).flexible(true).from_reader(first);
        let header = reader.byte_headers().map_err(io::Error::other).map_err(StationsError::Read);
        let found = header.and_then(|header| header_of(header, names, &feed.form.encodings));
        matches!(found, Ok(_) | Err(StationsError::Duplicate(_)))
    })
}

/// The header with the names of [`Station`]'s members; other names are empty.
fn header_of(
    header: &ByteRecord,
    names: &StationColumns,
    encodings: &[Encoding],
) -> Result<ByteRecord, StationsError> {
    let found: Vec<String> = header.iter().map(|name| fold_encoded(name, encodings)).collect();
    let mut members = vec![""; found.len()];
    let mut missing = Vec::new();
    let has = |spellings: &[String]| spellings.iter().any(|name| found.contains(&fold(name)));
    let has_pair = has(&names.longitude) && has(&names.latitude);
    let is_pair = has_pair || !(has(&names.lat_lon) || has(&names.wkt));
    let mut wanted = vec![("id", &names.id, true), ("name", &names.name, false)];
    match () {
        () if is_pair && !names.longitude.is_empty() => {
            wanted.push(("longitude", &names.longitude, true));
            wanted.push(("latitude", &names.latitude, true));
        }
        () if has(&names.lat_lon) || names.wkt.is_empty() => {
            wanted.push(("lat_lon", &names.lat_lon, true));
        }
        () => wanted.push(("wkt", &names.wkt, true)),
    }
    for (member, spellings, is_required) in wanted {
        // The first spelling that the file has: a file may have both a number and an id.
        let columns = |spelling: &String| {
            let spelling = fold(spelling);
            let is_it = |at: &usize| found[*at] == spelling;
            (0..found.len()).filter(is_it).collect::<Vec<usize>>()
        };
        match spellings.iter().map(columns).find(|columns| !columns.is_empty()).as_deref() {
            Some([at]) if members[*at].is_empty() => members[*at] = member,
            // One column may be both the id and the name.
            Some([_]) if !is_required => {}
            Some([at, ..]) => return Err(StationsError::Duplicate(found[*at].clone())),
            _ if is_required => missing.push(spellings.join(" or ")),
            _ => {}
        }
    }
    if missing.is_empty() {
        Ok(members.into_iter().collect())
    } else {
        Err(StationsError::Missing(missing))
    }
}

/// The number of the first line of a record, of a file of these bytes. The crate counts from the blank lines before it.
fn line_of(bytes: &[u8], record: &ByteRecord) -> u64 {
    let Some(position) = record.position() else { return 0 };
    let from = usize::try_from(position.byte()).ok().and_then(|at| bytes.get(at..));
    let blank = from.unwrap_or_default().iter().take_while(|byte| matches!(byte, b'\n' | b'\r'));
    position.line() + blank.filter(|byte| **byte == b'\n').count() as u64
}

fn read_records(
    bytes: &[u8],
    reader: &mut csv::Reader<&[u8]>,
    header: &ByteRecord,
    form: &StationForm<'_>,
) -> Result<Stations, StationsError> {
    let mut stations = Stations::default();
    // By their ids: the position in `rows`, and the line.
    let mut positions: HashMap<String, (usize, u64)> = HashMap::new();
    let mut record = ByteRecord::new();
    let mut count = 0;
    while reader.read_byte_record(&mut record).map_err(io::Error::other)? {
        if record.iter().all(|field| whitespace::trim_value(field).is_empty()) {
            continue;
        }
        count += 1;
        if count > MAX_STATIONS {
            return Err(StationsError::TooLarge);
        }
        let line = line_of(bytes, &record);
        let row = match station(&record, header, form) {
            Ok(row) => row,
            Err(ValueError { state, reason }) => {
                stations.rejected += 1;
                if stations.errors.len() < MAX_ERRORS {
                    stations.errors.push(StationError { line, state, reason });
                }
                continue;
            }
        };
        match positions.get_mut(&row.id) {
            Some((at, earlier)) => {
                stations.repeated += 1;
                if stations.repeats.len() < MAX_ERRORS {
                    let (earlier, id) = (*earlier, row.id.clone());
                    stations.repeats.push(Repeat { line, earlier, id });
                }
                *earlier = line;
                stations.rows[*at] = row;
            }
            None => {
                positions.insert(row.id.clone(), (stations.rows.len(), line));
                stations.rows.push(row);
            }
        }
    }
    if stations.rows.is_empty() && !stations.errors.is_empty() {
        return Err(StationsError::Records(stations.errors));
    }
    let has_none = |row: &&ZoneRow| row.point.is_none();
    stations.without_place = stations.rows.iter().filter(has_none).count() as u64;
    Ok(stations)
}

/// The station of a record.
fn station(
    record: &ByteRecord,
    header: &ByteRecord,
    form: &StationForm<'_>,
) -> Result<ZoneRow, ValueError> {
    let bad_format = |reason| ValueError::new(SqlState::BadCopyFileFormat, reason);
    // Fields beyond the header are passed over if they are empty.
    let has_surplus = record.iter().skip(header.len()).any(|field| !field.is_empty());
    if record.len() < header.len() || has_surplus {
        let (found, expected) = (record.len(), header.len());
        return Err(bad_format(format!("the record has {found} fields, expected {expected}")));
    }
    let not_text = || {
        let reason = "the record has bytes that are not text in an encoding of the feed";
        ValueError::new(SqlState::CharacterNotInRepertoire, reason)
    };
    let encoding = encoding_of_record(form.encodings, record.as_slice()).ok_or_else(not_text)?;
    let fields: Station<'_> =
        record.deserialize(Some(header)).map_err(|error| bad_format(error.to_string()))?;
    let text = |field| match form.rules.nulls.trimmed(field) {
        None => Ok(None),
        Some(trimmed) => match encoding.decode(trimmed).ok_or_else(not_text)? {
            text if text.contains('\0') => Err(not_text()),
            text => Ok(Some(text)),
        },
    };
    let id = text(fields.id)?.map(|id| Cow::Owned(id.into_owned().into_bytes()));
    let id = id.map(|id| value::canonical(id, form.id, form.rules.nulls, form.rules.decimal));
    let Some(Canonical::Text(id)) = id.transpose()?.flatten() else {
        let reason = "the id of the station is empty";
        return Err(ValueError::new(SqlState::NotNullViolation, reason));
    };
    if id.len() > MAX_ID {
        let reason = format!("the id of the station is longer than {MAX_ID} bytes");
        return Err(ValueError::new(SqlState::StringDataRightTruncation, reason));
    }
    let name = fields.name.map(text).transpose()?.flatten();
    if name.as_ref().is_some_and(|name| name.len() > MAX_NAME) {
        let reason = format!("the name of the station is longer than {MAX_NAME} bytes");
        return Err(ValueError::new(SqlState::StringDataRightTruncation, reason));
    }
    Ok(ZoneRow {
        id: id.into_owned(),
        valid_from: form.year,
        valid_to: form.year,
        name: name.map(Cow::into_owned),
        region: None,
        point: place(fields.place(), &form.rules)?,
    })
}

#[cfg(test)]
#[path = "stations_tests.rs"]
mod tests;
