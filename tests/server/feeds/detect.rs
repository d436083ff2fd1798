//! `trips.detect_feed`.

use postgres::{Client, Row};
use serde_json::json;
use trips_tests::{Cluster, Database, server_error};

use super::{BIKES, BIKES_HEADER};

fn detect(client: &mut Client, path: &str) -> Vec<Row> {
    let columns = "feed, version, is_chosen, matched, missing, mapping::text, not_stored, note";
    client.query(&format!("SELECT {columns} FROM trips.detect_feed($1)"), &[&path]).unwrap()
}

fn mapping(row: &Row) -> serde_json::Value {
    serde_json::from_str(row.get("mapping")).unwrap()
}

#[test]
fn the_feed_of_a_file_and_what_becomes_of_its_columns() {
    let database = Database::on_shared();
    let mut client = database.client();
    let path = database.file(
        "lyft.csv",
        "Ride_ID,rideable_type,started_at,ended_at,start_station_name,start_station_id,end_station_name,end_station_id,\
         start_lat,start_lng,end_lat,end_lng,member_casual,colour\n",
    );
    let rows = detect(&mut client, &path);
    let best = &rows[0];
    assert_eq!(
        (best.get::<_, &str>("feed"), best.get::<_, &str>("version")),
        ("lyft", "13 columns")
    );
    assert!(best.get::<_, bool>("is_chosen"), "{}", best.get::<_, &str>("note"));
    assert_eq!(best.get::<_, i32>("matched"), 13);
    assert_eq!(best.get::<_, Vec<String>>("missing"), Vec::<String>::new());
    assert_eq!(best.get::<_, Vec<String>>("not_stored"), ["colour"]);
    let mapping = mapping(best);
    assert_eq!(mapping["date_time"], json!(["started_at"]));
    assert_eq!(mapping["origin_coord"], json!(["start_lng", "start_lat"]));
    assert_eq!(mapping["trip_id"], json!(["Ride_ID"]));
    assert_eq!(mapping["identity"], json!(["Ride_ID"]));
    assert!(rows[1..].iter().all(|row| !row.get::<_, bool>("is_chosen")));
}

#[test]
fn the_five_columns_are_the_feed_trips() {
    let database = Database::on_shared();
    let mut client = database.client();
    let path = database.file("trips.csv", trips_tests::FIVE_COLUMNS);
    let rows = detect(&mut client, &path);
    assert_eq!(
        (rows[0].get::<_, &str>("feed"), rows[0].get::<_, bool>("is_chosen")),
        ("trips", true)
    );
}

#[test]
fn the_nearest_feed_and_what_it_lacks() {
    let database = Database::on_shared();
    let mut client = database.client();
    let path = database
        .file("near.csv", "ride_id,started_at,ended_at,start_lat,start_lng,end_lat,end_lng,x\n");
    let rows = detect(&mut client, &path);
    assert_eq!(rows.len(), 1);
    assert!(!rows[0].get::<_, bool>("is_chosen"));
    assert!(!rows[0].get::<_, Vec<String>>("missing").is_empty());
    assert!(rows[0].get::<_, &str>("note").contains("nearest"));
    let path = database.file("nothing.csv", "a,b,c\n1,2,3\n");
    assert!(detect(&mut client, &path).is_empty());
}

#[test]
fn a_feed_of_ones_own_is_found_and_two_alike_are_a_tie() {
    let database = Database::on_shared();
    let mut client = database.client();
    let create = "SELECT trips.create_feed($1, $2::text::jsonb)";
    client.execute(create, &[&"brno", &BIKES]).unwrap();
    let path = database.file("rides.csv", BIKES_HEADER);
    let rows = detect(&mut client, &path);
    assert_eq!((rows.len(), rows[0].get::<_, &str>("feed")), (1, "brno"));
    assert!(rows[0].get::<_, bool>("is_chosen"));
    assert_eq!(mapping(&rows[0])["never stored"], json!(["phone"]));
    assert_eq!(
        mapping(&rows[0])["origin_coord"],
        json!({ "zone_set": "brno", "id": ["from_station"] })
    );
    client.execute(create, &[&"brno_copy", &BIKES]).unwrap();
    let rows = detect(&mut client, &path);
    let names: Vec<&str> = rows.iter().map(|row| row.get("feed")).collect();
    assert_eq!(names, ["brno", "brno_copy"]);
    assert!(rows.iter().all(|row| !row.get::<_, bool>("is_chosen")));
    assert!(rows[0].get::<_, &str>("note").contains("argument feed"));
}

#[test]
fn a_station_file_says_so() {
    let database = Database::on_shared();
    let mut client = database.client();
    client.execute("SELECT trips.create_feed('brno', $1::text::jsonb)", &[&BIKES]).unwrap();
    let path = database.file("stations.csv", "id,label,lon,lat\n");
    let rows = detect(&mut client, &path);
    let brno = rows.iter().find(|row| row.get::<_, &str>("feed") == "brno").unwrap();
    assert!(brno.get::<_, &str>("note").contains("trips.load_stations()"));
    assert!(
        !brno.get::<_, bool>("is_chosen") && brno.get::<_, Option<String>>("version").is_none()
    );
}

#[test]
fn files_that_cannot_be_read() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    let empty = cluster.file("empty.csv", "");
    let quote = cluster.file("quote.csv", "a,\"b\n");
    for (path, code) in [
        (empty.as_str(), "22P04"),
        (&quote, "22P04"),
        ("/nowhere.csv", "58P01"),
        ("x.csv", "42602"),
    ] {
        let error = client.query("SELECT * FROM trips.detect_feed($1)", &[&path]).expect_err(path);
        assert_eq!(server_error(&error).0, code, "{path}");
    }
    client.batch_execute("CREATE ROLE loader LOGIN; SELECT trips.grant_loader('loader')").unwrap();
    let path = cluster.file("trips.csv", format!("{}\n", BIKES_HEADER.trim()));
    let error = cluster
        .client_as("loader")
        .query("SELECT * FROM trips.detect_feed($1)", &[&path])
        .unwrap_err();
    assert_eq!(server_error(&error).0, "42501");
}

/// A loader that may not read files sees names of the feed, and no others of the file.
#[test]
fn unknown_names_are_hidden_from_loaders() {
    let cluster = Cluster::start();
    let mut admin = cluster.client();
    let path =
        cluster.file("secret.csv", format!("{},secret_column\n", trips_tests::FIVE_COLUMNS.trim()));
    let directory = path.rsplit_once('/').unwrap().0;
    admin
        .batch_execute(&format!(
            "CREATE ROLE loader LOGIN; SELECT trips.grant_loader('loader');
             ALTER DATABASE trips SET trips.data_directories = '{directory}'"
        ))
        .unwrap();
    let mut loader = cluster.client_as("loader");
    let rows = detect(&mut loader, &path);
    assert_eq!(rows[0].get::<_, &str>("feed"), "trips");
    assert_eq!(rows[0].get::<_, Vec<String>>("not_stored"), Vec::<String>::new());
    let mut client = cluster.client();
    assert_eq!(
        detect(&mut client, &path)[0].get::<_, Vec<String>>("not_stored"),
        ["secret_column"]
    );
}
