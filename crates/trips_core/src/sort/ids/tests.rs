use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::key::Identity;
use crate::key::message::KeyMessage;
use crate::model::trip::Trip;

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

#[test]
fn the_first_record_stays() {
    let mut run = blocks(&[(1, 50), (2, 10), (1, 40), (1, 50), (3, 7)], 2);
    let ids = RunIds::of(&run).unwrap();
    assert_eq!(ids.time_range(), Some((Timestamp(7), Timestamp(50))));
    let found = ids.remove_from(&mut run).unwrap();
    let (date_time, kept) = (Timestamp(40), Timestamp(50));
    assert_eq!(found, [SameId { line: 3, key: key(1), date_time, kept }]);
    assert_eq!(left(&run), [1, 2, 4, 5], "an equal record is left to the batch");
}

#[test]
fn the_history_comes_first() {
    let mut run = blocks(&[(1, 50), (1, 40), (2, 10), (3, 7), (3, 8)], 3);
    let mut ids = RunIds::of(&run).unwrap();
    for (time, id) in [(40, 1), (11, 2), (99, 200), (7, 3), (8, 3)] {
        ids.existing(Timestamp(time), &key(id)).unwrap();
    }
    let found = ids.remove_from(&mut run).unwrap();
    let lines: Vec<(u64, i64)> = found.iter().map(|same| (same.line, same.kept.0)).collect();
    assert_eq!(lines, [(1, 40), (3, 11)]);
    assert_eq!(left(&run), [2, 4, 5]);
}

#[test]
fn a_run_may_be_empty() {
    let mut ids = RunIds::of(&[Block::default()]).unwrap();
    ids.existing(Timestamp(1), &key(1)).unwrap();
    assert_eq!(ids.time_range(), None);
    assert_eq!(ids.remove_from(&mut [Block::default()]).unwrap(), []);
}

proptest! {
    /// Whatever the blocks are: as a loop over the records in the order of the file.
    #[test]
    fn blocks_do_not_matter(
        records in prop::collection::vec((0_u8..12, 0_i64..4), 0..40),
        history in prop::collection::vec((0_u8..14, 0_i64..4), 0..6),
        of_block in 1_usize..12,
    ) {
        let mut run = blocks(&records, of_block);
        let mut ids = RunIds::of(&run).unwrap();
        let mut known: HashMap<u8, Vec<i64>> = HashMap::new();
        for &(id, time) in &history {
            ids.existing(Timestamp(time), &key(id)).unwrap();
            known.entry(id).or_default().push(time);
        }
        let mut expected = Vec::new();
        for (&(id, time), line) in records.iter().zip(1_u64..) {
            let times = known.entry(id).or_insert_with(|| vec![time]);
            if times.contains(&time) {
                expected.push(line);
            }
        }
        let removed = ids.remove_from(&mut run).unwrap();
        prop_assert_eq!(removed.len() + expected.len(), records.len());
        prop_assert_eq!(left(&run), expected);
        prop_assert!(removed.iter().all(|same| same.date_time != same.kept));
    }
}
