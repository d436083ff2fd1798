//! Times of the built-in feeds: each published form is read, and no implausible end loads.

use trips_core::check::constraints::{Constraints, ZeroCoordinates};
use trips_core::feed::builtin;
use trips_core::feed::choice::FeedChoice;
use trips_core::format::delimited::header::read_header;
use trips_core::format::delimited::record::RecordReader;
use trips_core::format::delimited::trip_reader::TripReader;
use trips_core::model::time_form::{DayMonthOrder, JoinedTime, TimeForms};
use trips_core::model::timestamp::Timestamp;
use trips_core::wire::jsonb::DetailsForm;

const MAX_RECORD: usize = 1 << 20;

/// What a feed reads: the text of one column, or of two columns with a `|` between them, in this order of day and
/// month.
fn read(feed: &str, text: &str, order: DayMonthOrder) -> Result<String, String> {
    let rule = &builtin::get(feed).expect(feed).time;
    let forms = TimeForms::compile(&rule.forms, rule.kind, rule.hour_24).expect(feed);
    let joined =
        text.split_once('|').map(|(date, time)| JoinedTime::of(date.as_bytes(), time.as_bytes()));
    assert_eq!(joined.is_some(), rule.columns.len() == 2, "{feed}: columns");
    let text = joined.as_ref().map_or(text.as_bytes(), JoinedTime::text);
    match forms.parse(text, order) {
        Ok(Some(parsed)) if forms.needs_order() || parsed.proof.is_none() => {
            Ok(parsed.time.full_text())
        }
        other => Err(format!("{feed} reads {} as {other:?}", String::from_utf8_lossy(text))),
    }
}

/// Feeds that publish `YYYY-MM-DD HH24:MI:SS`, some with a fraction.
const OF_ISO_TIMES: &[&str] = &[
    "tlc_yellow",
    "tlc_green",
    "tlc_fhv",
    "tlc_fhvhv",
    "lyft",
    "citibike",
    "capital",
    "mibici",
    "toronto",
    "uber_2015",
];

/// The forms that cities publish, one row for each form and each feed that has it.
const PUBLISHED: &[(&[&str], &str, &str)] = &[
    (OF_ISO_TIMES, "2024-05-31 23:59:59.123", "2024-05-31 23:59:59.123"),
    (OF_ISO_TIMES, "2024-05-31 23:59:59", "2024-05-31 23:59:59"),
    (&["baywheels"], "2017-12-31 16:57:39.6540", "2017-12-31 16:57:39.654"),
    (&["bixi_a", "divvy", "london_2022", "bixi_b"], "2014-04-15 00:01", "2014-04-15 00:01:00"),
    (
        &[
            "citibike",
            "divvy",
            "hubway",
            "indego_metro",
            "uber_2014",
            "toronto",
            "niceride",
            "cogo",
        ],
        "9/1/2014 0:00:25",
        "2014-09-01 00:00:25",
    ),
    (
        &[
            "citibike",
            "divvy",
            "hubway",
            "indego_metro",
            "uber_2014",
            "toronto",
            "niceride",
            "cogo",
        ],
        "12/31/2016 7:44",
        "2016-12-31 07:44:00",
    ),
    (
        &["chicago_taxi", "chicago_tnp", "chicago_escooter", "austin_scooter", "chattanooga"],
        "04/18/2015 12:15:00 PM",
        "2015-04-18 12:15:00",
    ),
    (
        &["chicago_taxi", "chicago_tnp", "chicago_escooter", "austin_scooter"],
        "2015-04-18T00:15:00.000",
        "2015-04-18 00:15:00",
    ),
    (
        &["indego_metro", "lyft", "vancouver", "toronto", "citibike", "divvy"],
        "4/23/15 7:44",
        "2015-04-23 07:44:00",
    ),
    (&["austin_metrobike"], "2023 May 24 06:32:11 PM", "2023-05-24 18:32:11"),
    (&["austin_metrobike"], "05/24/2023 18:32:11", "2023-05-24 18:32:11"),
    (&["louisville", "kansas_city", "ecobici"], "2018-12-31|0:15", "2018-12-31 00:15:00"),
    (&["louisville"], "2018-12-31|24:00", "2019-01-01 00:00:00"),
    (&["louisville", "kansas_city"], "12/31/2018|12:15:00 AM", "2018-12-31 00:15:00"),
    (&["kansas_city", "ecobici"], "2018-12-31|12:30:00 AM", "2018-12-31 00:30:00"),
    (&["ecobici"], "2018-12-31|07:08:09.123456", "2018-12-31 07:08:09.123456"),
    (&["ecobici"], "12-31-2016|7:08:09", "2016-12-31 07:08:09"),
    (&["ecobici"], "31/12/2016|01:08:09 p. m.", "2016-12-31 13:08:09"),
    (&["ecobici"], "01/09/22|23:01:02.123456", "2022-09-01 23:01:02.123456"),
    (&["ecobici"], "31/08/22|5:06", "2022-08-31 05:06:00"),
    (&["rosario"], "2021-01-01 00:07:44", "2021-01-01 00:07:44"),
    (&["rosario"], "31/1/2024 00:06", "2024-01-31 00:06:00"),
    (&["porto", "mds"], "1372636858", "2013-07-01 00:00:58"),
    (&["bixi_c", "mds", "mds_2"], "1647835140123", "2022-03-21 03:59:00.123"),
    (&["bixi_c", "mds", "mds_2"], "1647835140123.0", "2022-03-21 03:59:00.123"),
    (&["oslo", "oslo_2016"], "2021-04-01 04:00:54.381000+00:00", "2021-04-01 04:00:54.381"),
    (&["oslo", "oslo_2016"], "2016-10-01 06:00:08 +0200", "2016-10-01 04:00:08"),
    (&["rpc"], "2020-01-01T08:10:00+01:00", "2020-01-01 07:10:00"),
    (&["helsinki"], "2016-05-01T00:00:12", "2016-05-01 00:00:12"),
    (&["helsinki"], "2016-05-01", "2016-05-01 00:00:00"),
    (&["calgary"], "2019/07/01|17", "2019-07-01 17:00:00"),
    (
        &["vancouver", "toronto", "taipei", "seoul", "daejeon", "pogoh", "pittsburgh"],
        "2019-04-03 05:00",
        "2019-04-03 05:00:00",
    ),
];

const DAY_FIRST: &[(&[&str], &str, &str)] = &[
    (
        &["london", "london_2022", "toronto", "vancouver", "rosario"],
        "10/01/2016 00:04",
        "2016-01-10 00:04:00",
    ),
    (&["london"], "10/01/2012 00:04:05", "2012-01-10 00:04:05"),
    (&["vancouver", "toronto", "london"], "13/4/19 23:51", "2019-04-13 23:51:00"),
];

#[test]
fn every_published_form_is_read_by_its_feeds() {
    let rows = |table: &'static [_], order| {
        let of = move |(feeds, text, expected): &(&[&'static str], &'static str, &'static str)| {
            feeds.iter().map(|feed| (*feed, *text, *expected, order)).collect::<Vec<_>>()
        };
        table.iter().flat_map(of)
    };
    let all =
        rows(PUBLISHED, DayMonthOrder::MonthFirst).chain(rows(DAY_FIRST, DayMonthOrder::DayFirst));
    let wrong: Vec<String> = all
        .filter_map(|(feed, text, expected, order)| match read(feed, text, order) {
            Ok(found) if found == expected => None,
            Ok(found) => Some(format!("{feed} reads {text} as {found}")),
            Err(error) => Some(error),
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A publisher adds seconds, or a fraction of them, without notice; and a spreadsheet writes a year of two digits.
#[test]
fn seconds_are_optional_in_every_form_and_may_have_a_fraction() {
    for feed in builtin::all().iter().filter(|feed| feed.name != "trips") {
        let forms = &feed.time.forms;
        for form in forms.iter().filter(|form| form.contains("MI")) {
            assert!(form.contains("MI[:SS[.FF]]"), "{}: {form}", feed.name);
            let is_read = |other: &String| *other == form.replace("/YYYY", "/YY");
            assert!(form.contains("AM") || forms.iter().any(is_read), "{}: {form}", feed.name);
        }
    }
}

/// The start and the end of each record of a file, or SQLSTATE, column and reason.
fn records(file: &str, constraints: &Constraints) -> Vec<Result<String, String>> {
    let mut reader = RecordReader::new(file.as_bytes(), MAX_RECORD);
    let plan = read_header(&FeedChoice::builtin(), &mut reader, MAX_RECORD).expect("a header");
    let mut trips = TripReader::new(plan, DetailsForm::Text);
    let mut records = Vec::new();
    while let Some(record) = reader.next_record().expect("memory can be read") {
        records.push(match trips.read(&record, constraints) {
            Ok(found) => {
                let end = found.tail_values().ended_at.map(Timestamp::full_text);
                Ok(format!("{} to {}", found.trip.date_time.full_text(), end.unwrap_or_default()))
            }
            Err(error) => {
                let column = error.column.map(|column| column.name().to_owned());
                Err(format!(
                    "{} {}: {}",
                    error.state.code(),
                    column.unwrap_or_default(),
                    error.reason
                ))
            }
        });
    }
    records
}

#[test]
fn the_end_of_a_trip_has_the_dates_of_its_start() {
    let constraints =
        Constraints::new("2000-01-01", "2029-12-31", ZeroCoordinates::Warn).expect("dates");
    let file = "ride_id,started_at,ended_at,start_station_id,end_station_id,start_lat,start_lng,end_lat,end_lng,member_casual\n\
                A,2024-01-01 10:00:00,2024-01-01 09:59:00,,,,,,,\n\
                B,2024-01-01 10:00:00,1900-01-01 10:00:00,,,,,,,\n\
                C,2024-01-01 10:00:00,9999-12-31 10:00:00,,,,,,,\n\
                D,1999-12-31 10:00:00,2024-01-01 10:00:00,,,,,,,\n\
                E,2024-01-01 10:00:00,,,,,,,,\n";
    assert_eq!(
        records(file, &constraints),
        [
            // An end before the start is in many files, and stays.
            Ok("2024-01-01 10:00:00 to 2024-01-01 09:59:00".into()),
            Err("22008 ended_at: \"1900-01-01 10:00:00\" is before the earliest date allowed"
                .into()),
            Err("22008 ended_at: \"9999-12-31 10:00:00\" is after the latest date allowed".into()),
            Err("22008 date_time: \"1999-12-31 10:00:00\" is before the earliest date allowed"
                .into()),
            Ok("2024-01-01 10:00:00 to ".into()),
        ]
    );
    let in_two_columns = "Start Date,Start Time,End Date,End Time,Start Latitude,Start Longitude,End Latitude,End Longitude\n\
                          2019-01-01,10:00,2039-01-01,10:00,,,,\n";
    assert_eq!(
        records(in_two_columns, &constraints),
        [Err("22008 ended_at: \"2039-01-01 10:00\" is after the latest date allowed".into())]
    );
    let of_points = "TRIP_ID,CALL_TYPE,ORIGIN_CALL,ORIGIN_STAND,TAXI_ID,TIMESTAMP,DAY_TYPE,MISSING_DATA,POLYLINE\n\
                     1,A,,,2,1893455995,A,False,\"[[-8.6,41.1],[-8.6,41.2]]\"\n";
    assert_eq!(
        records(of_points, &constraints),
        [Err("22008 ended_at: \"2030-01-01 00:00:10\" is after the latest date allowed".into())]
    );
}

/// A last record that is cut in the middle is no trip of 1970.
#[test]
fn a_cut_or_wrong_epoch_is_rejected() {
    let file = |end: &str| {
        format!(
            "STARTSTATIONNAME,STARTSTATIONARRONDISSEMENT,STARTSTATIONLATITUDE,STARTSTATIONLONGITUDE,ENDSTATIONNAME,\
             ENDSTATIONARRONDISSEMENT,ENDSTATIONLATITUDE,ENDSTATIONLONGITUDE,STARTTIMEMS,ENDTIMEMS\n\
             a,b,45.5,-73.6,c,d,45.5,-73.6,1647835140123,{end}"
        )
    };
    let whole = "1647835740123";
    for end in 1..whole.len() {
        for line_end in ["", "\n"] {
            let found =
                records(&file(&format!("{}{line_end}", &whole[..end])), &Constraints::default());
            let [Err(error)] = &found[..] else { panic!("{found:?}") };
            assert!(error.starts_with("22008 ended_at: "), "{error}");
        }
    }
    let seconds = records(&file("1647835740\n"), &Constraints::default());
    let expected = "22008 ended_at: \"1647835740\" looks like seconds, expected milliseconds";
    assert_eq!(seconds, [Err(expected.into())]);
    assert!(records(&file(whole), &Constraints::default())[0].is_ok());
}
