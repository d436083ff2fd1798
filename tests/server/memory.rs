//! How much memory a load takes: `trips.work_mem` and 64 MB at most, whatever the file has.

use std::fmt::Write;

use postgres::Client;
use trips_tests::{
    Cluster, FIVE_COLUMNS, Load, digest, parts_of, peak_memory, server_error, trip_line,
};

pub const MEGABYTE: u64 = 1024 * 1024;
/// What a load may take beside `trips.work_mem`.
const OVERHEAD: u64 = 64 * MEGABYTE;

/// A client whose loads have so much memory, and four threads.
pub fn client_with(cluster: &Cluster, megabytes: u64) -> Client {
    let mut client = cluster.client();
    let settings = format!("SET trips.work_mem = '{megabytes}MB'; SET trips.parse_threads = 4");
    client.batch_execute(&settings).unwrap();
    client
}

fn require_at_most(peak: u64, megabytes: u64) {
    let peak = peak / MEGABYTE;
    println!("{peak} MB of private memory with trips.work_mem = {megabytes} MB");
    assert!(
        peak <= megabytes + OVERHEAD / MEGABYTE,
        "{peak} MB with trips.work_mem = {megabytes} MB"
    );
}

/// Ingests a file and returns its rows: read, inserted, duplicate, staged.
fn ingest(client: &mut Client, path: &str, megabytes: u64) -> [i64; 4] {
    let query = "SELECT * FROM trips.ingest($1)";
    let (row, peak) = peak_memory(client, |client| client.query_one(query, &[&path]));
    require_at_most(peak, megabytes);
    Load::from_row(&row.unwrap()).rows
}

/// Lines of so many regions of 900 bytes, all different.
pub fn regions(count: u32, second: impl Fn(u32) -> u32) -> String {
    let mut file = FIVE_COLUMNS.to_owned();
    for i in 0..count {
        file.push_str(&trip_line(format_args!("{i:0900}"), second(i)));
    }
    file
}

/// The sum of what is derived, and of the history.
fn counts(client: &mut Client) -> (i64, i64, i64) {
    let query = "SELECT (SELECT sum(trips)::bigint FROM trips.daily_trip_counts),
                        (SELECT count(DISTINCT region) FROM trips.daily_trip_counts),
                        (SELECT count(*) FROM trips.hist_trip_data)";
    let row = client.query_one(query, &[]).unwrap();
    (row.get(0), row.get(1), row.get(2))
}

fn require_verified(client: &mut Client) {
    let failed = "SELECT count(*) FROM trips.verify() WHERE NOT passed";
    assert_eq!(client.query_one(failed, &[]).unwrap().get::<_, i64>(0), 0);
}

#[test]
fn as_many_regions_as_trips() {
    let cluster = Cluster::start();
    let count = 50_000;
    let path = cluster.file("regions.csv", regions(count, |i| i));
    let mut client = client_with(&cluster, 4);
    let count = i64::from(count);
    assert_eq!(ingest(&mut client, &path, 4), [count, count, 0, 0]);
    assert_eq!(counts(&mut client), (count, count, count));
    require_verified(&mut client);
}

/// Trips of one moment are one batch, which cannot be cut.
#[test]
fn as_many_regions_as_trips_at_one_moment() {
    let cluster = Cluster::start();
    let count = 40_000;
    let path = cluster.file("regions.csv", regions(count, |_| 0));
    let mut client = client_with(&cluster, 32);
    let count = i64::from(count);
    assert_eq!(ingest(&mut client, &path, 32), [count, count, 0, 0]);
    assert_eq!(counts(&mut client), (count, count, count));
}

/// Where the counts are moved, in the middle of a partition, does not matter.
#[test]
fn counts_that_are_moved_early() {
    let cluster = Cluster::start();
    let path = cluster.file("regions.csv", regions(9_000, |i| i * 9));
    let found = |memory: &str| {
        let mut client = cluster.client();
        client
            .batch_execute("DROP EXTENSION trips_pipeline; CREATE EXTENSION trips_pipeline")
            .unwrap();
        client.batch_execute(&format!("SET trips.work_mem = '{memory}'")).unwrap();
        assert_eq!(cluster.ingest(&mut client, &path).rows, [9_000, 9_000, 0, 0]);
        require_verified(&mut client);
        counts(&mut client)
    };
    let (one_run, runs) = (found("64MB"), found("1MB"));
    assert_eq!(one_run, (9_000, 9_000, 9_000));
    assert_eq!(one_run, runs);
}

#[test]
fn a_file_of_rejected_lines() {
    let cluster = Cluster::start();
    let lines = 700_000;
    let path = cluster.file("bad.csv", FIVE_COLUMNS.to_owned() + &"x\n".repeat(lines));
    let mut client = client_with(&cluster, 4);
    let lines = i64::try_from(lines).unwrap();
    assert_eq!(ingest(&mut client, &path, 4), [lines, 0, 0, lines]);
    let query = "SELECT count(*), min(line_no), max(line_no), count(DISTINCT line_no) FROM trips.stg_trip_data";
    let row = client.query_one(query, &[]).unwrap();
    let found: [i64; 4] = [0, 1, 2, 3].map(|i| row.get(i));
    assert_eq!(found, [lines, 2, lines + 1, lines]);
}

/// A line of bytes that no text can hold takes six times as many in staging.
#[test]
fn long_rejected_lines() {
    let cluster = Cluster::start();
    let mut file = FIVE_COLUMNS.as_bytes().to_vec();
    for i in 0..12_u8 {
        file.extend(vec![0xff - i; 1_000_000]);
        file.push(b'\n');
    }
    let path = cluster.file("bytes.csv", file);
    let mut client = client_with(&cluster, 4);
    assert_eq!(ingest(&mut client, &path, 4), [12, 0, 0, 12]);
}

/// Outside writers may write texts of any size.
pub fn stage_long_texts(client: &mut Client, rows: u32, megabytes: u32) {
    let text = format!("repeat('x', {megabytes} * 1000000)");
    let query = format!(
        "INSERT INTO trips.stg_trip_data (region, origin_coord, destination_coord, date_time, datasource)
         SELECT {text}, {text}, {text}, {text}, {text} FROM generate_series(1, {rows});
         INSERT INTO trips.stg_trip_data (region, date_time) VALUES ('good', '2018-05-01 00:00:00')"
    );
    client.batch_execute(&query).unwrap();
}

/// Texts that no trip has are rejected where they are: they are not read.
#[test]
fn staged_texts_without_a_bound() {
    let cluster = Cluster::start();
    stage_long_texts(&mut cluster.client(), 16, 6);
    let mut client = client_with(&cluster, 4);
    for (rows, staged) in [([17, 1, 0, 16], 16), ([17, 1, 0, 16], 16)] {
        let query = "SELECT * FROM trips.merge_staged()";
        let (row, peak) = peak_memory(&mut client, |client| client.query_one(query, &[]));
        require_at_most(peak, 4);
        assert_eq!(Load::from_row(&row.unwrap()).rows, rows);
        let query = "SELECT DISTINCT column_name, error_code, error, octet_length(region) FROM trips.stg_trip_data";
        let row = client.query_one(query, &[]).unwrap();
        let (column, code, error): (String, String, String) = (row.get(0), row.get(1), row.get(2));
        assert_eq!(
            (column.as_str(), code.as_str(), row.get(3)),
            ("region", "22001", 6_000_000_i32)
        );
        assert_eq!(error, "the field has 6000000 bytes; the limit is 1000");
        let count: i64 =
            client.query_one("SELECT count(*) FROM trips.stg_trip_data", &[]).unwrap().get(0);
        assert_eq!(count, staged);
    }
}

/// A text that a record can hold is read, however many blanks it has.
#[test]
fn staged_texts_as_long_as_a_record() {
    let cluster = Cluster::start();
    let mut client = client_with(&cluster, 4);
    client
        .batch_execute(
            "INSERT INTO trips.stg_trip_data (region, date_time)
             SELECT repeat(' ', 1000000) || i, '2018-05-01 00:00:00' FROM generate_series(1, 100) AS i",
        )
        .unwrap();
    let query = "SELECT * FROM trips.merge_staged()";
    let (row, peak) = peak_memory(&mut client, |client| client.query_one(query, &[]));
    require_at_most(peak, 4);
    assert_eq!(Load::from_row(&row.unwrap()).rows, [100, 100, 0, 0]);
}

/// Patterns and paths that no file system has are refused before anything is done with them.
#[test]
fn endless_paths_and_patterns() {
    let cluster = Cluster::start();
    let mut client = client_with(&cluster, 4);
    let mut parts = String::from("/tmp/");
    (0..40_000).for_each(|_| parts.push_str("a/"));
    let mut wild = String::from("/tmp/");
    (0..40).for_each(|_| wild.push_str("*/"));
    let long = [parts + "*.csv", "/tmp/".to_owned() + &"*a".repeat(4_000_000), "/".repeat(4097)];
    let calls = [
        "SELECT trips_internal.new_files($1)",
        "SELECT trips_internal.try_lock_pattern($1)",
        "CALL trips.ingest_new($1)",
        "SELECT trips.ingest($1)",
        "SELECT trips.stage($1)",
        "SELECT trips.submit($1)",
        "SELECT trips.create_upload($1, decode(repeat('ab', 32), 'hex'), 1, 'r')",
        "SELECT trips.create_upload('s', decode(repeat('ab', 32), 'hex'), 1, $1)",
        "SELECT trips.schedule('j', '* * * * *', $1)",
        "SELECT trips_internal.new_files('/tmp/*', $1)",
    ];
    for text in &long {
        for call in calls {
            let (result, peak) = peak_memory(&mut client, |client| client.query(call, &[text]));
            let (code, message, _) = server_error(&result.unwrap_err());
            assert_eq!(code, "22023", "{call}: {message}");
            assert!(message.ends_with("is too long"), "{call}: {message}");
            require_at_most(peak, 4);
        }
    }
    let error = client.query("SELECT trips_internal.new_files($1)", &[&wild]).unwrap_err();
    assert_eq!(server_error(&error).0, "22023");
    let query = "SELECT count(*) FROM trips.loads";
    assert_eq!(client.query_one(query, &[]).unwrap().get::<_, i64>(0), 0);
    // What is as long as a path may be is looked for.
    let path = "/".repeat(3000) + &"a".repeat(200) + "/*.csv";
    let error = client.query("SELECT trips_internal.new_files($1)", &[&path]).unwrap_err();
    assert_eq!(server_error(&error).0, "58P01");
    let many = "/tmp/".to_owned() + &"*a".repeat(2000);
    let files: Vec<String> =
        client.query_one("SELECT trips_internal.new_files($1)", &[&many]).unwrap().get(0);
    assert!(files.is_empty());
}

/// An error quotes only a part of a long unexpected text.
#[test]
fn endless_words() {
    let cluster = Cluster::start();
    let mut client = client_with(&cluster, 4);
    for call in [
        "SELECT trips.ingest('/tmp/x.csv', repeat('x', 100000000))",
        "SELECT * FROM trips.similar_trips(match => repeat('x', 100000000))",
        "SELECT * FROM trips.weekly_counts(box '(1,1),(0,0)', match => repeat('x', 100000000))",
        "SELECT trips.h3_center(repeat('x', 100000000))",
    ] {
        let error = client.query(call, &[]).unwrap_err();
        let (code, message, _) = server_error(&error);
        assert!(code.starts_with("22") && message.len() < 500, "{call}: {code} {message}");
    }
    let query =
        "SELECT trips.trip_key(repeat('x', 100000000), NULL, NULL, '2018-05-01', NULL)::text";
    let (row, peak) = peak_memory(&mut client, |client| client.query_one(query, &[]));
    row.unwrap();
    // The argument itself, and what PostgreSQL makes of it.
    assert!(peak < 300 * MEGABYTE, "{peak}");
}

/// A pattern that names more files than are kept at a time gives all of them, in order.
#[test]
fn more_files_than_are_kept() {
    let cluster = Cluster::start();
    let mut client = client_with(&cluster, 4);
    let inbox = cluster.path(&"i".repeat(200));
    std::fs::create_dir(&inbox).unwrap();
    let count = 9_000;
    for i in 0..count {
        let mut name = String::new();
        write!(name, "{i:0200}.csv").unwrap();
        std::fs::File::create(format!("{inbox}/{name}")).unwrap();
    }
    cluster.give_to_server(&inbox);
    let pattern = format!("{inbox}/*.csv");
    let (mut found, mut after): (Vec<String>, Option<String>) = (Vec::new(), None);
    loop {
        let query = "SELECT trips_internal.new_files($1, $2)";
        let (row, peak) =
            peak_memory(&mut client, |client| client.query_one(query, &[&pattern, &after]));
        require_at_most(peak, 4);
        let files: Vec<String> = row.unwrap().get(0);
        after = files.last().cloned();
        if after.is_none() {
            break;
        }
        assert!(files.len() < count, "all at once");
        found.extend(files);
    }
    assert_eq!(found.len(), count);
    assert!(found.is_sorted());
}

/// Parts of an upload that are as long as they may be are staged where they are, and merged in slices.
#[test]
fn an_upload_of_long_parts() {
    let cluster = Cluster::start();
    let (trips, short, long) = (107_000_u32, 200_000, 5);
    let mut file = FIVE_COLUMNS.to_owned();
    (0..trips).for_each(|i| file.push_str(&trip_line(format_args!("{:0900}", i % 21), i % 86_400)));
    file.push_str(&"x\n".repeat(short));
    let mut file = file.into_bytes();
    for _ in 0..long {
        file.extend(vec![0xff; 1_000_000]);
        file.push(b'\n');
    }
    let mut client = client_with(&cluster, 4);
    let bytes = i64::try_from(file.len()).unwrap();
    let query = "SELECT load_id FROM trips.create_upload('somewhere', $1, $2, 'r')";
    let opened = client.query_one(query, &[&digest(&file), &bytes]).unwrap();
    let load_id: i64 = opened.get(0);
    let mut longest = 0;
    for part in parts_of(&file, load_id, 48 << 20) {
        let query = "SELECT trips.upload_part($1, $2)";
        let (row, peak) =
            peak_memory(&mut client, |client| client.query_one(query, &[&load_id, &part]));
        assert!(row.unwrap().get::<_, bool>(0));
        let size = part.len() as u64;
        longest = longest.max(size);
        println!("{} MB for a part of {} MB", peak / MEGABYTE, size / MEGABYTE);
        // The message, the argument, the constant of the plan, the row: PostgreSQL's own.
        assert!(peak <= size * 5 + OVERHEAD, "{peak} bytes for a part of {size}");
    }
    assert!(longest > 40 * MEGABYTE, "{longest}");
    let mut client = client_with(&cluster, 4);
    let query = "SELECT * FROM trips.complete_upload($1)";
    let (row, peak) = peak_memory(&mut client, |client| client.query_one(query, &[&load_id]));
    require_at_most(peak, 4);
    let (trips, lines) = (i64::from(trips), i64::try_from(short + long).unwrap());
    assert_eq!(Load::from_row(&row.unwrap()).rows, [trips + lines, trips, 0, lines]);
    assert_eq!(counts(&mut client), (trips, 21, trips));
    let staged = "SELECT count(*), min(line_no), max(line_no) FROM trips.stg_trip_data";
    let row = client.query_one(staged, &[]).unwrap();
    let found: [i64; 3] = [0, 1, 2].map(|i| row.get(i));
    assert_eq!(found, [lines, trips + 2, trips + lines + 1]);
}
