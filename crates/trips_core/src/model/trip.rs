//! A trip: five values, validated.

use std::borrow::Cow;

use crate::check::constraints::{self, Rules};
use crate::check::reject::{Column, Rejection, SqlState, ValueError};
use crate::feed::plan::Layout;
use crate::format::delimited::record::{Fault, Record};
use crate::model::point::{self, Point};
use crate::model::timestamp::{self, Timestamp};
use crate::text::escape::quoted;
use crate::text::whitespace;

/// The longest region or datasource, in bytes: both stand in one index entry of the roll-up.
pub const MAX_TEXT: usize = 1000;

/// What a file says of one trip, before anything of it is believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TripText<'a> {
    /// The region's name.
    pub region: Cow<'a, [u8]>,
    /// Where it began, `POINT (longitude latitude)`.
    pub origin_coord: Cow<'a, [u8]>,
    /// Where it ended, `POINT (longitude latitude)`.
    pub destination_coord: Cow<'a, [u8]>,
    /// When it began, `YYYY-MM-DD HH:MM:SS`.
    pub date_time: Cow<'a, [u8]>,
    /// Who sent it.
    pub datasource: Cow<'a, [u8]>,
}

/// A trip as it goes into the history.
#[derive(Debug, Clone, PartialEq)]
pub struct Trip<'a> {
    /// The region's name: not empty, nothing around it or in it that is not seen.
    pub region: &'a str,
    /// Where it began, if that is known.
    pub origin: Option<Point>,
    /// Where it ended, if that is known.
    pub destination: Option<Point>,
    /// When it began, in local time.
    pub date_time: Timestamp,
    /// Who sent it, if that is known.
    pub datasource: Option<&'a str>,
}

impl Trip<'_> {
    /// Whether it begins or ends at `(0, 0)`.
    #[must_use]
    pub fn has_zero_coordinate(&self) -> bool {
        self.origin.is_some_and(constraints::is_zero)
            || self.destination.is_some_and(constraints::is_zero)
    }

    /// How many bytes its two texts have.
    #[must_use]
    pub fn text_bytes(&self) -> usize {
        self.region.len() + self.datasource.map_or(0, str::len)
    }
}

impl TripText<'_> {
    /// Makes the trip that these texts describe.
    ///
    /// # Errors
    /// The first column, in the order of [`Trip`], whose value cannot be a trip's, or is against the
    /// rules.
    pub fn validate(&self, rules: &Rules) -> Result<Trip<'_>, Rejection> {
        let required = |column| {
            let reason = format!("{column} is empty: a trip needs one");
            ValueError::new(SqlState::NotNullViolation, reason).of(column)
        };
        Ok(Trip {
            region: text(&self.region)
                .map_err(|e| e.of(Column::Region))?
                .ok_or_else(|| required(Column::Region))?,
            origin: point::parse(&self.origin_coord)
                .and_then(|point| rules.check_point(point))
                .map_err(|e| e.of(Column::Origin))?,
            destination: point::parse(&self.destination_coord)
                .and_then(|point| rules.check_point(point))
                .map_err(|e| e.of(Column::Destination))?,
            date_time: timestamp::parse(&self.date_time)
                .and_then(|time| time.map(|t| rules.check_time(t, &self.date_time)).transpose())
                .map_err(|e| e.of(Column::DateTime))?
                .ok_or_else(|| required(Column::DateTime))?,
            datasource: text(&self.datasource).map_err(|e| e.of(Column::Datasource))?,
        })
    }
}

/// A text without whitespace and byte order marks around it; an empty one is none.
pub(crate) fn text(value: &[u8]) -> Result<Option<&str>, ValueError> {
    let trimmed = whitespace::trim_value(value);
    if trimmed.is_empty() {
        return Ok(None);
    }
    if trimmed.len() > MAX_TEXT {
        return Err(ValueError::new(
            SqlState::StringDataRightTruncation,
            format!("{} has {} bytes, over the {MAX_TEXT} allowed", quoted(value), trimmed.len()),
        ));
    }
    let not_text = |what: &str| {
        let reason = format!("{} holds {what}", quoted(value));
        ValueError::new(SqlState::CharacterNotInRepertoire, reason)
    };
    if trimmed.contains(&0) {
        return Err(not_text("a NUL byte"));
    }
    let name = std::str::from_utf8(trimmed).map_err(|_| not_text("bytes that are not UTF-8"))?;
    Ok(Some(name))
}

/// What a record of a file turned out to be: the texts to validate, or why there are none.
///
/// # Errors
/// When the record is faulty, or has another number of values than the header.
pub fn texts<'a>(layout: &Layout, record: &Record<'a>) -> Result<TripText<'a>, Rejection> {
    let bad_format =
        |reason: String| Err(Rejection::of_record(SqlState::BadCopyFileFormat, reason));
    match record.fault {
        Some(Fault::TooLong) => {
            return Err(Rejection::of_record(
                SqlState::ProgramLimitExceeded,
                format!("the record is over {} bytes, its rest is not kept", record.raw.len()),
            ));
        }
        Some(fault) => return bad_format(fault.to_string()),
        None => {}
    }
    if record.len() != layout.columns {
        let (found, expected) = (record.len(), layout.columns);
        return bad_format(format!("the record has {found} values: expected {expected}"));
    }
    Ok(layout.texts(record))
}
