//! The types of columns, as publishers have them.

use trips_core::format::position::Position;
use trips_core::model::timestamp::Timestamp;
use trips_testkit::found::Found;
use trips_testkit::parquet::{Column, Layout, Value, write};
use trips_testkit::parquet_file::found;

/// Microseconds from 1970 to 2025-03-09 02:15:00, which New York skips.
const SKIPPED: i64 = 1_741_486_500_000_000;

fn ints(values: &[Option<i64>]) -> Vec<Option<Value>> {
    values.iter().map(|value| value.map(Value::Int)).collect()
}

fn texts(values: &[&str]) -> Vec<Option<Value>> {
    values.iter().map(|value| Some(Value::from(*value))).collect()
}

/// Trips of TLC green, of which this is the column of the start.
fn green(pickup: Column) -> Found {
    let rows = pickup.values.len();
    let dropoff = pickup.schema.replace("lpep_pickup_datetime", "lpep_dropoff_datetime");
    let of = |schema: &str, value: i64| Column::new(schema, ints(&vec![Some(value); rows]));
    let columns = [
        of("optional int32 VendorID", 2),
        pickup.clone(),
        Column { schema: dropoff, ..pickup },
        Column::new("optional binary store_and_fwd_flag (UTF8)", texts(&vec!["N"; rows])),
        of("optional int64 RatecodeID", 1),
        of("optional int32 PULocationID", 42),
        of("optional int32 DOLocationID", 43),
        of("optional int64 passenger_count", 1),
        Column::new("optional double trip_distance", vec![Some(Value::Number(1.2)); rows]),
        Column::new("optional int32 ehail_fee (UNKNOWN)", vec![None; rows]),
        of("optional int64 __index_level_0__", 5),
    ];
    found(write(&columns, Layout::default()), 1 << 20).expect("a file")
}

#[test]
fn times_of_all_types_are_the_same_wall_clock() {
    let nanos = u64::try_from((SKIPPED % 86_400_000_000) * 1000).unwrap();
    let day = u32::try_from(SKIPPED / 86_400_000_000 + 2_440_588).unwrap();
    #[expect(clippy::cast_possible_truncation, reason = "the lower and the upper half")]
    let int96 = Value::Int96([nanos as u32, (nanos >> 32) as u32, day]);
    let time = |unit: &str, value| {
        let schema = format!("optional int64 lpep_pickup_datetime ({unit})");
        green(Column::new(&schema, ints(&[Some(value)])))
    };
    let csv = "VendorID,lpep_pickup_datetime,lpep_dropoff_datetime,store_and_fwd_flag,RatecodeID,\
               PULocationID,DOLocationID,passenger_count,trip_distance\n\
               2,2025-03-09 02:15:00,2025-03-09 02:15:00,N,1,42,43,1,1.2\n";
    let csv = super::same_keys::csv(csv.as_bytes());
    assert_eq!(csv.trips.len(), 1, "{:?}", csv.rejected);
    for found in [
        time("TIMESTAMP(MILLIS,false)", SKIPPED / 1000),
        time("TIMESTAMP(MICROS,false)", SKIPPED),
        time("TIMESTAMP(NANOS,false)", SKIPPED * 1000),
        // Without a logical type it is a wall clock, as in Arrow.
        time("TIMESTAMP_MICROS", SKIPPED),
        green(Column::new("optional int96 lpep_pickup_datetime", vec![Some(int96)])),
        green(Column::new(
            "required binary lpep_pickup_datetime (STRING)",
            texts(&["2025-03-09 02:15:00"]),
        )),
    ] {
        assert_eq!(found.rejected, []);
        assert_eq!(found.trips, csv.trips);
    }
    // The same moment as an instant: 07:15 UTC is 03:15 in New York.
    let instant = time("TIMESTAMP(MICROS,true)", SKIPPED + 5 * 3_600_000_000);
    assert_eq!(instant.trips[0].0, Timestamp(csv.trips[0].0.0 + 3_600_000_000));
}

#[test]
fn times_out_of_range_and_null_are_rejected_with_their_row() {
    let values = ints(&[Some(i64::MAX), None, Some(SKIPPED), Some(i64::MIN)]);
    let pickup =
        Column::new("optional int64 lpep_pickup_datetime (TIMESTAMP(MICROS,false))", values);
    let found = green(pickup);
    let row = |row| Position::row(0, row).unwrap();
    let rejected: Vec<_> =
        found.rejected.iter().map(|(at, code, column)| (*at, &**code, column.as_deref())).collect();
    let column = Some("date_time");
    assert_eq!(
        rejected,
        [(row(1), "22008", column), (row(2), "23502", column), (row(4), "22008", column)]
    );
    let staged = String::from_utf8_lossy(&found.staged);
    assert!(staged.contains("\"lpep_pickup_datetime\":null"), "{staged}");
    assert!(staged.contains("9223372036854775807 microseconds since 1970"), "{staged}");
}

/// Trips of TLC for-hire vehicles with these ids of zones.
fn fhv(zone: &str, ids: Vec<Option<Value>>) -> Found {
    let rows = ids.len();
    let time = |name: &str| {
        let schema = format!("optional int64 {name} (TIMESTAMP(MICROS,false))");
        Column::new(&schema, ints(&vec![Some(SKIPPED); rows]))
    };
    let columns = [
        Column::new("optional binary dispatching_base_num (STRING)", texts(&vec!["B00001"; rows])),
        time("pickup_datetime"),
        time("dropOff_datetime"),
        Column::new(&format!("optional {zone} PUlocationID"), ids.clone()),
        Column::new(&format!("optional {zone} DOlocationID"), ids),
        Column::new("optional int32 SR_Flag (UNKNOWN)", vec![None; rows]),
        Column::new("optional binary Affiliated_base_number", texts(&vec!["B00001  "; rows])),
    ];
    found(write(&columns, Layout::default()), 1 << 20).expect("a file")
}

#[test]
fn ids_of_zones_are_the_same_in_all_types() {
    let number = |value: f64| Some(Value::Number(value));
    let expected = fhv("int64", ints(&[Some(264), Some(7), None]));
    assert_eq!((expected.trips.len(), expected.rejected.len()), (3, 0));
    for found in [
        fhv("double", vec![number(264.0), number(7.0), None]),
        fhv("double", vec![number(264.0), number(7.0), number(f64::NAN)]),
        fhv("float", vec![number(264.0), number(7.0), None]),
        fhv("int32", ints(&[Some(264), Some(7), None])),
        fhv("binary", vec![Some("264".into()), Some("7.0".into()), Some("".into())]),
    ] {
        assert_eq!(found.trips, expected.trips);
    }
}

#[test]
fn rows_that_are_too_long_are_rejected() {
    let long = "x".repeat(100_000);
    let columns = [
        Column::new("required binary region", texts(&["A", &long, "B"])),
        Column::new("required binary origin_coord", texts(&["POINT (1 2)"; 3])),
        Column::new("required binary destination_coord", texts(&["POINT (1 2)"; 3])),
        Column::new("required binary date_time", texts(&["2018-05-01 00:00:00"; 3])),
        Column::new("required binary datasource", texts(&["x"; 3])),
    ];
    let found = found(write(&columns, Layout::default()), 1 << 20).expect("a file");
    assert_eq!(found.trips.len(), 2);
    let row = Position::row(0, 2).unwrap();
    assert_eq!(found.rejected, [(row, "54000".to_owned(), None)]);
}

/// A feed whose texts have the month first has times as numbers in Parquet: what is staged becomes the same trip.
#[test]
fn times_of_staged_records_do_not_depend_on_the_forms_of_the_feed() {
    use trips_core::feed::builtin;
    use trips_core::feed::fields::Fields;
    use trips_core::feed::staged::FeedRecord;
    let feed = builtin::get("uber_2014").expect("a feed");
    let json =
        r#"{"Base": "B02512", "Date/Time": "2014-04-13 00:11:00Z", "$times": "[\"Date/Time\"]"}"#;
    let record = FeedRecord::of_json(feed, json).expect("a record");
    let time = record.time(feed.column("Date/Time").expect("a column"));
    let time = time.expect("a value").expect("a time");
    assert_eq!((time.time.full_text().as_str(), time.is_instant), ("2014-04-13 00:11:00", true));
    assert_eq!(record.time(feed.column("Base").expect("a column")), None);
    let unknown = r#"{"Base": "B02512", "$times": "[\"Other\"]"}"#;
    assert_eq!(FeedRecord::of_json(feed, unknown), None);
}
