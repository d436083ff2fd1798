//! Decodes values of another process: they are valid only if this crate could have written them.

use std::collections::TryReserveError;
use std::ops::RangeInclusive;

use thiserror::Error;

use crate::check::constraints::Constraints;
use crate::check::trip_text;
use crate::columns::{COLUMNS, KEY_COUNT, SqlType, TAIL, TripColumn};
use crate::feed::definition::IdentityRule;
use crate::key::{Identity, message};
use crate::model::point::Point;
use crate::model::timestamp::Timestamp;
use crate::model::trip::Trip;
use crate::sort::block::MAX_TAIL;
use crate::wire::copy_binary::{Cursor, RowWriter};
use crate::wire::jsonb;
pub use crate::wire::line_fault::LineFault;

/// Times of the years 1 to 9999, and of the days beside them: a zone moves a time by less.
const CALENDAR: RangeInclusive<i64> = -63_082_368_000_000_000..=252_455_702_400_000_000;

/// The error in bytes of another process.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// They are too short or too long.
    #[error("wrong length")]
    Length,
    /// They have another begin.
    #[error("unknown format or version")]
    Magic,
    /// Their counts do not match their content.
    #[error("number of rows is {found}, expected {counted}")]
    Counts {
        /// Rows by the counts.
        counted: u64,
        /// Existing rows.
        found: u64,
    },
    /// A trip has a value that violates the constraints.
    #[error("trip {number} has an invalid {column}")]
    Trip {
        /// The number of the trip, from 1.
        number: usize,
        /// Its column.
        column: TripColumn,
    },
    /// A trip has an invalid value beyond its five columns.
    #[error("trip {number} has an invalid ended_at, trip_id or details")]
    Tail {
        /// The number of the trip, from 1.
        number: usize,
    },
    /// A trip has another identity than the feed has.
    #[error("trip {number} has an identity that is not of the feed")]
    Identity {
        /// The number of the trip, from 1.
        number: usize,
    },
    /// The parts before it are of another feed.
    #[error("it is of another feed than the parts before it")]
    OtherFeed,
    /// The parts before it are of another content of the file, or of a later member.
    #[error("it is of another content of the file than the parts before it")]
    OtherContent,
    /// It does not name the member of an archive that it is of, or names one without a number.
    #[error("invalid name of a member")]
    Member,
    /// A rejected line does not have the columns or their values, names another load, or is too long.
    #[error("rejected row {number} {fault}")]
    Line {
        /// The number of the line among the rejected ones, from 1.
        number: usize,
        /// Its error.
        fault: LineFault,
    },
    /// A station has an invalid value.
    #[error("station {number} has an invalid value")]
    Station {
        /// The number of the station, from 1.
        number: usize,
    },
    /// It has stations, and is not the first part of an archive, or its feed has no station files.
    #[error(
        "it has stations, but only the first part of an archive may have some, of a feed with station files"
    )]
    NoStations,
    /// Not enough memory for them.
    #[error("out of memory")]
    Memory,
}

impl From<TryReserveError> for DecodeError {
    fn from(_: TryReserveError) -> Self {
        Self::Memory
    }
}

/// Decodes the trip that begins here; errors name its column.
pub(crate) fn trip<'a>(
    from: &mut Cursor<'a>,
    constraints: &Constraints,
) -> Result<Trip<'a>, TripColumn> {
    use TripColumn::{Datasource, DateTime, Destination, Origin, Region};
    let mut values = [None; KEY_COUNT];
    for (value, column) in values.iter_mut().zip(TripColumn::ALL) {
        *value = from.value().ok_or(column)?;
    }
    let text_of = |column: TripColumn| {
        values[column as usize].map(|value| text(value).ok_or(column)).transpose()
    };
    let point_of = |column: TripColumn| {
        values[column as usize].map(|value| point(value, constraints).ok_or(column)).transpose()
    };
    let region = text_of(Region)?.ok_or(Region)?;
    let (origin, destination) = (point_of(Origin)?, point_of(Destination)?);
    let time = values[DateTime as usize].and_then(|value| value.try_into().ok()).ok_or(DateTime)?;
    let time = Timestamp(i64::from_be_bytes(time));
    let date_time = constraints.check_time(time, b"").map_err(|_| DateTime)?;
    Ok(Trip { region, origin, destination, date_time, datasource: text_of(Datasource)? })
}

/// Decodes the tail behind its length: nothing, or a value or NULL for each of its columns. `out` gets it with `details`
/// as they are on disk.
pub(crate) fn tail(from: &mut Cursor<'_>, out: &mut Vec<u8>) -> Option<()> {
    out.clear();
    let length = usize::try_from(u32::from_be_bytes(from.array()?)).ok()?;
    let mut values = Cursor(from.bytes(length).filter(|tail| tail.len() <= MAX_TAIL)?);
    if values.0.is_empty() {
        return Some(());
    }
    for column in &COLUMNS[TAIL..] {
        let Some(value) = values.value()? else {
            RowWriter::values(out).null();
            continue;
        };
        match column.kind {
            SqlType::Jsonb => {
                let begin = out.len();
                out.extend_from_slice(&[0; 4]);
                jsonb::of_text(std::str::from_utf8(value).ok()?, out).ok()?;
                let length = i32::try_from(out.len() - begin - 4).ok()?;
                out[begin..begin + 4].copy_from_slice(&length.to_be_bytes());
                continue;
            }
            SqlType::Timestamp => {
                let micros = i64::from_be_bytes(value.try_into().ok()?);
                CALENDAR.contains(&micros).then_some(())?;
            }
            SqlType::Text => {
                let is_text = !value.contains(&0) && !value.is_empty();
                (is_text && std::str::from_utf8(value).is_ok()).then_some(())?;
            }
            SqlType::Point | SqlType::Uuid | SqlType::Int8 => return None,
        }
        RowWriter::values(out).value(value);
    }
    values.0.is_empty().then_some(())
}

/// Decodes what identifies a trip: a line and a message of this rule, or nothing if the rule is the content.
pub(crate) fn identity<'a>(
    from: &mut Cursor<'a>,
    rule: &IdentityRule,
) -> Option<(Identity<'a>, u64)> {
    let (namespace, count) = match rule {
        IdentityRule::Content => return Some((Identity::Content, 0)),
        IdentityRule::Columns { namespace, columns, .. } => (namespace, columns.len()),
        IdentityRule::SourceId { namespace, columns, .. } => (namespace, columns.len()),
    };
    let line = from.number().filter(|&line| line > 0)?;
    let length = usize::try_from(u32::from_be_bytes(from.array()?)).ok()?;
    let message = from.bytes(length)?;
    let count = u16::try_from(count).ok()?;
    let identity = match *rule {
        IdentityRule::Columns { occurrence, .. } => Identity::Columns { message, occurrence },
        _ => Identity::SourceId(message),
    };
    message::is_valid(message, namespace, count).then_some((identity, line))
}

/// A name as validation returns it, already trimmed.
fn text(value: &[u8]) -> Option<&str> {
    trip_text::text(value).ok()?.filter(|name| name.len() == value.len())
}

/// A coordinate as validation returns it: -180 is 180, and no zero has a sign.
fn point(value: &[u8], constraints: &Constraints) -> Option<Point> {
    let (longitude, latitude) = value.split_first_chunk::<8>()?;
    let longitude = f64::from_be_bytes(*longitude);
    let latitude = f64::from_be_bytes(latitude.try_into().ok()?);
    let is_normal = |number: f64| number != 0.0 || number.is_sign_positive();
    let is_valid = longitude > -180.0
        && longitude <= 180.0
        && (-90.0..=90.0).contains(&latitude)
        && is_normal(longitude)
        && is_normal(latitude);
    let point = is_valid.then_some(Point { longitude, latitude })?;
    constraints.check_point(Some(point)).ok()?
}
