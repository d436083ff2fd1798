//! Random trips as CSV and as Parquet: the same keys, rows and rejected records.

use std::fmt::Write;

use parquet::basic::{Compression, Encoding};
use proptest::prelude::*;
use proptest::sample::select;
use trips_core::feed::choice::FeedChoice;
use trips_core::format::delimited::header::read_header;
use trips_core::format::delimited::record::RecordReader;
use trips_core::format::parser::Target;
use trips_core::model::timestamp::Timestamp;
use trips_testkit::found::{Found, find, parser};
use trips_testkit::parquet::{Column, Layout, Value, write};
use trips_testkit::parquet_file::{MAX_RECORD, found};

/// What is found in a CSV file.
pub fn csv(file: &[u8]) -> Found {
    let mut reader = RecordReader::new(file, MAX_RECORD);
    let plan = read_header(&FeedChoice::builtin(), &mut reader, MAX_RECORD).expect("a header");
    find(reader, &parser(plan, Target::History, MAX_RECORD), 1 << 20).expect("memory")
}

/// A trip of TLC yellow; the values that are None are NULL.
#[derive(Debug, Clone)]
struct Trip {
    vendor: Option<i64>,
    /// Seconds since 2000, and the fraction in milliseconds.
    pickup: Option<(i64, i64)>,
    minutes: i64,
    zones: [Option<i64>; 2],
    flag: Option<String>,
    passengers: Option<i64>,
    distance: Option<f64>,
    cents: Option<i64>,
}

fn trip() -> impl Strategy<Value = Trip> {
    let maybe = |range: std::ops::Range<i64>| proptest::option::weighted(0.9, range);
    let pickup = proptest::option::weighted(0.95, (0..900_000_000_i64, select(vec![0, 0, 5, 120])));
    let flag = proptest::option::weighted(0.8, "[YN \"',é]{0,5}");
    let distance = proptest::option::weighted(0.9, 0.0..100.0_f64);
    (
        maybe(1..7),
        pickup,
        0..90_i64,
        [maybe(1..266), maybe(1..266)],
        flag,
        maybe(0..9),
        distance,
        maybe(-5000..100_000),
    )
        .prop_map(|(vendor, pickup, minutes, zones, flag, passengers, distance, cents)| Trip {
            vendor,
            pickup,
            minutes,
            zones,
            flag,
            passengers,
            distance,
            cents,
        })
}

/// How the columns of a file are written: a number of the types of each.
#[derive(Debug, Clone)]
struct Types {
    ints: Vec<usize>,
    time: usize,
    number: usize,
    money: usize,
    encodings: Vec<Option<Encoding>>,
    layout: Layout,
}

fn types() -> impl Strategy<Value = Types> {
    let compression = select(vec![
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(Default::default()),
        Compression::ZSTD(Default::default()),
        Compression::BROTLI(Default::default()),
        Compression::LZ4_RAW,
    ]);
    let layout = (compression, 1..300_usize, 64..4000_usize, any::<bool>(), any::<bool>());
    let layout = layout.prop_map(|(compression, group_rows, page_bytes, has_dictionary, is_v2)| {
        Layout { compression, group_rows, page_bytes, has_dictionary, is_v2, ..Layout::default() }
    });
    let encoding =
        select(vec![None, None, Some(Encoding::PLAIN), Some(Encoding::DELTA_BINARY_PACKED)]);
    (
        proptest::collection::vec(0..7_usize, 4),
        0..7_usize,
        0..3_usize,
        0..5_usize,
        proptest::collection::vec(encoding, 10),
        layout,
    )
        .prop_map(|(ints, time, number, money, encodings, layout)| Types {
            ints,
            time,
            number,
            money,
            encodings,
            layout,
        })
}

fn int_column(name: &str, kind: usize, values: &[Option<i64>]) -> Column {
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    let (schema, of): (&str, fn(i64) -> Value) = match kind {
        0 => ("int32", Value::Int),
        1 => ("int64", Value::Int),
        2 => ("double", |value| Value::Number(value as f64)),
        3 => ("float", |value| Value::Number(value as f64)),
        4 => ("binary", |value| Value::Bytes(value.to_string().into())),
        5 => ("binary", |value| Value::Bytes(format!("{value}.0").into())),
        _ => ("int64", Value::Int),
    };
    let unsigned = if kind == 6 { " (INTEGER(64,false))" } else { "" };
    let schema = format!("optional {schema} {name}{unsigned}");
    Column::new(&schema, values.iter().map(|value| value.map(of)).collect())
}

/// Microseconds since 2000.
pub fn time_column(name: &str, kind: usize, values: &[Option<i64>]) -> Column {
    const SINCE_1970: i64 = 946_684_800_000_000;
    const DAY: i64 = 86_400_000_000;
    let unit = match kind {
        0 => "int64 {} (TIMESTAMP(MILLIS,false))",
        1 => "int64 {} (TIMESTAMP(MICROS,false))",
        2 => "int64 {} (TIMESTAMP(NANOS,false))",
        3 => "int64 {} (TIMESTAMP_MILLIS)",
        4 => "int96 {}",
        _ => "binary {} (STRING)",
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "parts of an INT96"
    )]
    let of = |micros: i64| {
        let since_1970 = micros + SINCE_1970;
        match kind {
            0 | 3 => Value::Int(since_1970 / 1000),
            1 => Value::Int(since_1970),
            2 => Value::Int(since_1970 * 1000 + 999),
            4 => {
                let nanos = (since_1970 % DAY) as u64 * 1000;
                let day = (since_1970 / DAY + 2_440_588) as u32;
                Value::Int96([nanos as u32, (nanos >> 32) as u32, day])
            }
            _ => Value::Bytes(Timestamp(micros).full_text().into()),
        }
    };
    let schema = format!("optional {}", unit.replace("{}", name));
    Column::new(&schema, values.iter().map(|value| value.map(of)).collect())
}

fn money_column(name: &str, kind: usize, cents: &[Option<i64>]) -> Column {
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    let (schema, of): (&str, fn(i64) -> Value) = match kind {
        0 => ("double {}", |cents| Value::Number(cents as f64 / 100.0)),
        1 => ("int32 {} (DECIMAL(9,2))", Value::Int),
        2 => ("int64 {} (DECIMAL(18,2))", Value::Int),
        3 => ("binary {} (DECIMAL(20,2))", |cents| Value::Bytes(cents.to_be_bytes().into())),
        _ => ("binary {}", |cents| Value::Bytes(format!("{}", cents as f64 / 100.0).into())),
    };
    let schema = format!("optional {}", schema.replace("{}", name));
    Column::new(&schema, cents.iter().map(|value| value.map(of)).collect())
}

fn columns(trips: &[Trip], types: &Types) -> Vec<Column> {
    let ints = |of: &dyn Fn(&Trip) -> Option<i64>| trips.iter().map(of).collect::<Vec<_>>();
    let micros = |trip: &Trip, minutes: i64| {
        trip.pickup.map(|(s, ms)| s * 1_000_000 + ms * 1000 + minutes * 60_000_000)
    };
    let numbers = trips.iter().map(|trip| trip.distance);
    let numbers = numbers.map(|number| match types.number {
        2 => number.map(|number| Value::Bytes(number.to_string().into())),
        _ => number.map(Value::Number),
    });
    let number = if types.number == 2 { "binary" } else { "double" };
    let flags = trips.iter().map(|trip| trip.flag.as_ref().map(|flag| Value::from(&**flag)));
    let mut columns = vec![
        int_column("VendorID", types.ints[0], &ints(&|trip| trip.vendor)),
        time_column("tpep_pickup_datetime", types.time, &ints(&|trip| micros(trip, 0))),
        time_column("tpep_dropoff_datetime", types.time, &ints(&|trip| micros(trip, trip.minutes))),
        int_column("passenger_count", types.ints[1], &ints(&|trip| trip.passengers)),
        Column::new(&format!("optional {number} trip_distance"), numbers.collect()),
        Column::new("optional binary store_and_fwd_flag (UTF8)", flags.collect()),
        int_column("PULocationID", types.ints[2], &ints(&|trip| trip.zones[0])),
        int_column("DOLocationID", types.ints[3], &ints(&|trip| trip.zones[1])),
        money_column("fare_amount", types.money, &ints(&|trip| trip.cents)),
        Column::new("optional int32 airport_fee (UNKNOWN)", vec![None; trips.len()]),
    ];
    for (column, encoding) in columns.iter_mut().zip(&types.encodings) {
        let is_text = column.schema.contains("binary");
        let is_int = column.schema.starts_with("optional int32")
            || column.schema.starts_with("optional int64");
        column.encoding = match encoding {
            Some(Encoding::DELTA_BINARY_PACKED) if is_int => *encoding,
            Some(Encoding::DELTA_BINARY_PACKED) if is_text => Some(Encoding::DELTA_BYTE_ARRAY),
            Some(Encoding::DELTA_BINARY_PACKED) => Some(Encoding::BYTE_STREAM_SPLIT),
            encoding => *encoding,
        };
        if column.schema.contains("int96") {
            column.encoding = None;
        }
    }
    columns
}

fn csv_of(trips: &[Trip]) -> String {
    let mut csv =
        "VendorID,tpep_pickup_datetime,tpep_dropoff_datetime,passenger_count,trip_distance,\
                   store_and_fwd_flag,PULocationID,DOLocationID,fare_amount,airport_fee\n"
            .to_owned();
    for trip in trips {
        let int = |value: Option<i64>| value.map(|value| value.to_string()).unwrap_or_default();
        let time = |minutes: i64| {
            let micros = |(s, ms): (i64, i64)| s * 1_000_000 + ms * 1000 + minutes * 60_000_000;
            trip.pickup.map(|time| Timestamp(micros(time)).full_text()).unwrap_or_default()
        };
        let flag = trip.flag.clone().unwrap_or_default().replace('"', "\"\"");
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let fare = trip.cents.map(|cents| format!("{:.2}", cents as f64 / 100.0));
        let distance = trip.distance.map(|number| number.to_string()).unwrap_or_default();
        writeln!(
            csv,
            "{},{},{},{},{distance},\"{flag}\",{},{},{},",
            int(trip.vendor),
            time(0),
            time(trip.minutes),
            int(trip.passengers),
            int(trip.zones[0]),
            int(trip.zones[1]),
            fare.unwrap_or_default(),
        )
        .expect("a text");
    }
    csv
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn csv_and_parquet_have_the_same_trips(
        trips in proptest::collection::vec(trip(), 1..400),
        types in types(),
        size in 1..100_000_usize,
    ) {
        let expected = csv(csv_of(&trips).as_bytes());
        let file = write(&columns(&trips, &types), types.layout);
        let bytes = file.len() as u64;
        let found = found(file, size).expect("a file");
        prop_assert_eq!(found.rows, trips.len() as u64);
        prop_assert_eq!(found.covers, bytes);
        prop_assert_eq!(&found.trips, &expected.trips);
        let group_rows = types.layout.group_rows as u64;
        let in_csv = |(position, code, column): &trips_testkit::found::Rejected| {
            let group = u64::from(position.row_group().expect("a row group"));
            (group * group_rows + position.number() + 1, code.clone(), column.clone())
        };
        let rejected: Vec<_> = found.rejected.iter().map(in_csv).collect();
        let of_csv = expected.rejected.iter();
        let of_csv: Vec<_> = of_csv.map(|(at, code, column)| (at.value, code.clone(), column.clone())).collect();
        // A chunk of each keeps its first ten.
        let common = rejected.iter().zip(&of_csv).take(10);
        prop_assert!(common.clone().all(|(a, b)| a == b), "{:?} {:?}", rejected, of_csv);
    }
}
