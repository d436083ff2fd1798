//! The texts of a trip, and the trip that they are after validation.

use std::borrow::Cow;

use crate::check::constraints::Constraints;
use crate::check::reject::Rejection;
use crate::columns::{KEY_COUNT, TripColumn};
use crate::model::error::{SqlState, ValueError};
use crate::model::point::{self, Point};
use crate::model::timestamp::{self, Timestamp};
use crate::model::trip::{MAX_TEXT, Trip};
use crate::text::escape::quoted;
use crate::text::whitespace;

/// The fields of one point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PointText<'a> {
    /// Well-known text, `POINT (longitude latitude)`.
    Wkt(Cow<'a, [u8]>),
    /// Two numbers, in degrees.
    Pair {
        /// The longitude.
        longitude: Cow<'a, [u8]>,
        /// The latitude.
        latitude: Cow<'a, [u8]>,
    },
}

impl PointText<'_> {
    fn parse(&self) -> Result<Option<Point>, ValueError> {
        match self {
            Self::Wkt(text) => point::parse(text),
            Self::Pair { longitude, latitude } => point::parse_pair(longitude, latitude),
        }
    }

    /// As well-known text.
    #[must_use]
    pub fn text(&self) -> Cow<'_, [u8]> {
        match self {
            Self::Wkt(text) => Cow::Borrowed(text),
            Self::Pair { longitude, latitude } => point::pair_text(longitude, latitude).into(),
        }
    }
}

/// The field of a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimeText<'a> {
    /// `YYYY-MM-DD HH:MM:SS`.
    Text(Cow<'a, [u8]>),
    /// A wall clock that the file has as a number, of the years 1 to 9999.
    Number(Timestamp),
}

impl TimeText<'_> {
    fn parse(&self) -> Result<Option<Timestamp>, ValueError> {
        match self {
            Self::Text(text) => timestamp::parse(text),
            Self::Number(time) => Ok(Some(*time)),
        }
    }

    /// As text.
    #[must_use]
    pub fn text(&self) -> Cow<'_, [u8]> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Number(time) => time.full_text().into_bytes().into(),
        }
    }
}

/// What a file says of one trip, before it is validated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TripText<'a> {
    /// The region's name.
    pub region: Cow<'a, [u8]>,
    /// The origin.
    pub origin: PointText<'a>,
    /// The destination.
    pub destination: PointText<'a>,
    /// The begin.
    pub date_time: TimeText<'a>,
    /// The sender.
    pub datasource: Cow<'a, [u8]>,
}

impl<'a> TripText<'a> {
    /// The texts of the columns, in the order of [`TripColumn::ALL`].
    #[must_use]
    pub fn of(texts: [Cow<'a, [u8]>; KEY_COUNT]) -> Self {
        let [region, origin, destination, date_time, datasource] = texts;
        let (origin, destination) = (PointText::Wkt(origin), PointText::Wkt(destination));
        let date_time = TimeText::Text(date_time);
        Self { region, origin, destination, date_time, datasource }
    }

    /// The text of a column, as staging has it.
    #[must_use]
    pub fn text(&self, column: TripColumn) -> Cow<'_, [u8]> {
        match column {
            TripColumn::Region => Cow::Borrowed(&self.region),
            TripColumn::Origin => self.origin.text(),
            TripColumn::Destination => self.destination.text(),
            TripColumn::DateTime => self.date_time.text(),
            TripColumn::Datasource => Cow::Borrowed(&self.datasource),
        }
    }
}

impl TripText<'_> {
    /// Validates these texts.
    ///
    /// # Errors
    /// The first column, in the order of [`Trip`], whose value is invalid or violates the constraints.
    pub fn validate(&self, constraints: &Constraints) -> Result<Trip<'_>, Rejection> {
        let required = |column| {
            let reason = format!("{column} is empty");
            Rejection::of_value(column, ValueError::new(SqlState::NotNullViolation, reason))
        };
        Ok(Trip {
            region: text(&self.region)
                .map_err(|e| Rejection::of_value(TripColumn::Region, e))?
                .ok_or_else(|| required(TripColumn::Region))?,
            origin: self
                .origin
                .parse()
                .and_then(|point| constraints.check_point(point))
                .map_err(|e| Rejection::of_value(TripColumn::Origin, e))?,
            destination: self
                .destination
                .parse()
                .and_then(|point| constraints.check_point(point))
                .map_err(|e| Rejection::of_value(TripColumn::Destination, e))?,
            date_time: self
                .date_time
                .parse()
                .and_then(|time| time.map(|time| self.check_time(time, constraints)).transpose())
                .map_err(|e| Rejection::of_value(TripColumn::DateTime, e))?
                .ok_or_else(|| required(TripColumn::DateTime))?,
            datasource: text(&self.datasource)
                .map_err(|e| Rejection::of_value(TripColumn::Datasource, e))?,
        })
    }
}

impl TripText<'_> {
    /// Only an error needs the text of a time that the file has as a number.
    fn check_time(&self, time: Timestamp, by: &Constraints) -> Result<Timestamp, ValueError> {
        by.check_time(time, &[]).or_else(|_| by.check_time(time, &self.date_time.text()))
    }
}

/// A text without whitespace and byte order marks around it; None if it is empty.
pub fn text(value: &[u8]) -> Result<Option<&str>, ValueError> {
    let trimmed = whitespace::trim_value(value);
    if trimmed.is_empty() {
        return Ok(None);
    }
    if trimmed.len() > MAX_TEXT {
        return Err(ValueError::new(
            SqlState::StringDataRightTruncation,
            format!("{} has {} bytes; the limit is {MAX_TEXT}", quoted(value), trimmed.len()),
        ));
    }
    let not_text = |what: &str| {
        let reason = format!("{} contains {what}", quoted(value));
        ValueError::new(SqlState::CharacterNotInRepertoire, reason)
    };
    if trimmed.contains(&0) {
        return Err(not_text("a NUL byte"));
    }
    let name = std::str::from_utf8(trimmed).map_err(|_| not_text("bytes that are not UTF-8"))?;
    Ok(Some(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::constraints::ZeroCoordinates;

    #[test]
    fn a_time_of_a_number_is_checked_as_its_text() {
        let constraints = Constraints::new("2018-05-01", "2018-05-31", ZeroCoordinates::Keep);
        let constraints = constraints.expect("two dates");
        for text in ["2018-04-30 23:59:59.5", "2018-05-01 00:00:00", "2018-06-01 00:00:00"] {
            let fields = [b"x", &[][..], &[], text.as_bytes(), &[]];
            let of_text = TripText::of(fields.map(Cow::Borrowed));
            let time = timestamp::parse(text.as_bytes()).ok().flatten().expect("a time");
            let of_number = TripText { date_time: TimeText::Number(time), ..of_text.clone() };
            let column = TripColumn::DateTime;
            assert_eq!(of_number.text(column), of_text.text(column));
            let (text, number) = (of_text.validate(&constraints), of_number.validate(&constraints));
            assert_eq!(format!("{number:?}"), format!("{text:?}"));
        }
    }
}
