//! A whole file: every record becomes a trip or a row for staging, on every code path.

use std::borrow::Cow;
use std::collections::TryReserveError;
use std::sync::LazyLock;

use trips_core::check::constraints::{Constraints, ZeroCoordinates};
use trips_core::feed::choice::FeedChoice;
use trips_core::feed::plan::Plan;
use trips_core::format::delimited::chunk::DelimitedChunk;
use trips_core::format::delimited::header_state::HeaderState;
use trips_core::format::delimited::record::{Record, RecordReader};
use trips_core::format::delimited::{header, later_header};
use trips_core::format::parser::{Parser, Target};
use trips_core::format::sniff;
use trips_core::sort::block::{Block, RowBuffer};
use trips_core::sort::groups::GroupCache;

use crate::check_reason;
use crate::outcome::{LOAD_ID, Outcome};
use crate::short_reads::ShortReads;

/// The usual header of a file.
pub const HEADER: &[u8] = b"region,origin_coord,destination_coord,date_time,datasource\n";

static FEED: LazyLock<FeedChoice> = LazyLock::new(FeedChoice::builtin);

/// How a file is read.
#[derive(Debug, Clone, Copy)]
pub struct Way<'a> {
    /// How to parse the rows.
    pub target: Target,
    /// The constraints of its values.
    pub constraints: Constraints,
    /// Sizes of the reads of the source.
    pub sizes: &'a [usize],
    /// Approximate bytes of a chunk.
    pub chunk: usize,
    /// Bytes of trips after which a run ends.
    pub memory: usize,
    /// Approximate trips of a time range.
    pub time_range: usize,
}

impl Way<'static> {
    /// In one chunk and one run.
    fn at_once(constraints: Constraints) -> Self {
        Self {
            target: Target::History,
            constraints,
            sizes: &[],
            chunk: 1024 * 1024,
            memory: usize::MAX,
            time_range: 8 * 1024,
        }
    }
}

/// [`check`], with the text before the file and the constraints, the largest record, the chunk and the memory in the
/// first four bytes.
pub fn check_bytes(bytes: &[u8]) {
    let Some((&[kind, max_record, chunk, memory], rest)) = bytes.split_first_chunk() else {
        return;
    };
    let file = if kind % 2 == 0 { [HEADER, rest].concat().into() } else { Cow::Borrowed(rest) };
    let constraints = match kind / 2 % 4 {
        0 | 1 => Constraints::new("0001-01-01", "9999-12-31", ZeroCoordinates::Keep),
        2 => Some(Constraints::default()),
        _ => Constraints::new("2018-05-01", "2018-12-31", ZeroCoordinates::Stage),
    };
    let way = Way {
        sizes: &[1 + usize::from(kind / 8), 1 + usize::from(chunk)],
        chunk: 1 + 4 * usize::from(chunk),
        memory: 1 + 8 * usize::from(memory),
        time_range: 1 + usize::from(memory),
        ..Way::at_once(constraints.expect("dates"))
    };
    check(&file, 60 + 4 * usize::from(max_record), way);
}

/// A file has the same trips and the same reasons when it is read at once, in these steps, and through staging.
pub fn check(file: &[u8], max_record: usize, way: Way<'_>) {
    let at_once = load(file, max_record, Way::at_once(way.constraints));
    let this_way = load(file, max_record, way);
    let staged = load(file, max_record, Way { target: Target::Staging, ..way });
    let (Some(at_once), Some(this_way), Some(staged)) = (&at_once, &this_way, &staged) else {
        assert!(at_once.is_none() && this_way.is_none() && staged.is_none(), "a header");
        return;
    };
    assert_eq!(at_once.facts(), this_way.facts(), "{way:?}");
    assert_eq!(at_once.zero_coordinates, this_way.zero_coordinates, "{way:?}");
    assert_eq!(at_once.staged_bytes, this_way.staged_bytes, "{way:?}");
    assert_eq!(at_once.facts(), staged.facts(), "staged and merged, {way:?}");
}

/// Reads a file as a load does, without threads; None if its header does not fit.
fn load(file: &[u8], max_record: usize, way: Way<'_>) -> Option<Outcome> {
    let mut reader = RecordReader::new(ShortReads::of(file, way.sizes), max_record);
    let plan = read_header(&mut reader)?;
    let Way { target, constraints, .. } = way;
    let parser =
        Parser { plan, target, load_id: LOAD_ID, max_record, constraints, keeps_grid_points: true };
    let mut cache = GroupCache::default();
    let (mut outcome, mut blocks) = (Outcome::default(), Vec::new());
    let mut columns = parser.first_header();
    let mut covered = reader.position();
    let mut buffer = RowBuffer::default();
    for number in 0.. {
        let chunk = reader.next_chunk(way.chunk, number).expect("memory can be read");
        let is_over = chunk.is_none();
        if let Some(mut chunk) = chunk {
            covered += chunk.covers;
            let seen = columns_behind(&mut chunk, &parser, &columns);
            let parsed =
                parser.parse_in_steps(&mut chunk, &columns, way.memory, &mut buffer, |partial| {
                    assert_eq!(
                        (partial.number, partial.covers, partial.block.len()),
                        (number, 0, 0)
                    );
                    outcome.take(partial);
                    Ok::<_, TryReserveError>(())
                });
            let mut parsed = parsed.expect("there is memory");
            columns = parsed.header.take().unwrap_or(columns);
            assert_eq!(parsed.number, number);
            assert_eq!(columns, seen, "who looks for headers only finds others");
            blocks.push(outcome.take(parsed));
        }
        if is_over || blocks.iter().map(Block::bytes).sum::<usize>() >= way.memory {
            outcome.build(&std::mem::take(&mut blocks), way.time_range, &mut cache);
        }
        if is_over {
            break;
        }
    }
    assert_eq!(covered, file.len() as u64, "bytes are lost");
    outcome.merge(&constraints);
    outcome.settle();
    Some(outcome)
}

/// The columns after a chunk, as the header scan of the splitter finds them.
fn columns_behind(
    chunk: &mut DelimitedChunk,
    parser: &Parser,
    before: &HeaderState,
) -> HeaderState {
    let mut columns = before.clone();
    let look = |record: &Record<'_>| {
        if let Some(header) = later_header::find(&parser.plan, record, &columns) {
            check_reason(&header.rejection(&columns).reason);
            columns = header.state_after(record.line);
            let text = columns.to_string();
            assert_eq!(HeaderState::read(&text, &parser.plan), Some(columns.clone()), "{text}");
        }
        Ok::<(), ()>(())
    };
    chunk.for_each(parser.max_record, look).expect("nothing fails");
    columns
}

/// The directory that no path may leave, if the access is bounded.
fn read_header(reader: &mut RecordReader<ShortReads<'_>>) -> Option<Plan> {
    let begin = reader.peek(sniff::SNIFF_BYTES).expect("memory can be read");
    let form = sniff::kind_of(begin);
    assert!(form.is_none_or(|form| !form.name.is_empty() && !form.advice.is_empty()));
    let first = reader.next_record().expect("memory can be read")?;
    if let Some(error) = first.error {
        check_reason(&error.to_string());
        return None;
    }
    let plan = header::resolve(&FEED, &first);
    plan.inspect_err(|error| check_reason(&error.to_string())).ok()
}
