//! Archives: members with trips, members with stations, and what loads pass over.

use std::sync::{Arc, Mutex};

use postgres::{Client, NoTls};
use trips_testkit::containers::pack;
use trips_tests::{Database, text_of, trip_line};

use super::{csv, refused, zip_of};

const DIVVY: &str = "trip_id,starttime,stoptime,bikeid,tripduration,from_station_id,from_station_name,to_station_id,to_station_name,usertype,gender,birthyear\n";
const LYFT: &str = "ride_id,rideable_type,started_at,ended_at,start_station_name,start_station_id,end_station_name,end_station_id,start_lat,start_lng,end_lat,end_lng,member_casual\n";

fn divvy(id: u32, from: u32, to: u32) -> String {
    format!(
        "{id},6/30/2015 23:5{},6/30/2015 23:59,{id},300,{from},A,{to},B,Subscriber,,\n",
        id % 10
    )
}

fn lyft(id: &str, minute: u32) -> String {
    format!(
        "{id},classic_bike,2024-09-01 08:{minute:02}:00,2024-09-01 09:00:00,A,1.01,B,1.02,40.7,-73.9,40.8,-73.8,member\n"
    )
}

/// A client that collects its notices.
fn listening(database: &Database) -> (Client, Arc<Mutex<Vec<String>>>) {
    let notices = Arc::new(Mutex::new(Vec::new()));
    let of_client = notices.clone();
    let mut config = database.config();
    config.notice_callback(move |notice| {
        of_client.lock().unwrap().push(notice.message().to_owned());
    });
    (config.connect(NoTls).unwrap(), notices)
}

/// Folders, files of operating systems and READMEs at any level, with one NOTICE.
#[test]
fn what_is_no_trip_is_passed_over() {
    let database = Database::on_shared();
    let (mut client, notices) = listening(&database);
    let inner = |name: &str, lines: &[String]| {
        zip_of(&[(name, [LYFT, &lines.concat()].concat()), ("__MACOSX/._x", "\0".into())])
    };
    let bytes = zip_of(&[
        ("data/", Vec::new()),
        ("data/1.zip", inner("1.csv", &[lyft("a", 1), lyft("b", 2), lyft("c", 3)])),
        ("data/2.zip", inner("2.csv", &[lyft("c", 3), lyft("d", 4)])),
        ("data/3.csv", [LYFT, &lyft("e", 5), "bad line\n"].concat().into_bytes()),
        ("data/.DS_Store", b"\0\0\0\x01Bud1".to_vec()),
        ("__MACOSX/data/._3.csv", b"\0".to_vec()),
        ("README.txt", b"Trips of September".to_vec()),
    ]);
    let path = database.file("trips.zip", &bytes);
    let load = database.ingest(&mut client, &path);
    assert_eq!(load.rows, [7, 5, 1, 1]);
    let rows = client.query("SELECT m.member_no, m.member, m.feed, m.rows_read, m.rows_inserted, m.rows_duplicate, m.rows_staged FROM trips.load_members AS m ORDER BY 1", &[]).unwrap();
    let members: Vec<(i32, String, String, [i64; 4])> = rows
        .iter()
        .map(|row| (row.get(0), row.get(1), row.get(2), [3, 4, 5, 6].map(|i| row.get(i))))
        .collect();
    let lyft = || "lyft".to_owned();
    assert_eq!(
        members,
        [
            (1, "data/1.zip/1.csv".to_owned(), lyft(), [3, 3, 0, 0]),
            (2, "data/2.zip/2.csv".to_owned(), lyft(), [2, 1, 1, 0]),
            (3, "data/3.csv".to_owned(), lyft(), [2, 1, 0, 1]),
        ]
    );
    // A line is one of its member.
    let staged = client
        .query_one("SELECT member, line_no, row_group FROM trips.stg_trip_data", &[])
        .unwrap();
    assert_eq!((staged.get(0), staged.get(1), staged.get(2)), ("data/3.csv", 3_i64, None::<i64>));
    let notices = notices.lock().unwrap();
    let about: Vec<&String> =
        notices.iter().filter(|notice| notice.contains("README.txt")).collect();
    assert_eq!(about.len(), 1, "{notices:?}");
    for name in ["data/", "data/.DS_Store", "__MACOSX/data/._3.csv", "data/1.zip/__MACOSX/._x"] {
        assert!(about[0].contains(&format!("\"{name}\"")), "{name}: {}", about[0]);
    }
}

/// Stations beside trips are places of this load, and of no other.
#[test]
fn stations_are_places_of_the_load() {
    let database = Database::on_shared();
    let mut client = database.client();
    let stations = STATIONS;
    let trips = [DIVVY, &divvy(1, 901, 902), &divvy(2, 902, 903)].concat();
    // The order of the members does not matter.
    for (number, names) in
        [["Stations_2015.csv", "Trips_2015.csv"], ["Trips_2015.csv", "Stations_2015.csv"]]
            .into_iter()
            .enumerate()
    {
        let content =
            |name: &str| if name.starts_with("Trips") { trips.as_str() } else { stations };
        let bytes = zip_of(&names.map(|name| (name, content(name))));
        let path = database.file(&format!("{number}.zip"), &bytes);
        for feed in [None, Some("divvy")] {
            let preview = client
                .query(
                    "SELECT destination_coord::text FROM trips.preview($1, $2) WHERE kind = 'trip'",
                    &[&path, &feed],
                )
                .unwrap();
            let places: Vec<Option<&str>> = preview.iter().map(|row| row.get(0)).collect();
            assert_eq!(places, [Some("(-87.64,41.89)"), None]);
        }
        let rows = if number == 0 { [2, 2, 0, 0] } else { [2, 0, 2, 0] };
        assert_eq!(database.ingest(&mut client, &path).rows, rows);
    }
    let rows = client.query("SELECT h.origin_coord::text, h.destination_coord::text FROM trips.hist_trip_data AS h ORDER BY h.trip_id", &[]).unwrap();
    let places: Vec<[Option<&str>; 2]> = rows.iter().map(|row| [row.get(0), row.get(1)]).collect();
    assert_eq!(
        places,
        [[Some("(-87.63,41.88)"), Some("(-87.64,41.89)")], [Some("(-87.64,41.89)"), None]]
    );
    let zones = "SELECT count(*) FROM trips.zones WHERE zone_set <> 'nyc_taxi_zones'";
    assert_eq!(client.query_one(zones, &[]).unwrap().get::<_, i64>(0), 0);
    assert_eq!(
        client.query_one("SELECT count(*) FROM trips.load_members", &[]).unwrap().get::<_, i64>(0),
        2
    );
}

const STATIONS: &str = "id,name,latitude,longitude,dpcapacity,online date\n\
    901,A,41.88,-87.63,15,1/1/2015\n902,B,41.89,-87.64,15,1/1/2015\n";

/// The places of all trips, by their ids.
fn places(client: &mut Client) -> String {
    text_of(
        client,
        "SELECT trip_id, origin_coord, destination_coord FROM trips.hist_trip_data ORDER BY trip_id",
    )
}

/// A staged record of an archive becomes the trip that it would have become in the load.
#[test]
fn a_merge_knows_the_stations_of_the_archive() {
    let bad = |id| divvy(id, 901, 902).replacen("6/30/2015", "6/31/2015", 1);
    let trips = [DIVVY, &bad(1), &divvy(2, 902, 903), &bad(3), &bad(4)].concat();
    let good = [(1, 901, 902), (2, 902, 903), (3, 901, 902), (4, 902, 902)];
    let good = good.map(|(id, from, to)| divvy(id, from, to));
    let good = [DIVVY, &good.concat()].concat();
    let zip = |trips: &str| zip_of(&[("Stations_2015.csv", STATIONS), ("Trips_2015.csv", trips)]);
    let expected = {
        let database = Database::on_shared();
        let mut client = database.client();
        let path = database.file("good.zip", zip(&good));
        assert_eq!(database.ingest(&mut client, &path).rows, [4, 4, 0, 0]);
        places(&mut client)
    };
    assert!(expected.starts_with("1|(-87.63,41.88)|(-87.64,41.89)"), "{expected}");
    let kept = "SELECT count(*) FROM trips_internal.load_stations";
    for staged_first in [false, true] {
        let database = Database::on_shared();
        let mut client = database.client();
        let path = database.file("bad.zip", zip(&trips));
        let load = if staged_first { "stage" } else { "ingest" };
        client.query(&format!("SELECT trips.{load}($1)"), &[&path]).unwrap();
        assert_eq!(text_of(&mut client, kept), "2", "{load}");
        let correct = |id: u32, changes: &str| {
            format!(
                "UPDATE trips.stg_trip_data SET record = record
                    || jsonb_build_object('starttime', replace(record ->> 'starttime', '6/31', '6/30')) || '{changes}'
                  WHERE record ->> 'trip_id' = '{id}'"
            )
        };
        client.batch_execute(&correct(1, "{}")).unwrap();
        client.query("SELECT trips.merge_staged()", &[]).unwrap();
        assert_eq!(text_of(&mut client, kept), "2", "{load}");
        client.batch_execute(&correct(3, "{}")).unwrap();
        // Another station of the archive.
        client.batch_execute(&correct(4, r#"{"from_station_id": "902"}"#)).unwrap();
        client.query("SELECT trips.merge_staged()", &[]).unwrap();
        assert_eq!(text_of(&mut client, "SELECT count(*) FROM trips.stg_trip_data"), "0");
        assert_eq!(places(&mut client), expected, "{load}");
        assert_eq!(text_of(&mut client, kept), "0", "{load}");
        assert_eq!(
            text_of(&mut client, "SELECT count(*) FROM trips.verify() WHERE NOT passed"),
            "0"
        );
    }
}

/// A retracted load leaves no stations behind.
#[test]
fn stations_go_with_the_load() {
    let database = Database::on_shared();
    let mut client = database.client();
    let trips = [DIVVY, &divvy(1, 901, 902), "bad line\n"].concat();
    let bytes = zip_of(&[("Stations_2015.csv", STATIONS), ("Trips_2015.csv", &trips)]);
    let load = database.ingest(&mut client, &database.file("all.zip", bytes));
    assert_eq!(load.rows, [2, 1, 0, 1]);
    let kept = "SELECT count(*) FROM trips_internal.load_stations";
    assert_eq!(text_of(&mut client, kept), "2");
    client.query("SELECT trips.retract($1)", &[&load.load_id]).unwrap();
    assert_eq!(text_of(&mut client, kept), "0");
}

/// As those of `trips.load_stations`. An archive without staged rows leaves no stations behind.
#[test]
fn bad_stations_of_an_archive_are_reported() {
    let database = Database::on_shared();
    let (mut client, notices) = listening(&database);
    let stations = format!("{STATIONS}903,C,x,y,15,1/1/2015\n902,B,41.90,-87.65,15,1/1/2015\n");
    let trips = [DIVVY, &divvy(1, 901, 902), &divvy(2, 902, 903)].concat();
    let bytes = zip_of(&[("data/Stations_2015.csv", stations), ("Trips_2015.csv", trips)]);
    let path = database.file("all.zip", bytes);
    assert_eq!(database.ingest(&mut client, &path).rows, [2, 2, 0, 0]);
    let notices = std::mem::take(&mut *notices.lock().unwrap());
    let member = format!("station file \"{path}\", member \"data/Stations_2015.csv\"");
    for message in [
        format!("{member}: 1 record is not a station"),
        format!("{member}: 1 record repeats the id of an earlier record"),
    ] {
        assert_eq!(notices.iter().filter(|notice| **notice == message).count(), 1, "{notices:?}");
    }
    assert_eq!(text_of(&mut client, "SELECT count(*) FROM trips_internal.load_stations"), "0");
}

/// Trips of two feeds, stations of another feed, and files of no feed are refused by their names.
#[test]
fn members_of_other_feeds_are_refused() {
    let database = Database::on_shared();
    let mut client = database.client();
    let trips = csv(&[&trip_line("A", 1)]);
    let lyft = [LYFT, &lyft("a", 1)].concat();
    let stations = "id,name,latitude,longitude\n901,A,41.88,-87.63\n";
    for (name, members, code, expected) in [
        (
            "two.zip",
            [("a.csv", trips.as_str()), ("b.csv", lyft.as_str())],
            "22P04",
            "file \"{path}\", member \"b.csv\" is of feed \"lyft\", expected feed \"trips\"",
        ),
        (
            "other.zip",
            [("a.csv", trips.as_str()), ("b.csv", "x,y\n1,2\n")],
            "42703",
            "member \"b.csv\"",
        ),
        (
            "stations.zip",
            [("s.csv", stations), ("a.csv", trips.as_str())],
            "42809",
            "member \"s.csv\" is a station file",
        ),
        (
            "empty.zip",
            [("a.csv", trips.as_str()), ("b.csv", "")],
            "22P04",
            "member \"b.csv\" is empty",
        ),
        (
            "none.zip",
            [("s.csv", stations), ("README", "x")],
            "22P04",
            "archive \"{path}\" has no file of trips",
        ),
    ] {
        let path = database.file(name, zip_of(&members));
        let (found, message, _) = refused(&mut client, &path);
        assert_eq!(found, code, "{message}");
        let expected = expected.replace("{path}", &path);
        assert!(message.contains(&expected), "{message}: {expected}");
    }
    let members = client
        .query("SELECT e.member FROM trips.load_errors AS e ORDER BY e.load_id", &[])
        .unwrap();
    let members: Vec<Option<&str>> = members.iter().map(|row| row.get(0)).collect();
    assert_eq!(members, [Some("b.csv"), Some("b.csv"), Some("s.csv"), Some("b.csv"), None]);
}

/// Errors of records name the member and its line; the limit of bad rows is that of the file.
#[test]
fn errors_of_records_name_the_member() {
    let database = Database::on_shared();
    let mut client = database.client();
    let member = |region| csv(&[&trip_line(region, 1), "bad line\n"]);
    let bytes = zip_of(&[("a.csv", member("A")), ("b.csv", member("B"))]);
    let path = database.file("trips.zip", &bytes);
    let message = |client: &mut Client, call: &str| {
        let error =
            client.query(&format!("SELECT trips.ingest($1, {call})"), &[&path]).unwrap_err();
        let error = error.as_db_error().unwrap().clone();
        format!("{}: {}", error.message(), error.detail().unwrap_or_default())
    };
    let found = message(&mut client, "on_error => 'abort'");
    assert!(found.contains("trips.zip\", member \"a.csv\": line 3: "), "{found}");
    let place =
        "SELECT e.member, e.line_no, e.row_group, e.column_name FROM trips.load_errors AS e";
    assert_eq!(text_of(&mut client, place), "a.csv|3||");
    let found = message(&mut client, "max_errors => 1");
    assert!(found.contains("more than 1 bad row"), "{found}");
    assert_eq!(database.ingest(&mut client, &path).rows, [4, 2, 0, 2]);
}

/// The n-th equal record of a member is a trip of its own: an archive gives the trips of its members, one by one.
#[test]
fn equal_records_count_by_member() {
    let database = Database::on_shared();
    let mut client = database.client();
    // The feed of Vancouver: times are rounded to the hour.
    let header = "Departure,Return,Departure station,Return station\n";
    let line = "2024-01-31 08:00,2024-01-31 09:00,A,B\n";
    let member = |count: usize| [header, &line.repeat(count)].concat();
    let members = [("a.csv", member(2)), ("b.csv", member(1)), ("c.csv", member(3))];
    let archive = database.file("all.zip", zip_of(&members));
    assert_eq!(database.ingest(&mut client, &archive).rows, [6, 3, 3, 0]);
    for (name, content) in members {
        let path = database.file(name, &content);
        let count = i64::try_from(content.lines().count() - 1).unwrap();
        assert_eq!(database.ingest(&mut client, &path).rows, [count, 0, count, 0], "{name}");
    }
}

/// A compressed member counts as a level; deeper ones are refused with the setting.
#[test]
fn compressed_members_are_unpacked() {
    let database = Database::on_shared();
    let mut client = database.client();
    let trips = csv(&[&trip_line("A", 1)]);
    let bytes = zip_of(&[
        ("a.csv.gz", pack::gzip(trips.as_bytes())),
        ("b.csv.xz", pack::xz(trips.as_bytes())),
    ]);
    let path = database.file("trips.zip", &bytes);
    assert_eq!(database.ingest(&mut client, &path).rows, [2, 1, 1, 0]);
}
