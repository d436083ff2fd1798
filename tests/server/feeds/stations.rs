//! `trips.load_stations`, and the places of trips that were loaded before their stations.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use postgres::{Client, NoTls};
use trips_testkit::containers::pack;
use trips_tests::{Cluster, Database, FIVE_COLUMNS, server_error};

use super::{BIKES, BIKES_HEADER};
use crate::containers::zip_of;

const LOAD: &str = "SELECT trips.load_stations('brno', $1, $2)";

fn database() -> (Database, Client) {
    let database = Database::on_shared();
    let mut client = database.client();
    client.execute("SELECT trips.create_feed('brno', $1::text::jsonb)", &[&BIKES]).unwrap();
    (database, client)
}

fn zones(client: &mut Client) -> Vec<String> {
    let query = "SELECT concat_ws('|', zone_id, valid_from, valid_to, name, point)
                   FROM trips.zones WHERE zone_set = 'brno' ORDER BY zone_id, valid_from";
    client.query(query, &[]).unwrap().iter().map(|row| row.get(0)).collect()
}

#[test]
fn a_station_file_becomes_zones_of_its_year() {
    let (database, mut client) = database();
    let path = database
        .file("stations_2023.csv", "id,label,lon,lat\n7,Spilberk,16.6,49.2\n8.0,Hlavni,,\n");
    let year: Option<i32> = None;
    let count: i64 = client.query_one(LOAD, &[&path, &year]).unwrap().get(0);
    assert_eq!(count, 2);
    assert_eq!(zones(&mut client), ["7|2023|2023|Spilberk|(16.6,49.2)", "8|2023|2023|Hlavni"]);
    // The same year again replaces the stations; another year is beside it.
    let path = database.file("stations.csv", "LAT,Lon,Label,ID\n49.1,16.5,Castle,7\n");
    for year in [2023, 2024] {
        client.query_one(LOAD, &[&path, &Some(year)]).unwrap();
    }
    assert_eq!(
        zones(&mut client),
        ["7|2023|2023|Castle|(16.5,49.1)", "7|2024|2024|Castle|(16.5,49.1)", "8|2023|2023|Hlavni"]
    );
    let error = client.query_one(LOAD, &[&path, &year]).unwrap_err();
    let (code, message, hint) = server_error(&error);
    assert_eq!(code, "22023", "{message}");
    assert!(
        message.ends_with("is not known") && hint.contains("argument year"),
        "{message} {hint}"
    );
}

#[test]
fn files_that_are_not_of_stations_change_nothing() {
    let (database, mut client) = database();
    let year = Some(2023);
    for (name, content, code, text) in [
        ("no_id.csv", "label,lon,lat\nA,1,2\n", "42703", "column id is missing"),
        ("twice.csv", "id,id,lon,lat\n1,2,1,2\n", "42701", "appears twice"),
        ("no_place.csv", "id,label\n1,A\n", "42703", "columns lon, lat are missing"),
        ("bad.csv", "id,lon,lat\n2,east,49\n3,16,99\n", "22P02", "line 2: "),
    ] {
        let path = database.file(name, content);
        let error = client.query_one(LOAD, &[&path, &year]).expect_err(name);
        let (found, message, _) = server_error(&error);
        assert!(found == code && message.contains(text), "{name}: {found} {message}");
        assert!(message.starts_with("could not load station file"), "{message}");
    }
    for (call, code) in [
        ("SELECT trips.load_stations('nowhere', '/x.csv')", "42704"),
        ("SELECT trips.load_stations('trips', '/x.csv')", "42809"),
        ("SELECT trips.load_stations('brno', '/nowhere.csv', 2020)", "58P01"),
        ("SELECT trips.load_stations('brno', 'x.csv', 2020)", "42602"),
        ("SELECT trips.load_stations('brno', '/nowhere.csv', -5)", "22023"),
        ("SELECT trips.load_stations('brno', '/nowhere.csv', 1899)", "22023"),
        ("SELECT trips.load_stations('brno', '/nowhere.csv', 2100)", "22023"),
        ("SELECT trips.load_stations(NULL, '/x.csv')", "22004"),
        ("SELECT trips.load_stations('brno', NULL)", "22004"),
    ] {
        let error = client.query_one(call, &[]).expect_err(call);
        assert_eq!(server_error(&error).0, code, "{call}");
    }
    assert_eq!(zones(&mut client), Vec::<String>::new());
}

/// A session, and its notices.
fn listener(database: &Database) -> (Client, Arc<Mutex<String>>) {
    let said = Arc::new(Mutex::new(String::new()));
    let received = said.clone();
    let mut config = database.config();
    config.notice_callback(move |notice| {
        let (severity, message) = (notice.severity(), notice.message());
        let (detail, hint) = (notice.detail().unwrap_or(""), notice.hint().unwrap_or(""));
        writeln!(received.lock().unwrap(), "{severity}:  {message}\n{detail}\nHINT:  {hint}")
            .unwrap();
    });
    (config.connect(NoTls).unwrap(), said)
}

/// Zone 264 is the publisher's id of a place that is not known: no file has its coordinates.
#[test]
fn only_a_feed_with_station_files_advises_to_load_them() {
    let database = Database::on_shared();
    let (mut client, said) = listener(&database);
    let path = database.file(
        "uber.csv",
        "Dispatching_base_num,Pickup_date,Affiliated_base_num,locationID\nB02617,2015-05-17 09:47:00,B02617,264\n",
    );
    client.query("SELECT trips.ingest($1)", &[&path]).unwrap();
    let zones = std::mem::take(&mut *said.lock().unwrap());
    assert!(zones.contains("1 origin or destination is NULL"), "{zones}");
    assert!(!zones.contains("load_stations"), "{zones}");
    let path = database.file(
        "divvy.csv",
        "trip_id,starttime,stoptime,bikeid,tripduration,from_station_id,from_station_name,to_station_id,to_station_name,usertype,gender,birthyear\n\
         901,6/30/2016 23:57,7/1/2016 0:10,2,788,90001,Elm St,90002,Oak St,Customer,,\n",
    );
    client.query("SELECT trips.ingest($1)", &[&path]).unwrap();
    let stations = std::mem::take(&mut *said.lock().unwrap());
    assert!(stations.contains("2 origins or destinations are NULL"), "{stations}");
    assert!(stations.contains("Run trips.load_stations()"), "{stations}");
}

/// A bad record costs no good one, and nothing is dropped silently.
#[test]
fn bad_stations_and_repeated_ids_are_reported() {
    let (database, mut client) = database();
    let year = Some(2023);
    let content = "id,label,lon,lat\n\n1,A,16,49\n2,B,east,49\n3,C,16,99\n,D,16,49\n4,E,16.5,49.5\n1,F,16.1,49.1\n";
    let path = database.file("s.csv", content);
    let (mut listener, said) = listener(&database);
    assert_eq!(listener.query_one(LOAD, &[&path, &year]).unwrap().get::<_, i64>(0), 2);
    let reported = std::mem::take(&mut *said.lock().unwrap());
    for line in [
        &format!("WARNING:  station file \"{path}\": 3 records are not stations"),
        "line 4: ",
        "line 5: ",
        "line 6: the id of the station is empty",
        "HINT:  Correct these records, then load the file again. Its other stations are loaded.",
        &format!("NOTICE:  station file \"{path}\": 1 record repeats the id of an earlier record"),
        "line 8: \"1\", as line 3",
    ] {
        assert!(reported.contains(line), "{line}: {reported}");
    }
    assert_eq!(zones(&mut client), ["1|2023|2023|F|(16.1,49.1)", "4|2023|2023|E|(16.5,49.5)"]);
    // A file without faults says nothing.
    let path = database.file("good.csv", "id,label,lon,lat\n1,A,16,49\n");
    listener.query_one(LOAD, &[&path, &year]).unwrap();
    assert_eq!(*said.lock().unwrap(), "");
}

/// Publishers pack stations and trips of several years together.
#[test]
fn station_files_may_be_packed() {
    let database = Database::on_shared();
    let (mut client, said) = listener(&database);
    client.execute("SELECT trips.create_feed('brno', $1::text::jsonb)", &[&BIKES]).unwrap();
    let year: Option<i32> = None;
    let stations = "id,label,lon,lat\n7,Spilberk,16.6,49.2\n";
    let path = database.file("stations_2022.csv.gz", pack::gzip(stations.as_bytes()));
    assert_eq!(client.query_one(LOAD, &[&path, &year]).unwrap().get::<_, i64>(0), 1);
    let rides = format!("{BIKES_HEADER}1,7,8,2023-05-01 10:00:00,,\n");
    let inner = zip_of(&[("stations_2024.csv", "lat,lon,id\n49.1,16.5,8\n49.1,x,9\n")]);
    let bytes = zip_of(&[
        ("2023/rides.csv", rides.into_bytes()),
        ("2023/stations_2023.csv.zst", pack::zstd(stations.as_bytes())),
        ("inner.zip", inner),
        ("README.txt", b"Stations".to_vec()),
    ]);
    let path = database.file("all.zip", bytes);
    assert_eq!(client.query_one(LOAD, &[&path, &year]).unwrap().get::<_, i64>(0), 2);
    let reported = std::mem::take(&mut *said.lock().unwrap());
    for text in [
        format!(
            "WARNING:  station file \"{path}\", member \"inner.zip/stations_2024.csv\": 1 record is not a station"
        ),
        "line 3: ".to_owned(),
        "NOTICE:  passing over members \"2023/rides.csv\", \"README.txt\"".to_owned(),
    ] {
        assert!(reported.contains(&text), "{text}: {reported}");
    }
    let all = [
        "7|2022|2022|Spilberk|(16.6,49.2)",
        "7|2023|2023|Spilberk|(16.6,49.2)",
        "8|2024|2024|(16.5,49.1)",
    ];
    assert_eq!(zones(&mut client), all);
    // An error in a later member leaves none of the stations before it.
    for (members, code, text) in [
        (
            vec![("rides.csv", BIKES_HEADER), ("x.csv", "a,b\n1,2\n")],
            "22P04",
            "has no station file of feed \"brno\"",
        ),
        (
            vec![("s_2025.csv", stations), ("stations.csv", stations)],
            "22023",
            "member \"stations.csv\" is not known",
        ),
        (
            vec![("s_2025.csv", stations), ("t_2025.csv", "id,lon,lat\n1,x,y\n")],
            "22P02",
            "member \"t_2025.csv\": line 2: ",
        ),
    ] {
        let path = database.file("bad.zip", zip_of(&members));
        let error = client.query_one(LOAD, &[&path, &year]).expect_err(text);
        let (found, message, _) = server_error(&error);
        assert!(found == code && message.contains(text), "{found} {message}: {text}");
    }
    assert_eq!(zones(&mut client), all);
}

/// The built-in zones are those of the library: a station file cannot replace them.
#[test]
fn built_in_zones_are_not_replaced() {
    let database = Database::on_shared();
    let mut client = database.client();
    let own = BIKES.replace("\"zone_set\": \"brno\"", "\"zone_set\": \"nyc_taxi_zones\"");
    client.execute("SELECT trips.create_feed('brno', $1::text::jsonb)", &[&own]).unwrap();
    let path = database.file("stations.csv", "id,label,lon,lat\n1,Newark,16.6,49.2\n");
    let error = client.query_one(LOAD, &[&path, &Some(2023)]).unwrap_err();
    let (code, message, _) = server_error(&error);
    assert_eq!(
        (code.as_str(), message.as_str()),
        ("42809", "zones of set \"nyc_taxi_zones\" are built in")
    );
}

#[test]
fn a_station_file_needs_the_privileges_of_a_load() {
    let cluster = Cluster::start();
    let mut admin = cluster.client();
    admin.execute("SELECT trips.create_feed('brno', $1::text::jsonb)", &[&BIKES]).unwrap();
    admin.batch_execute("CREATE ROLE loader LOGIN; SELECT trips.grant_loader('loader')").unwrap();
    let path = cluster.file("stations_2023.csv", "id,lon,lat\n8,secret,1\n");
    let mut loader = cluster.client_as("loader");
    let year: Option<i32> = None;
    let error = loader.query_one(LOAD, &[&path, &year]).unwrap_err();
    let (code, message, _) = server_error(&error);
    assert_eq!(code, "42501", "{message}");
    let directory = path.rsplit_once('/').unwrap().0;
    admin
        .batch_execute(&format!("ALTER DATABASE trips SET trips.data_directories = '{directory}'"))
        .unwrap();
    let mut loader = cluster.client_as("loader");
    let error = loader.query_one(LOAD, &[&path, &year]).unwrap_err();
    let (code, message, _) = server_error(&error);
    assert_eq!(code, "22P02", "{message}");
    assert!(!format!("{error:?}").contains("secret"), "a loader may not read the file: {error:?}");
    let path = cluster.file("good_2023.csv", "id,lon,lat\n7,16.6,49.2\n");
    let count: i64 = loader.query_one(LOAD, &[&path, &year]).unwrap().get(0);
    assert_eq!(count, 1);
}

#[test]
fn places_are_completed_when_their_stations_are_known() {
    let (database, mut client) = database();
    let rows = "Brno,,,2023-05-01 10:00:00,1\nBrno,,,2022-05-01 10:00:00,2\n";
    let path = database.file("rides.csv", format!("{FIVE_COLUMNS}{rows}"));
    let load_id = database.ingest(&mut client, &path).load_id;
    client
        .batch_execute(&format!(
            "UPDATE trips.loads SET feed = 'brno' WHERE load_id = {load_id};
             UPDATE trips.hist_trip_data SET trip_id = datasource, details =
               CASE datasource WHEN '1' THEN '{{\"from_station\": \"7\", \"to_station\": \"8\"}}'
                               ELSE '{{\"from_station\": \"7\", \"to_station\": \"9\"}}' END::jsonb"
        ))
        .unwrap();
    let trips = "SELECT trip_id || ' ' || coalesce(origin_coord::text, '-') || ' ' || coalesce(destination_coord::text, '-')
                   FROM trips.hist_trip_data ORDER BY trip_id";
    let all = |client: &mut Client| -> Vec<String> {
        client.query(trips, &[]).unwrap().iter().map(|row| row.get(0)).collect()
    };
    let keys = "SELECT string_agg(trip_key::text, ' ' ORDER BY trip_id) FROM trips.hist_trip_data";
    let before: String = client.query_one(keys, &[]).unwrap().get(0);
    assert_eq!(all(&mut client), ["1 - -", "2 - -"]);
    let complete = "SELECT trips.complete_places('brno')";
    assert_eq!(client.query_one(complete, &[]).unwrap().get::<_, i64>(0), 0);
    let path = database.file("stations.csv", "id,lon,lat\n7,16.6,49.2\n8,16.7,49.3\n");
    client.query_one(LOAD, &[&path, &Some(2023)]).unwrap();
    let other_period = "SELECT trips.complete_places('brno', since => '2023-05-02')";
    assert_eq!(client.query_one(other_period, &[]).unwrap().get::<_, i64>(0), 0);
    assert_eq!(client.query_one(complete, &[]).unwrap().get::<_, i64>(0), 1);
    assert_eq!(all(&mut client), ["1 (16.6,49.2) (16.7,49.3)", "2 - -"]);
    assert_eq!(client.query_one(complete, &[]).unwrap().get::<_, i64>(0), 0);
    assert_eq!(client.query_one(keys, &[]).unwrap().get::<_, String>(0), before);
    // Areas and verify() follow.
    let inside = "SELECT sum(trips)::bigint FROM trips.weekly_counts(trips.area(16, 49, 17, 50))";
    assert_eq!(client.query_one(inside, &[]).unwrap().get::<_, Option<i64>>(0), Some(1));
    let failed = "SELECT string_agg(check_name || ': ' || detail, ', ') FROM trips.verify() WHERE NOT passed";
    assert_eq!(client.query_one(failed, &[]).unwrap().get::<_, Option<String>>(0), None);
}

#[test]
fn feeds_without_stations_have_no_places_to_complete() {
    let database = Database::on_shared();
    let mut client = database.client();
    for (call, code) in [
        ("SELECT trips.complete_places('trips')", "42809"),
        ("SELECT trips.complete_places('nowhere')", "42704"),
        ("SELECT trips.complete_places(NULL)", "22004"),
        ("SELECT trips.complete_places('tlc_yellow', '2020-02-01', '2020-01-01')", "22023"),
        ("SELECT trips.complete_places('tlc_yellow', 'infinity')", "22023"),
    ] {
        let error = client.query_one(call, &[]).expect_err(call);
        assert_eq!(server_error(&error).0, code, "{call}");
    }
}
