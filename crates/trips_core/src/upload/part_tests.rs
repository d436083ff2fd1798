use super::*;
use crate::check::reject::Rejection;
use crate::columns::TripColumn;
use crate::format::delimited::record::RecordReader;
use crate::format::parser::{Parser, Target};
use crate::model::error::SqlState;
use crate::pool::CHUNK;
use crate::upload::decode::LineFault;

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
    let mut part = Part::new(7, 0);
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
    let back = Part::decode(&bytes, &Constraints::default()).unwrap();
    assert_eq!(back.encode().unwrap(), bytes);
    assert_eq!((back.load_id, back.first_byte, back.bytes), (7, 0, part.bytes));
}

/// Truncated parts, parts with more bytes, and parts with a changed byte in their counts.
#[test]
fn what_is_damaged_is_refused() {
    let bytes = part().encode().unwrap();
    let constraints = Constraints::default();
    for length in 0..bytes.len() {
        assert!(Part::decode(&bytes[..length], &constraints).is_err(), "{length} bytes");
    }
    let longer = [&bytes[..], b"\0"].concat();
    assert_eq!(Part::decode(&longer, &constraints).unwrap_err(), DecodeError::Length);
    let mut other = bytes.clone();
    other[39] ^= 1;
    assert_eq!(
        Part::decode(&other, &constraints).unwrap_err(),
        DecodeError::Counts { counted: 3, found: 4 }
    );
    // Lines of another load.
    let mut other = bytes;
    other[15] ^= 1;
    assert_eq!(
        Part::decode(&other, &constraints).unwrap_err(),
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
        let error = Part::decode(&other, &Constraints::default()).unwrap_err();
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
    let error = Part::decode(&bytes, &later.unwrap()).unwrap_err();
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
        let error = Part::decode(&other, &Constraints::default()).unwrap_err();
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
        (column, b"O"),
        (code, b"a"),
        (code, b"-"),
        (code, b"\0"),
        (reason, b"\0"),
        (reason, b"\xff"),
    ] {
        let mut other = bytes.clone();
        other[at..at + with.len()].copy_from_slice(with);
        let error = Part::decode(&other, &Constraints::default()).unwrap_err();
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
    let found = reader.read_in_slices(&Constraints::default(), max_record, slice, |content| {
        match content {
            Content::Trip(trip, tail) => all.push(format!("{trip:?} {tail:?}")),
            // The number of trips in a slice depends on the slices.
            Content::Rejected(rows, count) => {
                let bytes = rows.iter().map(|byte| format!("{byte:02x}"));
                all.extend(bytes.chain(std::iter::repeat_n("row".to_owned(), count)));
            }
        }
        Ok(())
    })?;
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
