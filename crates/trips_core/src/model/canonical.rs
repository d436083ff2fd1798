//! The canonical forms of a feed's values: keys, `trip_id` and `details` are made of them.

use std::borrow::Cow;

use serde::Deserialize;

use crate::model::timestamp::Timestamp;

/// The type of a column of a feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnType {
    /// A text, as it is.
    #[default]
    Text,
    /// A decimal number.
    Number,
    /// A text of digits, which may be written with a fraction of zeros.
    Id,
    /// A date and time, in one of the feed's forms.
    Time,
    /// A JSON value.
    Json,
}

/// A value in the form that does not depend on its spelling in the file. NULL is no value.
#[derive(Debug, Clone, PartialEq)]
pub enum Canonical<'a> {
    /// A text or an id.
    Text(Cow<'a, str>),
    /// A finite number, never a negative zero.
    Number(f64),
    /// A date and time without a zone.
    Time(Timestamp),
    /// The text of a valid JSON value.
    Json(Cow<'a, str>),
}
