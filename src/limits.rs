//! Limits of the length of texts that callers pass. They are checked first, so that no argument needs memory, stack or
//! time without a limit.

use trips_core::check::trip_text;

use crate::error::{LoadError, RequestError};

/// Paths, patterns and sources: no file system supports a longer path.
pub const MAX_PATH: usize = 4096;

/// Characters of an invalid word that its error keeps.
const KEPT: usize = 100;

/// The argument, unless it is longer than any path.
///
/// # Errors
/// 22023.
pub fn path<'a>(argument: &'static str, text: &'a str) -> Result<&'a str, LoadError> {
    if text.len() <= MAX_PATH {
        Ok(text)
    } else {
        Err(RequestError::TooLong { argument, bytes: text.len(), limit: MAX_PATH }.into())
    }
}

/// The longest name of a feed, bytes.
const MAX_FEED_NAME: usize = 63;

/// The argument, unless it is longer than the name of a feed can be.
///
/// # Errors
/// 22023.
pub fn feed_name<'a>(argument: &'static str, text: &'a str) -> Result<&'a str, LoadError> {
    if text.len() <= MAX_FEED_NAME {
        Ok(text)
    } else {
        Err(RequestError::TooLong { argument, bytes: text.len(), limit: MAX_FEED_NAME }.into())
    }
}

/// A region or a datasource of all trips of a load, without whitespace around it.
///
/// # Errors
/// 22023 if it is empty, or no field of a record could have it.
pub fn name<'a>(argument: &'static str, text: &'a str) -> Result<&'a str, LoadError> {
    let reason = match trip_text::text(text.as_bytes()) {
        Ok(Some(name)) => return Ok(name),
        Ok(None) => "the value is empty".to_owned(),
        Err(error) => error.reason,
    };
    Err(RequestError::Name { argument, reason }.into())
}

/// The value of a condition on a text of trips, without whitespace around it.
///
/// # Errors
/// 22023 if it is empty, or no trip could have it.
pub fn condition<'a>(argument: &'static str, text: &'a str) -> Result<&'a str, LoadError> {
    let reason = match trip_text::text(text.as_bytes()) {
        Ok(Some(value)) => return Ok(value),
        Ok(None) => "the value is empty".to_owned(),
        Err(error) => error.reason,
    };
    Err(RequestError::Condition { argument, reason }.into())
}

/// The beginning of an invalid word, for its error.
pub fn wrong_word(text: &str) -> String {
    text.chars().take(KEPT).collect()
}
