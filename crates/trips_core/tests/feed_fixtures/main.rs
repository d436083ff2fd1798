//! Each built-in feed and version has a fixture: it is found by its header, and gives the expected trips, in whatever
//! order, quoting and spelling of numbers.

mod chunks;
mod detection;
mod trips;

use trips_core::feed::choice::FeedChoice;
use trips_core::feed::plan::Plan;
use trips_core::format::delimited::header::{HeaderError, read_header};
use trips_core::format::delimited::record::RecordReader;
use trips_core::format::order::find_order;

const MAX_RECORD: usize = 1 << 20;

/// A reader after the header of a file, and the plan of the file by the built-in feeds.
fn open(file: &[u8]) -> Result<(RecordReader<&[u8]>, Plan), HeaderError> {
    let begin = || {
        let mut reader = RecordReader::new(file, MAX_RECORD);
        let plan = read_header(&FeedChoice::builtin(), &mut reader, MAX_RECORD)?;
        Ok::<_, HeaderError>((reader, plan))
    };
    let (reader, mut plan) = begin()?;
    if plan.feed().needs_order() {
        let (reader, _) = begin()?;
        let order = find_order(&plan, reader, MAX_RECORD, || ());
        plan.set_order(order.expect("an order of day and month"));
    }
    Ok((reader, plan))
}
