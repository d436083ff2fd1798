//! The reader alone: a file becomes sorted batches, without a database.

use std::fs::File;
use std::time::Instant;

use trips_core::check::constraints::Constraints;
use trips_core::feed::choice::FeedChoice;
use trips_core::format::delimited::header;
use trips_core::format::delimited::record::RecordReader;
use trips_core::format::parser::{Parser, Target};
use trips_core::pool::{Pool, PoolError};

use crate::Result;

/// Bytes per second: of parsing alone, and of parsing, keying and sorting.
pub fn speed(path: &str, threads: usize) -> Result<(f64, f64)> {
    let begin = Instant::now();
    let max_record = 1 << 20;
    let mut reader = RecordReader::new(File::open(path)?, max_record);
    let header = reader.next_record()?.ok_or("the file is empty")?;
    let plan = header::resolve(&FeedChoice::builtin(), &header)?;
    let (target, constraints) = (Target::History, Constraints::default());
    let parser =
        Parser { plan, target, load_id: 1, max_record, constraints, keeps_grid_points: true };
    let mut pool = Pool::start(reader, parser, threads)?;
    let mut bytes = 0;
    let run = pool.read_run(
        usize::MAX,
        || (),
        |parsed| {
            bytes += parsed.covers;
            Ok::<(), PoolError>(())
        },
    )?;
    let parsed = begin.elapsed().as_secs_f64();
    let mut batches = pool.batches(run.blocks);
    while batches.next_batch(|| ())?.is_some() {}
    let total = begin.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a report to three digits")]
    let bytes = bytes as f64;
    Ok((bytes / parsed, bytes / total))
}
