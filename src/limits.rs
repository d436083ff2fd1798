//! Limits of the length of texts that callers pass. They are checked first, so that no argument needs memory, stack or
//! time without a limit.

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

/// The beginning of an invalid word, for its error.
pub fn wrong_word(text: &str) -> String {
    text.chars().take(KEPT).collect()
}
