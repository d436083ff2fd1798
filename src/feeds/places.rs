//! Trips whose places were not known when they were loaded.

use pgrx::datum::Date;
use trips_core::feed::definition::{Definition, Place};

use super::definitions::definition;
use crate::error::{FeedError, LoadError};
use crate::history::places::{self, ZoneOf};

/// Fills the coordinates that are NULL in the feed's trips of a period. Returns the number of changed trips.
///
/// # Errors
/// 42704 for an unknown feed; 42809 if the feed has no zones or stations, or does not keep their ids.
pub fn complete(feed: &str, since: Option<Date>, until: Option<Date>) -> Result<i64, LoadError> {
    let definition = definition(feed)?;
    let is_zone = |place: &&Place| matches!(place, Place::Zone { .. });
    if !definition.origin.iter().chain(&definition.destination).any(|place| is_zone(&place)) {
        return Err(FeedError::NoZones(feed.to_owned()).into());
    }
    let origin = zone_of(&definition, &definition.origin);
    let destination = zone_of(&definition, &definition.destination);
    if origin.is_none() && destination.is_none() {
        return Err(FeedError::NoIds(feed.to_owned()).into());
    }
    places::fill(feed, (origin.as_ref(), destination.as_ref()), (since, until))
}

/// The first of these places that is a zone whose id is in details.
fn zone_of(feed: &Definition, places: &[Place]) -> Option<ZoneOf> {
    places.iter().find_map(|place| match place {
        Place::Zone { set, id } if feed.details.contains(id) => {
            Some(ZoneOf { set: set.clone(), id: feed.get(*id).name.clone() })
        }
        _ => None,
    })
}
