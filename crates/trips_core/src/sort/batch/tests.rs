use super::*;
use crate::key::{self, occurrence_key};
use crate::model::trip::Trip;
use crate::wire::copy_binary::{Cursor, RowWriter};

fn block(times: impl Iterator<Item = i64>) -> Block {
    let mut block = Block::default();
    for time in times {
        let trip = Trip {
            region: "r",
            origin: None,
            destination: None,
            date_time: Timestamp(time),
            datasource: None,
        };
        block.push(&trip, &[]).expect("memory");
    }
    block.sort().expect("memory");
    block
}

/// Hundreds of blocks over the same time, as a large file in random order has them.
#[test]
fn the_first_range_is_as_long_as_the_others() {
    let blocks: Vec<Block> =
        (0..248).map(|number| block((0..1000).map(|i| i * 248 + number))).collect();
    let wanted = 8192;
    let lengths: Vec<usize> = time_ranges(&blocks, wanted)
        .into_iter()
        .map(|(from, to)| blocks.iter().map(|block| block.between(from, to).len()).sum())
        .collect();
    assert_eq!(lengths.iter().sum::<usize>(), 248_000);
    let (last, others) = lengths.split_last().expect("time_ranges");
    assert!(others.iter().all(|length| (wanted / 2..wanted * 2).contains(length)), "{lengths:?}");
    assert!(*last < wanted * 2, "{lengths:?}");
}

/// A tail whose first value is of this byte, and whose others are NULL.
fn tail(byte: u8) -> Vec<u8> {
    let mut tail = Vec::new();
    let mut row = RowWriter::values(&mut tail);
    for (number, column) in columns::COLUMNS[columns::TAIL..].iter().enumerate() {
        match number {
            0 => row.value(&vec![byte; column.kind.fixed_len().unwrap_or(3)]),
            _ => row.null(),
        };
    }
    tail
}

/// The values of the rows of a batch.
fn values(batch: &Batch) -> Vec<Vec<Option<Vec<u8>>>> {
    let mut begin = 0;
    let row = |entry: &BatchEntry| {
        let mut cursor = Cursor(&batch.rows[begin..entry.end as usize]);
        begin = entry.end as usize;
        let count = i16::from_be_bytes(cursor.array().expect("a count"));
        let value = |_| cursor.value().expect("a value").map(<[u8]>::to_vec);
        let values: Vec<_> = (0..count).map(value).collect();
        assert!(cursor.0.is_empty(), "a row has as many values as its count says");
        values
    };
    batch.entries.iter().map(row).collect()
}

/// The tail is in the row and not in the key: trips with equal key parts are one trip, the first in the file.
#[test]
fn a_tail_is_not_hashed() {
    let trip = |time| Trip {
        region: "Prague",
        origin: None,
        destination: None,
        date_time: Timestamp(time),
        datasource: Some("d"),
    };
    let trips = [(2, tail(7)), (1, vec![]), (1, tail(8)), (2, tail(9)), (2, vec![])];
    let block = |trips: &[(i64, Vec<u8>)]| {
        let mut block = Block::default();
        for (time, tail) in trips {
            block.push(&trip(*time), tail).expect("memory");
        }
        block.sort().expect("memory");
        block
    };
    let build = |blocks: &[Block]| {
        super::build(blocks, (None, None), 5, false, &mut GroupCache::default()).expect("memory")
    };
    for split in 0..=trips.len() {
        let (before, behind) = trips.split_at(split);
        let batch = build(&[block(before), block(behind)]);
        assert_eq!((batch.entries.len(), batch.duplicates), (2, 3));
        for entry in &batch.entries {
            assert_eq!(entry.key, key::of_trip(&trip(entry.date_time.0)));
        }
        assert_eq!(batch.groups.names(0), ("Prague", Some("d")));
        let rows = values(&batch);
        let nulls = vec![None; columns::TAIL_COUNT];
        assert_eq!(rows[0][columns::TAIL..], nulls, "the first of the trips has no tail");
        let first = tail(7);
        let mut cursor = Cursor(&first);
        let first: Vec<_> = (0..columns::TAIL_COUNT)
            .map(|_| cursor.value().expect("a value").map(<[u8]>::to_vec))
            .collect();
        assert_eq!(rows[1][columns::TAIL..], first, "split at {split}");
    }
    let mut part = block(&trips);
    let bytes = part.bytes();
    assert_eq!(part.dedup().expect("memory"), 3);
    assert!(part.bytes() < bytes);
    assert_eq!(values(&build(&[part])), values(&build(&[block(&trips)])));
    // Without a tail, rows end before it.
    let plain = build(&[block(&[(1, vec![]), (2, vec![])])]);
    assert!(values(&plain).iter().all(|row| row.len() == columns::TAIL));
}

#[test]
fn small_blocks_are_sampled_together() {
    let blocks: Vec<Block> = (0..5000).map(|i| block(i..i + 1)).collect();
    assert_eq!(time_ranges(&blocks, 640).len(), 8);
    assert_eq!(time_ranges(&[], 640), [(None, None)]);
}

#[test]
fn trips_within_bounds_are_counted() {
    let blocks = [block(0..10), block(5..15), Block::default()];
    let within = |lower, upper| count_within(&blocks, PartitionBounds { lower, upper });
    let at = |time| Bound::At(Timestamp(time));
    assert_eq!(within(Bound::MinValue, Bound::MaxValue), 20);
    assert_eq!(within(at(5), at(10)), 10);
    assert_eq!(within(Bound::MinValue, at(1)), 1);
    assert_eq!(within(at(14), Bound::MaxValue), 1);
    assert_eq!(first_from(&blocks, Bound::MinValue), Some(Timestamp(0)));
    assert_eq!(first_from(&blocks, at(10)), Some(Timestamp(10)));
    assert_eq!(first_from(&blocks, at(15)), None);
    assert_eq!(first_from(&blocks, Bound::MaxValue), None);
}

/// A block of a feed without an id: records by time and identity, each with its own tail.
fn identified(records: &[(i64, &str)], occurrence: bool, has_messages: bool) -> Block {
    let mut block = Block::default();
    for (&(time, value), line) in records.iter().zip(1_u8..) {
        let date_time = Timestamp(time);
        let (origin, destination, datasource) = (None, None, Some("d"));
        let trip = Trip { region: "r", origin, destination, date_time, datasource };
        let mut message = Vec::new();
        key::message::KeyMessage::columns(&mut message, "f", 2)
            .wall(date_time)
            .text(value)
            .finish()
            .expect("it is short");
        let identity = key::Identity::Columns { message: &message, occurrence };
        let line_number = u64::from(line);
        if has_messages {
            block.push_message(&trip, &tail(line), identity, line_number).expect("memory");
        } else {
            block.push_feed(&trip, &tail(line), identity, line_number).expect("memory");
        }
    }
    block.sort().expect("memory");
    block
}

/// The identity is not in the row, messages give the same keys, and the first of equal records stays or is numbered.
#[test]
fn other_identities_than_the_five_values() {
    let records = [(2, "b"), (1, "a"), (2, "b"), (2, "c"), (1, "a"), (2, "b")];
    let build = |block: Block| {
        super::build(&[block], (None, None), 5, true, &mut GroupCache::default()).expect("memory")
    };
    let first = tail(2);
    let first = Cursor(&first).value().expect("a value").map(<[u8]>::to_vec);
    for has_messages in [false, true] {
        let distinct = build(identified(&records, false, has_messages));
        assert_eq!((distinct.entries.len(), distinct.duplicates), (3, 3));
        let rows = values(&distinct);
        assert_eq!((rows[0].len(), &rows[0][columns::TAIL]), (columns::COUNT, &first));
        let numbered = build(identified(&records, true, has_messages));
        assert_eq!((numbered.entries.len(), numbered.duplicates), (6, 0));
        assert!(numbered.entries.is_sorted_by_key(|entry| (entry.date_time, entry.key)));
        let keys: Vec<TripKey> = numbered.entries.iter().map(|entry| entry.key).collect();
        for entry in &distinct.entries {
            assert!(keys.contains(&entry.key), "the first one has the base key");
        }
        let base = distinct.entries[0].key;
        assert!(
            keys.contains(&occurrence_key(&base, 2)) && !keys.contains(&occurrence_key(&base, 3))
        );
        let mut block = identified(&records, true, has_messages);
        assert_eq!(block.dedup().expect("memory"), 0);
        let mut block = identified(&records, false, has_messages);
        assert_eq!(block.dedup().expect("memory"), 3);
        assert_eq!(values(&build(block)), rows);
    }
}

#[test]
#[should_panic = "a block has trips of one scheme"]
fn a_block_has_one_scheme() {
    let mut block = identified(&[(1, "a")], true, false);
    let _ = block.append(&identified(&[(1, "a")], false, false));
}

/// The batches of blocks, with all parts, in the order of the time.
fn batches_of(origin: &Arc<Origin>, parts: Parts) -> Vec<Batch> {
    let cache = &mut GroupCache::default();
    (0..origin.division.len()).map(|i| origin.build(i, parts, cache).expect("memory")).collect()
}

#[test]
fn batches_of_keys_become_whole() {
    let blocks = (0..8).map(|number| block((0..500).map(|i| (i * 8 + number) / 3))).collect();
    let origin = Arc::new(Origin::of(blocks, 300, 7, true));
    let rows = Parts::Rows { load_id: 7, keeps_grid_points: true };
    assert_eq!(origin.parts(), rows);
    let whole = batches_of(&origin, rows);
    assert!(whole.len() > 4 && whole.iter().any(|batch| batch.duplicates > 0));
    let trips = |batch: &Batch| {
        batch.entries.iter().map(|entry| (entry.date_time, entry.key)).collect::<Vec<_>>()
    };
    for (mut keys, whole) in batches_of(&origin, Parts::Keys).into_iter().zip(&whole) {
        assert!(keys.rows.is_empty() && keys.grid_points.is_empty());
        assert_eq!((trips(&keys), keys.duplicates), (trips(whole), whole.duplicates));
        for _ in 0..2 {
            keys.complete().expect("memory");
            assert_eq!((&keys.rows, &keys.entries), (&whole.rows, &whole.entries));
            assert_eq!(keys.grid_points, whole.grid_points);
            assert_eq!(keys.groups.len(), whole.groups.len());
        }
    }
}

#[test]
fn batches_have_only_keys_after_known_ones() {
    let origin = Arc::new(Origin::of(vec![block(0..100)], 1000, 7, false));
    let batch = origin.build(0, origin.parts(), &mut GroupCache::default()).expect("memory");
    for _ in 0..3 {
        batch.report(false);
        assert_ne!(origin.parts(), Parts::Keys);
    }
    batch.report(false);
    assert_eq!(origin.parts(), Parts::Keys);
    batch.report(true);
    assert_ne!(origin.parts(), Parts::Keys);
    origin.expect_known();
    assert_eq!(origin.parts(), Parts::Keys);
}
