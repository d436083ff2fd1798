use std::io::Cursor;

use proptest::prelude::*;

use super::*;
use crate::key::Identity;
use crate::key::message::KeyMessage;
use crate::model::trip::Trip;
use crate::sort::batch;
use crate::sort::block::Block;
use crate::sort::groups::GroupCache;

fn message(time: i64, value: u8) -> Vec<u8> {
    let mut out = Vec::new();
    KeyMessage::columns(&mut out, "f", 2)
        .wall(Timestamp(time))
        .text(&value.to_string())
        .finish()
        .unwrap();
    out
}

fn block(records: &[(i64, u8)], first_line: u64) -> Block {
    let mut block = Block::default();
    for (&(time, value), line) in records.iter().zip(first_line..) {
        let (origin, destination, datasource) = (None, None, None);
        let trip =
            Trip { region: "r", origin, destination, date_time: Timestamp(time), datasource };
        let message = message(time, value);
        let identity = Identity::Columns { message: &message, occurrence: true };
        block.push_feed(&trip, &[], identity, line).unwrap();
    }
    block.sort().unwrap();
    block
}

/// Times and keys of all trips, sorted, after the records were loaded in runs of these lengths.
fn load(
    records: &[(i64, u8)],
    runs: &[usize],
    of_block: usize,
    of_batch: usize,
) -> Vec<(Timestamp, TripKey)> {
    merge(records, runs, (of_block, of_batch), &[])
}

/// The same for records that follow others of their file, of which these are the numbers.
fn merge(
    records: &[(i64, u8)],
    runs: &[usize],
    (of_block, of_batch): (usize, usize),
    continued: &[EqualRecords],
) -> Vec<(Timestamp, TripKey)> {
    let mut occurrences = Occurrences::new(|| Ok(Cursor::new(Vec::new())));
    let (mut all, mut rest, mut line) = (Vec::new(), records, 1);
    for i in 0..=runs.len() {
        let length = runs.get(i).map_or(rest.len(), |&length| length.min(rest.len()));
        let (run, behind) = rest.split_at(length);
        rest = behind;
        let blocks: Vec<Block> = run
            .chunks(of_block)
            .map(|records| {
                let block = block(records, line);
                line += records.len() as u64;
                block
            })
            .collect();
        let is_last = i == runs.len();
        for time_range in batch::time_ranges(&blocks, of_batch) {
            let mut batch =
                batch::build(&blocks, time_range, 1, true, &mut GroupCache::default()).unwrap();
            assert_eq!(batch.duplicates, 0);
            occurrences.number(&mut batch, is_last, continued).unwrap();
            check(&batch);
            all.extend(batch.entries.iter().map(|entry| (entry.date_time, entry.key)));
        }
        if !is_last {
            occurrences.end_run().unwrap();
        }
    }
    all.sort_unstable();
    all
}

/// How many of each there are.
fn equal_records(records: &[(i64, u8)]) -> Vec<EqualRecords> {
    let mut counts = std::collections::HashMap::new();
    records.iter().for_each(|record| *counts.entry(*record).or_insert(0) += 1);
    let of = |((time, value), records): ((i64, u8), u64)| {
        let message = message(time, value);
        let identity = Identity::Columns { message: &message, occurrence: true };
        let base = identity.key_of_message().unwrap();
        EqualRecords { date_time: Timestamp(time), base, records }
    };
    counts.into_iter().map(of).collect()
}

/// Entries are in the order of the index, and each row has the key of its entry.
fn check(batch: &Batch) {
    assert!(batch.entries.is_sorted_by_key(|entry| (entry.date_time, entry.key)));
    assert_eq!(batch.entries.len(), batch.grid_points.len());
    let mut begin = 0;
    for entry in &batch.entries {
        let row = &batch.rows[begin..entry.end as usize];
        begin = entry.end as usize;
        assert!(row.windows(16).any(|bytes| bytes == entry.key));
        assert!(row.windows(8).any(|bytes| bytes == entry.date_time.0.to_be_bytes()));
    }
    assert_eq!(begin, batch.rows.len());
}

fn expected(records: &[(i64, u8)]) -> Vec<(Timestamp, TripKey)> {
    let mut seen = std::collections::HashMap::new();
    let mut all: Vec<_> = records
        .iter()
        .map(|&record| {
            let number = seen.entry(record).and_modify(|n| *n += 1).or_insert(1_u64);
            let message = message(record.0, record.1);
            let identity = Identity::Columns { message: &message, occurrence: true };
            (Timestamp(record.0), occurrence_key(&identity.key_of_message().unwrap(), *number))
        })
        .collect();
    all.sort_unstable();
    all
}

proptest! {
    /// Whatever the runs, blocks and batches are: the n-th equal record of the file has number n.
    #[test]
    fn runs_do_not_matter(
        records in prop::collection::vec((0_i64..6, 0_u8..3), 0..60),
        runs in prop::collection::vec(0_usize..25, 0..4),
        of_block in 1_usize..20,
    ) {
        prop_assert_eq!(load(&records, &runs, of_block, 1), expected(&records));
    }

    /// Records that are merged later, in whatever runs, get the numbers that they would have had at the end of the file.
    #[test]
    fn a_merge_continues_its_file(
        loaded in prop::collection::vec((0_i64..4, 0_u8..3), 0..30),
        merged in prop::collection::vec((0_i64..4, 0_u8..3), 0..30),
        runs in prop::collection::vec(0_usize..12, 0..4),
        of_block in 1_usize..20,
    ) {
        let mut continued = equal_records(&loaded);
        continued.sort_unstable();
        let mut all = load(&loaded, &[], 100, 100);
        all.extend(merge(&merged, &runs, (of_block, 1), &continued));
        all.sort_unstable();
        prop_assert_eq!(all, expected(&[loaded, merged].concat()));
    }

    /// The records of all runs are counted at the end.
    #[test]
    fn all_records_are_counted(
        records in prop::collection::vec((0_i64..4, 0_u8..3), 0..30),
        of_run in 1_usize..12,
    ) {
        let mut occurrences = Occurrences::new(|| Ok(Cursor::new(Vec::new())));
        for run in records.chunks(of_run) {
            let blocks = [block(run, 1)];
            let mut batch =
                batch::build(&blocks, (None, None), 1, false, &mut GroupCache::default()).unwrap();
            prop_assert!(batch.equal_records().unwrap().is_sorted());
            occurrences.number(&mut batch, false, &[]).unwrap();
            occurrences.end_run().unwrap();
        }
        let counts = equal_records(&records);
        let zero = |records: &EqualRecords| EqualRecords { records: 0, ..*records };
        let absent = EqualRecords { date_time: Timestamp(99), base: [7; 16], records: 0 };
        let mut keys: Vec<EqualRecords> = counts.iter().chain(&counts).map(zero).collect();
        keys.push(absent);
        keys.sort_unstable();
        occurrences.count_all(&mut keys).unwrap();
        keys.dedup();
        let mut expected = counts;
        expected.push(absent);
        expected.sort_unstable_by_key(|records| (records.date_time, records.base));
        prop_assert_eq!(keys, expected);
    }
}

/// Lists of more than one page, and more than is written together.
#[test]
fn long_lists_are_compared() {
    let records: Vec<(i64, u8)> = (0..9000).map(|i| (i64::from(i * 7 % 3000), 0)).collect();
    let again: Vec<(i64, u8)> = records.iter().rev().copied().collect();
    let all = [&records[..], &again[..], &records[..10]].concat();
    assert_eq!(load(&all, &[4000, 5000, 2500], 700, 100), expected(&all));
}

/// A file of one run needs no temporary file, and other schemes never do.
#[test]
fn one_run_needs_no_file() {
    let mut occurrences = Occurrences::<Cursor<Vec<u8>>, _>::new(|| panic!("no file is needed"));
    let blocks = [block(&[(1, 1), (1, 1)], 1)];
    let build = |blocks: &[Block]| {
        batch::build(blocks, (None, None), 1, false, &mut GroupCache::default()).unwrap()
    };
    let mut batch = build(&blocks);
    occurrences.number(&mut batch, true, &[]).unwrap();
    assert_eq!(batch.entries.len(), 2);
    let mut plain = Block::default();
    let (origin, destination, datasource) = (None, None, None);
    plain
        .push(&Trip { region: "r", origin, destination, date_time: Timestamp(1), datasource }, &[])
        .unwrap();
    occurrences.number(&mut build(&[plain]), false, &[]).unwrap();
    occurrences.end_run().unwrap();
}

#[test]
fn errors_of_the_file_are_returned() {
    let failed = || Err::<Cursor<Vec<u8>>, _>(io::ErrorKind::StorageFull.into());
    let mut occurrences = Occurrences::new(failed);
    let mut batch =
        batch::build(&[block(&[(1, 1)], 1)], (None, None), 1, false, &mut GroupCache::default())
            .unwrap();
    occurrences.number(&mut batch, false, &[]).unwrap();
    assert_eq!(occurrences.end_run().unwrap_err().kind(), io::ErrorKind::StorageFull);
}
