//! When records are the same trip: ids within a window of days, and numbers of equal records.

use postgres::Client;
use trips_tests::{Database, FIVE_COLUMNS, text_of};

use super::fixtures::{RESET, ingest};

const LYFT: &str = "ride_id,rideable_type,started_at,ended_at,start_station_name,start_station_id,end_station_name,end_station_id,start_lat,start_lng,end_lat,end_lng,member_casual\n";

fn ride(id: &str, started_at: &str) -> String {
    format!("{id},classic_bike,{started_at},{started_at},,,,,41.88,-87.63,41.89,-87.62,casual\n")
}

/// Rows inserted, duplicate and staged by a file.
fn load(database: &Database, client: &mut Client, name: &str, text: &str) -> [i64; 3] {
    let path = database.file(name, text);
    let ([_, inserted, duplicate, staged], _) = ingest(client, &path);
    [inserted, duplicate, staged]
}

/// The same id with another time is the same trip within 45 days, in whatever order and partition.
#[test]
fn the_same_id_with_another_time() {
    let database = Database::on_shared();
    let mut client = database.client();
    let first =
        format!("{LYFT}{}{}", ride("A1", "2024-05-31 23:34:50"), ride("A2", "2024-05-12 09:00:00"));
    // A second later, in the next month, 44 days later, and 46 days later: another trip.
    let second = format!(
        "{LYFT}{}{}{}",
        ride("A1", "2024-06-01 00:00:10.273"),
        ride("A2", "2024-06-25 09:00:00"),
        ride("A3", "2024-06-25 09:00:00")
    );
    let third = format!("{LYFT}{}", ride("A1", "2024-09-01 00:00:00"));
    let mut totals = Vec::new();
    for order in [[0, 1, 2], [1, 0, 2], [2, 1, 0]] {
        client.batch_execute(RESET).unwrap();
        for i in order {
            load(&database, &mut client, &format!("{i}.csv"), [&first, &second, &third][i]);
        }
        totals.push(text_of(&mut client, "SELECT count(*) FROM trips.hist_trip_data"));
    }
    assert_eq!(totals, ["4"; 3]);
    client.batch_execute(RESET).unwrap();
    assert_eq!(load(&database, &mut client, "0.csv", &first), [2, 0, 0]);
    assert_eq!(load(&database, &mut client, "1.csv", &second), [1, 2, 0]);
    assert_eq!(load(&database, &mut client, "2.csv", &third), [1, 0, 0]);
    // The first one stays as it was.
    let kept = "SELECT date_time FROM trips.hist_trip_data WHERE trip_id = 'A1' ORDER BY 1 LIMIT 1";
    assert_eq!(text_of(&mut client, kept), "2024-05-31 23:34:50");
}

/// Within one file the first record of an id stays, in whatever order the times are.
#[test]
fn the_same_id_twice_in_a_file() {
    let database = Database::on_shared();
    let mut client = database.client();
    for (times, name) in [
        (["2024-06-05 09:00:00", "2024-06-01 09:00:00", "2024-07-01 09:00:00"], "later.csv"),
        (["2024-06-01 09:00:00", "2024-06-05 09:00:00", "2024-05-31 09:00:00"], "sooner.csv"),
    ] {
        client.batch_execute(RESET).unwrap();
        let rows: String = times.iter().map(|time| ride("B1", time)).collect();
        assert_eq!(load(&database, &mut client, name, &format!("{LYFT}{rows}")), [1, 2, 0]);
        let kept = "SELECT date_time FROM trips.hist_trip_data";
        assert_eq!(text_of(&mut client, kept), times[0]);
    }
}

/// By the feed's policy the other record is staged, with both values.
#[test]
fn the_same_id_with_the_policy_stage() {
    let database = Database::on_shared();
    let mut client = database.client();
    client
        .batch_execute(
            r#"SELECT trips.create_feed('ours', '{
                 "title": "Ours",
                 "columns": {"Number": {"type": "id"}, "When": {"type": "time"}, "Kind": {}},
                 "versions": {"1": ["Number", "When"]},
                 "time": {"columns": ["When"], "forms": ["YYYY-MM-DD HH24:MI:SS"]},
                 "region": [{"constant": "Here"}],
                 "identity": {"scheme": "source_id", "columns": ["Number"], "window_days": 10, "policy": "stage"},
                 "trip_id": "Number", "details": ["Kind"]}')"#,
        )
        .unwrap();
    let first = "Number,When,Kind\n7,2024-06-01 09:00:00,a\n8,2024-06-01 09:00:00,a\n";
    let second = "Kind,Number,When\nb,7.0,2024-06-02 09:00:00\nb,8,2024-06-01 09:00:00\nb,9,2024-06-01 09:00:00\n";
    assert_eq!(load(&database, &mut client, "1.csv", first), [2, 0, 0]);
    assert_eq!(load(&database, &mut client, "2.csv", second), [1, 0, 2]);
    let staged =
        "SELECT string_agg(format('%s %s %s', line_no, error_code, error), E'\\n' ORDER BY line_no)
                    FROM trips.stg_trip_data";
    assert_eq!(
        text_of(&mut client, staged),
        "2 23505 the trip with the id \"7.0\" starts at 2024-06-02 09:00:00, but another one with this id starts at 2024-06-01 09:00:00\n\
         3 23505 the trip with the id \"8\" has other values than another one with this id: details is \"{\"Kind\": \"b\"}\" instead of \"{\"Kind\": \"a\"}\""
    );
    // It is a bad row for the arguments of the load.
    let third = "Number,When,Kind\n10,2024-06-01 09:00:00,a\n8,2024-06-03 09:00:00,a\n";
    let path = database.file("3.csv", third);
    for (argument, code) in [("on_error => 'abort'", "23505"), ("max_errors => 0", "22P04")] {
        let load = format!("SELECT trips.ingest($1, {argument})");
        let error = client.query(&load, &[&path]).unwrap_err();
        let error = error.as_db_error().unwrap();
        let text = format!("{} {}", error.message(), error.detail().unwrap_or_default());
        assert_eq!(error.code().code(), code, "{argument}: {text}");
        assert!(text.contains("line 3, column trip_id"), "{argument}: {text}");
    }
    let count = "SELECT count(*) FROM trips.hist_trip_data WHERE trip_id = '10'";
    assert_eq!(text_of(&mut client, count), "0");
}

fn hires(copies: &[usize]) -> String {
    let header = "Departure,Return,Bike,Departure station,Return station,Membership type,Covered distance (m),Duration (sec.)\n";
    let rows = copies.iter().enumerate().map(|(number, &count)| {
        format!("2024-01-01 08:00,2024-01-01 09:00,{number},A,B,Day,100,60\n").repeat(count)
    });
    header.to_owned() + &rows.collect::<String>()
}

/// Equal records of a file are trips of their own; over several files the highest number counts, not the sum.
#[test]
fn equal_records_over_several_files() {
    let database = Database::on_shared();
    let mut client = database.client();
    for (name, copies, expected) in [
        ("1.csv", [2, 1, 0], [3, 0, 0]),
        ("2.csv", [3, 1, 2], [3, 3, 0]),
        ("3.csv", [1, 4, 1], [3, 3, 0]),
        ("4.csv", [3, 4, 2], [0, 9, 0]),
    ] {
        assert_eq!(load(&database, &mut client, name, &hires(&copies)), expected, "{name}");
    }
    let most =
        "SELECT details ->> 'Bike', count(*) FROM trips.hist_trip_data GROUP BY 1 ORDER BY 1";
    assert_eq!(text_of(&mut client, most), "0|3\n1|4\n2|2");
}

/// A file of several runs: its equal records are far from each other, and are still counted as of one file.
#[test]
fn equal_records_in_several_runs() {
    let database = Database::on_shared();
    let mut client = database.client();
    client.batch_execute("SET trips.work_mem = '1MB'").unwrap();
    // Each hour has the same record once in each lap.
    let file = |laps: usize| {
        let lap: String = (0..20_000)
            .map(|i| {
                let (day, hour) = (1 + i / 24 % 28, i % 24);
                format!("2024-02-{day:02} {hour:02}:00,2024-02-{day:02} {hour:02}:00,{i},A,B,Day,100,60\n")
            })
            .collect();
        hires(&[]) + &lap.repeat(laps)
    };
    assert_eq!(load(&database, &mut client, "1.csv", &file(2)), [40_000, 0, 0]);
    assert_eq!(load(&database, &mut client, "2.csv", &file(3)), [20_000, 40_000, 0]);
    assert_eq!(load(&database, &mut client, "3.csv", &file(1)), [0, 20_000, 0]);
    client.batch_execute("RESET trips.work_mem").unwrap();
    let reversed: Vec<String> = file(3).lines().skip(1).map(|line| format!("{line}\n")).collect();
    let reversed = hires(&[]) + &reversed.into_iter().rev().collect::<String>();
    assert_eq!(load(&database, &mut client, "4.csv", &reversed), [0, 60_000, 0]);
    let keys = "SELECT count(DISTINCT trip_key) FROM trips.hist_trip_data";
    assert_eq!(text_of(&mut client, keys), "60000");
}

/// The five-column file has content keys, and NULL in the columns of feeds.
#[test]
fn five_columns_are_as_before() {
    let database = Database::on_shared();
    let mut client = database.client();
    let row = "A,POINT (1 2),,2018-05-01 00:00:00,s\n";
    assert_eq!(
        load(&database, &mut client, "1.csv", &format!("{FIVE_COLUMNS}{row}{row}")),
        [1, 1, 0]
    );
    let row = "SELECT trip_key = trips.trip_key(region, origin_coord, destination_coord, date_time, datasource),
                      ended_at IS NULL, trip_id IS NULL, details IS NULL FROM trips.hist_trip_data";
    assert_eq!(text_of(&mut client, row), "t|t|t|t");
}
