//! The same twenty-seven files through `trips.ingest` and through Spark, which loses a worker on the way.

use postgres::Client;
use trips_testkit::containers::pack;
use trips_testkit::containers::zip::{Entry, Zip};
use trips_testkit::parquet::{self, Column, Layout, Value};
use trips_tests::{
    Cluster, FIVE_COLUMNS, Spark, lines_of, month_as_csv, rows_as_csv, trip_line, until,
};

use crate::{history, start_server, texts};

const SAMPLE: &[u8] = include_bytes!("../../samples/trips_sample.csv");

const AVERAGES: &str = "SELECT * FROM trips.weekly_avg()";
/// By file: the number of a load that was refused is not used again.
const STAGED: &str = "SELECT l.source, s.line_no, s.region, s.origin_coord, s.destination_coord, s.date_time,
        s.datasource, s.raw_line, s.raw_bytes, s.column_name, s.error_code, s.error, s.member, s.row_group
   FROM trips.stg_trip_data AS s JOIN trips.loads AS l USING (load_id)
  ORDER BY l.source, s.member, s.row_group, s.line_no";
const MEMBERS: &str = "SELECT l.source, m.member_no, m.member, m.feed, m.rows_read, m.rows_inserted, m.rows_duplicate, m.rows_staged
   FROM trips.load_members AS m JOIN trips.loads AS l USING (load_id) ORDER BY l.source, m.member_no";
const BOOKS: &str =
    "SELECT l.source, l.digest, l.bytes_read, l.state, l.rows_read, l.rows_inserted,
        l.rows_duplicate, l.rows_staged, same.source AS same_as
   FROM trips.loads AS l LEFT JOIN trips.loads AS same ON same.load_id = l.same_as
  WHERE l.state <> 'failed' ORDER BY l.source";

/// Packed files and other formats, which are not split at bytes: most with rejected records.
fn packed(large: &[u8]) -> Vec<Vec<u8>> {
    let july = month_as_csv(20_000, 8, "2018-07-01");
    let member = |seed: u32, name: &str| {
        let rows =
            [rows_as_csv(500, seed.into()), format!("ragged\n{name},,,never,x\n").into_bytes()];
        rows.concat()
    };
    let zip = |first: u32| {
        let entries = (first..first + 6).map(|i| Entry::new(format!("{i}.csv"), member(i, "zip")));
        Zip::new(&entries.collect::<Vec<_>>()).bytes
    };
    let outer = [
        Entry::new("inner.zip", zip(30)),
        Entry::new("README.txt", "no trips"),
        Entry::new("b.csv.gz", pack::gzip(&member(40, "gz"))),
    ];
    let record = |i: u32| {
        format!(
            "{{\"region\": \"J{i}\", \"origin_coord\": null, \"destination_coord\": null, \"date_time\": \"2018-08-0{} 00:00:00\", \"datasource\": null}}\n",
            i % 12
        )
    };
    vec![
        // Cut in the middle of a record.
        pack::in_two(&july, pack::gzip),
        pack::zstd(lines_of(large, 10_000..30_000).as_ref()),
        zip(20),
        Zip::new(&outer).bytes,
        (0..5_000).map(record).collect::<String>().into_bytes(),
        parquet_of(5_000),
        [DIVVY, &divvy(1), &divvy(2), "ragged\n"].concat().into_bytes(),
    ]
}

const DIVVY: &str = "trip_id,starttime,stoptime,bikeid,tripduration,from_station_id,from_station_name,to_station_id,to_station_name,usertype,gender,birthyear\n";

/// A trip whose places are stations.
fn divvy(id: u32) -> String {
    format!("{id},6/30/2015 23:57,6/30/2015 23:59,{id},300,5,A,6,B,Subscriber,,\n")
}

/// Parquet of five row groups, with a bad row in each.
fn parquet_of(rows: usize) -> Vec<u8> {
    let texts = |of: &dyn Fn(usize) -> String| {
        (0..rows).map(|row| Some(Value::Bytes(of(row).into_bytes()))).collect::<Vec<_>>()
    };
    let point = |row: usize| if row % 1_000 == 7 { "nowhere".into() } else { "POINT (1 2)".into() };
    let time = |row: usize| format!("2018-09-01 10:{:02}:{:02}", row / 60 % 60, row % 60);
    let columns = [
        Column::new("optional binary region (UTF8)", texts(&|row| format!("P{row}"))),
        Column::new("optional binary origin_coord (UTF8)", texts(&point)),
        Column::new("optional binary destination_coord (UTF8)", vec![None; rows]),
        Column::new("optional binary date_time (UTF8)", texts(&time)),
        Column::new("optional binary datasource (UTF8)", vec![None; rows]),
    ];
    parquet::write(&columns, Layout { group_rows: 1_000, ..Layout::default() })
}

/// Twenty-seven files: clean ones, of which one is many tasks; ones that overlap; dirty ones; ones that are
/// refused; one that is there twice; and packed ones.
fn files() -> Vec<Vec<u8>> {
    let large = month_as_csv(60_000, 1, "2018-05-01");
    let other = month_as_csv(12_000, 2, "2018-06-15");
    let quoted: String = (0..20_000)
        .map(|i| match i % 500 {
            7 => format!("\"two\nlines {i}\",,,2018-05-03 10:00:00,\"a, \"\"b\"\"\"\n"),
            8 => "\"text\"behind,,,,\n".to_owned(),
            9 => "\n  \n".to_owned(),
            _ => trip_line(format!("Region {}", i % 7), i),
        })
        .collect();
    let broken: Vec<u8> = (0..3_000_u32)
        .flat_map(|i| match i % 5 {
            0 => b"Plze\xf2,,,2018-05-01 00:00:00,x\n".to_vec(),
            1 => format!("Turin,POINT (7 {i}),,2018-05-01 00:00:00,x\n").into_bytes(),
            2 => b"Turin,,,2018-02-30 00:00:00,x,one more\n".to_vec(),
            3 => b"A\0B,,,2018-05-01 00:00:00,\"x\"\n".to_vec(),
            _ => trip_line("Turin", i).into_bytes(),
        })
        .collect();
    let sample = String::from_utf8(SAMPLE.to_vec()).expect("UTF-8");
    let with_header = |lines: &[u8]| [FIVE_COLUMNS.as_bytes(), lines].concat();
    let packed = packed(&large);
    let mut files = vec![
        large.clone(),
        other.clone(),
        rows_as_csv(5_000, 3),
        rows_as_csv(5_000, 4),
        rows_as_csv(1, 5),
        FIVE_COLUMNS.into(),
        lines_of(&large, 20_000..50_000).into(),
        lines_of(&large, 0..100).into(),
        [lines_of(&other, 5_000..9_000), lines_of(&other, 6_000..8_000)].concat().into(),
        SAMPLE.to_vec(),
        sample.replace('\n', "\r\n").into(),
        sample.replace('\n', "\r").into(),
        format!("\u{feff}{sample}\n\n").into(),
        with_header(quoted.as_bytes()),
        with_header(&broken),
        with_header("ragged\n".repeat(2_000).as_bytes()),
        with_header(b"\"open\n,,,,\n"),
        large,
        // Refused: something else than CSV, and nothing at all.
        b"\x1f\x8b\x08 not text".to_vec(),
        Vec::new(),
    ];
    files.extend(packed);
    files
}

#[test]
#[ignore = "needs Spark: make test-spark"]
fn ingest_and_spark_give_the_same_and_a_lost_worker_changes_nothing() {
    let (one, two) = (start_server(), start_server());
    let (mut client, mut other) = (one.client(), two.client());
    let paths: Vec<String> = files()
        .iter()
        .enumerate()
        .map(|(i, file)| one.file(&format!("{i:02}.csv"), file))
        .collect();
    let stations = "id,name,latitude,longitude\n5,A,41.123456789,-87.6\n6,B,41.9,-87.7\n";
    let stations = one.file("Divvy_Stations_2015.csv", stations);
    for client in [&mut client, &mut other] {
        client.query("SELECT trips.load_stations('divvy', $1)", &[&stations]).expect("stations");
    }
    let refused: Vec<String> = paths
        .iter()
        .filter_map(|path| client.query_one("SELECT trips.ingest($1)", &[path]).err())
        .map(|error| error.as_db_error().expect("the server's").code().code().to_owned())
        .collect();
    assert_eq!(refused, ["22P04", "22P04"]);

    let spark = Spark::start(&two, "spark");
    let mut arguments = vec!["load.py", "--split-bytes", "1", "--slow", "0.1"];
    arguments.extend(paths.iter().map(String::as_str));
    let mut job = spark.begin(&arguments);
    lose_a_worker(&spark, &two, &mut job);
    let output = job.wait_with_output().expect("a job");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "two files are refused\n{printed}\n{errors}");
    // Spark gives what its driver prints as one stream.
    let refused: Vec<&str> = printed.lines().filter(|line| line.starts_with("refused ")).collect();
    assert!(
        refused.len() == 2 && refused.iter().all(|line| line.contains("22P04")),
        "{printed}\n{errors}"
    );
    assert!(printed.contains("27 files: 24 loaded, 1 known already, 2 refused"), "{printed}");

    compare(&mut client, &mut other);
    // Once more: all bytes are known, and nothing is staged.
    let again = spark.begin(&["load.py", &paths[0], &paths[9]]).wait_with_output().expect("a job");
    let printed = String::from_utf8_lossy(&again.stdout);
    assert!(
        again.status.success() && printed.contains("2 files: 0 loaded, 2 known already"),
        "{printed}"
    );
    assert_eq!(history(&mut client), history(&mut other));
}

/// Kills a worker when some parts have arrived and others have not.
fn lose_a_worker(spark: &Spark, cluster: &Cluster, job: &mut std::process::Child) {
    let mut client = cluster.client();
    let arrived = |client: &mut Client| -> i64 {
        let query = "SELECT count(*) FROM trips.upload_parts";
        client.query_one(query, &[]).expect("a count").get(0)
    };
    until("no parts arrive", || {
        assert!(job.try_wait().expect("a job").is_none(), "the job has ended");
        (arrived(&mut client) >= 4).then_some(())
    });
    spark.kill_worker(1);
    let at_the_kill = arrived(&mut client);
    let loads: i64 =
        client.query_one("SELECT count(*) FROM trips.loads", &[]).expect("a count").get(0);
    assert_eq!(loads, 0, "the kill came after the merge");
    until("no part arrives after the kill", || {
        assert!(job.try_wait().expect("a job").is_none(), "the job has ended");
        (arrived(&mut client) != at_the_kill).then_some(())
    });
}

fn compare(client: &mut Client, other: &mut Client) {
    let (trips, digest) = history(client);
    assert!(trips > 90_000, "{trips} trips");
    assert_eq!((trips, digest), history(other));
    for query in [BOOKS, STAGED, MEMBERS, AVERAGES] {
        let (expected, found) = (texts(client, query), texts(other, query));
        assert!(expected.len() > 10, "{query}");
        let differs = expected.iter().zip(&found).find(|(a, b)| a != b);
        assert_eq!((differs, expected.len()), (None, found.len()), "{query}");
    }
    let left = "SELECT * FROM trips.uploads";
    assert_eq!(texts(other, left), Vec::<String>::new());
}
