//! JSON files: their records do not depend on buffers and chunks, and are those of `serde_json`.

use std::collections::TryReserveError;
use std::sync::LazyLock;

use trips_core::check::constraints::Constraints;
use trips_core::feed::choice::FeedChoice;
use trips_core::feed::definition::ColumnId;
use trips_core::feed::plan::Plan;
use trips_core::format::encoding::Decoder;
use trips_core::format::json::error::JsonError;
use trips_core::format::json::layout::is_json;
use trips_core::format::parser::{Parser, Target};
use trips_core::format::position::Position;
use trips_core::format::text::{self, Text};
use trips_core::format::{Chunk, ChunkReader};
use trips_core::sort::block::RowBuffer;
use trips_core::text::encoding::Encoding;

use crate::check_reason;
use crate::short_reads::ShortReads;

static FEEDS: LazyLock<FeedChoice> = LazyLock::new(FeedChoice::builtin);

type Reader<'f> = ChunkReader<Decoder<ShortReads<'f>>>;

/// The texts of a record by its columns, or why it has none.
type Texts = Result<Vec<Option<Vec<u8>>>, String>;

/// What a file has.
#[derive(Debug, Default, PartialEq)]
struct Found {
    records: Vec<(Position, Texts)>,
    /// What ended the reading.
    error: Option<String>,
}

/// [`check`], with the largest record, the chunk and the sizes in the first three bytes.
pub fn check_bytes(bytes: &[u8]) {
    let Some((&[max_record, chunk, sizes], file)) = bytes.split_first_chunk() else { return };
    let sizes = [1 + usize::from(sizes % 16), 1 + usize::from(sizes / 16)];
    let max_record = 8 + 16 * usize::from(max_record);
    check(file, max_record, 1 + 2 * usize::from(chunk), &sizes);
}

/// A file has the same records in buffers and chunks of any size.
pub fn check(file: &[u8], max_record: usize, chunk: usize, sizes: &[usize]) {
    if !is_json(file) {
        return;
    }
    let (Some((reader, plan)), Some((other, _))) =
        (open(file, max_record, &[]), open(file, max_record, sizes))
    else {
        assert!(open(file, max_record, &[]).is_none() && open(file, max_record, sizes).is_none());
        return;
    };
    let at_once = read(reader, &plan, max_record, 1 << 20);
    let in_parts = read(other, &plan, max_record, chunk);
    assert_eq!(at_once.error, in_parts.error);
    if at_once.error.is_none() {
        assert_eq!(at_once, in_parts);
        check_list(file, max_record, &at_once);
        check_trips(file, &plan, max_record, at_once.records.len());
    }
}

fn open<'f>(file: &'f [u8], max_record: usize, sizes: &'f [usize]) -> Option<(Reader<'f>, Plan)> {
    let source = Decoder::of(ShortReads::of(file, sizes), Encoding::Utf8);
    let opened = text::open(source, &FEEDS, max_record);
    let Text { first, reader, .. } = opened.inspect_err(|e| check_reason(&e.to_string())).ok()?;
    let plan = first.plan.inspect_err(|error| check_reason(&error.to_string())).ok()?;
    Some((reader, plan))
}

fn read(mut reader: Reader<'_>, plan: &Plan, max_record: usize, size: usize) -> Found {
    let mut found = Found::default();
    let columns = plan.feed().definition.columns.len();
    for number in 0.. {
        let mut chunk = match reader.next_chunk(size, number) {
            Ok(None) => break,
            Ok(Some(chunk)) => chunk,
            Err(error) => {
                let error = JsonError::of(&error).expect("memory can be read").to_string();
                check_reason(&error);
                found.error = Some(error);
                break;
            }
        };
        let result = chunk.for_each_fields(plan, max_record, |record| {
            let texts = record.fields.map(|fields| {
                let text = |at| fields.text(ColumnId(at)).map(std::borrow::Cow::into_owned);
                (0..).take(columns).map(text).collect()
            });
            let texts = texts.map_err(|rejection| rejection.reason);
            found.records.push((record.position, texts.inspect_err(|reason| check_reason(reason))));
            Ok::<_, ()>(())
        });
        assert_eq!(result, Ok(()));
    }
    assert!(found.records.is_sorted_by(|(a, _), (b, _)| a.value < b.value));
    found
}

/// A list that `serde_json` reads has all of its items as records.
fn check_list(file: &[u8], max_record: usize, found: &Found) {
    let Ok(items) = serde_json::from_slice::<Vec<serde_json::Value>>(file) else { return };
    assert_eq!(found.records.len(), items.len(), "a record is lost");
    let is_fault =
        |reason: &String| reason.contains("is not JSON") && !reason.contains("an object");
    for (position, record) in &found.records {
        assert!(!record.as_ref().is_err_and(is_fault), "{position}: {record:?}");
        let is_cut = record.as_ref().is_err_and(|reason| reason.contains("truncated"));
        assert!(!is_cut || file.len() > max_record, "{position}");
    }
}

/// Every record is a trip or staged.
fn check_trips(file: &[u8], plan: &Plan, max_record: usize, expected: usize) {
    let (mut reader, _) = open(file, max_record, &[]).expect("it was opened");
    let (plan, constraints) = (plan.clone(), Constraints::default());
    let (target, load_id) = (Target::History, 1);
    let parser =
        Parser { plan, target, load_id, max_record, constraints, keeps_grid_points: false };
    let (mut rows, mut covered, mut buffer) = (0, 0, RowBuffer::default());
    while let Some(mut chunk) = reader.next_chunk(1 << 20, 0).expect("it was read") {
        assert!(matches!(chunk, Chunk::Json(_)));
        let mut staged = 0;
        let parsed =
            chunk.parse(&parser, &parser.first_header(), 1 << 16, &mut buffer, |partial| {
                staged += partial.staged.len();
                Ok::<_, TryReserveError>(())
            });
        let parsed = parsed.expect("there is memory");
        rows += staged + parsed.staged.len() + parsed.block.len();
        covered += parsed.covers;
    }
    assert_eq!(rows, expected, "a record is lost");
    assert!(covered <= file.len() as u64, "bytes are counted twice");
}
