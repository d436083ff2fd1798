//! Encoded values read back: bytes from another process are believed only when they are what this crate
//! would have written.

use std::collections::TryReserveError;

use thiserror::Error;

use crate::check::constraints::Constraints;
use crate::check::trip_text;
use crate::model::point::Point;
use crate::model::timestamp::Timestamp;
use crate::model::trip::Trip;

/// What is wrong with bytes that another process has sent.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// They end before they should, or go on behind it.
    #[error("it is cut short or has bytes left over")]
    Length,
    /// They do not begin as they must.
    #[error("it does not begin like a part of this version")]
    Magic,
    /// What is counted is not what is there.
    #[error("its counts are {counted}, its rows are {found}")]
    Counts {
        /// Rows by the counts.
        counted: u64,
        /// Rows that are there.
        found: u64,
    },
    /// A trip has a value that no trip can have under the constraints.
    #[error("trip {number} has no valid {what}")]
    Trip {
        /// The number of the trip, from 1.
        number: usize,
        /// Its column.
        what: &'static str,
    },
    /// A rejected line does not have the columns or their values, names another load, or is too long.
    #[error(
        "rejected line {number} has not the columns of trips.stg_trip_data, is of another load, or is longer than trips.max_record_size allows"
    )]
    Line {
        /// The number of the line among the rejected ones, from 1.
        number: usize,
    },
    /// There is no memory for what they say.
    #[error("out of memory")]
    Memory,
}

impl From<TryReserveError> for DecodeError {
    fn from(_: TryReserveError) -> Self {
        Self::Memory
    }
}

/// Takes values from the beginning of some bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cursor<'a>(pub(crate) &'a [u8]);

impl<'a> Cursor<'a> {
    pub(crate) fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bytes(N)?.try_into().ok()
    }

    pub(crate) fn number(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    /// A value behind its length; the inner none is a value that is missing.
    pub(crate) fn value(&mut self) -> Option<Option<&'a [u8]>> {
        match i32::from_be_bytes(self.array()?) {
            -1 => Some(None),
            length => self.bytes(usize::try_from(length).ok()?).map(Some),
        }
    }
}

/// A copy of some bytes.
pub(crate) fn copy(bytes: &[u8]) -> Result<Vec<u8>, TryReserveError> {
    let mut copy = Vec::new();
    copy.try_reserve_exact(bytes.len())?;
    copy.extend_from_slice(bytes);
    Ok(copy)
}

/// The trip that begins here; what is wrong, by its column.
pub(crate) fn trip<'a>(
    from: &mut Cursor<'a>,
    constraints: &Constraints,
) -> Result<Trip<'a>, &'static str> {
    let mut next = |what| from.value().ok_or(what);
    let region = next("region")?.and_then(text).ok_or("region")?;
    let origin = next("origin_coord")?.map(|v| point(v, constraints).ok_or("origin_coord"));
    let destination =
        next("destination_coord")?.map(|v| point(v, constraints).ok_or("destination_coord"));
    let time = next("date_time")?.and_then(|value| value.try_into().ok()).ok_or("date_time")?;
    let date_time = constraints
        .check_time(Timestamp(i64::from_be_bytes(time)), b"")
        .map_err(|_| "date_time")?;
    let datasource = next("datasource")?.map(|value| text(value).ok_or("datasource"));
    Ok(Trip {
        region,
        origin: origin.transpose()?,
        destination: destination.transpose()?,
        date_time,
        datasource: datasource.transpose()?,
    })
}

/// A name as validation leaves it: nothing has to be trimmed.
fn text(value: &[u8]) -> Option<&str> {
    trip_text::text(value).ok()?.filter(|name| name.len() == value.len())
}

/// A coordinate as validation leaves it: -180 is 180, and no zero has a sign.
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
