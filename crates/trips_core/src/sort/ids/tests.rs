use std::io::Cursor;

use proptest::prelude::*;

use super::*;
use crate::key::Identity;
use crate::key::message::KeyMessage;
use crate::model::trip::Trip;
use crate::sort::id_lists::IdLists;
use crate::sort::trial::Trial;

fn message(id: u8) -> Vec<u8> {
    let mut out = Vec::new();
    KeyMessage::source_id(&mut out, "f", 1).text(&id.to_string()).finish().unwrap();
    out
}

fn key(id: u8) -> TripKey {
    Identity::SourceId(&message(id)).key_of_message().unwrap()
}

/// A record: its id, its time, and another value.
type Record = (u8, i64, u8);

/// Records in these blocks.
fn blocks(records: &[Record], of_block: usize) -> Vec<Block> {
    let records: Vec<_> = records.iter().zip(1..).collect();
    let of = |records: &[(&Record, u64)]| {
        let mut block = Block::default();
        for &(&(id, time, value), line) in records {
            let (origin, destination, date_time) = (None, None, Timestamp(time));
            let region = value.to_string();
            let (region, datasource) = (region.as_str(), None);
            let trip = Trip { region, origin, destination, date_time, datasource };
            block.push_feed(&trip, &[], Identity::SourceId(&message(id)), line).unwrap();
        }
        block.sort().unwrap();
        block
    };
    let mut blocks: Vec<Block> = records.chunks(of_block).map(of).collect();
    blocks.insert(blocks.len() / 2, Block::default());
    blocks
}

/// The values of a record as the history shows them.
fn values(record: Record) -> Vec<u8> {
    let blocks = blocks(&[record], 1);
    let row = blocks[1].rows().chain(blocks[0].rows()).next().unwrap();
    [row.key_part(), row.whole_tail()].concat()
}

fn left(blocks: &[Block]) -> Vec<u64> {
    let rows = blocks.iter().flat_map(Block::rows);
    let mut lines: Vec<u64> = rows.map(|row| row.identity().unwrap().line).collect();
    lines.sort_unstable();
    lines
}

/// What becomes of a run, and the lines that stay in it, in windows of days.
fn resolve(
    records: &[Record],
    history: &[Record],
    (window, policy): (u16, Policy),
    of_block: usize,
) -> (Resolved, Vec<u64>) {
    let mut run = blocks(records, of_block);
    let mut ids = RunIds::of(&run, window).unwrap();
    let range = ids.time_range();
    for &(id, time, _) in history {
        if range.is_some_and(|(first, last)| (first..=last).contains(&Timestamp(time))) {
            ids.existing(Timestamp(time), &key(id)).unwrap();
        }
    }
    let (known, mut marks) = ids.known().unwrap();
    assert!(known.is_sorted());
    for trip in known.iter().enumerate() {
        let found = |record: &&Record| (Timestamp(record.1), key(record.0)) == *trip.1;
        let stored = values(*history.iter().find(found).unwrap());
        marks.found(&run, trip, || Ok::<_, TryReserveError>(&stored)).unwrap();
    }
    let resolved = ids.resolve(&run, policy).unwrap();
    let copy = Resolved { removed: resolved.removed.clone(), ..Resolved::default() };
    copy.apply(&mut run);
    (resolved, left(&run))
}

/// The lines that are staged with the times of their kept trips, and those that stay.
fn staged(records: &[Record], history: &[Record], window: u16) -> (Vec<u64>, Vec<(u64, i64)>) {
    let (resolved, left) = resolve(records, history, (window, Policy::Stage), 2);
    (left, resolved.to_stage.iter().map(|same| (same.line, same.kept.0)).collect())
}

const DAY: i64 = MICROS_PER_DAY;

#[test]
fn the_first_record_stays() {
    let run = blocks(&[(1, 50, 0), (3, 7, 0)], 2);
    let ids = RunIds::of(&run, 0).unwrap();
    assert_eq!(ids.time_range(), Some((Timestamp(7), Timestamp(50))));
    let ids = RunIds::of(&run, 1).unwrap();
    assert_eq!(ids.time_range(), Some((Timestamp(7 - DAY), Timestamp(50 + DAY))));
    let records = [(1, 50, 0), (2, 10, 0), (1, 40, 0), (1, 50, 0), (3, 7, 0), (2, 10, 1)];
    assert_eq!(staged(&records, &[], 1), (vec![1, 2, 5], vec![(3, 50), (6, 10)]));
    let (resolved, left) = resolve(&records, &[], (1, Policy::Keep), 2);
    assert_eq!((resolved.duplicates, left), (3, vec![1, 2, 5]));
    assert_eq!(resolved.versions, [], "all records are of one load");
}

#[test]
fn the_history_comes_first() {
    let records = [(1, 50, 0), (1, 40, 0), (2, 10, 0), (3, 7, 0), (3, 7, 0), (3, 7, 1)];
    let history = [(1, 40, 0), (2, 11, 0), (200, 99, 0), (3, 7, 0)];
    let found = staged(&records, &history, 1);
    assert_eq!(found, (vec![2, 4], vec![(1, 40), (3, 11), (6, 7)]), "the batch finds equal ones");
    let (resolved, left) = resolve(&records, &history, (1, Policy::Keep), 2);
    assert_eq!((resolved.duplicates, left), (5, vec![4]));
    let mut kept: Vec<i64> = resolved.versions.iter().map(|(_, kept)| kept.0).collect();
    kept.sort_unstable();
    assert_eq!(kept, [11, 40], "the first record of each trip of the run is enough");
}

/// The last record wins, and each one before it is a version of its own.
#[test]
fn a_later_record_corrects() {
    let records = [(1, 40, 0), (1, 50, 0), (1, 50, 1), (1, 50, 1), (1, 40, 0), (2, 9, 0)];
    let (resolved, left) = resolve(&records, &[(1, 40, 0)], (1, Policy::Replace), 2);
    assert_eq!(left, [5, 6]);
    assert_eq!((resolved.duplicates, resolved.corrected), (2, 3), "the first equals the history");
    assert_eq!(resolved.replaced, [(Timestamp(40), key(1), Timestamp(50))]);
    let new: Vec<i64> = resolved.passed.iter().map(|(_, time)| time.0).collect();
    assert_eq!(new, [50, 40]);
}

/// Beyond the window the same id is another trip, in one run as in two. The end of the window is in it.
#[test]
fn each_pair_is_compared_with_the_window() {
    let far =
        [(1, 0, 0), (1, 10 * DAY, 0), (1, 10 * DAY + 1, 0), (1, 20 * DAY + 1, 0), (2, 5 * DAY, 0)];
    assert_eq!(staged(&far, &[], 10), (vec![1, 3, 5], vec![(2, 0), (4, 10 * DAY + 1)]));
    assert_eq!(staged(&far[2..3], &far[..1], 10), (vec![1], vec![]));
    assert_eq!(staged(&far[..1], &far[1..3], 10), (vec![], vec![(1, 10 * DAY)]));
    // A chain: the second is the first, and the third is not the second, which is not kept.
    let chain = [(1, 0, 0), (1, 8 * DAY, 0), (1, 16 * DAY, 0)];
    assert_eq!(staged(&chain, &[], 10), (vec![1, 3], vec![(2, 0)]));
    let chain = [chain[1], chain[0], chain[2]];
    assert_eq!(staged(&chain, &[], 10), (vec![1], vec![(2, 8 * DAY), (3, 8 * DAY)]));
}

/// A vehicle has one id for all its trips. Each is compared with the trip of its time, in a group of any size.
#[test]
fn an_id_may_have_many_trips() {
    for count in [15, 16, 17, 40, 200] {
        let history: Vec<Record> = (0..count).map(|i| (7, i * 37 % count, 0)).collect();
        let mut records: Vec<Record> = history.iter().rev().copied().collect();
        records[3].2 = 1;
        let (left, staged) = staged(&records, &history, 0);
        assert_eq!(left.len(), records.len() - 1, "{count} trips are equal, but one");
        assert_eq!(staged, [(4, records[3].1)]);
    }
}

#[test]
fn a_run_may_be_empty() {
    let mut ids = RunIds::of(&[Block::default()], 3).unwrap();
    ids.existing(Timestamp(1), &key(1)).unwrap();
    assert_eq!((ids.time_range(), ids.len()), (None, 0));
    ids.known().unwrap();
    assert_eq!(ids.resolve(&[Block::default()], Policy::Replace).unwrap(), Resolved::default());
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
    let records: Vec<Record> = (0..=250).map(|id| (id, -DAY, 0)).collect();
    let run = blocks(&records, 100);
    let mut ids = RunIds::of(&run, u16::MAX).unwrap();
    lists.find(&mut ids).unwrap();
    let (known, mut marks) = ids.known().unwrap();
    for trip in known.iter().enumerate() {
        marks.found(&run, trip, || Ok::<_, TryReserveError>(&[])).unwrap();
    }
    let resolved = ids.resolve(&run, Policy::Stage).unwrap();
    let found: Vec<(u8, i64)> = resolved
        .to_stage
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

/// A loop over all records in their order: the history, and the records that are inserted, duplicates, corrected, staged.
fn naive(records: &[Record], history: &mut Vec<Record>, window: u16, policy: Policy) -> [u64; 4] {
    let mut counts = [0; 4];
    let window = i64::from(window) * DAY;
    for &record @ (id, time, _) in records {
        let near = |&at: &usize| {
            let (other, kept, _) = history[at];
            other == id && (kept - time).abs() <= window
        };
        let found = (0..history.len())
            .filter(near)
            .min_by_key(|&at| (history[at].1 != time, history[at].1));
        let outcome = match (found, policy) {
            (None, _) => {
                history.push(record);
                0
            }
            (Some(at), _) if history[at] == record => 1,
            (Some(_), Policy::Keep) => 1,
            (Some(at), Policy::Replace) => {
                history[at] = record;
                2
            }
            (Some(_), Policy::Stage) => 3,
        };
        counts[outcome] += 1;
    }
    history.sort_unstable();
    counts
}

proptest! {
    /// Whatever files, runs and blocks are: as a loop over all records in their order.
    #[test]
    fn files_runs_and_blocks_do_not_matter(
        records in prop::collection::vec((0_u8..5, 0_i64..40, -1_i64..2, 0_u8..2), 0..60),
        before in prop::collection::vec((0_u8..5, 0_i64..40, 0_u8..2), 0..6),
        window in 0_u16..12,
        (of_run, of_block) in (1_usize..70, 1_usize..12),
        policy in prop::sample::select(vec![Policy::Keep, Policy::Replace, Policy::Stage]),
    ) {
        let records: Vec<Record> = records
            .iter()
            .map(|&(id, days, micros, value)| (id, days * DAY + micros, value))
            .collect();
        let mut history = Vec::new();
        naive(&before.iter().map(|&(id, days, v)| (id, days * DAY, v)).collect::<Vec<_>>(), &mut history, 0, Policy::Keep);
        let mut expected = history.clone();
        let expected_counts = naive(&records, &mut expected, window, policy);
        let mut counts = [0; 4];
        for run in records.chunks(of_run) {
            let (resolved, left) = resolve(run, &history, (window, policy), of_block);
            let before = history.len();
            for (time, key_of_trip, _) in &resolved.replaced {
                history.retain(|&(id, old, _)| (Timestamp(old), key(id)) != (*time, *key_of_trip));
            }
            prop_assert_eq!(before - history.len(), resolved.replaced.len());
            let mut rows = 0;
            for line in left {
                let record = run[usize::try_from(line).unwrap() - 1];
                // The unique index.
                match history.iter().find(|other| (other.0, other.1) == (record.0, record.1)) {
                    Some(other) => {
                        prop_assert_eq!(*other, record);
                        counts[1] += 1;
                    }
                    None => {
                        history.push(record);
                        rows += 1;
                    }
                }
            }
            counts[0] += rows + resolved.passed.len() as u64 - resolved.corrected;
            counts[1] += resolved.duplicates;
            counts[2] += resolved.corrected;
            counts[3] += resolved.to_stage.len() as u64;
        }
        history.sort_unstable();
        prop_assert_eq!(history, expected);
        prop_assert_eq!(counts, expected_counts);
    }

    /// A file that is only compared: the history does not change, and the counts are those of a load.
    #[test]
    fn a_trial_counts_as_a_load(
        records in prop::collection::vec((0_u8..5, 0_i64..40, -1_i64..2, 0_u8..2), 0..60),
        before in prop::collection::vec((0_u8..5, 0_i64..40, 0_u8..2), 0..6),
        window in 0_u16..12,
        (of_run, of_block, bytes) in (1_usize..70, 1_usize..12, 1_usize..400),
        policy in prop::sample::select(vec![Policy::Keep, Policy::Replace, Policy::Stage]),
    ) {
        let records: Vec<Record> = records
            .iter()
            .map(|&(id, days, micros, value)| (id, days * DAY + micros, value))
            .collect();
        let mut history = Vec::new();
        naive(&before.iter().map(|&(id, days, v)| (id, days * DAY, v)).collect::<Vec<_>>(), &mut history, 0, Policy::Keep);
        let expected = naive(&records, &mut history.clone(), window, policy);
        let mut trial = Trial::new((|| Ok(Cursor::new(Vec::new()))) as NewFile, bytes);
        let mut counts = Counts::default();
        for run in records.chunks(of_run) {
            let mut run = blocks(run, of_block);
            let mut ids = RunIds::of(&run, window).unwrap();
            for &(id, time, _) in &history {
                ids.existing(Timestamp(time), &key(id)).unwrap();
            }
            let changes = trial.changes(&mut ids).unwrap();
            let (known, mut marks) = ids.known().unwrap();
            for trip in known.iter().enumerate().filter(|(_, trip)| !changes.have(trip)) {
                let found = |record: &&Record| (Timestamp(record.1), key(record.0)) == *trip.1;
                let stored = values(*history.iter().find(found).unwrap());
                marks.found(&run, trip, || Ok::<_, TryReserveError>(&stored)).unwrap();
            }
            changes.found(&mut ids, &run).unwrap();
            let mut resolved = ids.resolve_seen(&run, policy, &mut counts).unwrap();
            let replaced = std::mem::take(&mut resolved.replaced);
            resolved.apply(&mut run);
            trial.add(&replaced, &run).unwrap();
        }
        prop_assert_eq!(counts.0, expected);
    }
}

/// The records that are inserted, duplicates, corrected, staged.
#[derive(Debug, Default)]
struct Counts([u64; 4]);

impl Watch for Counts {
    fn see(&mut self, _: impl FnOnce() -> SameId, outcome: Outcome) {
        let at = match outcome {
            Outcome::New => 0,
            Outcome::Duplicate => 1,
            Outcome::Corrected(_) => 2,
            Outcome::Staged => 3,
        };
        self.0[at] += 1;
    }
}
