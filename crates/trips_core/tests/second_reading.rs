//! Laws of second readings: what a rule breaks, the same rule mends, and an explanation finds it.

use proptest::prelude::*;
use trips_core::check::constraints::Constraints;
use trips_core::check::trip_text::TripText;
use trips_core::explain::{Checker, Explained, StagedText, Tally};
use trips_core::feed::choice::FeedChoice;
use trips_core::feed::{builtin, staged::FeedRecord};
use trips_core::mend::rules::{Rules, Times};
use trips_core::mend::{StagedReader, mended_texts};
use trips_core::model::position::Position;
use trips_core::model::time_form::DayMonthOrder;

type Texts = [String; 5];

/// What is wrong with a record.
#[derive(Debug, Clone, Copy)]
struct Faults {
    is_swapped: bool,
    has_commas: bool,
    order: Option<DayMonthOrder>,
}

fn faults() -> impl Strategy<Value = Faults> {
    let orders = [None, Some(DayMonthOrder::DayFirst), Some(DayMonthOrder::MonthFirst)];
    (any::<bool>(), any::<bool>(), proptest::sample::select(orders.to_vec()))
        .prop_map(|(is_swapped, has_commas, order)| Faults { is_swapped, has_commas, order })
}

/// A place whose longitude is no latitude, and a time on a day after the 12th.
fn right() -> impl Strategy<Value = ([f64; 2], [u32; 5])> {
    let place = (90.5_f64..180.0, -89.0_f64..89.0);
    let time = (2000_u32..2030, 1_u32..13, 13_u32..29, 0_u32..24, 0_u32..60);
    (place, time).prop_map(|((lon, lat), (y, mo, d, h, mi))| ([lon, lat], [y, mo, d, h, mi]))
}

fn texts(([longitude, latitude], time): ([f64; 2], [u32; 5]), faults: Faults) -> Texts {
    let number = |number: f64| {
        let text = format!("{number:.5}");
        if faults.has_commas { text.replace('.', ",") } else { text }
    };
    let (first, second) = match faults.is_swapped {
        true => (latitude, longitude),
        false => (longitude, latitude),
    };
    let [year, month, day, hour, minute] = time;
    let date_time = match faults.order {
        None => format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02}:00"),
        Some(DayMonthOrder::DayFirst) => format!("{day:02}/{month}/{year} {hour}:{minute:02}"),
        Some(DayMonthOrder::MonthFirst) => format!("{month}.{day}.{year} {hour}:{minute:02}:00"),
    };
    let place = format!("POINT ({} {})", number(first), number(second));
    ["R".to_owned(), place, String::new(), date_time, "s".to_owned()]
}

fn bytes(texts: &Texts) -> [&[u8]; 5] {
    texts.each_ref().map(String::as_bytes)
}

fn rules(faults: Faults) -> Rules {
    Rules {
        swap_coordinates: faults.is_swapped,
        decimal_comma: faults.has_commas,
        times: faults.order.map(Times::of_order),
    }
}

fn explain(rows: &[Texts]) -> Vec<Explained> {
    let feed = builtin::get("trips");
    let mut checker = Checker::new(feed, FeedChoice::builtin(), Constraints::default());
    let mut tally = Tally::new(7, None, 3, true);
    for (line, row) in (2..).zip(rows) {
        let texts = bytes(row);
        let trip = TripText::of(texts.map(Into::into));
        let rejection = trip.validate(&Constraints::default()).err();
        let row = StagedText {
            line: Some(line),
            column: rejection.as_ref().and_then(|it| it.column.as_ref()).map(|it| it.name()),
            code: rejection.as_ref().map(|it| it.state.code()),
            reason: rejection.as_ref().map(|it| &*it.reason),
            texts: Some(texts),
            ..StagedText::default()
        };
        tally.add(&row, &mut checker);
    }
    tally.finish(&checker)
}

proptest! {
    /// The rules that undo the faults give the trip of the right record, and an explanation proposes them.
    #[test]
    fn faults_are_mended(right in right(), faults in faults()) {
        let none = Faults { is_swapped: false, has_commas: false, order: None };
        let (expected, broken) = (texts(right, none), texts(right, faults));
        let constraints = Constraints::default();
        let expected = TripText::of(bytes(&expected).map(Into::into));
        let expected = expected.validate(&constraints).unwrap();
        let rules = rules(faults);
        let mended = mended_texts(bytes(&broken), &rules, &constraints);
        prop_assert_eq!(mended.is_some(), !rules.is_empty());
        let mended = mended.unwrap_or_else(|| bytes(&broken).map(Into::into));
        let mended = TripText::of(mended);
        prop_assert_eq!(mended.validate(&constraints).unwrap(), expected);

        let found = explain(std::slice::from_ref(&broken));
        prop_assert_eq!(found.len(), 1);
        let retry = found[0].retry.as_deref().unwrap_or_default();
        prop_assert_eq!(retry.contains("swap_coordinates"), faults.is_swapped, "{}", retry);
        prop_assert_eq!(retry.contains("decimal_comma"), faults.has_commas, "{}", retry);
        prop_assert_eq!(retry.contains("'DMY'"), faults.order == Some(DayMonthOrder::DayFirst));
        prop_assert_eq!(retry.contains("'MDY'"), faults.order == Some(DayMonthOrder::MonthFirst));
    }

    /// Records that are trips as they are do not change under any rule, unless a rule of times reads them.
    #[test]
    fn right_records_stay(right in right(), faults in faults()) {
        let none = Faults { is_swapped: false, has_commas: false, order: None };
        let texts = texts(right, none);
        prop_assert_eq!(mended_texts(bytes(&texts), &rules(faults), &Constraints::default()), None);
    }

    /// Any texts: no panic, all records are counted, and examples are within their limit.
    #[test]
    fn all_records_are_counted(
        rows in proptest::collection::vec(proptest::array::uniform5("[-0-9/.,:;() A-Z\"]{0,24}"), 0..20),
    ) {
        let found = explain(&rows);
        prop_assert_eq!(found.iter().map(|found| found.records).sum::<u64>(), rows.len() as u64);
        prop_assert!(found.iter().all(|found| found.examples.len() <= 3));
    }
}

/// The same for a record of a feed with a box, two columns of each place, and the end of the trip.
#[test]
fn a_record_of_a_feed() {
    let choice = FeedChoice::builtin();
    let definition = builtin::get("lyft").unwrap();
    let dialect = definition.form.dialects[0];
    let feed = trips_core::feed::file_feed::FileFeed::new(definition.clone(), dialect, &choice);
    let mut reader = StagedReader::new(std::sync::Arc::new(feed));
    let record = |start: &str, end: &str, [a, b]: [&str; 2]| {
        let json = format!(
            r#"{{"ride_id": "1", "started_at": "{start}", "ended_at": "{end}", "start_lat": "{a}", "start_lng": "{b}", "end_lat": "", "end_lng": ""}}"#
        );
        FeedRecord::of_json(definition, &json).expect("a record of the feed")
    };
    let (position, constraints) = (Position::line(2), Constraints::default());
    let wrong = record("13/06/2024 8:05", "13/06/2024 08:19:30", ["-87.6317", "41.9029"]);
    assert!(reader.check(&wrong, position, &constraints).is_err());
    let rules = Rules {
        swap_coordinates: true,
        decimal_comma: true,
        times: Some(Times::of_order(DayMonthOrder::DayFirst)),
    };
    let mended = reader.mended(&wrong, &rules, position, &constraints).expect("a mended record");
    let right = record("2024-06-13 08:05:00", "2024-06-13 08:19:30", ["41.9029", "-87.6317"]);
    let key = |reader: &mut StagedReader, record: &FeedRecord| {
        let trip = reader.trip(record, position, &constraints).unwrap();
        (trip.trip.date_time, trip.trip.origin, trip.tail.to_vec(), trip.identity.key_of_message())
    };
    let found = key(&mut reader, &mended);
    assert_eq!(found, key(&mut reader, &right));
    assert_eq!(reader.mended(&right, &rules, position, &constraints), None);
}
