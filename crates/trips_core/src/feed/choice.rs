//! What a load knows of feeds before it opens its file.

use std::sync::Arc;

use crate::feed::builtin;
use crate::feed::detect::Catalogue;
use crate::feed::zones::Zones;
use crate::key::SameId;

/// Values that the caller of a load gives; they count before those of the feed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// The region of all trips.
    pub region: Option<String>,
    /// The data source of all trips.
    pub datasource: Option<String>,
    /// What happens to known ids with other values. Feeds without ids ignore it.
    pub on_change: Option<SameId>,
}

/// The feeds that a file may be of.
#[derive(Debug, Clone)]
pub struct FeedChoice {
    /// All feeds.
    pub catalogue: Arc<Catalogue>,
    /// The name of the file's feed, if the caller gives it. Otherwise the header decides.
    pub feed: Option<String>,
    /// Where places are that a record names.
    pub zones: Arc<Zones>,
    /// Values that the caller gives.
    pub options: Options,
}

impl FeedChoice {
    /// The built-in feeds, and the built-in zones.
    #[must_use]
    pub fn builtin() -> Self {
        let catalogue = Arc::new(Catalogue::new(builtin::all().to_vec()));
        Self { catalogue, feed: None, zones: Zones::builtin(), options: Options::default() }
    }
}
