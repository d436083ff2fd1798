//! The built-in feeds: one JSON document each.

use std::sync::{Arc, OnceLock};

use super::definition::{Definition, DefinitionError, IdentityRule};
use crate::text::escape::quoted;

/// Name and document of every built-in feed, by name.
pub const DOCUMENTS: &[(&str, &str)] = &[
    ("austin_metrobike", include_str!("builtin/austin_metrobike.json")),
    ("austin_scooter", include_str!("builtin/austin_scooter.json")),
    ("baywheels", include_str!("builtin/baywheels.json")),
    ("bixi_a", include_str!("builtin/bixi_a.json")),
    ("bixi_b", include_str!("builtin/bixi_b.json")),
    ("bixi_c", include_str!("builtin/bixi_c.json")),
    ("calgary", include_str!("builtin/calgary.json")),
    ("capital", include_str!("builtin/capital.json")),
    ("chattanooga", include_str!("builtin/chattanooga.json")),
    ("chicago_escooter", include_str!("builtin/chicago_escooter.json")),
    ("chicago_taxi", include_str!("builtin/chicago_taxi.json")),
    ("chicago_tnp", include_str!("builtin/chicago_tnp.json")),
    ("citibike", include_str!("builtin/citibike.json")),
    ("cogo", include_str!("builtin/cogo.json")),
    ("daejeon", include_str!("builtin/daejeon.json")),
    ("divvy", include_str!("builtin/divvy.json")),
    ("ecobici", include_str!("builtin/ecobici.json")),
    ("helsinki", include_str!("builtin/helsinki.json")),
    ("hubway", include_str!("builtin/hubway.json")),
    ("indego_metro", include_str!("builtin/indego_metro.json")),
    ("kansas_city", include_str!("builtin/kansas_city.json")),
    ("london", include_str!("builtin/london.json")),
    ("london_2022", include_str!("builtin/london_2022.json")),
    ("louisville", include_str!("builtin/louisville.json")),
    ("lyft", include_str!("builtin/lyft.json")),
    ("mds", include_str!("builtin/mds.json")),
    ("mds_2", include_str!("builtin/mds_2.json")),
    ("mibici", include_str!("builtin/mibici.json")),
    ("minneapolis", include_str!("builtin/minneapolis.json")),
    ("niceride", include_str!("builtin/niceride.json")),
    ("oslo", include_str!("builtin/oslo.json")),
    ("oslo_2016", include_str!("builtin/oslo_2016.json")),
    ("pittsburgh", include_str!("builtin/pittsburgh.json")),
    ("pogoh", include_str!("builtin/pogoh.json")),
    ("porto", include_str!("builtin/porto.json")),
    ("rosario", include_str!("builtin/rosario.json")),
    ("rpc", include_str!("builtin/rpc.json")),
    ("seoul", include_str!("builtin/seoul.json")),
    ("taipei", include_str!("builtin/taipei.json")),
    ("tlc_fhv", include_str!("builtin/tlc_fhv.json")),
    ("tlc_fhvhv", include_str!("builtin/tlc_fhvhv.json")),
    ("tlc_green", include_str!("builtin/tlc_green.json")),
    ("tlc_yellow", include_str!("builtin/tlc_yellow.json")),
    ("toronto", include_str!("builtin/toronto.json")),
    ("trips", include_str!("builtin/trips.json")),
    ("uber_2014", include_str!("builtin/uber_2014.json")),
    ("uber_2015", include_str!("builtin/uber_2015.json")),
    ("vancouver", include_str!("builtin/vancouver.json")),
];

/// The built-in feeds, by name. They are parsed once in a process.
#[must_use]
pub fn all() -> &'static [Arc<Definition>] {
    static FEEDS: OnceLock<Vec<Arc<Definition>>> = OnceLock::new();
    // A unit test shows that every document is valid.
    let parse = |(_, json): &(&str, &str)| Definition::parse(json).ok().map(Arc::new);
    FEEDS.get_or_init(|| DOCUMENTS.iter().filter_map(parse).collect())
}

/// The built-in feed of this name.
#[must_use]
pub fn get(name: &str) -> Option<&'static Arc<Definition>> {
    all().iter().find(|feed| feed.name == name)
}

/// The definition of a user's feed in a JSON text. Its trips are its own: its namespace is of no built-in feed.
///
/// ```
/// use trips_core::feed::builtin;
/// let json = r#"{ "name": "rides", "title": "Rides", "columns": { "id": {}, "at": { "type": "time" } },
///     "versions": { "1": ["id", "at"] }, "time": { "columns": ["at"], "forms": ["YYYY-MM-DD HH24:MI"] },
///     "region": [{ "constant": "Brno" }],
///     "identity": { "scheme": "source_id", "columns": ["id"], "namespace": "lyft" } }"#;
/// assert_eq!(builtin::definition_of_user(json).unwrap_err()[0].path, "$.identity.namespace");
/// ```
///
/// # Errors
/// All faults of the document, at most 100.
pub fn definition_of_user(json: &str) -> Result<Definition, Vec<DefinitionError>> {
    let feed = Definition::parse(json)?;
    let is_taken =
        |namespace: &str| all().iter().any(|other| namespace_of(other) == Some(namespace));
    match namespace_of(&feed).filter(|namespace| is_taken(namespace)) {
        None => Ok(feed),
        Some(namespace) => Err(vec![DefinitionError {
            path: "$.identity.namespace".into(),
            found: quoted(namespace.as_bytes()),
            expected: "a namespace that no built-in feed has",
        }]),
    }
}

fn namespace_of(feed: &Definition) -> Option<&str> {
    match &feed.identity {
        IdentityRule::Content => None,
        IdentityRule::Columns { namespace, .. } | IdentityRule::SourceId { namespace, .. } => {
            Some(namespace)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_document_is_valid_and_has_the_name_of_its_file() {
        for (name, json) in DOCUMENTS {
            match Definition::parse(json) {
                Ok(feed) => assert_eq!(feed.name, *name),
                Err(errors) => panic!("{name}: {errors:#?}"),
            }
        }
        assert_eq!(all().len(), DOCUMENTS.len());
        assert!(DOCUMENTS.is_sorted());
    }
}
