//! Times of feeds: the order of day and month, offsets and zones, and what no session can change.

use std::fmt::Write;

use postgres::Client;
use trips_tests::{Database, server_error, text_of};

use super::fixtures::{RESET, ingest};

const UBER: &str = "\"Date/Time\",\"Lat\",\"Lon\",\"Base\"\n";
const TORONTO: &str = "Trip Id,Trip  Duration,Start Station Id,Start Time,Start Station Name,End Station Id,End Time,End Station Name,Bike Id,User Type\n";
const OSLO: &str = "started_at,ended_at,duration,start_station_id,start_station_name,start_station_description,start_station_latitude,start_station_longitude,end_station_id,end_station_name,end_station_description,end_station_latitude,end_station_longitude\n";

/// A file of Uber's with these times.
fn uber(times: &[&str]) -> String {
    times.iter().fold(UBER.to_owned(), |mut text, time| {
        writeln!(text, "\"{time}\",40.7412,-73.9915,\"B02512\"").expect("a String takes any text");
        text
    })
}

/// A file of Toronto's with these starts and ends.
fn toronto(times: &[(&str, &str)]) -> String {
    times.iter().zip(1..).fold(TORONTO.to_owned(), |mut text, ((start, end), id)| {
        writeln!(text, "{id},300,7001,{start},A,7002,{end},B,12,Member")
            .expect("a String takes any text");
        text
    })
}

fn ride_of_oslo(start: &str, end: &str) -> String {
    format!("{start},{end},300,400,A,,59.91,10.75,401,B,,59.92,10.76\n")
}

/// The error of a load, which leaves nothing in the history and in staging.
fn refused(client: &mut Client, path: &str) -> (String, String, String) {
    let error = client.query("SELECT trips.ingest($1)", &[&path]).expect_err(path);
    let left = "SELECT (SELECT count(*) FROM trips.hist_trip_data) + (SELECT count(*) FROM trips.stg_trip_data)";
    assert_eq!(text_of(client, left), "0", "{path}");
    server_error(&error)
}

/// All trips by their begin: begin, end, offset.
fn times(client: &mut Client) -> String {
    text_of(
        client,
        "SELECT concat_ws(' ', to_char(date_time, 'YYYY-MM-DD HH24:MI:SS'), to_char(ended_at, 'YYYY-MM-DD HH24:MI:SS'),
                          details ->> 'utc_offset')
           FROM trips.hist_trip_data ORDER BY date_time, (details ->> 'utc_offset')::int DESC, ended_at",
    )
}

#[test]
fn a_file_in_another_order_of_day_and_month_is_refused_with_the_line() {
    let database = Database::on_shared();
    let mut client = database.client();
    // The rows before line 5 are dates in both orders.
    let other =
        uber(&["3/4/2014 0:02:00", "4/4/2014 0:02:00", "12/4/2014 7:45:00", "13/4/2014 7:45:00"]);
    let (code, message, hint) = refused(&mut client, &database.file("uber.csv", &other));
    assert_eq!(code, "22008");
    let expected = "line 5: \"13/4/2014 7:45:00\" proves DD/MM, feed \"uber_2014\" says MM/DD";
    assert!(message.ends_with(expected), "{message}");
    assert!(hint.contains("trips.create_feed"), "{hint}");
    // A date that no order has is the fault of its row.
    let good =
        uber(&["4/3/2014 0:02:00", "4/13/2014 0:02:00", "31/31/2014 7:45:00", "2/30/2014 7:45:00"]);
    let (counts, feed) = ingest(&mut client, &database.file("good.csv", &good));
    assert_eq!((counts, feed.as_deref()), ([4, 2, 0, 2], Some("uber_2014")));
    let staged = "SELECT line_no, column_name, error_code FROM trips.stg_trip_data ORDER BY 1";
    assert_eq!(text_of(&mut client, staged), "4|date_time|22008\n5|date_time|22008");
    assert_eq!(times(&mut client), "2014-04-03 00:02:00\n2014-04-13 00:02:00");
}

#[test]
fn a_proof_at_the_end_of_a_large_file_counts_for_all_of_it() {
    let database = Database::on_shared();
    let mut client = database.client();
    // Several chunks and runs.
    let mut starts = vec![("2/1/2017 10:00", "2/1/2017 10:05"); 60_000];
    starts.push(("31/1/2017 23:58", "1/2/2017 0:03"));
    let path = database.file("toronto.csv", toronto(&starts));
    let (counts, feed) = ingest(&mut client, &path);
    assert_eq!((counts, feed.as_deref()), ([60_001, 60_001, 0, 0], Some("toronto")));
    let days = "SELECT date_time::date, min(ended_at)::date, count(*) FROM trips.hist_trip_data GROUP BY 1 ORDER BY 1";
    assert_eq!(text_of(&mut client, days), "2017-01-02|2017-01-02|60000\n2017-01-31|2017-02-01|1");
}

#[test]
fn the_order_of_day_and_month_is_the_files() {
    let database = Database::on_shared();
    let mut client = database.client();
    for (rows, expected) in [
        // Proved by a start, by an end, by a year of two digits.
        (
            vec![("3/4/2017 10:00", ""), ("3/13/2017 10:00", "")],
            "2017-03-04 10:00:00\n2017-03-13 10:00:00",
        ),
        (vec![("31/3/2017 23:00", "1/4/2017 0:10")], "2017-03-31 23:00:00 2017-04-01 00:10:00"),
        (
            vec![("3/4/17 10:00", "3/4/17 10:05"), ("13/4/17 10:00", "")],
            "2017-04-03 10:00:00 2017-04-03 10:05:00\n2017-04-13 10:00:00",
        ),
        // Nothing depends on the order.
        (
            vec![("2017-03-04 10:00", "2017-03-04 10:05"), ("5/5/2017 10:00", "")],
            "2017-03-04 10:00:00 2017-03-04 10:05:00\n2017-05-05 10:00:00",
        ),
    ] {
        client.batch_execute(RESET).unwrap();
        let count = i64::try_from(rows.len()).unwrap();
        let path = database.file("toronto.csv", toronto(&rows));
        assert_eq!(ingest(&mut client, &path).0, [count, count, 0, 0], "{rows:?}");
        assert_eq!(times(&mut client), expected);
    }
    client.batch_execute(RESET).unwrap();
    let both = toronto(&[("3/4/2017 10:00", ""), ("13/4/2017 10:00", ""), ("4/14/2017 10:00", "")]);
    let (code, message, _) = refused(&mut client, &database.file("both.csv", &both));
    assert_eq!(code, "22008");
    let expected =
        "line 4: \"4/14/2017 10:00\" proves MM/DD, but line 3: \"13/4/2017 10:00\" proves DD/MM";
    assert!(message.ends_with(expected), "{message}");

    let neither =
        toronto(&[("2017-03-04 10:00", ""), ("3/4/2017 10:00", ""), ("12/12/2017 10:00", "")]);
    let (code, message, hint) = refused(&mut client, &database.file("neither.csv", &neither));
    assert_eq!(code, "22007");
    let expected =
        "line 3: \"3/4/2017 10:00\" is MM/DD or DD/MM, and no line of the file proves which";
    assert!(message.ends_with(expected), "{message}");
    assert!(hint.contains("trips.create_feed"), "{hint}");
}

#[test]
fn an_offset_where_the_feed_has_none_refuses_the_file() {
    let database = Database::on_shared();
    let mut client = database.client();
    let with_offset = uber(&["4/3/2014 0:02:00", "4/3/2014 0:02:00Z"]);
    let (code, message, _) = refused(&mut client, &database.file("offset.csv", &with_offset));
    assert_eq!(code, "22008");
    assert!(message.contains("line 3: \"4/3/2014 0:02:00Z\" has an offset from UTC"), "{message}");
    let time = "2021-03-01 10:00:00+00:00";
    let without =
        [OSLO.to_owned(), ride_of_oslo(time, time), ride_of_oslo("2021-03-01 10:00:00", time)];
    let (code, message, _) = refused(&mut client, &database.file("none.csv", without.concat()));
    assert_eq!(code, "22008");
    assert!(
        message.contains("line 3: \"2021-03-01 10:00:00\" has no offset from UTC"),
        "{message}"
    );
}

#[test]
fn two_instants_of_the_repeated_hour_are_two_trips() {
    let database = Database::on_shared();
    let mut client = database.client();
    // At 01:00 UTC the clocks of Oslo went from 03:00 back to 02:00.
    let rides: Vec<String> = [
        ("2020-10-25 00:30:00+00:00", "2020-10-25 00:40:00.000+00:00"),
        ("2020-10-25 01:30:00.000000+00:00", "2020-10-25 01:40:00+00:00"),
        ("2020-03-29 00:59:59+00:00", "2020-03-29 01:00:00+00:00"),
    ]
    .iter()
    .map(|(start, end)| ride_of_oslo(start, end))
    .collect();
    let file = OSLO.to_owned() + &rides.concat();
    assert_eq!(ingest(&mut client, &database.file("oslo.csv", file)).0, [3, 3, 0, 0]);
    assert_eq!(
        times(&mut client),
        "2020-03-29 01:59:59 2020-03-29 03:00:00 60\n\
         2020-10-25 02:30:00 2020-10-25 02:40:00 120\n\
         2020-10-25 02:30:00 2020-10-25 02:40:00 60"
    );
    // The same instants with other offsets.
    let again = OSLO.to_owned()
        + &ride_of_oslo("2020-10-25T02:30:00+02:00", "2020-10-25T02:40:00+0200")
        + &ride_of_oslo("2020-10-25T02:30:00+01:00", "2020-10-25 01:40:00Z");
    assert_eq!(ingest(&mut client, &database.file("again.csv", again)).0, [2, 0, 2, 0]);
}

#[test]
fn epochs_are_the_wall_clock_of_the_feeds_zone() {
    let database = Database::on_shared();
    let mut client = database.client();
    let header = "STARTSTATIONNAME,STARTSTATIONARRONDISSEMENT,STARTSTATIONLATITUDE,STARTSTATIONLONGITUDE,ENDSTATIONNAME,ENDSTATIONARRONDISSEMENT,ENDSTATIONLATITUDE,ENDSTATIONLONGITUDE,STARTTIMEMS,ENDTIMEMS\n";
    let row = |start: &str, end: &str| {
        format!("A,Ville-Marie,45.51,-73.56,B,,45.52,-73.57,{start},{end}\n")
    };
    // 2022-11-06 05:30 and 06:30 UTC are 01:30 in Montreal, twice; the third trip has no end.
    let file = [
        header.to_owned(),
        row("1667712600000", "1667713200123"),
        row("1667716200000", "1667716800000"),
        row("1656633599999", ""),
        row("1656633599999x", ""),
        row("99999999999999999", ""),
    ];
    assert_eq!(ingest(&mut client, &database.file("bixi.csv", file.concat())).0, [5, 3, 0, 2]);
    assert_eq!(
        times(&mut client),
        "2022-06-30 19:59:59 -240\n2022-11-06 01:30:00 2022-11-06 01:40:00 -240\n2022-11-06 01:30:00 2022-11-06 01:40:00 -300"
    );
    let staged = "SELECT line_no, column_name, error_code FROM trips.stg_trip_data ORDER BY 1";
    assert_eq!(text_of(&mut client, staged), "5|date_time|22007\n6|date_time|22008");
}

#[test]
fn hour_24_is_midnight_of_the_next_day_where_the_feed_says_so() {
    let database = Database::on_shared();
    let mut client = database.client();
    let header = "TripID,StartDate,StartTime,EndDate,EndTime,TripDuration,TripDistance,StartLatitude,StartLongitude,EndLatitude,EndLongitude,DayOfWeek,HourNum\n";
    let row = |id: &str, start: &str, end: &str| {
        format!("{id},{start},{end},5,1.2,38.25,-85.75,38.26,-85.76,3,24\n")
    };
    let file = [
        header.to_owned(),
        row("a", "2018-12-31,23:45", "2018-12-31,24:00"),
        row("b", "2018-12-31,24:00", "2019-01-01,0:15"),
        row("c", "2018-12-31,24:15", "2019-01-01,0:15"),
        row("d", "2018-12-31,", "2019-01-01,0:15"),
    ];
    assert_eq!(
        ingest(&mut client, &database.file("louisville.csv", file.concat())).0,
        [4, 2, 0, 2]
    );
    assert_eq!(
        times(&mut client),
        "2018-12-31 23:45:00 2019-01-01 00:00:00\n2019-01-01 00:00:00 2019-01-01 00:15:00"
    );
    let staged = "SELECT line_no, column_name, error_code FROM trips.stg_trip_data ORDER BY 1";
    assert_eq!(text_of(&mut client, staged), "4|date_time|22008\n5|date_time|23502");
}

#[test]
fn no_setting_of_the_session_changes_a_time() {
    let database = Database::on_shared();
    let mut client = database.client();
    let instants = OSLO.to_owned()
        + &ride_of_oslo("2021-07-01 00:00:00+00:00", "2021-07-01 00:10:00+00:00")
        + &ride_of_oslo("2021-03-28T02:15:00+01:00", "2021-03-28T03:15:00+02:00");
    let walls = uber(&["4/3/2014 0:02:00", "4/12/2014 7:45:00", "3/9/2014 2:15:00"]);
    let paths = [database.file("oslo.csv", instants), database.file("uber.csv", walls)];
    let mut seen = Vec::new();
    for settings in [
        "SET TimeZone = 'UTC'; SET DateStyle = 'ISO, MDY'",
        "SET TimeZone = 'America/New_York'; SET DateStyle = 'SQL, DMY'",
        "SET TimeZone = 'Asia/Kolkata'; SET DateStyle = 'German, YMD'",
    ] {
        client.batch_execute(RESET).unwrap();
        client.batch_execute(settings).unwrap();
        for path in &paths {
            ingest(&mut client, path);
        }
        let keys =
            "SELECT string_agg(trip_key::text, ' ' ORDER BY trip_key) FROM trips.hist_trip_data";
        seen.push((times(&mut client), text_of(&mut client, keys)));
    }
    assert_eq!(
        seen[0].0,
        "2014-03-09 02:15:00\n2014-04-03 00:02:00\n2014-04-12 07:45:00\n\
         2021-03-28 03:15:00 2021-03-28 03:15:00 120\n2021-07-01 02:00:00 2021-07-01 02:10:00 120"
    );
    assert!(seen.iter().all(|other| *other == seen[0]), "{seen:#?}");
}
