use std::io::Cursor;

use proptest::prelude::*;

use super::*;
use crate::key::Identity;
use crate::key::message::KeyMessage;
use crate::model::trip::Trip;
use crate::sort::id_lists::IdLists;

fn message(id: u8) -> Vec<u8> {
    let mut out = Vec::new();
    KeyMessage::source_id(&mut out, "f", 1).text(&id.to_string()).finish().unwrap();
    out
}

fn key(id: u8) -> TripKey {
    Identity::SourceId(&message(id)).key_of_message().unwrap()
}

/// Records by id and time, in these blocks.
fn blocks(records: &[(u8, i64)], of_block: usize) -> Vec<Block> {
    let records: Vec<_> = records.iter().zip(1..).collect();
    let of = |records: &[(&(u8, i64), u64)]| {
        let mut block = Block::default();
        for &(&(id, time), line) in records {
            let (origin, destination, datasource) = (None, None, None);
            let date_time = Timestamp(time);
            let trip = Trip { region: "r", origin, destination, date_time, datasource };
            block.push_feed(&trip, &[], Identity::SourceId(&message(id)), line).unwrap();
        }
        block.sort().unwrap();
        block
    };
    let mut blocks: Vec<Block> = records.chunks(of_block).map(of).collect();
    blocks.insert(blocks.len() / 2, Block::default());
    blocks
}

fn left(blocks: &[Block]) -> Vec<u64> {
    let rows = blocks.iter().flat_map(Block::rows);
    let mut lines: Vec<u64> = rows.map(|row| row.identity().unwrap().line).collect();
    lines.sort_unstable();
    lines
}

/// The rest of a run, and the lines that were removed with the times of their kept trips, in windows of days.
fn remove(
    records: &[(u8, i64)],
    history: &[(u8, i64)],
    window: u16,
    of_block: usize,
) -> (Vec<u64>, Vec<(u64, i64)>) {
    let mut run = blocks(records, of_block);
    let mut ids = RunIds::of(&run, window).unwrap();
    let range = ids.time_range();
    for &(id, time) in history {
        if range.is_some_and(|(first, last)| (first..=last).contains(&Timestamp(time))) {
            ids.existing(Timestamp(time), &key(id)).unwrap();
        }
    }
    let removed = ids.remove_from(&mut run, true).unwrap();
    assert_eq!(removed.count, removed.trips.len());
    (left(&run), removed.trips.iter().map(|same| (same.line, same.kept.0)).collect())
}

/// Lines in the order of the file that stay, and those that are removed: each is compared with the kept trips.
fn naive(records: &[(u8, i64)], kept: &mut Vec<(u8, i64)>, window: u16) -> (Vec<u64>, Vec<u64>) {
    let (mut stay, mut removed) = (Vec::new(), Vec::new());
    for (&(id, time), line) in records.iter().zip(1..) {
        let is_near = |&(other, kept): &(u8, i64)| {
            other == id && (kept - time).abs() <= i64::from(window) * DAY
        };
        if kept.contains(&(id, time)) || !kept.iter().any(is_near) {
            stay.push(line);
            kept.push((id, time));
        } else {
            removed.push(line);
        }
    }
    (stay, removed)
}

const DAY: i64 = MICROS_PER_DAY;

#[test]
fn the_first_record_stays() {
    let mut run = blocks(&[(1, 50), (2, 10), (1, 40), (1, 50), (3, 7)], 2);
    let ids = RunIds::of(&run, 0).unwrap();
    assert_eq!(ids.time_range(), Some((Timestamp(7), Timestamp(50))));
    let ids = RunIds::of(&run, 1).unwrap();
    assert_eq!(ids.time_range(), Some((Timestamp(7 - DAY), Timestamp(50 + DAY))));
    let found = ids.remove_from(&mut run, true).unwrap();
    let (date_time, kept) = (Timestamp(40), Timestamp(50));
    assert_eq!(found.trips, [SameId { line: 3, block: 2, key: key(1), date_time, kept }]);
    assert_eq!(left(&run), [1, 2, 4, 5], "an equal record is left to the batch");
    let mut run = blocks(&[(1, 50), (1, 40)], 2);
    let count = RunIds::of(&run, 1).unwrap().remove_from(&mut run, false).unwrap();
    assert_eq!(count, Removed { count: 1, trips: Vec::new() });
}

#[test]
fn the_history_comes_first() {
    let records = [(1, 50), (1, 40), (2, 10), (3, 7), (3, 8)];
    let history = [(1, 40), (2, 11), (200, 99), (3, 7), (3, 8)];
    assert_eq!(remove(&records, &history, 1, 3), (vec![2, 4, 5], vec![(1, 40), (3, 11)]));
}

/// Beyond the window the same id is another trip, in one run as in two. The end of the window is in it.
#[test]
fn each_pair_is_compared_with_the_window() {
    let far = [(1, 0), (1, 10 * DAY), (1, 10 * DAY + 1), (1, 20 * DAY + 1), (2, 5 * DAY)];
    assert_eq!(remove(&far, &[], 10, 2), (vec![1, 3, 5], vec![(2, 0), (4, 10 * DAY + 1)]));
    assert_eq!(remove(&far[2..3], &far[..1], 10, 2), (vec![1], vec![]));
    assert_eq!(remove(&far[..1], &far[1..3], 10, 2), (vec![], vec![(1, 10 * DAY)]));
    // A chain: the second is the first, and the third is not the second, which is not kept.
    let chain = [(1, 0), (1, 8 * DAY), (1, 16 * DAY)];
    assert_eq!(remove(&chain, &[], 10, 1), (vec![1, 3], vec![(2, 0)]));
    let chain = [chain[1], chain[0], chain[2]];
    assert_eq!(remove(&chain, &[], 10, 1), (vec![1], vec![(2, 8 * DAY), (3, 8 * DAY)]));
}

#[test]
fn a_run_may_be_empty() {
    let mut ids = RunIds::of(&[Block::default()], 3).unwrap();
    ids.existing(Timestamp(1), &key(1)).unwrap();
    assert_eq!(ids.time_range(), None);
    assert_eq!(ids.remove_from(&mut [Block::default()], true).unwrap(), Removed::default());
}

type NewFile = fn() -> std::io::Result<Cursor<Vec<u8>>>;

/// Lists with so many bytes of memory.
fn lists(bytes: usize) -> IdLists<Cursor<Vec<u8>>, NewFile> {
    IdLists::new((|| Ok(Cursor::new(Vec::new()))) as NewFile, bytes)
}

/// Lists of several pages, merged several times: a run finds its ids, each time once.
#[test]
fn long_lists_are_searched() {
    let mut lists = lists(24 * 50);
    let time = |i: u32| Timestamp(i64::from(i) * DAY);
    for i in 0..30_000_u32 {
        let id = u8::try_from(i % 251).unwrap();
        // Keys that no record has.
        let mut other = key(id);
        other[8..12].copy_from_slice(&i.to_be_bytes());
        lists.add(time(i), &other).unwrap();
        if i % 3_000 == 17 {
            lists.add(time(i), &key(id)).unwrap();
            lists.add(time(i), &key(id)).unwrap();
        }
    }
    let records: Vec<(u8, i64)> = (0..=250).map(|id| (id, -DAY)).collect();
    let mut run = blocks(&records, 100);
    let mut ids = RunIds::of(&run, u16::MAX).unwrap();
    lists.find(&mut ids).unwrap();
    let removed = ids.remove_from(&mut run, true).unwrap();
    let found: Vec<(u8, i64)> = removed
        .trips
        .iter()
        .map(|same| (u8::try_from(same.line - 1).unwrap(), same.kept.0))
        .collect();
    let mut expected: Vec<(u8, i64)> = (0..10_u32)
        .map(|i| i * 3_000 + 17)
        .map(|i| (u8::try_from(i % 251).unwrap(), time(i).0))
        .collect();
    expected.sort_unstable();
    assert_eq!(found, expected);
}

proptest! {
    /// Lists of the history and of earlier runs say the same as the history itself.
    #[test]
    fn lists_are_the_history(
        records in prop::collection::vec((0_u8..9, 0_i64..60), 0..200),
        window in 0_u16..12,
        of_run in 1_usize..70,
        memory in 1_usize..100,
    ) {
        let records: Vec<(u8, i64)> = records.iter().map(|&(id, days)| (id, days * DAY)).collect();
        let (mut known, mut lists) = (Vec::new(), lists(memory));
        for run in records.chunks(of_run) {
            let mut blocks = blocks(run, 20);
            let mut ids = RunIds::of(&blocks, window).unwrap();
            prop_assert_eq!((ids.len(), ids.is_empty()), (run.len(), false));
            lists.find(&mut ids).unwrap();
            ids.remove_from(&mut blocks, false).unwrap();
            lists.add_blocks(&blocks).unwrap();
            prop_assert_eq!(left(&blocks), naive(run, &mut known, window).0);
        }
    }

    /// Whatever files, runs and blocks are: as a loop over all records in their order.
    #[test]
    fn files_runs_and_blocks_do_not_matter(
        records in prop::collection::vec((0_u8..5, 0_i64..60, -1_i64..2), 0..60),
        before in prop::collection::vec((0_u8..5, 0_i64..60), 0..6),
        window in 0_u16..12,
        of_run in 1_usize..70,
        of_block in 1_usize..12,
    ) {
        let records: Vec<(u8, i64)> =
            records.iter().map(|&(id, days, micros)| (id, days * DAY + micros)).collect();
        let mut history: Vec<(u8, i64)> = before.iter().map(|&(id, days)| (id, days * DAY)).collect();
        let mut known = history.clone();
        for run in records.chunks(of_run) {
            let (stay, removed) = naive(run, &mut known, window);
            let (left, found) = remove(run, &history, window, of_block);
            prop_assert_eq!(&left, &stay);
            let lines: Vec<u64> = found.iter().map(|&(line, _)| line).collect();
            prop_assert_eq!(lines, removed);
            for (line, kept) in found {
                let (id, time) = run[usize::try_from(line).unwrap() - 1];
                prop_assert!(known.contains(&(id, kept)) && kept != time);
                prop_assert!((kept - time).abs() <= i64::from(window) * DAY);
            }
            history.extend(left.iter().map(|&line| run[usize::try_from(line).unwrap() - 1]));
        }
    }
}
