//! `trips.preview`: what a load would do, and nothing is written.

use postgres::Client;
use trips_tests::{Cluster, Database, FIVE_COLUMNS, server_error};

use super::{BIKES, BIKES_HEADER};

/// The rows of a kind: the columns with a value, joined by `|`.
fn rows(client: &mut Client, path: &str, kind: &str) -> Vec<String> {
    let query = "SELECT concat_ws('|', line_no, region, origin_coord, destination_coord, date_time, datasource,
                                  ended_at, trip_id, details, error_code, note)
                   FROM trips.preview($1) WHERE kind = $2";
    client.query(query, &[&path, &kind]).unwrap().iter().map(|row| row.get(0)).collect()
}

/// All that a load would write.
fn written(client: &mut Client) -> i64 {
    let query = "SELECT (SELECT count(*) FROM trips.hist_trip_data) + (SELECT count(*) FROM trips.stg_trip_data)
                      + (SELECT count(*) FROM trips.loads) + (SELECT count(*) FROM trips.queue)
                      + (SELECT count(*) FROM trips.events)";
    client.query_one(query, &[]).unwrap().get(0)
}

#[test]
fn the_five_columns() {
    let database = Database::on_shared();
    let mut client = database.client();
    let path = database.file(
        "trips.csv",
        format!("{},extra\n", FIVE_COLUMNS.trim())
            + "Cork,POINT (1 2),POINT (3 4),2018-05-01 10:00:00,a,x\n"
            + "Cork,POINT (1 2),POINT (3 4),yesterday,a,x\n"
            + "Cork,,,2018-05-02 10:00:00,,x\n",
    );
    let feed = rows(&mut client, &path, "feed");
    assert_eq!(feed, ["trips: read all records of the file (3 records)"]);
    assert_eq!(
        rows(&mut client, &path, "trip"),
        ["2|Cork|(1,2)|(3,4)|2018-05-01 10:00:00|a", "4|Cork|2018-05-02 10:00:00"]
    );
    let rejected = rows(&mut client, &path, "rejected");
    assert_eq!(rejected.len(), 1);
    assert!(rejected[0].starts_with("3|22007|column date_time: "), "{rejected:?}");
    assert_eq!(rows(&mut client, &path, "not stored"), ["extra"]);
    let columns = rows(&mut client, &path, "column");
    assert!(columns.contains(&"date_time: [\"date_time\"]".to_owned()), "{columns:?}");
    assert_eq!(written(&mut client), 0);
}

#[test]
fn a_feed_with_stations_and_personal_columns() {
    let database = Database::on_shared();
    let mut client = database.client();
    client.execute("SELECT trips.create_feed('brno', $1::text::jsonb)", &[&BIKES]).unwrap();
    client
        .batch_execute("INSERT INTO trips.zones (zone_set, zone_id, point) VALUES ('brno', '7', point(16.6, 49.2))")
        .unwrap();
    let path = database.file(
        "rides.csv",
        format!("{BIKES_HEADER}1.0,7,8,2023-05-01 10:00:00,yes,123456\n,7,8,2023-05-01 10:00:00,yes,123456\n"),
    );
    assert_eq!(
        rows(&mut client, &path, "trip"),
        ["2|Brno|(16.6,49.2)|2023-05-01 10:00:00|Bikes of Brno|1|\
          {\"member\": \"yes\", \"to_station\": \"8\", \"from_station\": \"7\"}"]
    );
    let rejected = rows(&mut client, &path, "rejected");
    assert!(rejected[0].starts_with("3|23502|column "), "{rejected:?}");
    let all = client
        .query_one("SELECT string_agg(p::text, ' ') FROM trips.preview($1) AS p", &[&path])
        .unwrap()
        .get::<_, String>(0);
    assert!(!all.contains("123456"), "a personal column is shown: {all}");
    assert_eq!(written(&mut client), 0);
    // What it shows is what a load does.
    database.ingest(&mut client, &path);
    let stored: String = client
        .query_one("SELECT concat_ws('|', region, origin_coord, trip_id, details) FROM trips.hist_trip_data", &[])
        .unwrap()
        .get(0);
    assert!(stored.starts_with("Brno|(16.6,49.2)|1|{\"member\""), "{stored}");
}

#[test]
fn arguments_and_errors() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    let lines: String = (1..=50).map(|i| trips_tests::trip_line("A", i)).collect();
    let path = cluster.file("trips.csv", format!("{FIVE_COLUMNS}{lines}"));
    let count = |client: &mut Client, rows: i32| -> i64 {
        let query = "SELECT count(*) FROM trips.preview($1, rows => $2) WHERE kind = 'trip'";
        client.query_one(query, &[&path, &rows]).unwrap().get(0)
    };
    assert_eq!([0, 1, 50, 10_000].map(|rows| count(&mut client, rows)), [0, 1, 50, 50]);
    let other = cluster.file("other.csv", "a,b\n1,2\n");
    for (call, code) in [
        (format!("trips.preview('{path}', rows => -1)"), "22023"),
        (format!("trips.preview('{path}', rows => 10001)"), "22023"),
        (format!("trips.preview('{path}', rows => NULL)"), "22004"),
        ("trips.preview(NULL)".to_owned(), "22004"),
        (format!("trips.preview('{path}', 'nobody')"), "42704"),
        (format!("trips.preview('{path}', 'divvy')"), "42703"),
        (format!("trips.preview('{other}')"), "42703"),
        ("trips.preview('/nowhere.csv')".to_owned(), "58P01"),
    ] {
        let error = client.query(&format!("SELECT * FROM {call}"), &[]).expect_err(&call);
        assert_eq!(server_error(&error).0, code, "{call}: {}", server_error(&error).1);
    }
    // A loader may load files below a directory, and not see what they have.
    let directory = path.rsplit_once('/').unwrap().0;
    client
        .batch_execute(&format!(
            "CREATE ROLE loader LOGIN; SELECT trips.grant_loader('loader');
             ALTER DATABASE trips SET trips.data_directories = '{directory}'"
        ))
        .unwrap();
    let error = cluster
        .client_as("loader")
        .query(&format!("SELECT * FROM trips.preview('{path}')"), &[])
        .unwrap_err();
    let (code, message, hint) = server_error(&error);
    assert_eq!(code, "42501");
    assert!(
        message.starts_with("permission denied to show contents") && hint.contains("detect_feed")
    );
    // A standby or a read-only transaction can show it.
    client.batch_execute("SET default_transaction_read_only = on").unwrap();
    assert_eq!(count(&mut client, 5), 5);
}
