//! Feeds: which kinds of files loads know, and the zones and stations of their trips.
//!
//! The room owns the tables `trips.feeds` and `trips.zones`. A load takes a snapshot of both before its threads start.

use trips_core::feed::choice::{FeedChoice, Options};

pub mod definitions;
mod detect;
pub mod places;
pub mod stations;
pub mod zones;

pub use self::detect::detect;
use crate::error::{FeedError, LoadError};

/// What a load knows of feeds: all of them, and the arguments of its caller.
///
/// # Errors
/// 42704 if the caller names a feed that does not exist.
#[expect(dead_code, reason = "loads take it with their arguments for feeds")]
pub fn choice(feed: Option<&str>, options: Options) -> Result<FeedChoice, LoadError> {
    let catalogue = definitions::catalogue()?;
    if let Some(name) = feed.filter(|name| catalogue.get(name).is_none()) {
        return Err(FeedError::Unknown(name.to_owned()).into());
    }
    Ok(FeedChoice { catalogue, feed: feed.map(str::to_owned), options })
}
