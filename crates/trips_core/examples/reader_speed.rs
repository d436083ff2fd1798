//! How fast a file becomes sorted batches, without a database: `reader_speed FILE [threads]`.

use std::fs::File;
use std::time::Instant;

use trips_core::feed::Feed;
use trips_core::header::Layout;
use trips_core::parse::{Parser, Target};
use trips_core::pool::{Pool, PoolError};
use trips_core::record::RecordReader;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("usage: reader_speed FILE [threads]")?;
    let threads = arguments.next().map_or(Ok(1), |n| n.parse())?;
    let begin = Instant::now();
    let max_record = 1 << 20;
    let mut reader = RecordReader::new(File::open(&path)?, max_record);
    let header = reader.next_record()?.ok_or("the file is empty")?;
    let layout = Layout::resolve(&Feed::trips(), &header)?;
    let parser = Parser { layout, target: Target::History, load_id: 1, max_record };
    let mut pool = Pool::start(reader, parser, threads)?;
    let (mut rows, mut bytes) = (0, 0);
    let run = pool.read_run(
        usize::MAX,
        || (),
        |parsed| {
            rows += parsed.rows;
            bytes += parsed.covers;
            Ok::<(), PoolError>(())
        },
    )?;
    let parsed = begin.elapsed();
    let mut batches = pool.batches(run.blocks);
    let mut trips = 0;
    while let Some(batch) = batches.next_batch(|| ())? {
        trips += batch.entries.len();
    }
    let total = begin.elapsed();
    #[expect(clippy::cast_precision_loss, reason = "a report to three digits")]
    let megabytes = bytes as f64 / 1e6;
    println!(
        "{rows} rows, {trips} trips, {threads} threads: parsed {parsed:.2?} ({:.0} MB/s), keyed and sorted {:.2?}, total {total:.2?} ({:.0} MB/s, {:.0} per thread)",
        megabytes / parsed.as_secs_f64(),
        total - parsed,
        megabytes / total.as_secs_f64(),
        megabytes / total.as_secs_f64() / f64::from(u32::try_from(threads)?),
    );
    Ok(())
}
