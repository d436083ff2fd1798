//! The beginning of a file: its header, or what it is instead.

use std::io::{self, Read};

use thiserror::Error;

use crate::check::reject::SqlState;
use crate::feed::Feed;
use crate::feed::plan::{ColumnError, Layout};
use crate::format::delimited::record::{FramingError, RecordReader};
use crate::format::sniff::{self, FileKind};

/// Number of unclosed quotes after which a file is not considered CSV.
pub const UNCLOSED_QUOTES: usize = 3;

/// Why a file has no header of the feed.
#[derive(Debug, Error)]
pub enum HeaderError {
    /// It could not be read.
    #[error("it could not be read: {0}")]
    Read(#[from] io::Error),
    /// The file is empty.
    #[error("it is empty: expected a header")]
    Empty,
    /// It is something else.
    #[error("it is {}: expected CSV in UTF-8", .0.name)]
    Kind(&'static FileKind),
    /// Its first record is faulty.
    #[error("its header is not a CSV record: {0}")]
    Framing(FramingError),
    /// Its columns are not the feed's.
    #[error("its header does not fit: {0}")]
    Columns(ColumnError),
}

impl HeaderError {
    /// The SQLSTATE of the error.
    #[must_use]
    pub const fn sqlstate(&self) -> SqlState {
        match self {
            Self::Read(_) => SqlState::IoError,
            Self::Empty | Self::Kind(_) | Self::Framing(_) => SqlState::BadCopyFileFormat,
            Self::Columns(ColumnError::Missing { .. }) => SqlState::UndefinedColumn,
            Self::Columns(ColumnError::Duplicate { .. }) => SqlState::DuplicateColumn,
        }
    }
}

/// Finds the columns of a feed in the first record of a file.
///
/// # Errors
/// Why it is not a header.
pub fn read_header<R: Read>(
    feed: &Feed,
    reader: &mut RecordReader<R>,
    max_record: usize,
) -> Result<Layout, HeaderError> {
    let first = reader.peek(sniff::SNIFF_BYTES)?.to_vec();
    // Other formats are considered only for a file without a good header.
    let refuse = |error| sniff::kind_of(&first).map_or(error, HeaderError::Kind);
    // The search for the end of the line is limited; otherwise it could read the whole file without a check for
    // interrupts.
    let longest = max_record + 2;
    if is_endless(&first, sniff::SNIFF_BYTES) && is_endless(reader.peek(longest)?, longest) {
        return Err(refuse(HeaderError::Framing(FramingError::TooLong)));
    }
    let Some(header) = reader.next_record()? else {
        return Err(HeaderError::Empty);
    };
    if let Some(error) = header.error {
        return Err(refuse(HeaderError::Framing(error)));
    }
    Layout::resolve(feed, &header).map_err(|error| refuse(HeaderError::Columns(error)))
}

/// Whether this many bytes had no line end.
fn is_endless(bytes: &[u8], asked: usize) -> bool {
    bytes.len() == asked && !bytes.iter().any(|byte| matches!(byte, b'\n' | b'\r'))
}
