//! Each built-in feed and version has a fixture: it is found by its header, and gives the expected trips, in whatever
//! order, quoting and spelling of numbers.

mod chunks;
mod detection;
mod json;
mod trips;

use trips_core::feed::choice::FeedChoice;
use trips_core::feed::plan::Plan;
use trips_core::format::ChunkReader;
use trips_core::format::delimited::header::{HeaderError, read_header};
use trips_core::format::delimited::record::RecordReader;
use trips_core::format::encoding::Decoder;
use trips_core::format::order::find_order;
use trips_core::format::text;
use trips_core::text::encoding::Encoding;

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

/// A reader of a file of any format of text, and its plan.
type Opened<'f> = (ChunkReader<Decoder<&'f [u8]>>, Plan);

/// The same for a file of any format of text.
fn open_any(file: &[u8]) -> Result<Opened<'_>, HeaderError> {
    let begin = || {
        let source = Decoder::of(file, Encoding::Utf8);
        let opened = text::open(source, &FeedChoice::builtin(), MAX_RECORD)?;
        Ok::<_, HeaderError>((opened.reader, opened.first.plan?))
    };
    let (reader, mut plan) = begin()?;
    if plan.feed().needs_order() {
        let order = find_order(&plan, begin()?.0, MAX_RECORD, || ());
        plan.set_order(order.expect("an order of day and month"));
    }
    Ok((reader, plan))
}
