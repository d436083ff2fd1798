//! The functions that SQL sees. Each checks its arguments and its caller, calls a room below, and maps the result.
//!
//! Signatures, defaults and comments are in sql/, in a file of the same name.

#![allow(clippy::result_large_err, reason = "pgrx takes an ErrorReport by value, once per call")]

mod areas;
mod changes;
mod deletion;
mod feeds;
mod load;
mod privileges;
mod questions;
mod queue;
mod retract;
mod staged;
mod upload;
mod verify;

use crate::error::{LoadError, RequestError};
use crate::pg::session;
use crate::settings::LoadOptions;
use crate::{limits, settings};

/// The options of a load, by these arguments.
fn load_options<'a>(
    on_error: &str,
    max_errors: Option<i64>,
    of_feed: OfFeed<'a>,
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
    let OfFeed { feed, region, datasource } = of_feed;
    Ok(LoadOptions { abort_on_error, max_errors, feed, region, datasource })
}

/// The arguments `feed`, `region` and `datasource`, each of which may be NULL.
#[derive(Debug, Clone, Copy)]
struct OfFeed<'a> {
    feed: Option<&'a str>,
    region: Option<&'a str>,
    datasource: Option<&'a str>,
}

impl<'a> OfFeed<'a> {
    /// Checks them. The feed must exist.
    fn of(
        feed: Option<&'a [u8]>,
        region: Option<&'a [u8]>,
        datasource: Option<&'a [u8]>,
    ) -> Result<Self, LoadError> {
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
        Ok(Self {
            feed,
            region: name("region", region)?,
            datasource: name("datasource", datasource)?,
        })
    }
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
