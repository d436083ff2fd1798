//! Random trips of five columns as CSV and as Parquet: texts in all encodings, with and without a dictionary.

use std::fmt::Write;

use parquet::basic::{Compression, Encoding};
use proptest::prelude::*;
use proptest::sample::select;
use trips_core::model::timestamp::Timestamp;
use trips_testkit::found::Rejected;
use trips_testkit::parquet::{Column, Layout, Value, write};
use trips_testkit::parquet_file::{MAX_RECORD, found};

use super::same_keys::{csv, time_column};

/// A trip; the values that are None are NULL.
#[derive(Debug, Clone)]
struct Trip {
    region: Option<String>,
    points: [Option<(i32, i32)>; 2],
    /// Microseconds since 2000.
    time: Option<i64>,
    datasource: Option<String>,
}

impl Trip {
    /// Its five values, but for the time.
    fn texts(&self) -> [Option<String>; 5] {
        let point = |(x, y): (i32, i32)| format!("POINT ({x}.5 {y})");
        let [origin, destination] = self.points.map(|at| at.map(point));
        let time = self.time.map(|time| Timestamp(time).full_text());
        [self.region.clone(), origin, destination, time, self.datasource.clone()]
    }
}

fn trip(nulls: f64) -> impl Strategy<Value = Trip> {
    // A weight is under 1.
    let maybe = move |weight: f64| (1.0 - nulls * weight).min(0.999_99);
    let long = "x".repeat(MAX_RECORD + 1);
    let datasource = prop_oneof![
        200 => "[a-c]{1,2}",
        1 => Just(long.clone()),
    ];
    let point = move || {
        let near = (-180..180_i32, -90..91_i32);
        proptest::option::weighted(maybe(1.0), near)
    };
    let second = -900_000_000..3_300_000_000_i64;
    let time = (second, select(vec![0, 0, 5_000, 123_000])).prop_map(|(s, us)| s * 1_000_000 + us);
    (
        proptest::option::weighted(maybe(0.2), "[A-Z][a-zé]{0,3}"),
        [point(), point()],
        proptest::option::weighted(maybe(0.2), time),
        proptest::option::weighted(maybe(1.0), datasource),
    )
        .prop_map(|(region, points, time, datasource)| Trip {
            region,
            points,
            time,
            datasource,
        })
}

fn layout() -> impl Strategy<Value = Layout> {
    let compression = select(vec![Compression::UNCOMPRESSED, Compression::SNAPPY]);
    let sizes = (1..600_usize, 64..20_000_usize, 16..2_000_usize);
    (compression, sizes, any::<bool>(), any::<bool>()).prop_map(
        |(compression, (group_rows, page_bytes, dictionary_bytes), has_dictionary, is_v2)| Layout {
            compression,
            group_rows,
            page_bytes,
            has_dictionary,
            is_v2,
            dictionary_bytes,
        },
    )
}

fn columns(trips: &[Trip], time: usize, encodings: &[Option<Encoding>]) -> Vec<Column> {
    let names = ["region", "origin_coord", "destination_coord", "date_time", "datasource"];
    let texts: Vec<_> = trips.iter().map(Trip::texts).collect();
    let mut columns: Vec<_> = (0..names.len())
        .map(|at| {
            let values: Vec<_> = texts.iter().map(|texts| texts[at].as_deref()).collect();
            let is_full = values.iter().all(Option::is_some);
            let repetition = if is_full { "required" } else { "optional" };
            let schema = format!("{repetition} binary {} (STRING)", names[at]);
            Column::new(&schema, values.iter().map(|text| text.map(Value::from)).collect())
        })
        .collect();
    columns[3] =
        time_column(names[3], time, &trips.iter().map(|trip| trip.time).collect::<Vec<_>>());
    for (column, encoding) in columns.iter_mut().zip(encodings) {
        if column.schema.contains("binary") {
            column.encoding = *encoding;
        }
    }
    columns
}

fn csv_of(trips: &[Trip]) -> String {
    let mut csv = "region,origin_coord,destination_coord,date_time,datasource\n".to_owned();
    for trip in trips {
        let texts = trip.texts().map(Option::unwrap_or_default);
        writeln!(csv, "{}", texts.join(",")).expect("a text");
    }
    csv
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn five_columns_have_the_same_trips(
        trips in prop_oneof![
            proptest::collection::vec(trip(0.0), 1..1500),
            proptest::collection::vec(trip(0.3), 1..500),
        ],
        time in 0..6_usize,
        encodings in proptest::collection::vec(
            select(vec![
                None,
                None,
                Some(Encoding::PLAIN),
                Some(Encoding::DELTA_BYTE_ARRAY),
                Some(Encoding::DELTA_LENGTH_BYTE_ARRAY),
            ]),
            5,
        ),
        layout in layout(),
        size in 1..100_000_usize,
    ) {
        let expected = csv(csv_of(&trips).as_bytes());
        let found = found(write(&columns(&trips, time, &encodings), layout), size).expect("a file");
        prop_assert_eq!(found.rows, trips.len() as u64);
        prop_assert_eq!(&found.trips, &expected.trips);
        let in_csv = |(position, code, column): &Rejected| {
            let group = u64::from(position.row_group().expect("a row group"));
            let line = group * layout.group_rows as u64 + position.number() + 1;
            (line, code.clone(), column.clone())
        };
        let of_csv = |(at, code, column): &Rejected| (at.value, code.clone(), column.clone());
        // A chunk of each keeps its first ten.
        let found: Vec<_> = found.rejected.iter().take(10).map(in_csv).collect();
        let expected: Vec<_> = expected.rejected.iter().take(10).map(of_csv).collect();
        prop_assert_eq!(found, expected);
    }
}
