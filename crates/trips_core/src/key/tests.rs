use proptest::prelude::*;

use super::hash::Context;
use super::message::{KeyMessage, is_valid};
use super::{Identity, MAX_MESSAGE, TripKey, occurrence_key};
use crate::model::canonical::Canonical;
use crate::model::point::Point;
use crate::model::timestamp::Timestamp;
use crate::model::trip::Trip;

const CONTEXTS: [&Context; 4] =
    [&Context::CONTENT, &Context::COLUMNS, &Context::SOURCE_ID, &Context::OCCURRENCE];

#[test]
fn contexts_are_those_of_their_texts() {
    for context in CONTEXTS {
        assert_eq!(context.key, blake3::hazmat::hash_derive_key_context(context.text));
        for length in [0, 1, 63, 64, 65, 127, 128, 1024, 1025, 5000] {
            let mut message = vec![7; length];
            let key = context.key(&message);
            message.resize(length.max(1).next_multiple_of(64), 0);
            assert_eq!(key, blake3::derive_key(context.text, &message)[..16], "{length} bytes");
        }
    }
}

/// In any order of lengths, and any number of messages.
#[test]
fn keys_side_by_side_are_those_of_one() {
    let lengths = (0..300).chain((0..500).map(|i| i * 37 % 280)).chain([1023, 1024, 1025, 4000]);
    let messages: Vec<Vec<u8>> =
        lengths.zip((0_u8..=255).cycle()).map(|(length, byte)| vec![byte | 1; length]).collect();
    for count in [0, 1, 7, 8, 15, 16, 17, 100, messages.len()] {
        let mut found = vec![None; count];
        let mut keys = super::ContentKeys::default();
        for (number, message) in messages[..count].iter().enumerate() {
            keys.push(message, number, |number, key| found[number] = Some(key));
        }
        keys.finish(|number, key| found[number] = Some(key));
        let expected: Vec<_> =
            messages[..count].iter().map(|m| Some(super::of_encoded(m))).collect();
        assert_eq!(found, expected, "{count} messages");
    }
}

/// A value of a message.
#[derive(Debug, Clone, PartialEq)]
enum Part {
    Null,
    Text(String),
    Number(f64),
    Wall(i64),
    Instant(i64),
}

fn part() -> impl Strategy<Value = Part> {
    prop_oneof![
        Just(Part::Null),
        "[a-c\\x00]{0,70}".prop_map(Part::Text),
        any::<f64>().prop_filter("finite", |n| n.is_finite()).prop_map(|n| Part::Number(n + 0.0)),
        any::<i64>().prop_map(Part::Wall),
        (-1_i64..2).prop_map(Part::Instant),
    ]
}

fn message(namespace: &str, parts: &[Part]) -> Vec<u8> {
    let mut out = vec![1, 2, 3];
    let mut message = KeyMessage::columns(&mut out, namespace, u16::try_from(parts.len()).unwrap());
    for part in parts {
        match part {
            Part::Null => message.null(),
            Part::Text(text) => message.text(text),
            Part::Number(number) => message.number(*number),
            Part::Wall(time) => message.wall(Timestamp(*time)),
            Part::Instant(time) => message.instant(Timestamp(*time)),
        };
    }
    message.finish().unwrap();
    out
}

fn take<'a>(from: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (taken, rest) = from.split_at(count);
    *from = rest;
    taken
}

/// Reads a message back, without the code that wrote it.
fn read(mut from: &[u8]) -> (String, Vec<Part>) {
    let from = &mut from;
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let length = |bytes: &[u8]| u32::from_be_bytes(bytes.try_into().unwrap()) as usize;
    let long = |bytes: &[u8]| i64::from_be_bytes(bytes.try_into().unwrap());
    let size = length(take(from, 4));
    let namespace = text(take(from, size));
    let count = u16::from_be_bytes(take(from, 2).try_into().unwrap());
    let parts = (0..count).map(|_| match take(from, 1)[0] {
        0 => Part::Null,
        1 => {
            let size = length(take(from, 4));
            Part::Text(text(take(from, size)))
        }
        2 => Part::Number(f64::from_be_bytes(take(from, 8).try_into().unwrap())),
        3 => Part::Wall(long(take(from, 8))),
        4 => Part::Instant(long(take(from, 8))),
        tag => panic!("tag {tag}"),
    });
    (namespace, parts.collect())
}

fn trip<'a>(region: &'a str, time: i64, datasource: Option<&'a str>) -> Trip<'a> {
    let origin = (time % 2 == 0).then_some(Point { longitude: 1.0, latitude: 2.0 });
    Trip { region, origin, destination: None, date_time: Timestamp(time), datasource }
}

proptest! {
    /// A padded message has all that it was made of: different values make different messages.
    #[test]
    fn messages_are_read_back(namespace in "[a-z]{1,9}", parts in prop::collection::vec(part(), 0..12)) {
        let message = message(&namespace, &parts);
        prop_assert!(message.len().is_multiple_of(64) && !message.is_empty());
        prop_assert_eq!(read(&message), (namespace.clone(), parts.clone()));
        let count = u16::try_from(parts.len()).unwrap();
        prop_assert!(is_valid(&message, &namespace, count));
        prop_assert!(!is_valid(&message, "other_feed", count));
        prop_assert!(!is_valid(&message, &namespace, count + 1));
        prop_assert!(!is_valid(&[&message[..], &[0; 64]].concat(), &namespace, count));
        prop_assert!(!is_valid(&message[..message.len() - 1], &namespace, count));
    }

    #[test]
    fn different_records_have_different_keys(
        a in prop::collection::vec(part(), 0..4),
        b in prop::collection::vec(part(), 0..4),
    ) {
        let (of_a, of_b) = (message("f", &a), message("f", &b));
        let key = |message: &[u8]| Identity::SourceId(message).key_of_message();
        prop_assert_eq!(a == b, key(&of_a) == key(&of_b));
        prop_assert_ne!(key(&of_a), key(&message("g", &a)));
    }

    /// The same bytes have another key in another scheme, and so do the numbers of occurrences.
    #[test]
    fn schemes_do_not_collide(bytes in prop::collection::vec(any::<u8>(), 0..200), n in 2_u64..1000) {
        let mut keys: Vec<TripKey> = CONTEXTS.iter().map(|context| context.key(&bytes)).collect();
        keys.push(occurrence_key(&keys[0], n));
        keys.push(occurrence_key(&keys[0], n + 1));
        keys.sort_unstable();
        keys.dedup();
        prop_assert_eq!(keys.len(), 6);
    }

    #[test]
    fn bytes_of_others_are_valid_or_not(
        parts in prop::collection::vec(part(), 1..4),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut bytes = message("f", &parts);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let count = u16::try_from(parts.len()).unwrap();
        if is_valid(&bytes, "f", count) {
            let (_, again) = read(&bytes);
            prop_assert_eq!(message("f", &again), bytes);
        }
    }
}

#[test]
fn spellings_of_a_number_are_one() {
    let numbers = [151.0, "151".parse().unwrap(), "1.510e2".parse().unwrap()];
    let keys = numbers.map(|n| message("f", &[Part::Number(n)]));
    assert!(keys[0] == keys[1] && keys[1] == keys[2]);
    assert_eq!(message("f", &[Part::Number(-0.0)]), message("f", &[Part::Number(0.0)]));
    let mut zero = message("f", &[Part::Number(0.0)]);
    zero[4 + 1 + 2 + 1] = 0x80;
    assert!(!is_valid(&zero, "f", 1), "a zero with a sign");
    zero[4 + 1 + 2 + 1..][..8].copy_from_slice(&f64::NAN.to_be_bytes());
    assert!(!is_valid(&zero, "f", 1));
}

#[test]
fn canonical_values_have_their_tags() {
    let mut out = Vec::new();
    let values = [
        None,
        Some(Canonical::Text("a".into())),
        Some(Canonical::Json("[]".into())),
        Some(Canonical::Number(-0.0)),
        Some(Canonical::Time(Timestamp(-1))),
    ];
    let mut message = KeyMessage::source_id(&mut out, "f", 5);
    for value in &values {
        message.canonical(value.as_ref());
    }
    message.finish().unwrap();
    let text = |text: &str| Part::Text(text.into());
    let parts = vec![Part::Null, text("a"), text("[]"), Part::Number(0.0), Part::Wall(-1)];
    assert_eq!(read(&out), ("f".into(), parts));
}

#[test]
fn a_message_has_a_limit() {
    let mut out = Vec::new();
    let long = "x".repeat(MAX_MESSAGE + 5);
    for (length, is_ok) in
        [(MAX_MESSAGE - 12, true), (MAX_MESSAGE - 11, false), (long.len(), false)]
    {
        let found = KeyMessage::columns(&mut out, "f", 1).text(&long[..length]).finish();
        assert_eq!(found.is_ok(), is_ok, "{length}");
        assert_eq!(
            found.err().map_or("", |error| error.state.code()),
            ["54000", ""][usize::from(is_ok)]
        );
        assert_eq!(is_valid(&out, "f", 1), is_ok);
    }
}

#[test]
fn values_do_not_run_into_each_other() {
    let key = |trip: Trip<'_>| Identity::Content.base_key(&trip);
    let keys = [trip("ab", 1, Some("c")), trip("a", 1, Some("bc")), trip("abc", 1, None)].map(key);
    assert!(keys[0] != keys[1] && keys[1] != keys[2] && keys[0] != keys[2]);
    let mut encoded = Vec::new();
    super::encode(&trip("ab", 2, None), &mut encoded);
    assert_eq!(super::of_encoded(&encoded), key(trip("ab", 2, None)));
    assert_eq!(Identity::Content.key_of_message(), None);
}
