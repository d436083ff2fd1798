//! Pieces of a large file for several machines: cut where records end, each with the number of its
//! first line, and read apart as if the file had been read in one go.

use std::io::{self, Read};
use std::sync::Arc;

use crate::feed::Feed;
use crate::format::delimited::chunk::Chunk;
use crate::format::delimited::header::{UNCLOSED_QUOTES, Unfit, read_header};
use crate::format::delimited::header_state::Columns;
use crate::format::delimited::later_header;
use crate::format::delimited::record::{Record, RecordReader};
use crate::pool;

/// Bytes of a piece that are read at a time: rejected lines take up to eighty times as many in a part, which is limited.
const CHUNK: usize = 256 * 1024;

/// A piece of a file: whole records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// Where it begins. The first one begins at 0, with the header.
    pub first_byte: u64,
    /// How many bytes it has.
    pub bytes: u64,
    /// Number of its first line in the file, from 1.
    pub first_line: u64,
}

/// What a look through a whole file finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// Its pieces: together, all of it.
    pub pieces: Vec<Piece>,
    /// The columns with which each piece begins; none are those of the first record of the file.
    pub columns: Vec<Option<Columns>>,
    /// The lines of the first records with a quote that is never closed: as many as make it something
    /// else than CSV, at most.
    pub unclosed: Vec<u64>,
}

/// What the look through a file has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passed {
    /// The header, which has so many bytes with what is before it.
    Header(u64),
    /// A piece.
    Piece(Piece),
}

/// Cuts a file into pieces of about this many bytes, never fewer but at its end, and looks at its header and its
/// quotes. What it has passed is told at once; more of the source may have been read by then.
///
/// # Errors
/// Why it is no file of this feed.
pub fn cut<R: Read>(
    feed: &Feed,
    source: R,
    max_record: usize,
    piece_bytes: u64,
    mut passed: impl FnMut(Passed),
) -> Result<Cut, Unfit> {
    let mut reader = RecordReader::new(source, max_record);
    let layout = Arc::new(read_header(feed, &mut reader, max_record)?);
    passed(Passed::Header(reader.position()));
    let mut piece = Piece { first_byte: 0, bytes: reader.position(), first_line: 1 };
    let mut cut = Cut { pieces: Vec::new(), columns: vec![None], unclosed: Vec::new() };
    let first = Columns::Known(layout.clone());
    let mut columns = first.clone();
    loop {
        let line = reader.line();
        let Some(mut chunk) = reader.next_chunk(pool::CHUNK, 0)? else { break };
        if piece.bytes >= piece_bytes {
            passed(Passed::Piece(piece));
            cut.pieces.push(piece);
            cut.columns.push((columns != first).then(|| columns.clone()));
            let first_byte = piece.first_byte + piece.bytes;
            piece = Piece { first_byte, bytes: 0, first_line: line };
        }
        piece.bytes += chunk.covers;
        let room = UNCLOSED_QUOTES - cut.unclosed.len();
        cut.unclosed.extend(chunk.unclosed().take(room));
        let look = |record: &Record<'_>| {
            if let Some(header) = later_header::find(&layout, record, &columns) {
                columns = header.columns(record.line);
            }
            Ok::<(), io::Error>(())
        };
        if chunk.records().is_none_or(|records| later_header::may_be_in(&layout, records)) {
            chunk.for_each(max_record, look)?;
        }
    }
    passed(Passed::Piece(piece));
    cut.pieces.push(piece);
    Ok(cut)
}

/// Reads the chunks of one piece.
///
/// The source goes on behind the piece: what a faulty record at its end is depends on what follows.
#[derive(Debug)]
pub struct PieceReader<R> {
    reader: RecordReader<R>,
    end: u64,
}

impl<R: Read> PieceReader<R> {
    /// A reader of the first piece, whose header has been read.
    pub fn behind_header(reader: RecordReader<R>, piece: Piece) -> Self {
        Self { reader, end: piece.bytes }
    }

    /// A reader of a later piece, whose source begins where the piece does.
    pub fn of(source: R, max_record: usize, piece: Piece) -> Self {
        let Piece { first_byte, bytes, first_line } = piece;
        let reader = RecordReader::from_within(source, max_record, first_byte, first_line);
        Self { reader, end: first_byte + bytes }
    }

    /// Where in the file the next chunk begins.
    pub fn position(&self) -> u64 {
        self.reader.position()
    }

    /// The next chunk, or none at the end of the piece.
    ///
    /// # Errors
    /// What the source says when it cannot be read; `UnexpectedEof` when the file ends before the
    /// piece does, `InvalidData` when no record ends where the piece does: it is not the file that
    /// was cut.
    pub fn next_chunk(&mut self) -> io::Result<Option<Chunk>> {
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
