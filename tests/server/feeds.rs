//! Files of the public feeds: found by their header, stored with all that the feed says. Feeds of users, zones and
//! stations.

mod agreement;
mod archives;
mod arguments;
mod definitions;
mod details;
mod detect;
mod directory;
mod encodings;
pub mod fixtures;
mod identity;
mod in_use;
pub mod merges;
mod personal;
mod preview;
mod repeated;
mod runs;
mod stations;
mod times;
mod zones;

/// A feed of our own: bikes of Brno, whose trips have ids of stations and no coordinates.
pub const BIKES: &str = r#"{
    "title": "Bikes of Brno",
    "columns": { "ride": { "type": "id" }, "from_station": { "type": "id" }, "to_station": { "type": "id" },
                 "start": { "type": "time" }, "member": {}, "phone": {} },
    "versions": { "1": ["ride", "from_station", "to_station", "start"] },
    "time": { "columns": ["start"], "forms": ["YYYY-MM-DD HH24:MI:SS"] },
    "origin": [{ "zone_set": "brno", "id": "from_station" }],
    "destination": [{ "zone_set": "brno", "id": "to_station" }],
    "region": [{ "constant": "Brno" }],
    "identity": { "scheme": "source_id", "columns": ["ride"] },
    "trip_id": "ride",
    "details": ["from_station", "to_station", "member"],
    "personal": ["phone"],
    "stations": { "id": ["id"], "name": ["label"], "longitude": ["lon"], "latitude": ["lat"], "valid": "year" }
}"#;

/// The header of its files.
pub const BIKES_HEADER: &str = "ride,from_station,to_station,start,member,phone\n";
