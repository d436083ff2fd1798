//! The functions that SQL sees. Each checks its arguments and its caller, calls a room below, and maps the result.
//!
//! Signatures, defaults and comments are in sql/, in a file of the same name.

#![allow(clippy::result_large_err, reason = "pgrx takes an ErrorReport by value, once per call")]

mod areas;
mod changes;
mod deletion;
mod diff;
mod feeds;
mod load;
mod privileges;
mod questions;
mod queue;
mod retract;
mod staged;
mod upload;
mod verify;

use trips_core::key::SameId;

use crate::error::{LoadError, RequestError};
use crate::pg::session;
use crate::settings::LoadOptions;
use crate::{limits, settings};

/// The options of a load, by these arguments.
fn load_options<'a>(
    on_error: &str,
    max_errors: Option<i64>,
    of_feed: LoadOptions<'a>,
) -> Result<LoadOptions<'a>, LoadError> {
    let abort_on_error = match on_error {
        "stage" => false,
        "abort" => true,
        other => return Err(RequestError::OnError(limits::wrong_word(other)).into()),
    };
    let max_errors = match max_errors {
        None => settings::max_errors(),
        Some(limit) => Some(u64::try_from(limit).map_err(|_| RequestError::MaxErrors(limit))?),
    };
    Ok(LoadOptions { abort_on_error, max_errors, ..of_feed })
}

/// The arguments `feed`, `region`, `datasource` and `on_change`, each of which may be NULL. The feed must exist.
fn of_feed<'a>(
    feed: Option<&'a [u8]>,
    region: Option<&'a [u8]>,
    datasource: Option<&'a [u8]>,
    on_change: Option<&[u8]>,
) -> Result<LoadOptions<'a>, LoadError> {
    let feed = feed.map(|feed| text("feed", Some(feed))).transpose()?;
    let feed = feed.map(|feed| limits::feed_name("feed", feed)).transpose()?;
    if let Some(name) = feed {
        // Also for a file that is known, and for one that a worker will load.
        crate::feeds::definitions::definition(name)?;
    }
    let name = |argument, value: Option<&'a [u8]>| {
        let value = value.map(|value| text(argument, Some(value))).transpose()?;
        value.map(|value| limits::name(argument, value)).transpose()
    };
    let (region, datasource) = (name("region", region)?, name("datasource", datasource)?);
    let on_change = policy(on_change)?;
    Ok(LoadOptions { feed, region, datasource, on_change, ..LoadOptions::default() })
}

/// The policy that the argument `on_change` names; None for that of the feed.
fn policy(on_change: Option<&[u8]>) -> Result<Option<SameId>, LoadError> {
    let Some(word) = on_change else { return Ok(None) };
    let word = text("on_change", Some(word))?;
    let unknown = || RequestError::OnChange(limits::wrong_word(word));
    Ok(Some(SameId::of_word(word).ok_or_else(unknown)?))
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
