//! Splits of a large file for several machines: they end at ends of records, and each has the number of its first line.
//! Reading them has the result of reading the file at once.

use std::io::{self, Read};
use std::sync::Arc;

use crate::feed::choice::FeedChoice;
use crate::format::delimited::chunk::DelimitedChunk;
use crate::format::delimited::header::{HeaderError, UNCLOSED_QUOTES, read_header};
use crate::format::delimited::header_state::HeaderState;
use crate::format::delimited::later_header;
use crate::format::delimited::record::{Record, RecordReader};
use crate::pool;

/// Bytes of a split that are read at a time: rejected lines take up to eighty times as many in a part, which is limited.
const CHUNK: usize = 256 * 1024;

/// A split of a file: whole records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Split {
    /// Its offset. The first one begins at 0, with the header.
    pub first_byte: u64,
    /// Number of its bytes.
    pub bytes: u64,
    /// Number of its first line in the file, from 1.
    pub first_line: u64,
}

/// The result of a scan of a whole file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSplits {
    /// Its splits: together, all of it.
    pub splits: Vec<Split>,
    /// The columns with which each split begins; None are those of the first record of the file.
    pub columns: Vec<Option<HeaderState>>,
    /// The lines of the first records with an unclosed quote: at most as many as make the file not CSV.
    pub unclosed: Vec<u64>,
}

/// The progress of a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passed {
    /// The header, with its bytes and those before it.
    Header(u64),
    /// A split.
    Split(Split),
}

/// Splits a file into ranges of about this many bytes, never fewer but at its end, and checks its header and its
/// quotes. It reports its progress at once; more of the source may have been read by then.
///
/// # Errors
/// Why it is not a file of this feed.
pub fn find_splits<R: Read>(
    choice: &FeedChoice,
    source: R,
    max_record: usize,
    split_bytes: u64,
    mut passed: impl FnMut(Passed),
) -> Result<FileSplits, HeaderError> {
    let mut reader = RecordReader::new(source, max_record);
    let plan = Arc::new(read_header(choice, &mut reader, max_record)?);
    passed(Passed::Header(reader.position()));
    let mut split = Split { first_byte: 0, bytes: reader.position(), first_line: 1 };
    let mut cut = FileSplits { splits: Vec::new(), columns: vec![None], unclosed: Vec::new() };
    let first = HeaderState::Known(plan.clone());
    let mut columns = first.clone();
    loop {
        let line = reader.line();
        let Some(mut chunk) = reader.next_chunk(pool::CHUNK, 0)? else { break };
        if split.bytes >= split_bytes {
            passed(Passed::Split(split));
            cut.splits.push(split);
            cut.columns.push((columns != first).then(|| columns.clone()));
            let first_byte = split.first_byte + split.bytes;
            split = Split { first_byte, bytes: 0, first_line: line };
        }
        split.bytes += chunk.covers;
        let room = UNCLOSED_QUOTES - cut.unclosed.len();
        cut.unclosed.extend(chunk.unclosed().take(room));
        let look = |record: &Record<'_>| {
            if let Some(header) = later_header::find(&plan, record, &columns) {
                columns = header.state_after(record.line);
            }
            Ok::<(), io::Error>(())
        };
        if chunk.records().is_none_or(|records| later_header::may_be_in(&plan, records)) {
            chunk.for_each(max_record, look)?;
        }
    }
    passed(Passed::Split(split));
    cut.splits.push(split);
    Ok(cut)
}

/// Reads the chunks of one split.
///
/// The source continues after the split: a malformed record at its end depends on the bytes that follow.
#[derive(Debug)]
pub struct SplitReader<R> {
    reader: RecordReader<R>,
    end: u64,
}

impl<R: Read> SplitReader<R> {
    /// A reader of the first split, whose header has been read.
    pub fn behind_header(reader: RecordReader<R>, split: Split) -> Self {
        Self { reader, end: split.bytes }
    }

    /// A reader of a later split, whose source begins where the split does, with this byte between fields.
    pub fn of(source: R, max_record: usize, delimiter: u8, split: Split) -> Self {
        let Split { first_byte, bytes, first_line } = split;
        let mut reader = RecordReader::from_within(source, max_record, first_byte, first_line);
        reader.set_delimiter(delimiter);
        Self { reader, end: first_byte + bytes }
    }

    /// Offset of the next chunk in the file.
    pub fn position(&self) -> u64 {
        self.reader.position()
    }

    /// The next chunk, or None at the end of the split.
    ///
    /// # Errors
    /// Errors of the source; `UnexpectedEof` when the file ends before the split does, `InvalidData` when no record
    /// ends where the split does: it is not the file that was split.
    pub fn next_chunk(&mut self) -> io::Result<Option<DelimitedChunk>> {
        let left = match self.end.checked_sub(self.position()) {
            Some(0) => return Ok(None),
            Some(left) => usize::try_from(left).unwrap_or(CHUNK).min(CHUNK),
            None => return Err(io::ErrorKind::InvalidData.into()),
        };
        let chunk = self.reader.next_chunk(left, 0)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        if self.position() > self.end {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(Some(chunk))
    }
}

#[cfg(test)]
#[path = "split_tests.rs"]
mod tests;
