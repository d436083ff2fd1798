//! `trips.create_feed`, `trips.drop_feed` and the list of feeds.

use postgres::Client;
use trips_tests::{Cluster, Database, server_error};

use super::BIKES;

fn create(client: &mut Client, name: &str, definition: &str) -> Result<(), postgres::Error> {
    client.execute("SELECT trips.create_feed($1, $2::text::jsonb)", &[&name, &definition]).map(drop)
}

/// The definition of bikes with one member replaced or added, as JSON.
fn with(member: &str, value: &str) -> String {
    let mut definition: serde_json::Value = serde_json::from_str(BIKES).unwrap();
    definition[member] = serde_json::from_str(value).unwrap();
    definition.to_string()
}

#[test]
fn a_feed_is_created_listed_and_dropped() {
    let database = Database::on_shared();
    let mut client = database.client();
    create(&mut client, "brno", BIKES).unwrap();
    let row = client
        .query_one(
            "SELECT f.title, f.versions, f.scheme, f.is_builtin, f.definition ->> 'name', o.created_by
               FROM trips.all_feeds AS f JOIN trips.feeds AS o USING (name) WHERE f.name = 'brno'",
            &[],
        )
        .unwrap();
    let text = |at: usize| row.get::<_, String>(at);
    assert_eq!((text(0).as_str(), text(2).as_str()), ("Bikes of Brno", "source_id"));
    assert_eq!(row.get::<_, Vec<String>>(1), ["1"]);
    assert!(!row.get::<_, bool>(3), "it is not built in");
    assert_eq!((text(4).as_str(), text(5).as_str()), ("brno", "postgres"));

    let error = create(&mut client, "brno", BIKES).unwrap_err();
    let (code, message, hint) = server_error(&error);
    assert_eq!((code.as_str(), message.as_str()), ("42710", "feed \"brno\" already exists"));
    assert!(hint.contains("trips.drop_feed()"), "{hint}");

    client.execute("SELECT trips.drop_feed('brno')", &[]).unwrap();
    let error = client.execute("SELECT trips.drop_feed('brno')", &[]).unwrap_err();
    let (code, message, _) = server_error(&error);
    assert_eq!((code.as_str(), message.as_str()), ("42704", "feed \"brno\" does not exist"));
    create(&mut client, "brno", BIKES).unwrap();
}

#[test]
fn built_in_feeds_are_listed_and_stay() {
    let database = Database::on_shared();
    let mut client = database.client();
    let row = client
        .query_one(
            "SELECT count(*), count(*) FILTER (WHERE name IN ('trips', 'lyft', 'tlc_yellow')),
                    bool_and(is_builtin AND cardinality(versions) > 0 AND title <> '' AND definition ->> 'name' = name)
               FROM trips.all_feeds",
            &[],
        )
        .unwrap();
    assert!(row.get::<_, i64>(0) >= 40, "{} feeds", row.get::<_, i64>(0));
    assert_eq!((row.get::<_, i64>(1), row.get::<_, bool>(2)), (3, true));
    let error = client.execute("SELECT trips.drop_feed('lyft')", &[]).unwrap_err();
    assert_eq!(server_error(&error).0, "42809");
    let error = create(&mut client, "lyft", BIKES).unwrap_err();
    let (code, message, _) = server_error(&error);
    assert_eq!((code.as_str(), message.as_str()), ("42710", "feed \"lyft\" already exists"));
    // Each of them is a definition that a user could give.
    let copied: i64 = client
        .query_one(
            "SELECT count(trips.create_feed(left(name, 58) || '_copy', definition - 'name' #- '{identity,namespace}'))
               FROM trips.all_feeds",
            &[],
        )
        .unwrap()
        .get(0);
    assert!(copied >= 40, "{copied} copies");
    // But not under the namespace of a built-in feed, by any scheme.
    let taken = r#"{ "scheme": "source_id", "columns": ["ride"], "namespace": "NAME" }"#;
    let columns =
        taken.replace("source_id", "columns").replace("[\"ride\"]", "[\"ride\", \"@time\"]");
    for identity in [taken, &columns] {
        for namespace in ["lyft", "mds", "citibike", "indego_metro"] {
            let definition = with("identity", &identity.replace("NAME", namespace));
            let error = create(&mut client, "brno", &definition).expect_err(&definition);
            let (code, message, _) = server_error(&error);
            let expected = format!(
                "invalid definition of feed \"brno\": at $.identity.namespace: found \"{namespace}\", expected a \
                 namespace that no built-in feed has"
            );
            assert_eq!((code.as_str(), message), ("22023", expected));
        }
    }
    // A namespace that has the name of the feed by default.
    let error = create(&mut client, "mds", BIKES).unwrap_err();
    assert_eq!(server_error(&error).0, "42710");
    // Feeds of users may share one.
    let shared = with("identity", &taken.replace("NAME", "rides"));
    for name in ["brno", "plzen"] {
        create(&mut client, name, &shared).unwrap();
    }
}

/// The JSON path of each fault, and what was expected.
#[test]
fn faults_of_a_definition_have_their_path() {
    let database = Database::on_shared();
    let mut client = database.client();
    let cases = [
        (with("title", "7"), "$.title"),
        (with("box", "[1, 2, 3]"), "$.box"),
        (with("region", "[]"), "$.region"),
        (with("trip_id", "\"rides\""), "$.trip_id"),
        (with("colour", "\"red\""), "$.colour"),
        (with("details", "[\"from_station\", \"phone\"]"), "$.personal[0]"),
        (with("time", r#"{ "columns": ["start"], "forms": ["YYYY-QQ"] }"#), "$.time.forms[0]"),
        (with("name", "\"berlin\""), "$.name"),
        (with("versions", r#"{ "1": ["ride", "start", "ride"] }"#), "$.versions[\"1\"][2]"),
        (
            with(
                "identity",
                r#"{ "scheme": "source_id", "columns": ["ride"], "namespace": "lyft" }"#,
            ),
            "$.identity.namespace",
        ),
        ("[]".to_owned(), "$"),
        ("7".to_owned(), "$"),
    ];
    for (definition, path) in cases {
        let error = create(&mut client, "brno", &definition).expect_err(&definition);
        let (code, message, hint) = server_error(&error);
        assert_eq!(code, "22023", "{message}");
        let begin = format!("invalid definition of feed \"brno\": at {path}: found ");
        assert!(message.starts_with(&begin), "{message}, expected {path}");
        assert!(message.contains(", expected "), "{message}");
        assert!(hint.contains("docs/feeds.md"), "{hint}");
    }
    // All faults are in DETAIL.
    let mut definition: serde_json::Value = serde_json::from_str(&with("title", "7")).unwrap();
    definition["box"] = serde_json::json!("everywhere");
    definition["zero"] = serde_json::json!("never");
    let error = create(&mut client, "brno", &definition.to_string()).unwrap_err();
    let detail = error.as_db_error().unwrap().detail().unwrap().to_owned();
    for path in ["$.title", "$.box", "$.zero"] {
        assert!(detail.contains(&format!("at {path}: found ")), "{detail}");
    }
    let feeds: i64 = client.query_one("SELECT count(*) FROM trips.feeds", &[]).unwrap().get(0);
    assert_eq!(feeds, 0);
}

#[test]
fn hostile_definitions_are_refused() {
    let database = Database::on_shared();
    let mut client = database.client();
    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    let long = with("title", &format!("\"{}\"", "x".repeat(2_000_000)));
    for (definition, code) in [(deep.as_str(), "22023"), (long.as_str(), "22023")] {
        let error = create(&mut client, "brno", definition).unwrap_err();
        assert_eq!(server_error(&error).0, code, "{:?}", server_error(&error).1.get(..200));
    }
    for name in ["", "Brno", "brno'; DROP TABLE trips.feeds", "9", &"x".repeat(64)] {
        let error = create(&mut client, name, BIKES).expect_err(name);
        let (code, message, _) = server_error(&error);
        assert_eq!(code, "22023", "{message}");
        assert!(message.contains("at $.name: "), "{message}");
    }
    for call in [
        "SELECT trips.create_feed(NULL, '{}')",
        "SELECT trips.create_feed('brno', NULL)",
        "SELECT trips.drop_feed(NULL)",
    ] {
        let error = client.execute(call, &[]).unwrap_err();
        assert_eq!(server_error(&error).0, "22004", "{call}");
    }
}

#[test]
fn the_owner_creates_feeds_and_loaders_see_them() {
    let cluster = Cluster::start();
    let mut admin = cluster.client();
    admin
        .batch_execute(
            "CREATE ROLE loader LOGIN; CREATE ROLE reader LOGIN; CREATE ROLE author LOGIN;
             SELECT trips.grant_loader('loader'), trips.grant_reader('reader');
             GRANT USAGE ON SCHEMA trips TO author;
             GRANT EXECUTE ON FUNCTION trips.create_feed(text, jsonb) TO author",
        )
        .unwrap();
    for role in ["loader", "reader"] {
        let mut client = cluster.client_as(role);
        let feeds: i64 =
            client.query_one("SELECT count(*) FROM trips.all_feeds", &[]).unwrap().get(0);
        assert!(feeds >= 40, "{role} sees {feeds} feeds");
        client.query("SELECT * FROM trips.feeds, trips.zones", &[]).unwrap();
        let error = create(&mut client, "brno", BIKES).unwrap_err();
        assert_eq!(server_error(&error).0, "42501", "{role}");
        let error = client.execute("SELECT trips.drop_feed('lyft')", &[]).unwrap_err();
        assert_eq!(server_error(&error).0, "42501", "{role}");
        let error = client.execute("DELETE FROM trips.zones", &[]).unwrap_err();
        assert_eq!(server_error(&error).0, "42501", "{role}");
    }
    let mut author = cluster.client_as("author");
    create(&mut author, "brno", BIKES).unwrap();
    let by: String = admin.query_one("SELECT created_by FROM trips.feeds", &[]).unwrap().get(0);
    assert_eq!(by, "author");
}

/// A row that a later version does not understand is reported, and the other feeds stay usable.
#[test]
fn an_unusable_row_is_reported_and_ignored() {
    let database = Database::on_shared();
    let mut client = database.client();
    client
        .batch_execute(
            "INSERT INTO trips.feeds (name, definition, created_by) VALUES ('old', '{}', 'me')",
        )
        .unwrap();
    let path = database.file("lyft.csv", "ride_id\n");
    client.query("SELECT * FROM trips.detect_feed($1)", &[&path]).unwrap();
    create(&mut client, "brno", BIKES).unwrap();
    let error = client.query("SELECT trips.complete_places('old')", &[]).unwrap_err();
    assert_eq!(server_error(&error).0, "42704");
    client.execute("SELECT trips.drop_feed('old')", &[]).unwrap();
}
