//! The arguments `feed`, `region` and `datasource` of a load.

use postgres::Client;
use postgres::error::DbError;
use trips_testkit::feed_fixtures::{Fixture, Style};
use trips_tests::{Cluster, Database, eventually, server_error, text_of};

use super::fixtures::{RESET, ingest};

const REGIONS: &str = "SELECT DISTINCT region, datasource FROM trips.hist_trip_data ORDER BY 1, 2";

/// The SQLSTATE and the texts of a load that fails.
fn refusal(client: &mut Client, call: &str) -> (String, String) {
    let error = client.query_one(call, &[]).expect_err(call);
    let (code, message, hint) = server_error(&error);
    let detail = error.as_db_error().and_then(DbError::detail).unwrap_or_default();
    (code, format!("{message} {detail} {hint}"))
}

/// Arguments count before the values of the feed, and change no key of a feed with ids.
#[test]
fn region_and_datasource_of_the_caller() {
    let database = Database::on_shared();
    let mut client = database.client();
    let fixture = Fixture::read("lyft", "is_equity");
    let path = database.file("a.csv", &fixture.bytes);
    let call =
        format!("SELECT trips.ingest('{path}', region => 'Everywhere', datasource => 'Other')");
    client.query_one(&call, &[]).unwrap();
    assert_eq!(text_of(&mut client, REGIONS), "Everywhere|Other");
    // The same trips, by the feed's own values.
    let again = database.file("b.csv", fixture.restyled(&Style::other(1)));
    let ([read, inserted, duplicate, _], _) = ingest(&mut client, &again);
    assert_eq!((inserted, duplicate), (0, read));
    // Only one of them.
    client.batch_execute(RESET).unwrap();
    let call = format!("SELECT trips.ingest('{path}', region => 'Everywhere')");
    client.query_one(&call, &[]).unwrap();
    assert_eq!(
        text_of(&mut client, REGIONS),
        "Everywhere|Bluebikes\nEverywhere|Capital Bikeshare\nEverywhere|CoGo"
    );
}

/// A file without a region loads with the caller's; without it, each record is rejected.
#[test]
fn a_region_for_records_without_one() {
    let database = Database::on_shared();
    let mut client = database.client();
    let file =
        "region,origin_coord,destination_coord,date_time,datasource\n,,,2018-05-01 00:00:00,x\n";
    let path = database.file("a.csv", file);
    assert_eq!(ingest(&mut client, &path).0, [1, 0, 0, 1]);
    let call = format!("SELECT trips.ingest('{path}', region => 'Cork', force => true)");
    client.query_one(&call, &[]).unwrap();
    assert_eq!(text_of(&mut client, REGIONS), "Cork|x");
}

#[test]
fn the_feed_of_the_caller() {
    let database = Database::on_shared();
    let mut client = database.client();
    let path = database.file("a.csv", &Fixture::read("lyft", "13 columns").bytes);
    // Another feed: the header lacks its columns.
    let (code, text) =
        refusal(&mut client, &format!("SELECT trips.ingest('{path}', feed => 'divvy')"));
    assert_eq!(code, "42703", "{text}");
    let (code, text) =
        refusal(&mut client, &format!("SELECT trips.ingest('{path}', feed => 'nobody')"));
    assert_eq!((code.as_str(), text.contains("nobody")), ("42704", true), "{text}");
    let call = format!("SELECT feed FROM trips.ingest('{path}', feed => 'lyft')");
    assert_eq!(text_of(&mut client, &call), "lyft");
    // Also for bytes that are known, and before a worker begins.
    for function in ["ingest", "submit", "stage"] {
        let call = format!("SELECT trips.{function}('{path}', feed => 'nobody')");
        assert_eq!(refusal(&mut client, &call).0, "42704", "{function}");
    }
}

/// No feed has these columns: the nearest one, and what it misses.
#[test]
fn a_file_of_no_feed() {
    let database = Database::on_shared();
    let mut client = database.client();
    let path = database.file("a.csv", "ride_id,started_at,ended_at,start_lat\n1,2,3,4\n");
    let (code, text) = refusal(&mut client, &format!("SELECT trips.ingest('{path}')"));
    assert_eq!(code, "42703", "{text}");
    assert!(text.contains("lyft") && text.contains("detect_feed"), "{text}");
}

/// A submitted load keeps them.
#[test]
fn arguments_of_a_submitted_load() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    let path = cluster.file("a.csv", &Fixture::read("citibike", "v2").bytes);
    let call = format!(
        "SELECT trips.submit('{path}', feed => 'citibike', region => 'Here', datasource => 'Mine')"
    );
    client.query_one(&call, &[]).unwrap();
    eventually(&mut client, "SELECT state, feed FROM trips.loads", "loaded|citibike");
    // A session that knew the history before hears of its first partition a moment after the commit.
    assert_eq!(text_of(&mut cluster.client(), REGIONS), "Here|Mine");
}

/// A file whose dates prove another order than the feed's is refused with the line.
#[test]
fn a_file_that_contradicts_its_feed() {
    let database = Database::on_shared();
    let mut client = database.client();
    let file =
        "Date/Time,Lat,Lon,Base\n4/3/2014 0:02:00,40.7,-73.9,B1\n13/4/2014 0:02:00,40.7,-73.9,B1\n";
    let path = database.file("a.csv", file);
    let (code, text) = refusal(&mut client, &format!("SELECT trips.ingest('{path}')"));
    assert_eq!((code.as_str(), text.contains("line 3")), ("22008", true), "{text}");
    assert_eq!(text_of(&mut client, "SELECT count(*) FROM trips.hist_trip_data"), "0");
    assert_eq!(text_of(&mut client, "SELECT count(*) FROM trips.stg_trip_data"), "0");
}
