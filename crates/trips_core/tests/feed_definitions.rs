//! A definition with faults: each is reported with its JSON path, what is there, and what may be there.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};
use trips_core::feed::builtin;
use trips_core::feed::definition::{Definition, DefinitionError, Place, ValueSource};

fn base() -> Value {
    json!({
        "name": "bikes", "title": "Bikes of Brno",
        "columns": {
            "id": { "type": "id", "also": ["Ride Id"] },
            "started at": { "type": "time" }, "ended at": { "type": "time" },
            "lon": { "type": "number" }, "lat": { "type": "number" }, "to": { "type": "id" }, "born": {}
        },
        "versions": { "1": ["id", "started at"] },
        "time": { "columns": ["started at"], "forms": ["YYYY-MM-DD HH24:MI:SS"] },
        "ended_at": { "columns": ["ended at"] },
        "origin": [{ "longitude": "lon", "latitude": "lat" }],
        "destination": [{ "zone_set": "brno", "id": "to" }],
        "region": [{ "zone": "destination" }, { "constant": "Brno" }],
        "identity": { "scheme": "columns", "columns": ["@time", "id"] },
        "details": ["to"],
        "personal": ["born"],
        "stations": { "id": ["id"], "longitude": ["lon"], "latitude": ["lat"] }
    })
}

fn parse(value: &Value) -> Result<Definition, Vec<DefinitionError>> {
    Definition::parse(&value.to_string())
}

/// The definition with another value at the JSON pointer, or without it.
fn with(pointer: &str, value: Option<Value>) -> Value {
    let mut document = base();
    let (parent, last) = pointer.rsplit_once('/').expect("a pointer");
    let parent = document.pointer_mut(parent).expect("a parent");
    match (parent, value) {
        (Value::Object(members), Some(value)) => drop(members.insert(last.into(), value)),
        (Value::Object(members), None) => drop(members.remove(last)),
        (Value::Array(items), Some(value)) => {
            items[last.parse::<usize>().expect("a number")] = value
        }
        _ => panic!("{pointer}"),
    }
    document
}

#[test]
fn a_definition_without_faults_has_its_members() {
    let bikes = parse(&base()).expect("a definition");
    assert_eq!(bikes.datasource, [ValueSource::Constant("Bikes of Brno".into())]);
    assert_eq!(bikes.station_set(), Some("brno"));
    assert_eq!(bikes.column_of_header(b" RIDE  ID\xef\xbb\xbf"), bikes.column("id"));
    assert_eq!(bikes.column("Ride Id"), None);
    let Some(Place::LonLat { longitude, .. }) = bikes.origin.first() else { panic!("no place") };
    assert_eq!(bikes.get(*longitude).name, "lon");
}

#[test]
fn every_fault_has_its_path_what_is_there_and_what_may_be_there() {
    let long = "x".repeat(64);
    #[rustfmt::skip]
    let faults: &[(&str, Option<Value>, &str)] = &[
        ("/name", Some(json!("Bikes")), r#"at $.name: found "Bikes", expected a name of letters a-z, digits and _, up to 63 characters"#),
        ("/name", Some(json!(long)), r#"at $.name: found "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…", expected a name of letters a-z, digits and _, up to 63 characters"#),
        ("/title", None, "at $.title: found nothing, expected a text of 1 to 200 characters without blanks around it"),
        ("/title", Some(json!("a\u{0}b")), r#"at $.title: found "a\x00b", expected a text of 1 to 200 characters without blanks around it"#),
        ("/colour", Some(json!("red")), "at $.colour: found an unknown member, expected name, title, columns"),
        ("/columns", Some(json!([])), "at $.columns: found an array of 0 items, expected an object of columns"),
        ("/columns/lon", Some(json!({ "type": "float" })), r#"at $.columns.lon.type: found "float", expected text, number, id, time or json"#),
        ("/columns/started at", Some(json!({ "typ": "time" })), r#"at $.columns["started at"].typ: found an unknown member, expected also, type, decimals, zeros or coalesce"#),
        ("/columns/lon", Some(json!({ "also": ["Ride id"] })), r#", also in another column, expected a name that is in no other column"#),
        ("/columns/lon", Some(json!({ "decimals": 2 })), "at $.columns.lon.decimals: found 2, expected nothing, as the type is not id"),
        ("/columns/to", Some(json!({ "type": "id", "decimals": 10 })), "at $.columns.to.decimals: found 10, expected a whole number from 1 to 9"),
        ("/columns/@time", Some(json!({})), r#"at $.columns["@time"]: found the name "@time", expected a name"#),
        ("/versions", Some(json!({})), "at $.versions: found an object of 0 members, expected an object of 1 to 64 lists of names"),
        ("/versions/1", Some(json!(["id"])), r#"at $.versions["1"]: found a version without a column of the time, expected all columns of $.time.columns in each version"#),
        ("/versions/1", Some(json!(["started at", "idd"])), r#"at $.versions["1"][1]: found "idd", expected a column or one of its spellings"#),
        ("/versions/1", Some(json!(["id", "started at", "id"])), r#"at $.versions["1"][2]: found "id", expected each name once"#),
        ("/versions/1", Some(json!(["id", "started at", "Ride Id"])), r#"at $.versions["1"][2]: found "Ride Id", expected each name once"#),
        ("/versions/1", Some(json!(["ride  id", "started at", "RIDE ID"])), r#"at $.versions["1"][2]: found "RIDE ID", expected each name once"#),
        ("/without", Some(json!(["LON"])), r#"at $.without[0]: found "lon", expected a name that is not of a column of this feed"#),
        ("/form", Some(json!({ "dialects": [{ "delimiter": ",", "decimal": "," }] })), r#"at $.form.dialects[0].decimal: found ",", expected "." or ",", and not the delimiter"#),
        ("/form", Some(json!({ "encodings": ["latin1"] })), r#"at $.form.encodings[0]: found "latin1", expected utf-8"#),
        ("/form", Some(json!({ "encodings": ["utf-8", "utf-16le"] })), "at $.form.encodings: found an array of 2 items, expected utf-16le and utf-16be alone"),
        ("/form", Some(json!({ "nulls": ["NULL", " NULL"] })), r#"at $.form.nulls[1]: found " NULL", expected a word of 1 to 32 characters without blanks around it"#),
        ("/time/forms/0", Some(json!("YYYY-QQ")), r#"at $.time.forms[0]: found "YYYY-QQ", expected "#),
        ("/time/forms/0", Some(json!("epoch")), r#"at $.time.forms[0]: found "epoch", expected "#),
        ("/time/kind", Some(json!("utc")), "at $.time.zone: found nothing, expected a time zone, as the kind is not local"),
        ("/time/zone", Some(json!("Europe/Brno")), r#"at $.time.zone: found "Europe/Brno", expected a time zone of the IANA database, such as Europe/Prague"#),
        ("/time/hour_24", Some(json!("yes")), r#"at $.time.hour_24: found "yes", expected true or false"#),
        ("/ended_at", Some(json!({ "points": "to" })), "at $.ended_at.seconds: found nothing, expected seconds, over 0, up to 86400"),
        ("/origin/0", Some(json!({ "longitude": "lon" })), "at $.origin[0]: found an object of 1 member, expected longitude and latitude, wkt"),
        ("/origin/0", Some(json!({ "wkt": "place" })), r#"at $.origin[0].wkt: found "place", expected a column of $.columns, by its own name"#),
        ("/origin/0", Some(json!({ "zone_set": "nyc_taxi_zones", "id": "lon" })), r#"at $.origin[0].id: found "lon", expected a column of the type id or text"#),
        ("/box", Some(json!([17, 49, 16, 50])), "at $.box: found an array of 4 items, expected west before east, and south before north"),
        ("/box", Some(json!([17, 49, 18])), "at $.box: found an array of 3 items, expected four numbers of degrees: west, south, east, north"),
        ("/box", Some(json!([1, 95, 2, 96])), "at $.box[1]: found 95, expected degrees: a longitude up to 180, a latitude up to 90"),
        ("/region", Some(json!([{ "zone": "destination" }])), "at $.region: found an array of 1 item, expected a constant as the last entry, or a single column"),
        ("/region/0", Some(json!({ "zone": "origin" })), "at $.region[0].zone: found a value that nothing gives, expected a place with a zone_set there"),
        ("/region/0", Some(json!({ "area": "origin" })), "at $.region[0].area: found a value that nothing gives, expected areas in $.areas"),
        ("/region/0", Some(json!({ "column": "to", "constant": "x" })), "at $.region[0]: found an object of 2 members, expected constant, column, zone or area"),
        ("/identity", Some(json!({ "scheme": "content" })), r#"at $.identity.scheme: found "content", expected columns or source_id, as a place of a zone can become known later"#),
        ("/identity/columns", Some(json!(["id"])), "at $.identity.columns: found an array of 1 item, expected @time among the columns"),
        ("/identity/columns", Some(json!(["@time", "id", "id"])), r#"at $.identity.columns[2]: found "id", expected each column once"#),
        ("/identity", Some(json!({ "scheme": "source_id", "columns": ["id"], "policy": "merge" })), r#"at $.identity.policy: found "merge", expected keep, replace or stage"#),
        ("/identity", Some(json!({ "scheme": "source_id", "columns": ["id"], "window_days": 401 })), "at $.identity.window_days: found 401, expected a whole number of days from 0 to 400"),
        ("/personal/0", Some(json!("to")), r#"at $.personal[0]: found "to", expected a column that nothing else in the definition uses"#),
        ("/raw_line", Some(json!(true)), "at $.raw_line: found true, expected listed or whole"),
        ("/stations", Some(json!({ "id": ["a"], "lat_lon": ["b"], "latitude": ["c"] })), "at $.stations.longitude: found nothing, expected a list of 1 to 32 names"),
        ("/stations", Some(json!({ "id": ["a"] })), "at $.stations.latitude: found nothing, expected a list of 1 to 32 names"),
        ("/stations", Some(json!({ "id": ["a"], "longitude": [], "latitude": ["c"] })), "at $.stations.longitude: found an array of 0 items, expected a list of 1 to 32 names"),
    ];
    for (pointer, value, expected) in faults {
        has_fault(&with(pointer, value.clone()), expected);
    }
}

fn has_fault(document: &Value, expected: &str) {
    let errors = parse(document).expect_err(expected);
    let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert!(texts.iter().any(|text| text.contains(expected)), "{texts:#?} has not {expected}");
}

#[test]
fn all_faults_are_found_at_once() {
    let mut document = with("/name", Some(json!(7)));
    document["time"]["kind"] = json!("solar");
    document["details"] = json!(["to", "fare"]);
    let errors = parse(&document).expect_err("three faults");
    let paths: Vec<&str> = errors.iter().map(|error| error.path.as_str()).collect();
    assert_eq!(paths, ["$.name", "$.time.kind", "$.details[1]"]);
}

#[test]
fn the_namespace_of_a_built_in_feed_is_not_for_users() {
    assert!(builtin::definition_of_user(&base().to_string()).is_ok());
    let mut default_of_name = with("/name", Some(json!("divvy")));
    for (document, found) in [
        (with("/identity/namespace", Some(json!("lyft"))), "lyft"),
        (with("/identity/namespace", Some(json!("tlc_green"))), "tlc_green"),
        (std::mem::take(&mut default_of_name), "divvy"),
    ] {
        let errors = builtin::definition_of_user(&document.to_string()).expect_err(found);
        let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
        let expected = format!(
            "at $.identity.namespace: found \"{found}\", expected a namespace that no built-in feed has"
        );
        assert_eq!(texts, [expected]);
    }
}

/// A station or a trip with longitude and latitude swapped is not accepted.
#[test]
fn the_box_of_a_built_in_feed_finds_swapped_coordinates() {
    // Files of several countries; "rpc" has the French territories overseas.
    let everywhere = ["mds", "mds_2", "rpc", "trips"];
    for feed in builtin::all().iter().filter(|feed| !everywhere.contains(&feed.name.as_str())) {
        let places = || feed.origin.iter().chain(&feed.destination);
        let has_coordinates = places().any(|place| !matches!(place, Place::Zone { .. }));
        let Some(bounds) = feed.bounds else {
            assert!(feed.stations.is_none() && !has_coordinates, "{} has no box", feed.name);
            continue;
        };
        let middle = |a: f64, b: f64| f64::midpoint(a, b);
        let longitude = middle(bounds.west, bounds.east);
        let latitude = middle(bounds.south, bounds.north);
        assert!(bounds.contains(longitude, latitude), "{}", feed.name);
        assert!(!bounds.contains(latitude, longitude), "{}", feed.name);
    }
}

#[test]
fn a_definition_is_bounded() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let long = format!(r#"{{ "name": "{}" }}"#, "x".repeat(300_000));
    let many: Vec<String> = (0..5_000).map(|at| format!("c{at}")).collect();
    let unknown: serde_json::Map<String, Value> =
        many.iter().map(|name| (name.clone(), Value::Null)).collect();
    for json in [deep, long, Value::Object(unknown).to_string(), String::new(), "null".into()] {
        let errors = Definition::parse(&json).expect_err("no definition");
        assert!((1..=100).contains(&errors.len()), "{}", errors.len());
        assert!(errors.iter().all(|error| error.found.chars().count() < 200));
    }
}

/// The members of the objects of `docs/feed.schema.json`, by the JSON pointer of such an object in a definition.
fn schema_members() -> Vec<(&'static str, BTreeSet<String>)> {
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/feed.schema.json");
    let schema = std::fs::read_to_string(schema).expect("the schema");
    let schema: Value = serde_json::from_str(&schema).expect("JSON");
    let of = |pointer: &str| {
        let object = schema.pointer(pointer).expect(pointer);
        let variants = object["oneOf"].as_array().cloned().unwrap_or_else(|| vec![object.clone()]);
        let names = variants.iter().filter_map(|one| one["properties"].as_object());
        names.flat_map(|names| names.keys().cloned()).collect()
    };
    vec![
        ("", of("")),
        ("/columns/lon", of("/$defs/column")),
        ("/form", of("/properties/form")),
        ("/form/dialects/0", of("/properties/form/properties/dialects/items")),
        ("/time", of("/properties/time")),
        ("/areas/0", of("/properties/areas/items")),
        ("/origin/0", of("/$defs/place")),
        ("/region/0", of("/$defs/values/items")),
        ("/stations", of("/properties/stations")),
    ]
}

#[test]
fn the_schema_in_the_documents_has_the_same_members() {
    for (pointer, members) in schema_members() {
        let mut document = base();
        document["form"] = json!({ "dialects": [{}] });
        document["areas"] = json!([{ "region": "Brno", "box": [16, 49, 17, 50] }]);
        document.pointer_mut(pointer).expect(pointer)["zzz"] = Value::Null;
        let errors = parse(&document).expect_err("an unknown member");
        let unknown = errors.iter().find(|error| error.path.ends_with(".zzz")).expect("its fault");
        let words = unknown.expected.split([' ', ',']);
        let words: BTreeSet<String> =
            words.filter(|word| !["", "or", "and"].contains(word)).map(str::to_owned).collect();
        assert_eq!(words, members, "{pointer:?}");
    }
}

/// All places of a document, as JSON pointers.
fn pointers(value: &Value, at: &str, out: &mut Vec<String>) {
    out.push(at.to_owned());
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let name = name.replace('~', "~0").replace('/', "~1");
                pointers(value, &format!("{at}/{name}"), out);
            }
        }
        Value::Array(items) => {
            for (number, value) in items.iter().enumerate() {
                pointers(value, &format!("{at}/{number}"), out);
            }
        }
        _ => {}
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,80}".prop_map(Value::from),
        prop::sample::select(vec!["content", "columns", "epoch", "utc", "id", "UTC", "origin"])
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z_]{0,8}", inner, 0..4)
                .prop_map(|members| members.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}

proptest! {
    #[test]
    fn a_damaged_definition_has_faults_or_is_valid(
        feed in prop::sample::select(builtin::DOCUMENTS.to_vec()),
        at in any::<prop::sample::Index>(),
        value in any_json(),
    ) {
        let mut document: Value = serde_json::from_str(feed.1).expect("JSON");
        let mut all = Vec::new();
        pointers(&document, "", &mut all);
        *document.pointer_mut(&all[at.index(all.len())]).expect("a place") = value;
        if let Err(errors) = parse(&document) {
            prop_assert!((1..=100).contains(&errors.len()));
            for error in errors {
                prop_assert!(error.path.starts_with('$') && !error.expected.is_empty());
                prop_assert!(error.found.chars().count() < 200, "{}", error.found);
            }
        }
    }

    #[test]
    fn any_text_is_a_definition_or_has_faults(text in "\\PC{0,200}") {
        prop_assert!(Definition::parse(&text).is_err_and(|errors| !errors.is_empty()));
    }
}
