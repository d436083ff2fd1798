//! Properties of any input.

use std::sync::Arc;

use proptest::prelude::*;
use trips_core::check::constraints::{Constraints, ZeroCoordinates};
use trips_core::check::trip_text::TripText;
use trips_core::columns::TripColumn;
use trips_core::feed::choice::FeedChoice;
use trips_core::feed::definition::IdentityRule;
use trips_core::feed::definition::{Definition, Place};
use trips_core::feed::detect::Catalogue;
use trips_core::feed::plan::Plan;
use trips_core::format::delimited::header::read_header;
use trips_core::format::delimited::header::{self, ColumnError, Guess, HeaderError};
use trips_core::format::delimited::parse;
use trips_core::format::delimited::record::RecordReader;
use trips_core::format::parser::{Parser, Target};
use trips_core::model::point::{self, Point};
use trips_core::model::timestamp::{self, Timestamp};
use trips_core::model::trip::Trip;
use trips_core::sort::batch;
use trips_core::sort::block::Block;
use trips_core::sort::groups::GroupCache;
use trips_core::upload::part::Part;

/// The values of all records, which have no faults.
fn read_values(input: &[u8]) -> Vec<Vec<Vec<u8>>> {
    let mut reader = RecordReader::new(input, 10_000);
    let mut rows = Vec::new();
    while let Some(record) = reader.next_record().unwrap() {
        assert_eq!(record.error, None, "line {}", record.line);
        rows.push(record.fields().map(|value| value.into_owned()).collect());
    }
    rows
}

/// Bytes with many characters that are special in CSV.
fn csv_like() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        3 => Just(b'"'), 3 => Just(b','), 2 => Just(b'\n'), 1 => Just(b'\r'), 4 => Just(b'a'),
        1 => Just(b' '), 1 => any::<u8>(),
    ];
    proptest::collection::vec(byte, 0..300)
}

/// Records that RFC 4180 allows, with every kind of line end.
fn clean_csv() -> impl Strategy<Value = String> {
    let quoted = "([a, \n\r]|\"\"){0,6}".prop_map(|inner| format!("\"{inner}\""));
    let value = prop_oneof!["[a-c .]{0,5}", quoted];
    let record = proptest::collection::vec(value, 1..5).prop_map(|values| values.join(","));
    let line_end = prop_oneof!["\n", "\r\n", "\r"];
    proptest::collection::vec((record, line_end), 0..12)
        .prop_map(|lines| lines.into_iter().map(|(line, end)| line + &end).collect())
}

/// Constraints that reject nothing.
fn any_date() -> Constraints {
    Constraints::new("0001-01-01", "9999-12-31", ZeroCoordinates::Keep).expect("dates")
}

/// Numbers, nearly numbers, and what surrounds them.
fn number_text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[ \t]?-?[0-9]{1,3}(\\.[0-9]{0,18})?[ \t]?",
        2 => (-200.0..200.0_f64).prop_map(|n| n.to_string()),
        2 => "[-+0-9.eE() ,]{0,8}",
        1 => "[ \t\x0c]{0,3}",
        1 => ".{0,6}",
    ]
}

proptest! {
    #[test]
    fn what_the_csv_crate_writes_is_read_back(
        table in proptest::collection::vec(
            proptest::collection::vec("[ -~\n\r\",é]{0,12}", 3), 0..20),
    ) {
        let mut writer = csv::WriterBuilder::new().quote_style(csv::QuoteStyle::Necessary).from_writer(vec![]);
        for row in &table {
            writer.write_record(row).unwrap();
        }
        let bytes = writer.into_inner().unwrap();
        let written: Vec<Vec<Vec<u8>>> =
            table.iter().map(|row| row.iter().map(|value| value.clone().into_bytes()).collect()).collect();
        prop_assert_eq!(read_values(&bytes), written);
    }

    #[test]
    fn clean_records_are_those_of_the_csv_crate(input in clean_csv()) {
        let is_blank = |row: &[Vec<u8>]| row.len() == 1 && row[0].trim_ascii().is_empty();
        let mut ours = read_values(input.as_bytes());
        ours.retain(|row| !is_blank(row));
        let theirs: Vec<Vec<Vec<u8>>> = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .from_reader(input.as_bytes())
            .byte_records()
            .map(|row| row.unwrap().iter().map(<[u8]>::to_vec).collect::<Vec<_>>())
            .filter(|row| !is_blank(row))
            .collect();
        prop_assert_eq!(ours, theirs);
    }

    #[test]
    fn where_buffers_and_chunks_end_does_not_matter(
        input in prop_oneof![csv_like(), clean_csv().prop_map(String::into_bytes)],
        max_record in 1_usize..80,
        chunk in 1_usize..120,
        sizes in proptest::collection::vec(1_usize..40, 1..10),
    ) {
        trips_testkit::reader::check(&input, max_record, chunk, &sizes);
    }

    #[test]
    fn batches_are_the_sorted_set_of_all_trips(
        trips in proptest::collection::vec((0_i64..300, "[ab]{1,2}"), 0..400),
        blocks in 1_usize..6,
        wanted in 1_usize..200,
    ) {
        let mut parts: Vec<Block> = (0..blocks).map(|_| Block::default()).collect();
        for (i, (time, region)) in trips.iter().enumerate() {
            parts[i % blocks].push(&plain(region, *time), &[]).unwrap();
        }
        parts.iter_mut().for_each(|block| block.sort().unwrap());
        let mut cache = GroupCache::default();
        let (mut found, mut seen, mut duplicates) = (Vec::new(), Vec::new(), 0);
        for time_range in batch::time_ranges(&parts, wanted) {
            let batch = batch::build(&parts, time_range, 1, true, &mut cache).unwrap();
            duplicates += batch.duplicates;
            prop_assert_eq!(batch.entries.last().map_or(0, |e| e.end as usize), batch.rows.len());
            seen.extend(batch.entries.iter().map(|e| (e.date_time.0, batch.groups.names(e.group).0.to_owned())));
            found.extend(batch.entries);
        }
        prop_assert!(found.is_sorted_by(|a, b| a.cmp_key(b.date_time, &b.key).is_lt()));
        let mut distinct = trips.clone();
        distinct.sort();
        distinct.dedup();
        seen.sort();
        prop_assert_eq!(duplicates, trips.len() - distinct.len());
        prop_assert_eq!(seen, distinct);
    }

    #[test]
    fn points_are_read_as_written(longitude in -180.0..=180.0_f64, latitude in -90.0..=90.0_f64) {
        let text = format!("POINT ({longitude} {latitude})");
        let canonical = if longitude == -180.0 { 180.0 } else { longitude + 0.0 };
        let expected = Point { longitude: canonical, latitude: latitude + 0.0 };
        prop_assert_eq!(point::parse(text.as_bytes()), Ok(Some(expected)));
    }

    #[test]
    fn coordinates_are_the_nearest_doubles(digits in "-?[0-9]{1,2}\\.[0-9]{0,17}") {
        let expected: f64 = digits.parse().unwrap();
        let read = point::parse(format!("POINT (1 {digits})").as_bytes());
        if let Ok(Some(Point { latitude, .. })) = read {
            prop_assert_eq!(latitude.to_bits(), (expected + 0.0).to_bits());
        } else {
            prop_assert!(expected.abs() > 90.0);
        }
    }

    /// Two fields have the point, or the error, of their well-known text.
    #[test]
    fn a_pair_is_its_text(longitude in number_text(), latitude in number_text()) {
        let (x, y) = (longitude.as_bytes(), latitude.as_bytes());
        prop_assert_eq!(point::parse_pair(x, y), point::parse(&point::pair_text(x, y)));
    }

    #[test]
    fn any_bytes_are_a_trip_or_a_reason(values in proptest::collection::vec(
        prop_oneof![proptest::collection::vec(any::<u8>(), 0..40), "POINT ?\\([-0-9. e]{0,20}\\)".prop_map(String::into_bytes),
                    "[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}".prop_map(String::into_bytes)], 5)) {
        let text = TripText::of(std::array::from_fn(|i| (&values[i][..]).into()));
        match text.validate(&any_date()) {
            Ok(trip) => {
                prop_assert!(!trip.region.is_empty());
                for point in [trip.origin, trip.destination].into_iter().flatten() {
                    prop_assert!(point.longitude > -180.0 && point.longitude <= 180.0);
                    prop_assert!(point.latitude >= -90.0 && point.latitude <= 90.0);
                }
            }
            Err(rejection) => {
                prop_assert!(rejection.reason.chars().all(|c| !c.is_control()));
                prop_assert!(rejection.reason.chars().count() < 250);
            }
        }
    }

    #[test]
    fn timestamps_are_read_as_written(micros in -63_082_281_600_000_000_i64..252_455_616_000_000_000) {
        let epoch = chrono::NaiveDate::from_ymd_opt(2000, 1, 1).unwrap().and_hms_opt(0, 0, 0).unwrap();
        let time = epoch + chrono::Duration::microseconds(micros);
        let text = format!("{time:?}");
        prop_assert_eq!(timestamp::parse(text.as_bytes()), Ok(Some(Timestamp(micros))));
    }
}

fn plain(region: &str, time: i64) -> Trip<'_> {
    Trip { region, origin: None, destination: None, date_time: Timestamp(time), datasource: None }
}

fn plan_of(feed: &FeedChoice, header: &str) -> Result<Plan, HeaderError> {
    let mut reader = RecordReader::new(header.as_bytes(), 1000);
    header::resolve(feed, &reader.next_record().unwrap().unwrap())
}

#[test]
fn columns_are_found_by_name() {
    for header in [
        "region,origin_coord,destination_coord,datetime,datasource",
        "DATASOURCE, Date_Time ,region,\"destination_coord\",\torigin_coord",
    ] {
        let plan = plan_of(&FeedChoice::builtin(), header).unwrap();
        assert_eq!((plan.field_count, plan.not_stored().len()), (5, 0));
    }
    let plan = plan_of(
        &FeedChoice::builtin(),
        "x,region,,origin_coord,destination_coord,datetime,datasource",
    )
    .unwrap();
    // A column without a name is passed over.
    assert_eq!(plan.not_stored(), ["\"x\""]);
}

#[test]
fn headers_that_do_not_fit() {
    let error = |header| plan_of(&FeedChoice::builtin(), header).unwrap_err();
    let missing = error("region,origin_coord,datasource");
    assert_eq!(
        missing.to_string(),
        "invalid header: columns destination_coord, date_time or datetime are missing"
    );
    let duplicate = error("region,origin_coord,destination_coord,datetime,datasource,date_time");
    assert_eq!(
        duplicate.to_string(),
        "invalid header: column date_time appears twice, as columns 4 and 6"
    );
    for (line, expected) in [
        ("region;origin_coord;destination_coord;datetime;datasource", Some(Guess::Delimiter(';'))),
        ("A,POINT (1 2),,never,x", Some(Guess::Data)),
        ("A,,,2018-05-01 00:00:00,x", Some(Guess::Data)),
        ("sep=,", Some(Guess::Separator)),
        ("SEP=;", Some(Guess::Separator)),
        ("a,b,c", None),
        ("Trips of May", None),
    ] {
        let HeaderError::Columns(ColumnError::Missing { guess, .. }) = error(line) else {
            panic!("{line}")
        };
        assert_eq!(guess, expected, "{line}");
    }
}

/// A feed with two columns for a point needs other JSON, not other code.
#[test]
fn another_feed_is_data() {
    let bikes = Definition::parse(
        r#"{ "name": "bikes", "title": "Bikes",
             "columns": { "city": {}, "started_at": { "type": "time" }, "operator": {},
                          "start_lng": {}, "start_lat": {}, "end_lng": {}, "end_lat": {} },
             "versions": { "1": ["city", "started_at", "operator", "start_lng", "start_lat", "end_lng", "end_lat"] },
             "time": { "columns": ["started_at"], "forms": ["YYYY-MM-DD HH24:MI:SS[.FF]"] },
             "origin": [{ "longitude": "start_lng", "latitude": "start_lat" }],
             "destination": [{ "longitude": "end_lng", "latitude": "end_lat" }],
             "region": [{ "column": "city" }], "datasource": [{ "column": "operator" }],
             "zero": "point", "identity": { "scheme": "content" }, "raw_line": "whole" }"#,
    )
    .unwrap();
    assert!(matches!(bikes.origin[..], [Place::LonLat { .. }]));
    let catalogue = Arc::new(Catalogue::new(vec![Arc::new(bikes)]));
    let feed = FeedChoice { catalogue, ..FeedChoice::builtin() };
    let file = "started_at,start_lat,start_lng,end_lat,end_lng,city,operator\n\
                2024-01-01 00:00:01.5, 41.88 ,-87.63,,,Chicago,Divvy\n";
    let mut reader = RecordReader::new(file.as_bytes(), 1000);
    let plan = header::resolve(&feed, &reader.next_record().unwrap().unwrap()).unwrap();
    let record = reader.next_record().unwrap().unwrap();
    let texts = parse::texts(&plan, &record).unwrap();
    let trip = texts.validate(&any_date()).unwrap();
    assert_eq!(trip.origin, Some(Point { longitude: -87.63, latitude: 41.88 }));
    assert_eq!((trip.destination, trip.datasource), (None, Some("Divvy")));
    let text = |column| texts.text(column).into_owned();
    assert_eq!(text(TripColumn::Origin), b"POINT (-87.63 41.88)");
    assert_eq!(
        (text(TripColumn::Destination), text(TripColumn::Region)),
        (vec![], b"Chicago".into())
    );
}

const SENT: &str = "region,origin_coord,destination_coord,date_time,datasource\n\
    Prague,POINT (14.4 50.0),POINT (-180 -0),2018-05-28 09:03:40,funny_car\n\
    Turin,,,2018-05-21 02:54:04,\n\
    bad,POINT (14.4 95.0),,2018-05-21 02:54:04,\n\
    ragged\n";

/// An encoded part with two trips and two rejected lines.
fn sent() -> Vec<u8> {
    let mut reader = RecordReader::new(SENT.as_bytes(), 1000);
    let plan = read_header(&FeedChoice::builtin(), &mut reader, 1000).unwrap();
    let (target, constraints) = (Target::History, any_date());
    let parser =
        Parser { plan, target, load_id: 7, max_record: 1000, constraints, keeps_grid_points: true };
    let mut part = Part::new(7, 0, "trips");
    let chunk = reader.next_chunk(1 << 20, 0).unwrap().unwrap();
    part.push(&parser.parse_next(chunk, &mut parser.first_header()).unwrap()).unwrap();
    part.close().unwrap();
    part.encode().unwrap()
}

proptest! {
    /// Any bytes are a part or are rejected; encoding a part again gives the same bytes.
    #[test]
    fn parts_of_others_are_taken_or_refused(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        length in any::<prop::sample::Index>(),
    ) {
        let mut changed = sent();
        for (at, byte) in changes {
            let at = at.index(changed.len());
            changed[at] = byte;
        }
        let cut = changed[..length.index(changed.len())].to_vec();
        for bytes in [bytes, changed, cut] {
            let Ok(part) = Part::decode(&bytes, &any_date(), &IdentityRule::Content) else { continue };
            let again = Part::decode(&part.encode().unwrap(), &any_date(), &IdentityRule::Content).unwrap();
            prop_assert_eq!(
                (again.rows, again.block.len(), again.staged.len()),
                (part.rows, part.block.len(), part.staged.len())
            );
            prop_assert_eq!(part.rows, (part.block.len() + part.staged.len()) as u64 + part.duplicates);
        }
    }
}
