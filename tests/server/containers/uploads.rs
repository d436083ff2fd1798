//! Packed files in parts, as `trips_reader` makes them: the result is that of `trips.ingest`.

use postgres::Client;
use trips_tests::{
    Database, Load, digest, parts_and_warnings, parts_by_reader, real_trips, server_error,
};

use super::same_trips::packed;
use super::{csv, zip_of};
use trips_testkit::containers::pack;

/// What a load leaves, without its number and its times.
const RESULTS: [&str; 6] = [
    "SELECT trip_key, region, origin_coord::text, destination_coord::text, date_time, datasource, ended_at, trip_id, details
       FROM trips.hist_trip_data",
    "SELECT l.source, to_jsonb(s) - 'load_id' - 'staged_at' FROM trips.stg_trip_data AS s JOIN trips.loads AS l USING (load_id)",
    "SELECT source, feed, digest, bytes_read, state, rows_read, rows_inserted, rows_duplicate, rows_staged FROM trips.loads",
    "SELECT l.source, to_jsonb(m) - 'load_id' FROM trips.load_members AS m JOIN trips.loads AS l USING (load_id)",
    "SELECT * FROM trips.daily_trip_counts",
    "SELECT l.source, to_jsonb(s) - 'load_id' FROM trips_internal.load_stations AS s JOIN trips.loads AS l USING (load_id)",
];

fn results(client: &mut Client) -> Vec<String> {
    let mut all = Vec::new();
    for query in RESULTS {
        let query = format!("SELECT q::text FROM ({query}) AS q ORDER BY 1");
        let rows = client.query(&query, &[]).unwrap();
        all.push(format!("{} rows", rows.len()));
        all.extend(rows.iter().map(|row| row.get::<_, String>(0)));
    }
    all
}

fn upload(client: &mut Client, path: &str, split_bytes: u64) -> Load {
    let file = std::fs::read(path).unwrap();
    let bytes = i64::try_from(file.len()).unwrap();
    let create = "SELECT * FROM trips.create_upload($1, $2, $3, 'reader')";
    let row = client.query_one(create, &[&path, &digest(&file), &bytes]).unwrap();
    let load_id = Load::from_row(&row).load_id;
    let mut parts = parts_by_reader(path, load_id, split_bytes).unwrap();
    // In whatever order they arrive.
    parts.reverse();
    for part in parts {
        let stored = client.query_one("SELECT trips.upload_part($1, $2)", &[&load_id, &part]);
        assert!(stored.unwrap_or_else(|error| panic!("{path}: {error:?}")).get::<_, bool>(0));
    }
    let row = client.query_one("SELECT * FROM trips.complete_upload($1)", &[&load_id]);
    Load::from_row(&row.unwrap_or_else(|error| panic!("{path}: {error:?}")))
}

/// Loads files in two histories, and compares what they leave.
fn require_same(files: &[(&str, Vec<u8>)]) {
    let (one, two) = (Database::on_shared(), Database::on_shared());
    let (mut client, mut other) = (one.client(), two.client());
    for (name, bytes) in files {
        let path = one.file(name, bytes);
        let ingested = one.ingest(&mut client, &path);
        let uploaded = upload(&mut other, &path, 1);
        assert_eq!(uploaded.summary(), ingested.summary(), "{name}");
    }
    let (expected, found) = (results(&mut client), results(&mut other));
    let differs = expected.iter().zip(&found).find(|(a, b)| a != b);
    assert_eq!((differs, expected.len()), (None, found.len()));
    let left = "SELECT count(*) FROM trips.upload_parts";
    assert_eq!(other.query_one(left, &[]).unwrap().get::<_, i64>(0), 0);
}

/// Whichever is first brings all trips: each file has a history of its own.
#[test]
fn the_same_trips_in_each_way() {
    let files = packed(&real_trips());
    for file in &files {
        require_same(std::slice::from_ref(file));
    }
    require_same(&files);
}

/// Rejected records have the member and their positions in it.
#[test]
fn rejected_records_have_their_members() {
    let bad = |name: &str| {
        let good = format!("{name},,,2018-05-01 00:00:00,\n");
        csv(&[&good, "ragged\n", &good, "A,POINT (1 99),,2018-05-01 00:00:00,x\n"])
    };
    let json = "[{\"region\": \"A\", \"date_time\": \"2018-05-01 00:00:00\", \"origin_coord\": null, \"destination_coord\": null, \"datasource\": null},
 {\"region\": \"A\", \"date_time\": \"never\", \"origin_coord\": null, \"destination_coord\": null, \"datasource\": null}]";
    let inner = zip_of(&[("c.csv", bad("C")), ("README.txt", "no trips".to_owned())]);
    let members: [(&str, Vec<u8>); 4] = [
        ("b.csv.gz", pack::gzip(bad("B").as_bytes())),
        ("a.csv", bad("A").into_bytes()),
        ("d.json", json.as_bytes().to_vec()),
        ("inner.zip", inner),
    ];
    require_same(&[
        ("bad.csv.zst", pack::zstd(bad("D").as_bytes())),
        ("bad.zip", zip_of(&members)),
        ("bad.json", json.as_bytes().to_vec()),
    ]);
}

/// Ids, equal records and the stations of an archive, whose feed has no coordinates.
#[test]
fn stations_and_identity() {
    let header = "trip_id,starttime,stoptime,bikeid,tripduration,from_station_id,from_station_name,to_station_id,to_station_name,usertype,gender,birthyear\n";
    let trip =
        |id: u32| format!("{id},6/30/2015 23:57,6/30/2015 23:59,{id},300,5,A,6,B,Subscriber,,\n");
    let stations = "id,name,latitude,longitude,dpcapacity,landmark,online date\n5,A,41.8,-87.6,15,1,6/28/2013\n6,B,41.9,-87.7,15,1,6/28/2013\n";
    let files = [
        ("trips_2.csv", [header, &trip(3), &trip(1)].concat()),
        ("Divvy_Stations_2015.csv", stations.to_owned()),
        ("trips_1.csv", [header, &trip(1), &trip(2), "bad,,,,,,,,,,,\n"].concat()),
    ];
    require_same(&[("divvy_2015.zip", zip_of(&files))]);
}

/// A staged record of an uploaded archive merges to the trip that its load would have inserted.
#[test]
fn a_merge_of_an_upload_knows_the_stations_of_its_archive() {
    let trip = |id: u32, day: u32| {
        format!("{id},6/{day}/2015 23:57,6/30/2015 23:59,{id},300,5,A,6,B,Subscriber,,\n")
    };
    let stations =
        "id,name,latitude,longitude\n5,A,41.8,-87.600000000000001\n6,B,41.9,-87.7\n7,C,42,-88\n";
    let member = |trips: &[String]| [&[DIVVY.to_owned()], trips].concat().concat();
    let bad = zip_of(&[
        ("trips_1.csv", member(&[trip(1, 30)])),
        ("Divvy_Stations_2015.csv", stations.to_owned()),
        ("trips_2.csv", member(&[trip(2, 31), trip(3, 30), trip(4, 31)])),
    ]);
    let kept = |client: &mut Client| -> i64 {
        let query = "SELECT count(*) FROM trips_internal.load_stations";
        client.query_one(query, &[]).unwrap().get(0)
    };
    let correct = |client: &mut Client| {
        let update = "UPDATE trips.stg_trip_data SET record = record || jsonb_build_object(
            'starttime', replace(record ->> 'starttime', '6/31', '6/30'), 'to_station_id', '7')";
        client.batch_execute(update).unwrap();
        client.query("SELECT trips.merge_staged()", &[]).unwrap();
        results(client)
    };
    let (one, two) = (Database::on_shared(), Database::on_shared());
    let (mut client, mut other) = (one.client(), two.client());
    let path = one.file("divvy_2015.zip", &bad);
    assert_eq!(one.ingest(&mut client, &path).rows, [4, 2, 0, 2]);
    assert_eq!(upload(&mut other, &path, 1).rows, [4, 2, 0, 2]);
    assert_eq!((kept(&mut client), kept(&mut other)), (3, 3));
    assert_eq!(correct(&mut other), correct(&mut client));
    let place = "SELECT count(*) FROM trips.hist_trip_data
                  WHERE origin_coord ~= '(-87.6,41.8)' AND destination_coord ~= '(-88,42)'";
    assert_eq!(other.query_one(place, &[]).unwrap().get::<_, i64>(0), 2);
    assert_eq!(kept(&mut other), 0);
    // Without rejected records, none are kept.
    let good = zip_of(&[
        ("Divvy_Stations_2015.csv", stations.to_owned()),
        ("trips_1.csv", member(&[trip(9, 30)])),
    ]);
    let path = one.file("good_2015.zip", &good);
    assert_eq!(upload(&mut other, &path, 1).rows, [1, 1, 0, 0]);
    assert_eq!(kept(&mut other), 0);
}

const DIVVY: &str = "trip_id,starttime,stoptime,bikeid,tripduration,from_station_id,from_station_name,to_station_id,to_station_name,usertype,gender,birthyear\n";

/// As `docker/spark/load.py` writes them.
const ZONES: &str = "SELECT coalesce(string_agg(json_build_array(zone_set, zone_id, valid_from, valid_to, region,
        point[0]::text, point[1]::text)::text, E'\\n'), '') FROM trips.zones WHERE zone_set <> 'nyc_taxi_zones'";

/// The stations of `trips.load_stations` are the places of uploaded trips; those of an archive count before them.
#[test]
fn stations_of_the_server_reach_the_reader() {
    let (one, two) = (Database::on_shared(), Database::on_shared());
    let (mut client, mut other) = (one.client(), two.client());
    let trip =
        |id: u32| format!("{id},6/30/2015 23:57,6/30/2015 23:59,{id},300,5,A,6,B,Subscriber,,\n");
    let stations = |lat: &str| {
        format!(
            "id,name,latitude,longitude\n5,A,{lat},-87.600000000000001\n7,\"C\"\"\",41.9,-87.7\n"
        )
    };
    let path = one.file("Divvy_Stations_2015.csv", stations("41.123456789012345"));
    for client in [&mut client, &mut other] {
        client.query("SELECT trips.load_stations('divvy', $1)", &[&path]).unwrap();
    }
    let zones = two.file("zones.jsonl", other.query_one(ZONES, &[]).unwrap().get::<_, String>(0));
    let bad = stations("41.5") + "8,D,x,y\n";
    let files = [
        ("trips.csv", [DIVVY, &trip(1)].concat().into_bytes()),
        ("trips.csv.gz", pack::gzip([DIVVY, &trip(2)].concat().as_bytes())),
        (
            "all_2015.zip",
            zip_of(&[("Stations.csv", bad), ("trips.csv", [DIVVY, &trip(3)].concat())]),
        ),
    ];
    for (name, bytes) in files {
        let path = one.file(name, &bytes);
        one.ingest(&mut client, &path);
        let size = i64::try_from(bytes.len()).unwrap();
        let create = "SELECT load_id FROM trips.create_upload($1, $2, $3, 'reader')";
        let row = other.query_one(create, &[&path, &digest(&bytes), &size]).unwrap();
        let load_id: i64 = row.get(0);
        let (parts, warnings) = parts_and_warnings(&path, load_id, 1, Some(&zones)).unwrap();
        for part in parts {
            other.query_one("SELECT trips.upload_part($1, $2)", &[&load_id, &part]).unwrap();
        }
        other.query_one("SELECT trips.complete_upload($1)", &[&load_id]).unwrap();
        let expected: &[&str] = match name {
            "all_2015.zip" => &["member Stations.csv: 1 record is not a station; line 4: "],
            _ => &[],
        };
        assert_eq!(warnings.len(), expected.len(), "{name}: {warnings:?}");
        for (warning, expected) in warnings.iter().zip(expected) {
            assert!(warning.starts_with(expected), "{warning}");
        }
    }
    let query = "SELECT string_agg(concat_ws('|', trip_id, origin_coord, destination_coord), ';' ORDER BY trip_id)
                   FROM trips.hist_trip_data";
    let places = |client: &mut Client| client.query_one(query, &[]).unwrap().get::<_, String>(0);
    let expected = places(&mut client);
    assert!(expected.contains("41.123456789012344") && expected.contains(",41.5)"), "{expected}");
    assert_eq!(places(&mut other), expected);
    assert_eq!(results(&mut other), results(&mut client));
}

/// A file that `trips.ingest` refuses is refused with the same SQLSTATE.
#[test]
fn refused_files() {
    let database = Database::on_shared();
    let mut client = database.client();
    let csv = real_trips();
    let (gzip, other) = (pack::gzip(&csv), "Base,Lat\nB02512,40.7\n".to_owned());
    let mut flipped = gzip.clone();
    let crc = flipped.len() - 6;
    flipped[crc] ^= 1;
    let mut encrypted = b"PARE\x15".to_vec();
    encrypted.extend(b"footer\x06\0\0\0PARE");
    let files: [(&str, Vec<u8>); 8] = [
        ("encrypted.parquet", encrypted.clone()),
        ("encrypted.zip", zip_of(&[("trips.parquet", encrypted)])),
        ("cut.csv.gz", gzip[..gzip.len() - 20].to_vec()),
        ("flipped.csv.gz", flipped),
        ("padded.csv.gz", [&gzip[..], b"more"].concat()),
        ("book.xlsx", zip_of(&[("[Content_Types].xml", "x"), ("xl/workbook.xml", "x")])),
        ("no_feed.zip", zip_of(&[("a.csv", csv.clone()), ("b.csv", other.into_bytes())])),
        ("empty.zip", zip_of(&[("README.txt", "no trips")])),
    ];
    for (name, bytes) in &files {
        let path = database.file(name, bytes);
        let error = client.query("SELECT trips.ingest($1)", &[&path]).expect_err(name);
        let (code, message) = parts_by_reader(&path, 1, 1).expect_err(name);
        assert_eq!(code, server_error(&error).0, "{message}");
        assert!(message.contains(name), "{message}");
    }
}

/// A part that names another content, or no member, is refused.
#[test]
fn parts_of_different_contents() {
    let database = Database::on_shared();
    let mut client = database.client();
    let csv = real_trips();
    let path = database.file("trips.csv.gz", pack::gzip(&csv));
    let file = std::fs::read(&path).unwrap();
    let (size, digest) = (i64::try_from(file.len()).unwrap(), digest(&file));
    let create = "SELECT load_id FROM trips.create_upload('a', $1, $2, 'r')";
    let load_id: i64 = client.query_one(create, &[&digest, &size]).unwrap().get(0);
    let parts = parts_by_reader(&path, load_id, 1).unwrap();
    let [part] = &parts[..] else { panic!("{} parts", parts.len()) };
    let mut store = |part: &[u8]| {
        let stored = client.query_one("SELECT trips.upload_part($1, $2)", &[&load_id, &part]);
        stored.map(|row| row.get::<_, bool>(0)).map_err(|error| server_error(&error).0)
    };
    // The units of the content, the number of the member, and the kind of positions.
    for (byte, value) in [(63, 0), (63, 1), (71, 1), (79, 3)] {
        let mut other = part.clone();
        let old = std::mem::replace(&mut other[byte], value);
        if byte == 63 {
            other[56..63].fill(0);
        }
        assert_ne!(old, value);
        assert_eq!(store(&other), Err("22P03".to_owned()), "{byte} {value}");
    }
    assert_eq!(store(part), Ok(true));
    let row = client.query_one("SELECT rows_inserted FROM trips.complete_upload($1)", &[&load_id]);
    assert_eq!(row.unwrap().get::<_, i64>(0), 100);
}
