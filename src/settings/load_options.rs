//! Arguments of a load that decide, together with settings, which records it takes.

use trips_core::key::SameId;

use super::{constraints_as_text, max_new_partitions, max_record_size};

/// Arguments of a load.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LoadOptions<'a> {
    /// The first bad row makes the load fail.
    pub abort_on_error: bool,
    /// More bad rows than this make the load fail.
    pub max_errors: Option<u64>,
    /// Name of the feed of the file; None to recognize it by the header.
    pub feed: Option<&'a str>,
    /// The region of all trips; None for that of the feed.
    pub region: Option<&'a str>,
    /// The datasource of all trips; None for that of the feed.
    pub datasource: Option<&'a str>,
    /// What happens to known ids with other values; None for the policy of the feed.
    pub on_change: Option<SameId>,
}

impl LoadOptions<'_> {
    /// Arguments and settings that decide which records a load takes and when it refuses the file, as a JSON object.
    pub fn to_json(self) -> String {
        let mut options = serde_json::Map::new();
        options.insert("on_error".into(), self.on_error().into());
        options.insert("max_errors".into(), self.max_errors.into());
        let given = [
            ("feed", self.feed),
            ("region", self.region),
            ("datasource", self.datasource),
            ("on_change", self.on_change.map(SameId::word)),
        ];
        for (name, value) in given {
            value.map(|value| options.insert(name.into(), value.into()));
        }
        for (name, value) in constraints_as_text() {
            options.insert(name.into(), value.into());
        }
        options.insert("trips.max_record_size".into(), max_record_size().into());
        options.insert("trips.max_new_partitions".into(), max_new_partitions().into());
        serde_json::Value::Object(options).to_string()
    }

    /// The word of the argument `on_error`.
    pub fn on_error(self) -> &'static str {
        if self.abort_on_error { "abort" } else { "stage" }
    }
}
