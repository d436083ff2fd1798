//! Decodes values of another process: they are valid only if this crate could have written them.

use std::collections::TryReserveError;

use thiserror::Error;

use crate::check::constraints::Constraints;
use crate::check::trip_text;
use crate::columns::{COLUMNS, KEY_COUNT, SqlType, TAIL, TripColumn};
use crate::model::point::Point;
use crate::model::timestamp::Timestamp;
use crate::model::trip::Trip;
use crate::sort::block::MAX_TAIL;
use crate::wire::copy_binary::Cursor;
pub use crate::wire::line_fault::LineFault;

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
    /// A rejected line does not have the columns or their values, names another load, or is too long.
    #[error("rejected row {number} {fault}")]
    Line {
        /// The number of the line among the rejected ones, from 1.
        number: usize,
        /// Its error.
        fault: LineFault,
    },
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
) -> Result<(Trip<'a>, &'a [u8]), TripColumn> {
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
    let trip = Trip { region, origin, destination, date_time, datasource: text_of(Datasource)? };
    let tail = tail(from).ok_or(Datasource)?;
    Ok((trip, tail))
}

/// The tail behind its length: empty, or a value or NULL for each of its columns.
fn tail<'a>(from: &mut Cursor<'a>) -> Option<&'a [u8]> {
    let length = usize::try_from(u32::from_be_bytes(from.array()?)).ok()?;
    let tail = from.bytes(length).filter(|tail| tail.len() <= MAX_TAIL)?;
    let mut values = Cursor(tail);
    if !tail.is_empty() {
        for column in &COLUMNS[TAIL..] {
            let value = values.value()?;
            let length = column.kind.fixed_len();
            let fits = |value: &[u8]| match column.kind {
                SqlType::Text => trip_text::text(value).ok().flatten().is_some(),
                _ => length.is_none_or(|length| value.len() == length),
            };
            if !value.is_none_or(fits) {
                return None;
            }
        }
    }
    values.0.is_empty().then_some(tail)
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
