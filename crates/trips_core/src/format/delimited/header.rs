//! The beginning of a file: its header, or what it is instead.

use std::io::{self, Read};

use thiserror::Error;

use crate::feed::Feed;
use crate::feed::plan::{HeaderError, Layout};
use crate::format::delimited::record::{Fault, RecordReader};
use crate::format::sniff::{self, Form};

/// Quotes that are never closed, before a file is taken for something else than CSV.
pub const UNCLOSED_QUOTES: usize = 3;

/// Why a file has no header of the feed.
#[derive(Debug, Error)]
pub enum Unfit {
    /// It could not be read.
    #[error("it could not be read: {0}")]
    Read(#[from] io::Error),
    /// There is nothing in it.
    #[error("it is empty: expected a header")]
    Empty,
    /// It is something else.
    #[error("it is {}: expected CSV in UTF-8", .0.name)]
    Form(&'static Form),
    /// Its first record is faulty.
    #[error("its header is not a CSV record: {0}")]
    Fault(Fault),
    /// Its columns are not the feed's.
    #[error("its header does not fit: {0}")]
    Header(HeaderError),
}

/// Finds the columns of a feed in the first record of a file.
///
/// # Errors
/// Why there is none.
pub fn read_header<R: Read>(
    feed: &Feed,
    reader: &mut RecordReader<R>,
    max_record: usize,
) -> Result<Layout, Unfit> {
    let first = reader.peek(sniff::LOOKED_AT)?.to_vec();
    // What else a file may be is asked only when it has no good header.
    let unfit = |error| sniff::of(&first).map_or(error, Unfit::Form);
    // A line without an end is not followed to the end of the file, where nothing could stop it.
    let longest = max_record + 2;
    if is_endless(&first, sniff::LOOKED_AT) && is_endless(reader.peek(longest)?, longest) {
        return Err(unfit(Unfit::Fault(Fault::TooLong)));
    }
    let Some(header) = reader.next_record()? else {
        return Err(Unfit::Empty);
    };
    if let Some(fault) = header.fault {
        return Err(unfit(Unfit::Fault(fault)));
    }
    Layout::resolve(feed, &header).map_err(|error| unfit(Unfit::Header(error)))
}

/// Whether so many bytes were there, and no line ended in them.
fn is_endless(bytes: &[u8], asked: usize) -> bool {
    bytes.len() == asked && !bytes.iter().any(|byte| matches!(byte, b'\n' | b'\r'))
}
