//! The functions that SQL sees. Each checks its arguments and its caller, calls a room below, and maps the result.
//!
//! Signatures, defaults and comments are in sql/, in a file of the same name.

#![allow(clippy::result_large_err, reason = "pgrx takes an ErrorReport by value, once per call")]

mod areas;
mod changes;
mod load;
mod privileges;
mod questions;
mod queue;
mod upload;
mod verify;

use crate::error::{LoadError, RequestError};
use crate::pg::session;
use crate::{limits, settings};

/// How a load treats bad rows, by the arguments `on_error` and `max_errors`.
fn error_limits(on_error: &str, max_errors: Option<i64>) -> Result<(bool, Option<u64>), LoadError> {
    let abort_on_error = match on_error {
        "stage" => false,
        "abort" => true,
        other => return Err(RequestError::OnError(limits::wrong_word(other)).into()),
    };
    let max_errors = match max_errors {
        None => settings::max_errors(),
        Some(limit) => Some(u64::try_from(limit).map_err(|_| RequestError::MaxErrors(limit))?),
    };
    Ok((abort_on_error, max_errors))
}

/// The text of an argument. The functions take it as bytes: those of a database in another encoding need not be UTF-8.
fn text<'a>(name: &'static str, value: Option<&'a [u8]>) -> Result<&'a str, LoadError> {
    let bytes = value.ok_or(RequestError::NullArgument(name))?;
    require_utf8()?;
    Ok(std::str::from_utf8(bytes).map_err(|_| RequestError::DatabaseEncoding)?)
}

fn require_utf8() -> Result<(), LoadError> {
    if session::database_is_utf8() { Ok(()) } else { Err(RequestError::DatabaseEncoding.into()) }
}
