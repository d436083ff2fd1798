//! The test vectors of docs/identity.md.

use trips_core::key::message::KeyMessage;
use trips_core::key::{self, Identity, TripKey, occurrence_key};
use trips_core::model::point::Point;
use trips_core::model::timestamp::{self, Timestamp};
use trips_core::model::trip::Trip;

const DOCUMENT: &str = include_str!("../../../docs/identity.md");

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn time(text: &str) -> Timestamp {
    timestamp::parse(text.as_bytes()).unwrap().unwrap()
}

/// The rows of the table: scheme, message and key.
fn documented() -> Vec<[String; 3]> {
    let (_, table) = DOCUMENT.split_once("| scheme | record | message | key |").unwrap();
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let cell = |text: &str| text.trim().trim_matches('`').replace('-', "");
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').collect();
        assert_eq!(cells.len(), 4, "{row}");
        [cell(cells[0]), cell(cells[2]), cell(cells[3])]
    })
    .collect()
}

/// A message without its padding: a message ends with a byte that is not zero, or in a number of 8 bytes.
fn row(scheme: &str, message: &[u8], padding: usize, key: &TripKey) -> [String; 3] {
    let (message, zeros) = message.split_at(message.len() - padding);
    assert!(zeros.iter().all(|&byte| byte == 0));
    [scheme.to_owned(), hex(message), hex(key)]
}

fn of_content(trip: &Trip<'_>) -> [String; 3] {
    let mut message = Vec::new();
    key::encode(trip, &mut message);
    row("content", &message, 0, &Identity::Content.base_key(trip))
}

#[test]
fn keys_are_as_documented() {
    let full = Trip {
        region: "Prague",
        origin: Some(Point { longitude: 14.4973794438195, latitude: 50.00136875782316 }),
        destination: Some(Point { longitude: 14.43109483523328, latitude: 50.04052930943246 }),
        date_time: time("2018-05-28 09:03:40"),
        datasource: Some("funny_car"),
    };
    let plain = Trip {
        origin: None,
        destination: None,
        date_time: Timestamp(0),
        datasource: None,
        ..full.clone()
    };
    let mut found = vec![of_content(&full), of_content(&plain)];
    let mut message = Vec::new();
    let key_of = |message: &[u8], is_columns: bool| {
        let columns = Identity::Columns { message, occurrence: true };
        let identity = if is_columns { columns } else { Identity::SourceId(message) };
        identity.base_key(&full)
    };

    let begun = time("2019-02-01 00:00:01");
    KeyMessage::columns(&mut message, "tlc_fhv", 4)
        .text("B00014")
        .wall(begun)
        .null()
        .number(151.0)
        .finish()
        .unwrap();
    let base = key_of(&message, true);
    found.push(row("columns", &message, 21, &base));

    let instant = time("2024-03-10 08:00:00");
    KeyMessage::columns(&mut message, "chicago_taxi", 3)
        .instant(instant)
        .number(-0.0)
        .text("é")
        .finish()
        .unwrap();
    found.push(row("columns", &message, 21, &key_of(&message, true)));

    KeyMessage::source_id(&mut message, "lyft", 1).text("0F1A2B3C4D5E6F70").finish().unwrap();
    found.push(row("source_id", &message, 33, &key_of(&message, false)));

    KeyMessage::source_id(&mut message, "indego_metro", 2)
        .text("151")
        .text("3402")
        .finish()
        .unwrap();
    found.push(row("source_id", &message, 29, &key_of(&message, false)));

    for n in [2, 3, 1 << 32] {
        let message = [&base[..], &u64::to_be_bytes(n)].concat();
        found.push(row("occurrence", &message, 0, &occurrence_key(&base, n)));
    }
    assert_eq!(found, documented());
}

/// The contexts of the document are those of the code: each documented message has its documented key in its context.
#[test]
fn contexts_are_as_documented() {
    let context = |scheme: &str| {
        let row = DOCUMENT.lines().find(|line| {
            let name = line.trim_start_matches("| ").trim_start_matches('`');
            name.starts_with(scheme) && line.contains("`trips_pipeline ")
        });
        let text = row.unwrap().rsplit(" | ").next().unwrap();
        text.trim_end_matches(" |").trim_matches('`').to_owned()
    };
    for [scheme, message, key] in documented() {
        let digit = |at: usize| u8::from_str_radix(&message[at..at + 2], 16).unwrap();
        let mut bytes: Vec<u8> = (0..message.len()).step_by(2).map(digit).collect();
        bytes.resize(bytes.len().next_multiple_of(64), 0);
        assert_eq!(hex(&blake3::derive_key(&context(&scheme), &bytes)[..16]), key);
    }
}
