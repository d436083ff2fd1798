//! Files as outside readers upload them.

use trips_core::check::constraints::Constraints;
use trips_core::feed::choice::FeedChoice;
use trips_core::format::delimited::header::read_header;
use trips_core::format::delimited::record::RecordReader;
use trips_core::format::order::find_order;
use trips_core::format::parser::{Parser, Target};
use trips_core::upload::part::Part;

const MAX_RECORD: usize = 1 << 20;

/// BLAKE3 of a file's bytes.
#[must_use]
pub fn digest(file: &[u8]) -> Vec<u8> {
    blake3::hash(file).as_bytes().to_vec()
}

/// A file of a built-in feed as parts of about this many bytes each.
///
/// # Panics
/// When it has no header.
#[must_use]
pub fn parts_of(file: &[u8], load_id: i64, bytes: usize) -> Vec<Vec<u8>> {
    let choice = FeedChoice::builtin();
    let open = || {
        let mut reader = RecordReader::new(file, MAX_RECORD);
        let plan = read_header(&choice, &mut reader, MAX_RECORD).expect("a header");
        (reader, plan)
    };
    let (mut reader, mut plan) = open();
    if plan.feed().needs_order() {
        let order = find_order(&plan, open().0, MAX_RECORD, || ());
        plan.set_order(order.expect("an order of day and month"));
    }
    let feed = plan.feed_name().to_owned();
    let (target, constraints) = (Target::Upload, Constraints::default());
    let parser = Parser {
        plan,
        target,
        load_id,
        max_record: MAX_RECORD,
        constraints,
        keeps_grid_points: false,
    };
    let (mut parts, mut begin, mut columns) = (Vec::new(), 0, parser.first_header());
    while let Some(chunk) = reader.next_chunk(bytes, 0).expect("memory") {
        let mut part = Part::new(load_id, begin, &feed);
        let parsed = parser.parse_next(chunk, &mut columns).expect("memory");
        part.push(&parsed).expect("memory");
        part.close().expect("memory");
        // The first one has the header, too.
        part.bytes = reader.position() - begin;
        begin = reader.position();
        parts.push(part.encode().expect("memory"));
    }
    parts
}
