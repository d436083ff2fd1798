//! Staged records that are merged: their number among the equal records of their file, their ids, and their order.

use postgres::Client;
use trips_tests::{Database, text_of};

use super::fixtures::{RESET, ingest};

/// Bikes without ids: equal records of a file are trips of their own. Coordinates do not identify them.
pub const HIRES: &str = r#"SELECT trips.create_feed('hires', '{
    "title": "Hires",
    "columns": {"at": {"type": "time"}, "bike": {"type": "id"}, "lon": {}, "lat": {}},
    "versions": {"1": ["at", "bike", "lon", "lat"]},
    "time": {"columns": ["at"], "forms": ["YYYY-MM-DD HH24:MI:SS"]},
    "origin": [{"longitude": "lon", "latitude": "lat"}],
    "region": [{"constant": "Here"}],
    "identity": {"scheme": "columns", "columns": ["@time", "bike"]}, "details": ["bike"]}')"#;

/// Rides with ids: another time of an id within ten days is staged.
const RIDES: &str = r#"SELECT trips.create_feed('rides', '{
    "title": "Rides",
    "columns": {"Number": {"type": "id"}, "When": {"type": "time"}, "Kind": {}, "Phone": {}},
    "versions": {"1": ["Number", "When"]},
    "time": {"columns": ["When"], "forms": ["YYYY-MM-DD HH24:MI:SS"]},
    "region": [{"constant": "Here"}], "personal": ["Phone"],
    "identity": {"scheme": "source_id", "columns": ["Number"], "window_days": 10, "policy": "stage"},
    "trip_id": "Number", "details": ["Kind"]}')"#;

/// A file of equal records, of which these have a valid place.
fn hires(valid: &[bool]) -> String {
    let row = |&is_valid: &bool| {
        format!("2024-01-01 08:00:00,7,10.5,{}\n", if is_valid { "59.9" } else { "x" })
    };
    "at,bike,lon,lat\n".to_owned() + &valid.iter().map(row).collect::<String>()
}

/// The load of a file, and its rows inserted, duplicate and staged.
fn load(database: &Database, client: &mut Client, name: &str, text: &str) -> (i64, [i64; 3]) {
    let path = database.file(name, text);
    let ([_, inserted, duplicate, staged], _) = ingest(client, &path);
    let last = "SELECT max(load_id) FROM trips.loads";
    (client.query_one(last, &[]).unwrap().get(0), [inserted, duplicate, staged])
}

/// Corrects this many staged records of a load and merges it; returns the rows of the load.
fn correct_and_merge(client: &mut Client, load_id: i64, records: i64) -> [i64; 3] {
    let correct = r#"UPDATE trips.stg_trip_data SET record = record || '{"lat": "59.9"}'
        WHERE ctid IN (SELECT ctid FROM trips.stg_trip_data WHERE load_id = $1 ORDER BY line_no DESC LIMIT $2)"#;
    client.execute(correct, &[&load_id, &records]).unwrap();
    merge(client, load_id)
}

fn merge(client: &mut Client, load_id: i64) -> [i64; 3] {
    let row = client.query_one("SELECT * FROM trips.merge_staged($1)", &[&load_id]).unwrap();
    ["rows_inserted", "rows_duplicate", "rows_staged"].map(|name| row.get(name))
}

fn trips(client: &mut Client) -> String {
    text_of(client, "SELECT count(*), count(DISTINCT trip_key) FROM trips.hist_trip_data")
}

/// The n-th equal record of a file has number n, also if it is merged later.
#[test]
fn a_merged_record_follows_the_equal_records_of_its_file() {
    let database = Database::on_shared();
    let mut client = database.client();
    client.batch_execute(HIRES).unwrap();
    let text = hires(&[true, false]);
    let (load_id, rows) = load(&database, &mut client, "1.csv", &text);
    assert_eq!(rows, [1, 0, 1]);
    let says = "SELECT record ->> '$occurrence' = '1 of ' || trip_key
                  FROM trips.stg_trip_data, trips.hist_trip_data";
    assert_eq!(text_of(&mut client, says), "t");
    assert_eq!(correct_and_merge(&mut client, load_id, 1), [2, 0, 0]);
    assert_eq!(trips(&mut client), "2|2");
    // The same file again brings none, whether its records are loaded or merged.
    let path = database.file("1.csv", &text);
    let again =
        "SELECT load_id, rows_inserted, rows_duplicate FROM trips.ingest($1, force => true)";
    let row = client.query_one(again, &[&path]).unwrap();
    assert_eq!([row.get::<_, i64>(1), row.get(2)], [0, 1]);
    assert_eq!(correct_and_merge(&mut client, row.get(0), 1), [0, 2, 0]);
    let (_, rows) = load(&database, &mut client, "2.csv", &hires(&[true; 3]));
    assert_eq!(rows, [1, 2, 0]);
}

/// The records of a load count also if another load has brought their trips.
#[test]
fn equal_records_that_another_load_has_brought() {
    let database = Database::on_shared();
    let mut client = database.client();
    client.batch_execute(HIRES).unwrap();
    // (records of another file, before; after), records of the file, trips
    for (before, after, valid, expected) in [
        (1, 0, &[true, false][..], [1, 1, 0]),
        (1, 2, &[true, false], [0, 2, 0]),
        (2, 0, &[true, false], [0, 2, 0]),
        (1, 0, &[false], [0, 1, 0]),
        (3, 0, &[false, true, true, false], [1, 3, 0]),
        (0, 0, &[false, false, false], [3, 0, 0]),
        (0, 2, &[false, false, false], [1, 2, 0]),
    ] {
        client.batch_execute(RESET).unwrap();
        load(&database, &mut client, "before.csv", &hires(&vec![true; before]));
        let (load_id, _) = load(&database, &mut client, "file.csv", &hires(valid));
        load(&database, &mut client, "after.csv", &hires(&vec![true; after]));
        let found = correct_and_merge(&mut client, load_id, 9);
        assert_eq!(found, expected, "{before}, {after}, {valid:?}");
        let trips = before.max(after).max(valid.len());
        assert_eq!(
            text_of(&mut client, "SELECT count(*) FROM trips.hist_trip_data"),
            trips.to_string()
        );
    }
}

/// Records of one load that are merged one after the other, in one call or in several, in one run or in several.
#[test]
fn one_merge_after_the_other() {
    let database = Database::on_shared();
    let mut client = database.client();
    client.batch_execute(HIRES).unwrap();
    for (before, expected) in
        [(0, [[2, 0, 2], [4, 0, 0]]), (3, [[0, 2, 2], [1, 3, 0]]), (9, [[0, 2, 2], [0, 4, 0]])]
    {
        for staging in ["ingest", "stage"] {
            client.batch_execute(RESET).unwrap();
            load(&database, &mut client, "before.csv", &hires(&vec![true; before]));
            let path = database.file("file.csv", hires(&[false, true, false, false]));
            let sql = format!("SELECT load_id FROM trips.{staging}($1)");
            let load_id: i64 = client.query_one(&sql, &[&path]).unwrap().get(0);
            let first = if staging == "ingest" {
                correct_and_merge(&mut client, load_id, 1)
            } else {
                merge(&mut client, load_id);
                correct_and_merge(&mut client, load_id, 1)
            };
            assert_eq!(first, expected[0], "{before}, {staging}");
            assert_eq!(
                correct_and_merge(&mut client, load_id, 2),
                expected[1],
                "{before}, {staging}"
            );
        }
    }
    // All loads in one call.
    client.batch_execute(RESET).unwrap();
    load(&database, &mut client, "1.csv", &hires(&[true, false]));
    load(&database, &mut client, "2.csv", &hires(&[false, true, false]));
    let correct = r#"UPDATE trips.stg_trip_data SET record = record || '{"lat": "59.9"}'"#;
    client.batch_execute(correct).unwrap();
    client.query_one("SELECT trips.merge_staged()", &[]).unwrap();
    assert_eq!(trips(&mut client), "3|3");
}

/// A record whose identity was corrected is equal to another one of its file only now.
#[test]
fn a_corrected_identity() {
    let database = Database::on_shared();
    let mut client = database.client();
    client.batch_execute(HIRES).unwrap();
    let text =
        hires(&[true, true]) + "2024-13-01 08:00:00,7,10.5,59.9\n2024-01-01 08:00:00,7,10.5,x\n";
    let (load_id, rows) = load(&database, &mut client, "1.csv", &text);
    assert_eq!(rows, [2, 0, 2]);
    // What a record says of another key does not count.
    let correct = r#"UPDATE trips.stg_trip_data SET record = record || '{"at": "2024-01-01 08:00:00"}' WHERE line_no = 4;
        UPDATE trips.stg_trip_data SET record = record || '{"at": "2024-01-01 09:00:00", "lat": "59.9"}' WHERE line_no = 5"#;
    client.batch_execute(correct).unwrap();
    assert_eq!(merge(&mut client, load_id), [4, 0, 0]);
    let later = "2024-01-01 09:00:00,7,10.5,59.9\n";
    let (_, rows) = load(&database, &mut client, "2.csv", &(hires(&[true; 3]) + later));
    assert_eq!(rows, [0, 4, 0]);
}

/// Several runs: the staged record is far from its equal records.
#[test]
fn equal_records_in_several_runs() {
    let database = Database::on_shared();
    let mut client = database.client();
    client.batch_execute(HIRES).unwrap();
    client.batch_execute("SET trips.work_mem = '1MB'").unwrap();
    let lap = |lat: &str| -> String {
        let row = |i: usize| {
            format!("2024-02-{:02} {:02}:00:00,{i},10.5,{lat}\n", 1 + i / 24 % 28, i % 24)
        };
        (0..15_000).map(row).collect()
    };
    let few: String = lap("x").lines().take(3).map(|line| format!("{line}\n")).collect();
    let text = hires(&[]) + &few + &lap("59.9") + &lap("59.9");
    let (load_id, rows) = load(&database, &mut client, "1.csv", &text);
    assert_eq!(rows, [30_000, 0, 3]);
    assert_eq!(correct_and_merge(&mut client, load_id, 3), [30_003, 0, 0]);
    let path = database.file("2.csv", &(hires(&[]) + &lap("59.9") + &lap("59.9") + &lap("59.9")));
    let load_id: i64 =
        client.query_one("SELECT load_id FROM trips.stage($1)", &[&path]).unwrap().get(0);
    assert_eq!(merge(&mut client, load_id), [14_997, 30_003, 0]);
}

/// A record whose id has another time is staged with all that other records have, and is merged when that trip is gone.
#[test]
fn a_record_with_a_known_id_is_staged_whole() {
    let database = Database::on_shared();
    let mut client = database.client();
    client.batch_execute(RIDES).unwrap();
    load(&database, &mut client, "1.csv", "Number,When,Kind\n7,2024-06-01 09:00:00,a\n");
    let text = "Number,When,Kind,Phone\n8,2024-06-01 09:00:00,b,5550101\n 7.0 ,2024-06-02 09:00:00,b,5550102\n";
    let (load_id, rows) = load(&database, &mut client, "2.csv", text);
    assert_eq!(rows, [1, 0, 1]);
    let staged = "SELECT line_no, column_name, error_code, error, raw_line, record::text
                    FROM trips.stg_trip_data";
    let expected = "3|trip_id|23505|the trip with the id \"7.0\" starts at 2024-06-02 09:00:00, but another one with this id \
                    starts at 2024-06-01 09:00:00| 7.0 ,2024-06-02 09:00:00,b,…|\
                    {\"Kind\": \"b\", \"When\": \"2024-06-02 09:00:00\", \"Number\": \" 7.0 \"}";
    assert_eq!(text_of(&mut client, staged), expected);
    // A merge changes nothing while the other trip is there.
    assert_eq!(merge(&mut client, load_id), [1, 0, 1]);
    assert_eq!(text_of(&mut client, staged), expected);
    client.batch_execute("DELETE FROM trips.hist_trip_data WHERE trip_id = '7'").unwrap();
    assert_eq!(merge(&mut client, load_id), [2, 0, 0]);
    let kept = "SELECT date_time, details ->> 'Kind' FROM trips.hist_trip_data WHERE trip_id = '7'";
    assert_eq!(text_of(&mut client, kept), "2024-06-02 09:00:00|b");
    // Several in one staged file: the first one stays, the others keep their lines.
    let text = "Number,When\n9,2024-06-03 09:00:00\n9,2024-06-04 09:00:00\n9,2024-06-05 09:00:00\n9,2024-06-20 09:00:00\n";
    let path = database.file("3.csv", text);
    let staging = "SELECT load_id FROM trips.stage($1)";
    let load_id: i64 = client.query_one(staging, &[&path]).unwrap().get(0);
    client.batch_execute("UPDATE trips.stg_trip_data SET error = NULL WHERE line_no = 2").unwrap();
    assert_eq!(merge(&mut client, load_id), [2, 0, 2]);
    let staged =
        "SELECT line_no, error_code, record ->> 'When' FROM trips.stg_trip_data ORDER BY 1";
    let expected = "3|23505|2024-06-04 09:00:00\n4|23505|2024-06-05 09:00:00";
    assert_eq!(text_of(&mut client, staged), expected);
}

/// Merges of several runs take the records in the order of the file, wherever their rows are.
#[test]
fn merges_follow_the_order_of_the_file() {
    let database = Database::on_shared();
    let mut client = database.client();
    client.batch_execute(&RIDES.replace("\"stage\"", "\"keep\"")).unwrap();
    const COUNT: usize = 15_001;
    let row = |i: usize| {
        let (id, second) = (i % COUNT, i / COUNT);
        format!("{id},2024-06-{:02} {:02}:{:02}:{second:02}\n", 1 + id % 28, id % 24, id / 24 % 60)
    };
    let text = "Number,When\n".to_owned() + &(0..2 * COUNT).map(row).collect::<String>();
    let path = database.file("1.csv", &text);
    client.query_one("SELECT trips.stage($1)", &[&path]).unwrap();
    client.batch_execute("SET trips.work_mem = '1MB'").unwrap();
    client
        .batch_execute("UPDATE trips.stg_trip_data SET region = NULL WHERE line_no % 2 = 0")
        .unwrap();
    client.query_one("SELECT trips.merge_staged()", &[]).unwrap();
    let kept = "SELECT count(*), count(*) FILTER (WHERE extract(second FROM date_time) = 0) FROM trips.hist_trip_data";
    assert_eq!(text_of(&mut client, kept), format!("{COUNT}|{COUNT}"));
}

/// Two trips of one id are compared by their own times: in one file or in several, in one run or in several.
#[test]
fn windows_do_not_depend_on_files_and_runs() {
    const WINDOW: u64 = 10;
    let database = Database::for_any_date();
    let mut client = database.client();
    client.batch_execute(&RIDES.replace("\"stage\"", "\"keep\"")).unwrap();
    let mut seed = 1_u64;
    let mut random = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    let records: Vec<(u64, u64)> = (0..20_000).map(|_| (random(3_000), random(200))).collect();
    let mut kept: Vec<Vec<u64>> = vec![Vec::new(); 3_000];
    for &(id, day) in &records {
        let times = &mut kept[usize::try_from(id).unwrap()];
        if times.iter().all(|time| time.abs_diff(day) > WINDOW) {
            times.push(day);
        }
    }
    let mut expected: Vec<String> = Vec::new();
    for (id, times) in kept.iter_mut().enumerate() {
        times.sort_unstable();
        expected.extend(times.iter().map(|day| format!("{id}|{day}")));
    }
    let time = |day: u64| {
        let months = [31, 29, 31, 30, 31, 30, 31, 31];
        let (mut month, mut day) = (1, day + 1);
        for length in months {
            if day <= length {
                break;
            }
            (month, day) = (month + 1, day - length);
        }
        format!("2024-{month:02}-{day:02} 09:00:00")
    };
    let rows: Vec<String> =
        records.iter().map(|&(id, day)| format!("{id},{}\n", time(day))).collect();
    for (files, memory) in [(1, "256MB"), (1, "1MB"), (3, "256MB"), (4, "1MB")] {
        client.batch_execute(RESET).unwrap();
        client.batch_execute(&format!("SET trips.work_mem = '{memory}'")).unwrap();
        for (i, some) in rows.chunks(rows.len().div_ceil(files)).enumerate() {
            load(
                &database,
                &mut client,
                &format!("{i}.csv"),
                &("Number,When\n".to_owned() + &some.concat()),
            );
        }
        let found = "SELECT trip_id, date_time::date - date '2024-01-01' FROM trips.hist_trip_data ORDER BY trip_id::int, 2";
        let found = text_of(&mut client, found);
        assert!(found.lines().eq(expected.iter()), "{files} files, {memory}");
    }
}

/// A record that is no record keeps its text if each column of its file may be kept.
#[test]
fn the_text_of_malformed_records() {
    let database = Database::on_shared();
    let mut client = database.client();
    client.batch_execute(RIDES).unwrap();
    let bad = "7,2024-06-02 09:00:00,b,c,5550101,x\n8,\"2024-06-02\n9,2024-06-03 09:00:00\n";
    let staged = "SELECT line_no, error_code, raw_line FROM trips.stg_trip_data ORDER BY 1";
    load(&database, &mut client, "1.csv", &format!("Number,When\n{bad}"));
    assert_eq!(
        text_of(&mut client, staged),
        "2|22P04|7,2024-06-02 09:00:00,b,c,5550101,x\n3|22P04|8,\"2024-06-02"
    );
    for header in ["Number,When,Phone", "Number,When,Unknown", "Number,When,"] {
        client.batch_execute(RESET).unwrap();
        load(&database, &mut client, "2.csv", &format!("{header}\n{bad}"));
        let lines = "SELECT count(*), count(raw_line) + count(raw_bytes) FROM trips.stg_trip_data";
        assert_eq!(text_of(&mut client, lines), "3|0", "{header}");
    }
}

/// Each member of an archive is a file of its own: over several members the highest number counts, not the sum.
#[test]
fn members_of_an_archive_are_numbered_by_themselves() {
    let database = Database::on_shared();
    let mut client = database.client();
    client.batch_execute(HIRES).unwrap();
    let (load_id, rows) = load(&database, &mut client, "1.csv", &hires(&[false; 5]));
    assert_eq!(rows, [0, 0, 5]);
    // As an archive with two and three records.
    let members = format!(
        "UPDATE trips.stg_trip_data SET member = CASE WHEN line_no > 3 THEN 'a' ELSE 'b' END;
         INSERT INTO trips.load_members VALUES ({load_id}, 1, 'b', 'hires', 2, 0, 0, 0, 2),
                                               ({load_id}, 2, 'a', 'hires', 3, 0, 0, 0, 3)"
    );
    client.batch_execute(&members).unwrap();
    // One record of the second member: then one of each is equal to it.
    assert_eq!(correct_and_merge(&mut client, load_id, 1), [1, 0, 4]);
    assert_eq!(correct_and_merge(&mut client, load_id, 9), [3, 2, 0]);
}
