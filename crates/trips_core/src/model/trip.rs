//! A trip: five values, validated.

use crate::model::point::Point;
use crate::model::timestamp::Timestamp;

/// The longest region or datasource, in bytes: one index entry of the roll-up contains both.
pub const MAX_TEXT: usize = 1000;

/// A valid trip.
#[derive(Debug, Clone, PartialEq)]
pub struct Trip<'a> {
    /// The region's name: not empty, without whitespace around it and without NUL.
    pub region: &'a str,
    /// Where it began, if that is known.
    pub origin: Option<Point>,
    /// Where it ended, if that is known.
    pub destination: Option<Point>,
    /// When it began, in local time.
    pub date_time: Timestamp,
    /// The sender, if known.
    pub datasource: Option<&'a str>,
}

impl Trip<'_> {
    /// Whether it begins or ends at `(0, 0)`.
    #[must_use]
    pub fn has_zero_coordinate(&self) -> bool {
        self.origin.is_some_and(Point::is_zero) || self.destination.is_some_and(Point::is_zero)
    }

    /// How many bytes its two texts have.
    #[must_use]
    pub fn text_bytes(&self) -> usize {
        self.region.len() + self.datasource.map_or(0, str::len)
    }
}
