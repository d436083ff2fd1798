//! The texts of a trip, and the trip that they are after validation.

use std::borrow::Cow;

use crate::check::constraints::Constraints;
use crate::check::reject::{Column, Rejection, SqlState, ValueError};
use crate::model::trip::{MAX_TEXT, Trip};
use crate::model::{point, timestamp};
use crate::text::escape::quoted;
use crate::text::whitespace;

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

impl TripText<'_> {
    /// Makes the trip that these texts describe.
    ///
    /// # Errors
    /// The first column, in the order of [`Trip`], whose value cannot be a trip's, or is against the
    /// constraints.
    pub fn validate(&self, constraints: &Constraints) -> Result<Trip<'_>, Rejection> {
        let required = |column| {
            let reason = format!("{column} is empty: a trip needs one");
            ValueError::new(SqlState::NotNullViolation, reason).of(column)
        };
        Ok(Trip {
            region: text(&self.region)
                .map_err(|e| e.of(Column::Region))?
                .ok_or_else(|| required(Column::Region))?,
            origin: point::parse(&self.origin_coord)
                .and_then(|point| constraints.check_point(point))
                .map_err(|e| e.of(Column::Origin))?,
            destination: point::parse(&self.destination_coord)
                .and_then(|point| constraints.check_point(point))
                .map_err(|e| e.of(Column::Destination))?,
            date_time: timestamp::parse(&self.date_time)
                .and_then(|time| {
                    time.map(|t| constraints.check_time(t, &self.date_time)).transpose()
                })
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
