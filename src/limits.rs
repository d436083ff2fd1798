//! How long a text may be that a caller gives: looked at before anything else is done with it, so that no argument
//! makes a function use memory, stack or time without a bound.

use crate::error::{LoadError, RequestError};

/// Paths, patterns, and what is kept in the ledger like one: no file system takes a longer path.
pub const MAX_PATH: usize = 4096;

/// Characters of a wrong word that its error keeps.
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

/// The beginning of a word that is none of those that are expected, for an error.
pub fn wrong_word(text: &str) -> String {
    text.chars().take(KEPT).collect()
}
