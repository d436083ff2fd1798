use super::*;
use crate::check::reject::Rejection;
use crate::columns::TripColumn;
use crate::feed::definition::IdentityColumn;
use crate::format::delimited::record::RecordReader;
use crate::format::parser::{Parser, Target};
use crate::key::Identity;
use crate::key::message::KeyMessage;
use crate::model::error::SqlState;
use crate::model::timestamp::Timestamp;
use crate::model::trip::Trip;
use crate::pool::CHUNK;
use crate::sort::batch;
use crate::sort::groups::GroupCache;
use crate::upload::decode::LineFault;
use crate::wire::copy_binary::RowWriter;
use crate::wire::jsonb;

const FILE: &str = "region,origin_coord,destination_coord,date_time,datasource\n\
    Prague,POINT (14.4 50.0),POINT (-180 -0),2018-05-28 09:03:40,funny_car\n\
    Turin,,,2018-05-21 02:54:04,\n\
    bad,POINT (14.4 95.0),,2018-05-21 02:54:04,\n\
    Turin,,,2018-05-21 02:54:04, \n\
    ragged\n";

fn part() -> Part {
    let mut reader = RecordReader::new(FILE.as_bytes(), 1000);
    let feed = crate::feed::choice::FeedChoice::builtin();
    let plan = crate::format::delimited::header::read_header(&feed, &mut reader, 1000).unwrap();
    let constraints = Constraints::default();
    let parser = Parser {
        plan,
        target: Target::History,
        load_id: 7,
        max_record: 1000,
        constraints,
        keeps_grid_points: false,
    };
    let mut part = Part::new(7, 0, "trips");
    let chunk = reader.next_chunk(CHUNK, 0).unwrap().unwrap();
    part.push(&parser.parse_next(chunk, &mut parser.first_header()).unwrap()).unwrap();
    part.close().unwrap();
    part
}

#[test]
fn what_travels_comes_back() {
    let part = part();
    assert_eq!((part.rows, part.duplicates, part.block.len(), part.staged.len()), (5, 1, 2, 2));
    let bytes = part.encode().unwrap();
    let back = Part::decode(&bytes, &Constraints::default(), &IdentityRule::Content).unwrap();
    assert_eq!(back.encode().unwrap(), bytes);
    assert_eq!((back.load_id, back.first_byte, back.bytes), (7, 0, part.bytes));
}

/// Truncated parts, parts with more bytes, and parts with a changed byte in their counts.
#[test]
fn what_is_damaged_is_refused() {
    let bytes = part().encode().unwrap();
    let constraints = Constraints::default();
    for length in 0..bytes.len() {
        assert!(
            Part::decode(&bytes[..length], &constraints, &IdentityRule::Content).is_err(),
            "{length} bytes"
        );
    }
    let longer = [&bytes[..], b"\0"].concat();
    assert_eq!(
        Part::decode(&longer, &constraints, &IdentityRule::Content).unwrap_err(),
        DecodeError::Length
    );
    let mut other = bytes.clone();
    other[39] ^= 1;
    assert_eq!(
        Part::decode(&other, &constraints, &IdentityRule::Content).unwrap_err(),
        DecodeError::Counts { counted: 3, found: 4 }
    );
    // Lines of another load.
    let mut other = bytes;
    other[15] ^= 1;
    assert_eq!(
        Part::decode(&other, &constraints, &IdentityRule::Content).unwrap_err(),
        DecodeError::Line { number: 1, fault: LineFault::OtherLoad }
    );
}

/// A trip that validation never returns.
#[test]
fn what_is_no_trip_is_refused() {
    let part = part();
    let bytes = part.encode().unwrap();
    let find = |what: &[u8]| bytes.windows(what.len()).position(|window| window == what).unwrap();
    let latitude = find(&50.0_f64.to_be_bytes());
    let (region, time) = (find(b"Turin"), find(&part.block.ranges()[0].date_time.0.to_be_bytes()));
    for (at, with, what) in [
        (region, &b"\xff"[..], "region"),
        (region, b" ", "region"),
        (region, b"\0", "region"),
        (latitude, &90.1_f64.to_be_bytes(), "origin_coord"),
        (latitude, &f64::NAN.to_be_bytes(), "origin_coord"),
        (latitude, &(-0.0_f64).to_be_bytes(), "origin_coord"),
        (latitude - 8, &(-180.0_f64).to_be_bytes(), "origin_coord"),
        (latitude - 8, &f64::INFINITY.to_be_bytes(), "origin_coord"),
        (time, &i64::MAX.to_be_bytes(), "date_time"),
    ] {
        let mut other = bytes.clone();
        other[at..at + with.len()].copy_from_slice(with);
        let error =
            Part::decode(&other, &Constraints::default(), &IdentityRule::Content).unwrap_err();
        assert!(
            matches!(error, DecodeError::Trip { column, .. } if column.name() == what),
            "{error}"
        );
    }
    let later = Constraints::new(
        "2018-05-22",
        "2099-12-31",
        crate::check::constraints::ZeroCoordinates::Keep,
    );
    let error = Part::decode(&bytes, &later.unwrap(), &IdentityRule::Content).unwrap_err();
    assert_eq!(error, DecodeError::Trip { number: 1, column: TripColumn::DateTime });
}

/// Counts that are consistent, but impossible for a file.
#[test]
fn counts_that_no_file_has_are_refused() {
    let bytes = part().encode().unwrap();
    let (first, size, rows, duplicates, zeros) = (16, 24, 32, 40, 48);
    for forged in [
        &[(rows, u64::MAX), (duplicates, u64::MAX - 4)][..],
        &[(rows, 1000), (duplicates, 996)],
        &[(size, 0)],
        &[(size, 4)],
        &[(zeros, 6)],
        &[(zeros, u64::MAX)],
        &[(first, u64::MAX)],
    ] {
        let mut other = bytes.clone();
        for &(at, number) in forged {
            other[at..at + 8].copy_from_slice(&number.to_be_bytes());
        }
        let error =
            Part::decode(&other, &Constraints::default(), &IdentityRule::Content).unwrap_err();
        assert!(matches!(error, DecodeError::Counts { .. }), "{forged:?}: {error}");
    }
}

/// A rejected line that no reader writes.
#[test]
fn what_is_no_rejected_line_is_refused() {
    let bytes = part().encode().unwrap();
    let find = |what: &[u8]| bytes.windows(what.len()).position(|window| window == what).unwrap();
    // The line of the record that is wrong, its column, its code, the texts around them.
    let line = find(&[&8_i32.to_be_bytes()[..], &4_i64.to_be_bytes()].concat()) + 4;
    let value = find(b"POINT (14.4 95.0)");
    let raw_line = find(b"bad,POINT");
    let column = find(b"\0\0\0\x0corigin_coord") + 4;
    let (code, reason) = (column + 16, column + 25);
    assert_eq!(&bytes[code..code + 5], b"22003");
    for (at, with) in [
        (line, &0_i64.to_be_bytes()[..]),
        (line, &(-1_i64).to_be_bytes()),
        (value, b"\0"),
        (value, b"\xff"),
        (raw_line, b"\0"),
        (raw_line, b"\xff"),
        // Any text is the name of a column of some feed.
        (column, b"\0"),
        (column, b"\xff"),
        (code, b"a"),
        (code, b"-"),
        (code, b"\0"),
        (reason, b"\0"),
        (reason, b"\xff"),
    ] {
        let mut other = bytes.clone();
        other[at..at + with.len()].copy_from_slice(with);
        let error =
            Part::decode(&other, &Constraints::default(), &IdentityRule::Content).unwrap_err();
        assert!(
            matches!(error, DecodeError::Line { number: 1, fault: LineFault::Values }),
            "{at} {with:?}: {error}"
        );
    }
}

/// The content of a part, read in slices of this many bytes.
fn in_slices(bytes: &[u8], max_record: usize, slice: usize) -> Result<Vec<String>, DecodeError> {
    let mut all = Vec::new();
    let reader = PartReader::new(bytes)?;
    let header = reader.header;
    let found = reader.read_in_slices(
        (&Constraints::default(), &IdentityRule::Content),
        max_record,
        slice,
        |content| {
            match content {
                Content::Trip(trip, tail, identity, line) => {
                    all.push(format!("{trip:?} {tail:?} {identity:?} {line}"));
                }
                // The number of trips in a slice depends on the slices.
                Content::Rejected(rows, count) => {
                    let bytes = rows.iter().map(|byte| format!("{byte:02x}"));
                    all.extend(bytes.chain(std::iter::repeat_n("row".to_owned(), count)));
                }
            }
            Ok(())
        },
    )?;
    all.sort();
    all.push(format!("{header:?} {found:?}"));
    Ok(all)
}

/// Whichever bytes are together, and wherever the part is damaged.
#[test]
fn slices_do_not_matter() {
    let bytes = part().encode().unwrap();
    let whole = in_slices(&bytes, 1000, usize::MAX >> 1).unwrap();
    assert!(whole.len() > 100);
    for slice in 1..bytes.len() {
        assert_eq!(in_slices(&bytes, 1000, slice).unwrap(), whole, "slices of {slice}");
    }
    for at in 0..bytes.len() {
        let mut other = bytes.clone();
        other[at] ^= 0x81;
        let whole = in_slices(&other, 1000, usize::MAX >> 1);
        for slice in [1, 7, 64, 100] {
            assert_eq!(in_slices(&other, 1000, slice), whole, "byte {at}, slices of {slice}");
        }
    }
}

/// A row that no record of the longest makes, and the longest trip.
#[test]
fn rows_have_a_limit() {
    let mut part = part();
    let reason = Rejection::of_record(SqlState::BadCopyFileFormat, "x".repeat(200_000));
    part.staged.push_rejected(7, (9, b"x"), None, &reason);
    part.rows += 1;
    part.bytes += 1;
    let bytes = part.encode().unwrap();
    for slice in [1, 5_000, 1 << 20] {
        assert!(in_slices(&bytes, 20_000, slice).is_ok(), "slices of {slice}");
        let error = in_slices(&bytes, 100, slice).unwrap_err();
        let expected = DecodeError::Line { number: 3, fault: LineFault::TooLong };
        assert_eq!(error, expected, "slices of {slice}");
    }
    let name = "x".repeat(crate::model::trip::MAX_TEXT);
    let point = Some(crate::model::point::Point { longitude: 1.0, latitude: 1.0 });
    let date_time = part.block.ranges()[0].date_time;
    let (origin, destination) = (point, point);
    let trip = crate::model::trip::Trip {
        region: &name,
        origin,
        destination,
        date_time,
        datasource: Some(&name),
    };
    let mut encoded = Vec::new();
    crate::key::encode(&trip, &mut encoded);
    assert_eq!(encoded.len(), Block::MAX_ENCODED_TRIP);
}

fn columns(occurrence: bool) -> IdentityRule {
    let columns = vec![IdentityColumn::Time, IdentityColumn::EndedAt];
    IdentityRule::Columns { namespace: "f".into(), columns, occurrence }
}

/// The tail of a trip, with details as text or as they are on disk.
fn tail_of(details: &str, is_text: bool) -> Vec<u8> {
    let (mut tail, mut on_disk) = (Vec::new(), Vec::new());
    let mut values = RowWriter::values(&mut tail);
    values.int8(7).value("B/7".as_bytes());
    if is_text {
        values.value(details.as_bytes());
    } else {
        jsonb::of_text(details, &mut on_disk).unwrap();
        values.value(&on_disk);
    }
    tail
}

/// A block of a feed: for a part, or as a load of the file makes it.
fn block_of_feed(is_part: bool, occurrence: bool) -> Block {
    let mut block = Block::default();
    for (time, details, line) in [(2, r#"{"b": 1.50, "a": null}"#, 2), (1, "{}", 4), (2, "{}", 5)] {
        let (origin, destination, datasource) = (None, None, None);
        let trip =
            Trip { region: "r", origin, destination, date_time: Timestamp(time), datasource };
        let mut message = Vec::new();
        KeyMessage::columns(&mut message, "f", 2).wall(trip.date_time).null().finish().unwrap();
        let identity = Identity::Columns { message: &message, occurrence };
        let tail = if time == 1 { Vec::new() } else { tail_of(details, is_part) };
        if is_part {
            block.push_message(&trip, &tail, identity, line).unwrap();
        } else {
            block.push_feed(&trip, &tail, identity, line).unwrap();
        }
    }
    block
}

fn part_of_feed(occurrence: bool) -> Part {
    let block = block_of_feed(true, occurrence);
    let mut part = Part { bytes: 100, rows: 3, block, ..Part::new(7, 0, "f") };
    part.close().unwrap();
    part
}

/// The server makes the rows of a part that it makes of the file.
#[test]
fn trips_of_feeds_have_the_rows_of_the_file() {
    for occurrence in [false, true] {
        let part = part_of_feed(occurrence);
        assert_eq!(part.duplicates, u64::from(!occurrence));
        let bytes = part.encode().unwrap();
        let back = Part::decode(
            &bytes,
            &Constraints::new(
                "1999-01-01",
                "2030-01-01",
                crate::check::constraints::ZeroCoordinates::Keep,
            )
            .unwrap(),
            &columns(occurrence),
        )
        .unwrap();
        assert_eq!(back.feed, "f");
        let mut block = block_of_feed(false, occurrence);
        block.sort().unwrap();
        let rows = |block: Block| {
            batch::build(&[block], (None, None), 7, false, &mut GroupCache::default()).unwrap().rows
        };
        assert_eq!(rows(back.block), rows(block));
    }
}

#[test]
fn an_identity_of_another_feed_is_refused() {
    let bytes = part_of_feed(true).encode().unwrap();
    let dates = crate::check::constraints::ZeroCoordinates::Keep;
    let constraints = Constraints::new("1999-01-01", "2030-01-01", dates).unwrap();
    let decode =
        |bytes: &[u8], rule: &IdentityRule| Part::decode(bytes, &constraints, rule).map(|_| ());
    let source_id = |namespace: &str, columns: u16| IdentityRule::SourceId {
        namespace: namespace.into(),
        columns: (0..columns).map(crate::feed::definition::ColumnId).collect(),
        window_days: 1,
        policy: crate::feed::definition::SameId::Keep,
    };
    // A message of two values is one of two ids, too: the scheme is that of the server's definition.
    assert_eq!(decode(&bytes, &source_id("f", 2)), Ok(()));
    for rule in [source_id("g", 2), source_id("f", 1), source_id("f", 3)] {
        assert_eq!(decode(&bytes, &rule), Err(DecodeError::Identity { number: 1 }));
    }
    assert!(decode(&bytes, &IdentityRule::Content).is_err());
    let find = |what: &[u8]| bytes.windows(what.len()).rposition(|window| window == what).unwrap();
    let (line, message) = (find(&5_u64.to_be_bytes()), find(b"\0\0\0\x01f\0\x02"));
    for (at, byte) in [(line + 7, 0), (message + 5, 1), (message + 7, 9), (message + 63, 1)] {
        let mut other = bytes.clone();
        other[at] = byte;
        assert_eq!(
            decode(&other, &columns(true)),
            Err(DecodeError::Identity { number: 3 }),
            "{at}"
        );
    }
    let details = find(b"{}");
    let id = find(b"B/7");
    for (at, with) in
        [(details, b"[]"), (details, b"1 "), (id, b"\0/"), (id, b"\xff/"), (id - 12, b"\x7f\xff")]
    {
        let mut other = bytes.clone();
        other[at..at + 2].copy_from_slice(with);
        assert_eq!(decode(&other, &columns(true)), Err(DecodeError::Tail { number: 3 }), "{at}");
    }
}

#[test]
fn a_part_names_its_feed() {
    let mut part = part();
    let name = |part: &Part| {
        PartReader::new(&part.encode().unwrap()[..]).unwrap().header.feed_name().to_owned()
    };
    assert_eq!(name(&part), "trips");
    part.feed = "f".repeat(63);
    assert_eq!(name(&part), part.feed);
    let mut bytes = part.encode().unwrap();
    for byte in [0, 0xff] {
        bytes[94] = byte;
        assert_eq!(PartReader::new(&bytes[..]).unwrap().header.feed_name(), "");
    }
}
