//! The constraints of a trip whose fields are well-formed.

use crate::model::error::{SqlState, ValueError};
use crate::model::point::Point;
use crate::model::timestamp::{MICROS_PER_DAY, Timestamp, parse};
use crate::text::escape::quoted;

/// How to treat a trip with the coordinate `(0, 0)`: receivers without a position write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ZeroCoordinates {
    /// Valid, like any other.
    Keep,
    /// Valid; the load reports their number.
    Warn,
    /// Invalid.
    Stage,
}

/// Constraints of values beyond their form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Constraints {
    earliest: Timestamp,
    /// The first time that is too late.
    end: Timestamp,
    /// How to treat a coordinate `(0, 0)`.
    pub zero_coordinates: ZeroCoordinates,
}

impl Constraints {
    /// Trips from a date to another, `YYYY-MM-DD`, both inside; None if one of them is not a date, or the second is
    /// before the first.
    #[must_use]
    pub fn new(earliest: &str, latest: &str, zero_coordinates: ZeroCoordinates) -> Option<Self> {
        let midnight = |date: &str| parse(format!("{date} 00:00:00").as_bytes()).ok()?;
        let (earliest, latest) = (midnight(earliest)?, midnight(latest)?);
        let constraints =
            Self { earliest, end: Timestamp(latest.0 + MICROS_PER_DAY), zero_coordinates };
        (earliest <= latest).then_some(constraints)
    }

    /// Rejects a time outside the dates; `value` is its text.
    ///
    /// # Errors
    /// 22008.
    pub fn check_time(&self, time: Timestamp, value: &[u8]) -> Result<Timestamp, ValueError> {
        if self.earliest <= time && time < self.end {
            return Ok(time);
        }
        let side =
            if time < self.end { "before the earliest date" } else { "after the latest date" };
        Err(ValueError::new(
            SqlState::DatetimeFieldOverflow,
            format!("{} is {side} allowed", quoted(value)),
        ))
    }

    /// Rejects `(0, 0)` if the constraints do.
    ///
    /// # Errors
    /// 22003.
    pub fn check_point(&self, point: Option<Point>) -> Result<Option<Point>, ValueError> {
        if self.zero_coordinates == ZeroCoordinates::Stage && point.is_some_and(Point::is_zero) {
            let reason = "POINT (0 0) is not allowed";
            return Err(ValueError::new(SqlState::NumericValueOutOfRange, reason));
        }
        Ok(point)
    }
}

impl Default for Constraints {
    /// The defaults of the settings.
    fn default() -> Self {
        Self::new("1970-01-01", "2099-12-31", ZeroCoordinates::Warn).expect("two dates")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_has_its_edges_inside() {
        let constraints =
            Constraints::new("2018-05-01", "2018-05-31", ZeroCoordinates::Keep).expect("dates");
        for (text, is_inside) in [
            ("2018-04-30 23:59:59.999999", false),
            ("2018-05-01 00:00:00", true),
            ("2018-05-31 23:59:59.999999", true),
            ("2018-06-01 00:00:00", false),
        ] {
            let time = parse(text.as_bytes()).expect("a date").expect("a value");
            assert_eq!(constraints.check_time(time, text.as_bytes()).is_ok(), is_inside, "{text}");
        }
    }

    #[test]
    fn not_a_window() {
        for (earliest, latest) in [
            ("", "2018-01-01"),
            ("2018-01-01", "now"),
            ("2018-01-02", "2018-01-01"),
            ("2018-02-30", "2019-01-01"),
        ] {
            assert_eq!(
                Constraints::new(earliest, latest, ZeroCoordinates::Keep),
                None,
                "{earliest} {latest}"
            );
        }
        assert!(Constraints::new("2018-01-01", "2018-01-01", ZeroCoordinates::Keep).is_some());
    }
}
