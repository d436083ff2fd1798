//! What is found in a file of any format, to compare it with what is found in another one.

use std::io::{self, Read};

use trips_core::check::constraints::Constraints;
use trips_core::feed::plan::Plan;
use trips_core::format::ChunkReader;
use trips_core::format::parser::{Parsed, Parser, Target};
use trips_core::format::position::Position;
use trips_core::key::TripKey;
use trips_core::model::timestamp::Timestamp;
use trips_core::sort::batch;
use trips_core::sort::block::{Block, RowBuffer};
use trips_core::sort::groups::GroupCache;

/// A record that is rejected: its position, the SQLSTATE, the column.
pub type Rejected = (Position, String, Option<String>);

/// The trips and the rejected records of a file.
#[derive(Debug, Default)]
pub struct Found {
    /// Number of records.
    pub rows: u64,
    /// Bytes of the file that the chunks cover.
    pub covers: u64,
    /// Times, keys and rows of all trips. Equal trips of a feed that counts them are several.
    pub trips: Vec<(Timestamp, TripKey, Vec<u8>)>,
    /// The rejected records, in the order of the file; some if they are many.
    pub rejected: Vec<Rejected>,
    /// The rows for staging, as COPY gets them.
    pub staged: Vec<u8>,
}

impl Found {
    /// The trips without their rows.
    #[must_use]
    pub fn keys(&self) -> Vec<(Timestamp, TripKey)> {
        self.trips.iter().map(|(time, key, _)| (*time, *key)).collect()
    }
}

/// The parser of a file.
#[must_use]
pub fn parser(plan: Plan, target: Target, max_record: usize) -> Parser {
    let (load_id, keeps_grid_points) = (1, false);
    let constraints = Constraints::default();
    Parser { plan, target, load_id, max_record, constraints, keeps_grid_points }
}

/// Reads a file in chunks of about this size.
///
/// # Errors
/// Those of the reader.
///
/// # Panics
/// When a record is lost.
pub fn find<R: Read>(
    reader: impl Into<ChunkReader<R>>,
    parser: &Parser,
    size: usize,
) -> io::Result<Found> {
    let (mut reader, mut header) = (reader.into(), parser.first_header());
    let (mut found, mut blocks, mut number) = (Found::default(), Vec::new(), 0);
    let mut buffer = RowBuffer::default();
    while let Some(mut chunk) = reader.next_chunk(size, number)? {
        let mut steps: Vec<Parsed> = Vec::new();
        let give = |step| -> Result<(), std::collections::TryReserveError> {
            steps.push(step);
            Ok(())
        };
        let last = chunk.parse(parser, &header, 64 * 1024, &mut buffer, give).expect("memory");
        steps.push(last);
        for parsed in steps {
            let records = parsed.block.len() as u64 + parsed.staged.len() as u64;
            assert_eq!(parsed.rows, records, "a record is lost");
            found.rows += parsed.rows;
            found.covers += parsed.covers;
            found.rejected.extend(parsed.first_bad.iter().map(|bad| {
                let column = bad.rejection.column.as_ref().map(|column| column.name().to_owned());
                (bad.position, bad.rejection.state.code().to_owned(), column)
            }));
            found.staged.extend_from_slice(parsed.staged.rows());
            if let Some(after) = parsed.header {
                header = after;
            }
            blocks.push(parsed.block);
        }
        number += 1;
    }
    if parser.target == Target::History {
        found.trips = trips(&blocks);
    }
    Ok(found)
}

fn trips(blocks: &[Block]) -> Vec<(Timestamp, TripKey, Vec<u8>)> {
    let mut cache = GroupCache::default();
    let batch = batch::build(blocks, (None, None), 1, false, &mut cache).expect("memory");
    let (mut begin, mut trips) = (0, Vec::new());
    for entry in &batch.entries {
        let row = batch.rows[begin..entry.end as usize].to_vec();
        begin = entry.end as usize;
        trips.push((entry.date_time, entry.key, row));
    }
    trips
}
