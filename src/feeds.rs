//! Feeds: which kinds of files loads know, and the zones and stations of their trips.
//!
//! The room owns the tables `trips.feeds`, `trips.zones` and `trips_internal.load_stations`. A load takes a snapshot of both before its threads start.

use trips_core::feed::choice::{FeedChoice, Options};

mod begin;
pub mod definitions;
mod detect;
pub mod places;
pub mod stations;
pub mod zones;

pub use self::begin::{Reader, Sizes, begin, is_read_at_offsets};
pub use self::detect::{Match, describe, detect};
use crate::error::LoadError;

/// What a load knows of feeds: all of them, and the arguments of its caller.
///
/// # Errors
/// When a query fails.
pub fn choice(feed: Option<&str>, options: Options) -> Result<FeedChoice, LoadError> {
    let (catalogue, zones) = (definitions::catalogue()?, zones::snapshot()?);
    Ok(FeedChoice { catalogue, feed: feed.map(str::to_owned), zones, options })
}

/// What a merge knows of the feed of a load: the stations of its archive are among the zones.
///
/// # Errors
/// When a query fails.
pub fn choice_of_load(load_id: i64, feed: &str, options: Options) -> Result<FeedChoice, LoadError> {
    let (catalogue, zones) = (definitions::catalogue()?, zones::snapshot_of_load(load_id)?);
    Ok(FeedChoice { catalogue, feed: Some(feed.to_owned()), zones, options })
}
