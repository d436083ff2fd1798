//! The fields of a record by the columns of its feed.

use std::borrow::Cow;

use crate::feed::definition::ColumnId;
use crate::model::error::ValueError;
use crate::model::timestamp::{self, Timestamp};

/// A record whose fields are columns of a feed, whatever the format of its file.
pub trait Fields {
    /// The text of a column; None if the file does not have the column.
    fn text(&self, column: ColumnId) -> Option<Cow<'_, [u8]>>;

    /// The time of a column whose file has it as a number of a type of times. None if it is NULL, or if the file has a
    /// text, which the forms of the feed read.
    ///
    /// # Errors
    /// 22008 when the number is not of the years 1 to 9999.
    fn time(&self, _column: ColumnId) -> Option<Result<FieldTime, ValueError>> {
        None
    }

    /// The wall clock of a column whose file has it as a number of a type of dates with times. It is the time of the text.
    /// None if it is NULL, not of the years 1 to 9999, or if the file has something else.
    fn wall_clock(&self, _column: ColumnId) -> Option<Timestamp> {
        None
    }

    /// The finite number of a column that the file has as a number, or as a text that is one under all rules of feeds. None
    /// if it is NULL, or another text; words for NULL may be such texts.
    fn number(&self, _column: ColumnId) -> Option<f64> {
        None
    }
}

/// A time that a file has as a number, not as a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldTime {
    /// The wall clock, or the instant in UTC.
    pub time: Timestamp,
    /// Whether it is an instant.
    pub is_instant: bool,
}

impl FieldTime {
    /// The time of a text that a format has made of it: a time of a day, a date, or both, and `Z` after an instant. None
    /// if the text is empty.
    ///
    /// # Errors
    /// When it is something else.
    ///
    /// ```
    /// use trips_core::feed::fields::FieldTime;
    /// let time = |text| FieldTime::of_text(text).unwrap().unwrap();
    /// assert!(time("2019-01-01 00:46:40.5Z").is_instant);
    /// assert_eq!(time("2000-01-01"), FieldTime { is_instant: false, ..time("00:00:00") });
    /// assert!(FieldTime::of_text("soon").unwrap().is_err());
    /// ```
    #[must_use]
    pub fn of_text(text: &str) -> Option<Result<Self, ValueError>> {
        let (wall, is_instant) = match text.strip_suffix('Z') {
            Some(wall) => (wall, true),
            None => (text, false),
        };
        // PostgreSQL's time begins with 2000.
        let whole = match (wall.contains(':'), wall.contains('-')) {
            (true, false) => format!("2000-01-01 {wall}"),
            (false, true) => format!("{wall} 00:00:00"),
            _ => wall.to_owned(),
        };
        let time = timestamp::parse(whole.as_bytes()).transpose()?;
        Some(time.map(|time| Self { time, is_instant }))
    }
}

impl<F: Fields + ?Sized> Fields for &F {
    #[inline]
    fn text(&self, column: ColumnId) -> Option<Cow<'_, [u8]>> {
        (**self).text(column)
    }

    #[inline]
    fn time(&self, column: ColumnId) -> Option<Result<FieldTime, ValueError>> {
        (**self).time(column)
    }

    #[inline]
    fn wall_clock(&self, column: ColumnId) -> Option<Timestamp> {
        (**self).wall_clock(column)
    }

    #[inline]
    fn number(&self, column: ColumnId) -> Option<f64> {
        (**self).number(column)
    }
}
