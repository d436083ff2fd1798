//! Parameters of requests, checked and bounded before they reach the database.

use serde::Deserialize;

use crate::answer::ApiError;
use crate::date::Date;

/// Longest text of a parameter, in bytes: that of a region.
const MAX_TEXT: usize = 1000;

/// The filters that all views know. A view ignores those that its data do not have.
#[derive(Debug, Default, Clone, Deserialize)]
pub struct Filters {
    since: Option<String>,
    until: Option<String>,
    region: Option<String>,
    datasource: Option<String>,
    feed: Option<String>,
}

impl Filters {
    /// First day.
    pub fn since(&self) -> Result<Option<Date>, ApiError> {
        date("since", self.since.as_deref())
    }

    /// Last day.
    pub fn until(&self) -> Result<Option<Date>, ApiError> {
        date("until", self.until.as_deref())
    }

    /// First and last day as parameters of a statement.
    pub fn period(&self) -> Result<[Option<String>; 2], ApiError> {
        let (since, until) = (self.since()?, self.until()?);
        if let (Some(since), Some(until)) = (since, until)
            && since > until
        {
            return Err(ApiError::invalid(
                format!("since {since} is after until {until}"),
                "Choose a period whose first day is not after its last day.",
            ));
        }
        Ok([since, until].map(|date| date.map(|date| date.to_string())))
    }

    /// Name of a region.
    pub fn region(&self) -> Result<Option<String>, ApiError> {
        text("region", self.region.as_deref())
    }

    /// Name of a datasource.
    pub fn datasource(&self) -> Result<Option<String>, ApiError> {
        text("datasource", self.datasource.as_deref())
    }

    /// Name of a feed.
    pub fn feed(&self) -> Result<Option<String>, ApiError> {
        text("feed", self.feed.as_deref())
    }
}

fn date(name: &str, value: Option<&str>) -> Result<Option<Date>, ApiError> {
    let Some(value) = value.filter(|value| !value.is_empty()) else { return Ok(None) };
    let hint = "Write dates as YYYY-MM-DD, in the years 1 to 9999.";
    Date::parse(value)
        .map(Some)
        .ok_or_else(|| ApiError::invalid(format!("{name} is not a date"), hint))
}

/// A text; an empty one is none.
pub fn text(name: &str, value: Option<&str>) -> Result<Option<String>, ApiError> {
    let Some(value) = value.filter(|value| !value.is_empty()) else { return Ok(None) };
    if value.len() > MAX_TEXT || value.contains('\0') {
        let message = format!("{name} is too long, or has a zero byte");
        return Err(ApiError::invalid(message, "Write at most 1000 bytes."));
    }
    Ok(Some(value.to_owned()))
}

/// One of these words; the first one by default.
pub fn word(
    name: &str,
    value: Option<&str>,
    words: &[&'static str],
) -> Result<&'static str, ApiError> {
    let Some(value) = value.filter(|value| !value.is_empty()) else { return Ok(words[0]) };
    words.iter().find(|word| **word == value).copied().ok_or_else(|| {
        ApiError::invalid(
            format!("{name} is invalid"),
            &format!("Choose one of: {}.", words.join(", ")),
        )
    })
}

/// A number within bounds; the default one without a value.
pub fn number(name: &str, value: Option<i64>, default: i64, most: i64) -> Result<i64, ApiError> {
    let value = value.unwrap_or(default);
    if (1..=most).contains(&value) {
        return Ok(value);
    }
    Err(ApiError::invalid(
        format!("{name} is out of range"),
        &format!("Choose a number from 1 to {most}."),
    ))
}
