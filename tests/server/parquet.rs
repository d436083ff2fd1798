//! Parquet files, as publishers write them.

use std::sync::{Arc, Mutex};

use postgres::{Client, NoTls};
use trips_testkit::parquet::{Column, Layout, Leaf, Value, write, write_nested};
use trips_testkit::parquet_checksums::with_checksums;
use trips_tests::{Cluster, Database, peak_memory, server_error};

use super::containers::{refused, zip_of};

const FIVE: [&str; 5] = ["region", "origin_coord", "destination_coord", "date_time", "datasource"];

/// Microseconds from 1970 to 2025-03-09 01:40:00.
const BEGIN: i64 = 1_741_484_400_000_000;
const MINUTE: i64 = 60_000_000;
const WALL: &str = "int64 {} (TIMESTAMP(MICROS,false))";

fn ints(values: impl IntoIterator<Item = i64>) -> Vec<Option<Value>> {
    values.into_iter().map(|value| Some(Value::Int(value))).collect()
}

fn texts(values: impl IntoIterator<Item = &'static str>) -> Vec<Option<Value>> {
    values.into_iter().map(|value| Some(Value::from(value))).collect()
}

fn column(schema: &str, name: &str, values: Vec<Option<Value>>) -> Column {
    Column::new(&format!("optional {}", schema.replace("{}", name)), values)
}

/// Four trips of TLC green; one begins in the hour that New York skips. Times are divided by `divisor`.
fn green(time: &str, divisor: i64) -> Vec<u8> {
    // 01:40, 02:15, noon on 4 July, 01:30 on 2 November.
    let starts = [0, 35, 169_100, 342_710].map(|minutes| BEGIN + minutes * MINUTE);
    let ends = starts.map(|start| (start + 9 * MINUTE) / divisor);
    let starts = starts.map(|start| start / divisor);
    let columns = [
        column("int32 {}", "VendorID", ints([2; 4])),
        column(time, "lpep_pickup_datetime", ints(starts)),
        column(time, "lpep_dropoff_datetime", ints(ends)),
        column("binary {} (STRING)", "store_and_fwd_flag", texts(["N"; 4])),
        column("int64 {}", "RatecodeID", ints([1; 4])),
        column("int32 {}", "PULocationID", ints([41, 42, 43, 44])),
        column("int32 {}", "DOLocationID", ints([42, 43, 44, 45])),
        column("int64 {}", "passenger_count", ints([1; 4])),
        column("double {}", "trip_distance", vec![Some(Value::Number(1.2)); 4]),
        column("int32 {} (UNKNOWN)", "ehail_fee", vec![None; 4]),
    ];
    write(&columns, Layout::default())
}

/// The same as CSV.
const GREEN: &str = "VendorID,lpep_pickup_datetime,lpep_dropoff_datetime,store_and_fwd_flag,RatecodeID,PULocationID,DOLocationID,passenger_count,trip_distance
2,2025-03-09 01:40:00,2025-03-09 01:49:00,N,1,41,42,1,1.2
2,2025-03-09 02:15:00,2025-03-09 02:24:00,N,1,42,43,1,1.2
2,2025-07-04 12:00:00,2025-07-04 12:09:00,N,1,43,44,1,1.2
2,2025-11-02 01:30:00,2025-11-02 01:39:00,N,1,44,45,1,1.2
";

fn count(client: &mut Client, query: &str) -> i64 {
    client.query_one(query, &[]).unwrap().get(0)
}

#[test]
fn a_month_as_csv_and_as_parquet_is_loaded_once_in_every_time_zone() {
    for zone in ["UTC", "America/New_York", "Asia/Kolkata"] {
        let cluster = Cluster::start();
        let mut client = cluster.client();
        client.batch_execute(&format!("SET timezone = '{zone}'")).unwrap();
        let csv = cluster.file("green.csv", GREEN);
        let micros = cluster.file("us.parquet", green(WALL, 1));
        let millis = cluster.file("ms.parquet", green("int64 {} (TIMESTAMP(MILLIS,false))", 1000));
        let zip = cluster.file("both.zip", zip_of(&[("a/us.parquet", green(WALL, 1))]));
        assert_eq!(cluster.ingest(&mut client, &micros).rows, [4, 4, 0, 0], "{zone}");
        for path in [&csv, &millis, &zip] {
            assert_eq!(cluster.ingest(&mut client, path).rows, [4, 0, 4, 0], "{zone}, {path}");
        }
        let skipped =
            "SELECT count(*) FROM trips.hist_trip_data WHERE date_time = '2025-03-09 02:15'";
        assert_eq!(count(&mut client, skipped), 1);
        let known = "SELECT count(*) FROM trips.hist_trip_data WHERE origin_coord IS NOT NULL AND details ? 'trip_distance'";
        assert_eq!(count(&mut client, known), 4);
    }
}

/// Trips of TLC for-hire vehicles with these ids of zones.
fn fhv(zone: &str, minute: i64, zones: Vec<Option<Value>>) -> Vec<u8> {
    let rows = i64::try_from(zones.len()).unwrap();
    let at = |offset| ints((0..rows).map(|row| BEGIN + (row + minute + offset) * MINUTE));
    let same = |text| texts((0..rows).map(|_| text));
    let columns = [
        column("binary {} (STRING)", "dispatching_base_num", same("B00001")),
        column(WALL, "pickup_datetime", at(0)),
        column(WALL, "dropOff_datetime", at(7)),
        column(zone, "PUlocationID", zones.clone()),
        column(zone, "DOlocationID", zones),
        column("int32 {} (UNKNOWN)", "SR_Flag", same("").iter().map(|_| None).collect()),
        column("binary {} (STRING)", "Affiliated_base_number", same("B00001   ")),
    ];
    write(&columns, Layout::default())
}

#[test]
fn zones_are_null_and_change_their_type() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    let number = |value| Some(Value::Number(value));
    let doubles = fhv("double {}", 0, vec![number(264.0), number(7.0), None]);
    let doubles = cluster.file("nulls.parquet", doubles);
    assert_eq!(cluster.ingest(&mut client, &doubles).rows, [3, 3, 0, 0]);
    let places = "SELECT count(*) FROM trips.hist_trip_data WHERE origin_coord IS NULL";
    assert_eq!(count(&mut client, places), 2, "264 is unknown, and NULL is");
    // The first one is known, the others begin in other minutes.
    let ints = cluster.file("ints.parquet", fhv("int64 {}", 0, ints([264, 8, 9])));
    assert_eq!(cluster.ingest(&mut client, &ints).rows, [3, 2, 1, 0]);
}

/// Trips of Uber, whose texts have the month first: here they are times. One has no time, one no place on earth.
fn uber() -> Vec<u8> {
    let times =
        [Some(Value::Int(BEGIN)), None, Some(Value::Int(i64::MAX)), Some(Value::Int(BEGIN))];
    let columns = [
        column(WALL, "Date/Time", times.to_vec()),
        column(
            "double {}",
            "Lat",
            [40.7, 40.7, 40.7, 940.7].map(|n| Some(Value::Number(n))).to_vec(),
        ),
        column("double {}", "Lon", vec![Some(Value::Number(-73.9)); 4]),
        column("binary {}", "Base", texts(["B02512"; 4])),
        column("binary {}", "driver_name", texts(["secret"; 4])),
    ];
    write(&columns, Layout { group_rows: 3, ..Layout::default() })
}

#[test]
fn a_rejected_record_has_its_row_group_and_its_row() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    let path = cluster.file("uber.parquet", uber());
    assert_eq!(cluster.ingest(&mut client, &path).rows, [4, 1, 0, 3]);
    let query = "SELECT row_group, line_no, error_code, raw_line, record::text
                 FROM trips.stg_trip_data ORDER BY row_group, line_no";
    let rows = client.query(query, &[]).unwrap();
    let found: Vec<(i64, i64, String)> =
        rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
    let expected = [(0, 2, "23502"), (0, 3, "22008"), (1, 1, "22003")];
    assert_eq!(found, expected.map(|(group, row, code)| (group, row, code.to_owned())));
    let raw: String = rows[0].get(3);
    assert_eq!(raw, r#"{"Date/Time":null,"Lat":40.7,"Lon":-73.9,"Base":"B02512"}"#);
    let record: String = rows[2].get(4);
    assert!(record.contains(r#""Date/Time": "2025-03-09 01:40:00""#), "{record}");
    let load = "SELECT trips.ingest($1, on_error => 'abort', force => true)";
    let (code, message, _) = server_error(&client.query(load, &[&path]).unwrap_err());
    assert_eq!(code, "23502");
    assert!(message.contains("row group 0, row 2"), "{message}");
    let place = "SELECT row_group, line_no, column_name FROM trips.load_errors";
    let row = client.query_one(place, &[]).unwrap();
    let place: (i64, i64, String) = (row.get(0), row.get(1), row.get(2));
    assert_eq!(place, (0, 2, "date_time".to_owned()));
}

#[test]
fn what_is_staged_merges_to_the_same_trips() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    let path = cluster.file("uber.parquet", uber());
    let query = "SELECT (trips.stage($1)).load_id";
    let load: i64 = client.query_one(query, &[&path]).unwrap().get(0);
    let merge = "SELECT (m).rows_inserted FROM (SELECT trips.merge_staged($1) AS m) AS merged";
    assert_eq!(client.query_one(merge, &[&load]).unwrap().get::<_, i64>(0), 1);
    // The load of the same file finds the same trip.
    let again =
        "SELECT (l).rows_duplicate FROM (SELECT trips.ingest($1, force => true) AS l) AS loads";
    assert_eq!(client.query_one(again, &[&path]).unwrap().get::<_, i64>(0), 1);
}

/// Records with longitude and latitude swapped, whose times are no texts.
#[test]
fn a_second_reading_of_parquet() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    let numbers = |number: f64| vec![Some(Value::Number(number)); 2];
    let columns = [
        column(WALL, "Date/Time", ints([BEGIN, BEGIN + MINUTE])),
        column("double {}", "Lat", numbers(-73.9)),
        column("double {}", "Lon", numbers(40.7)),
        column("binary {}", "Base", texts(["B02512"; 2])),
    ];
    let swapped = write(&columns, Layout { group_rows: 1, ..Layout::default() });
    let path = cluster.file("uber.parquet", swapped);
    assert_eq!(cluster.ingest(&mut client, &path).rows, [2, 0, 0, 2]);
    let query = "SELECT retry, records, examples::text FROM trips.explain_staged(1)";
    let row = client.query_one(query, &[]).unwrap();
    let (retry, records, examples): (String, i64, String) = (row.get(0), row.get(1), row.get(2));
    assert_eq!((records, retry.contains("swap_coordinates => true")), (2, true), "{retry}");
    assert!(examples.contains(r#""row_group": 1"#), "{examples}");
    let row = client.query_one(retry.as_str(), &[]).unwrap();
    assert_eq!((row.get("rows_inserted"), row.get("rows_staged")), (2_i64, 0_i64));
    let place = "SELECT count(*) FROM trips.hist_trip_data WHERE origin_coord[0] = -73.9";
    assert_eq!(count(&mut client, place), 2);
}

#[test]
fn a_preview_reads_parquet() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    let path = cluster.file("green.parquet", green(WALL, 1));
    let rows = client.query("SELECT * FROM trips.preview($1)", &[&path]).unwrap();
    let trips = rows.iter().filter(|row| row.get::<_, String>(0) == "trip").count();
    assert_eq!(trips, 4);
    let feed = "SELECT feed FROM trips.detect_feed($1) LIMIT 1";
    assert_eq!(client.query_one(feed, &[&path]).unwrap().get::<_, String>(0), "tlc_green");
    assert_eq!(count(&mut client, "SELECT count(*) FROM trips.hist_trip_data"), 0);
}

#[test]
fn a_damaged_file_is_refused_with_its_column() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    let good = green(WALL, 1);
    let mut flipped = good.clone();
    // The type of the first page.
    flipped[5] = 0x7f;
    let path = cluster.file("flipped.parquet", flipped);
    let (code, message, _) = refused(&mut client, &path);
    assert_eq!(code, "22P04");
    assert!(message.contains("row group 0, column VendorID, byte 4"), "{message}");
    let row = client.query_one("SELECT row_group, line_no FROM trips.load_errors", &[]).unwrap();
    assert_eq!((row.get(0), row.get(1)), (Some(0_i64), None::<i64>));
    for cut in [good.len() - 1, good.len() / 2, 8] {
        let path = cluster.file(&format!("cut{cut}.parquet"), &good[..cut]);
        assert_eq!(refused(&mut client, &path).0, "22P04", "{cut}");
    }
}

/// Columns that are no columns of the feed may have lists. One NOTICE names them.
#[test]
fn a_list_costs_no_trips_unless_it_is_a_column_of_the_feed() {
    let database = Database::on_shared();
    let said = Arc::new(Mutex::new(Vec::new()));
    let (of_client, mut config) = (said.clone(), database.config());
    config.notice_callback(move |notice| {
        of_client.lock().unwrap().push(notice.message().to_owned());
    });
    let mut client = config.connect(NoTls).unwrap();
    let line = |name: &str| format!("required binary {name} (STRING);");
    let five: String = FIVE.iter().map(|name| line(name)).collect();
    let list = |name: &str| {
        format!(
            "optional group {name} (LIST) {{ repeated group list {{ optional binary element (STRING); }} }}"
        )
    };
    let text = |text: &str| Leaf { values: vec![text.into()], ..Leaf::default() };
    let values = ["A", "POINT (1 2)", "POINT (3 4)", "2018-05-01 00:00:00", "x"].map(text);
    let tags = || Leaf {
        values: vec!["2018-05-01 00:00:00".into(), "b".into()],
        definition: vec![3, 3],
        repetition: vec![0, 1],
    };
    let with_tags: Vec<Leaf> = values.iter().cloned().chain([tags()]).collect();
    let of_time = values.iter().cloned().enumerate();
    let of_time: Vec<Leaf> =
        of_time.map(|(at, leaf)| if at == 3 { tags() } else { leaf }).collect();
    let schema = five.replace(&line("date_time"), &list("date_time"));
    let path = database.file("times.parquet", write_nested(&schema, &of_time, Layout::default()));
    let (code, message, _) = refused(&mut client, &path);
    assert_eq!(code, "0A000", "{message}");
    assert!(message.contains("column \"date_time\": it has lists of values"), "{message}");
    let schema = five + &list("tags");
    let path = database.file("tags.parquet", write_nested(&schema, &with_tags, Layout::default()));
    assert_eq!(database.ingest(&mut client, &path).rows, [1, 1, 0, 0]);
    let ignored = "ignoring column \"tags\"";
    assert_eq!(said.lock().unwrap().iter().filter(|said| *said == ignored).count(), 1);
}

#[test]
fn files_and_row_groups_may_be_empty() {
    let database = Database::on_shared();
    let mut client = database.client();
    let schema: String = FIVE.iter().map(|name| format!("required binary {name};")).collect();
    let columns = FIVE.map(|name| column("binary {}", name, Vec::new()));
    for (name, file) in [
        ("none.parquet", write(&columns, Layout::default())),
        ("empty.parquet", write_nested(&schema, &FIVE.map(|_| Leaf::default()), Layout::default())),
    ] {
        let path = database.file(name, file);
        assert_eq!(
            database.ingest(&mut client, &path).summary(),
            ("loaded", [0, 0, 0, 0]),
            "{name}"
        );
    }
}

#[test]
fn a_page_that_is_not_that_of_its_checksum_is_refused() {
    let database = Database::on_shared();
    let mut client = database.client();
    let columns = FIVE.map(|name| {
        let value = match name {
            "date_time" => "2018-05-01 00:00:00",
            "region" | "datasource" => "region",
            _ => "POINT (1 2)",
        };
        column("binary {}", name, texts([value; 3]))
    });
    let mut file = with_checksums(&write(&columns, Layout::uncompressed()));
    let good = database.file("good.parquet", &file);
    let at = file.windows(6).position(|bytes| bytes == b"region").unwrap();
    file[at] = b'R';
    let path = database.file("flipped.parquet", &file);
    let (code, message, _) = refused(&mut client, &path);
    assert_eq!(code, "22P04");
    assert!(
        message.contains("row group 0, column region, byte 4: a page has the checksum "),
        "{message}"
    );
    assert_eq!(database.ingest(&mut client, &good).rows, [3, 1, 2, 0]);
}

#[test]
fn encrypted_files_are_refused_by_name() {
    let database = Database::on_shared();
    let mut client = database.client();
    let mut file = green(WALL, 1);
    let end = file.len();
    file[..4].copy_from_slice(b"PARE");
    file[end - 4..].copy_from_slice(b"PARE");
    let path = database.file("encrypted.parquet", &file);
    let (code, message, _) = refused(&mut client, &path);
    assert_eq!(code, "0A000");
    assert!(message.ends_with("the footer of the file is encrypted"), "{message}");
}

/// The error has the size and the setting; with a larger setting the file is loaded.
#[test]
fn large_pages_need_a_larger_setting() {
    let database = Database::on_shared();
    let mut client = database.client();
    let rows = 70;
    let long = |row: i64| Some(Value::Bytes(format!("{row:060000}").repeat(17).into()));
    let columns = FIVE.map(|name| match name {
        "date_time" => column("binary {}", name, texts(["2018-05-01 00:00:00"; 70])),
        "datasource" => column("binary {}", name, (0..rows).map(long).collect()),
        "region" => column("binary {}", name, texts(["A"; 70])),
        name => column("binary {}", name, texts(["POINT (1 2)"; 70])),
    });
    for has_dictionary in [false, true] {
        let (page_bytes, dictionary_bytes) = (usize::MAX, usize::MAX);
        let layout = Layout { has_dictionary, page_bytes, dictionary_bytes, ..Layout::default() };
        let path = database.file("large.parquet", write(&columns, layout));
        client.batch_execute("SET trips.work_mem = '1MB'").unwrap();
        let (code, message, hint) = refused(&mut client, &path);
        assert_eq!(code, "54000");
        assert!(message.contains("column datasource: its pages need "), "{message}");
        assert!(message.ends_with(" bytes"), "{message}");
        assert!(hint.starts_with("Increase trips.work_mem"), "{hint}");
        client.batch_execute("SET trips.work_mem = '300MB'").unwrap();
        // A datasource has 1,000 bytes at most.
        assert_eq!(database.ingest(&mut client, &path).rows, [70, 0, 0, 70]);
    }
}

/// All trips are in one row group, whose values are many times the memory.
#[test]
fn a_row_group_may_be_larger_than_the_memory() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    client.batch_execute("SET trips.work_mem = '4MB'; SET trips.parse_threads = 4").unwrap();
    let rows = 400_000;
    let text = |row: i64| Some(Value::Bytes(format!("region {} {row:0100}", row % 50).into()));
    let time = |row: i64| {
        format!("2018-05-01 {:02}:{:02}:{:02}", row / 3600 % 24, row / 60 % 60, row % 60)
    };
    let columns = [
        column("binary {}", "region", (0..rows).map(|row| text(row % 1000)).collect()),
        column("binary {}", "origin_coord", texts((0..rows).map(|_| "POINT (14.4 50.1)"))),
        column("binary {}", "destination_coord", texts((0..rows).map(|_| "POINT (14.5 50.2)"))),
        column(
            "binary {}",
            "date_time",
            (0..rows).map(|row| Some(Value::Bytes(time(row).into()))).collect(),
        ),
        column("binary {}", "datasource", (0..rows).map(text).collect()),
    ];
    let path = cluster.file("large.parquet", write(&columns, Layout::default()));
    let query = "SELECT (l).rows_inserted FROM (SELECT trips.ingest($1) AS l) AS loads";
    let (row, peak) = peak_memory(&mut client, |client| client.query_one(query, &[&path]));
    assert_eq!(row.unwrap().get::<_, i64>(0), rows);
    let megabytes = peak / (1024 * 1024);
    println!("{megabytes} MB");
    assert!(megabytes <= 4 + 64, "{megabytes} MB");
}
