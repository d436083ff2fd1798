//! The beginning of a file: its header, or what it is instead.

use std::io::{self, Read};

use thiserror::Error;

use crate::check::reject::SqlState;
use crate::feed::Feed;
use crate::feed::plan::{ColumnError, Layout};
use crate::format::delimited::record::{FramingError, RecordReader};
use crate::format::sniff::{self, FileKind};

/// Quotes that are never closed, before a file is taken for something else than CSV.
pub const UNCLOSED_QUOTES: usize = 3;

/// Why a file has no header of the feed.
#[derive(Debug, Error)]
pub enum HeaderError {
    /// It could not be read.
    #[error("it could not be read: {0}")]
    Read(#[from] io::Error),
    /// There is nothing in it.
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
/// Why there is none.
pub fn read_header<R: Read>(
    feed: &Feed,
    reader: &mut RecordReader<R>,
    max_record: usize,
) -> Result<Layout, HeaderError> {
    let first = reader.peek(sniff::SNIFF_BYTES)?.to_vec();
    // What else a file may be is asked only when it has no good header.
    let refuse = |error| sniff::kind_of(&first).map_or(error, HeaderError::Kind);
    // A line without an end is not followed to the end of the file, where nothing could stop it.
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

/// Whether so many bytes were there, and no line ended in them.
fn is_endless(bytes: &[u8], asked: usize) -> bool {
    bytes.len() == asked && !bytes.iter().any(|byte| matches!(byte, b'\n' | b'\r'))
}
