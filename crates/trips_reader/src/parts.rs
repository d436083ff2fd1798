//! Prints parts: consecutive chunks of a split, which have been parsed.

use std::io::Write;

use trips_core::format::parser::Parsed;
use trips_core::upload::part::{self, Part, Piece};

use crate::Failure;

/// A part ends when it covers this many bytes of the file, or takes this many of memory: a rejected line of two bytes
/// takes a hundred times as many.
const COVERED: u64 = 8 * 1024 * 1024;
const MEMORY: usize = 40 * 1024 * 1024;

/// Limit of the bytes of a part in addition to its trips and its lines.
const HEADER: usize = 4096;

/// The parts of a split.
pub struct Parts<'o, W> {
    out: &'o mut W,
    part: Part,
    /// The longest part that a server takes.
    most_bytes: usize,
}

impl<'o, W: Write> Parts<'o, W> {
    /// The parts of a split that begins here, of a file of this feed.
    pub fn new(
        out: &'o mut W,
        (load_id, first_byte): (i64, u64),
        (feed, piece): (&str, Piece),
        max_record: usize,
    ) -> Self {
        let part = Part { piece, ..Part::new(load_id, first_byte, feed) };
        Self { out, part, most_bytes: part::most_bytes(max_record) }
    }

    /// Adds the encoded stations of the archive to the current part.
    pub fn set_stations(&mut self, stations: Vec<u8>) {
        self.part.stations = stations;
    }

    /// Adds a chunk, which begins and ends here.
    pub fn push(&mut self, parsed: &Parsed, (begin, end): (u64, u64)) -> Result<(), Failure> {
        // A longer part would be refused. One chunk alone is never longer.
        let names = HEADER + self.part.piece.member.len();
        let more = parsed.block.bytes() + parsed.staged.bytes() + names;
        if self.part.rows > 0 && self.part.memory() + more > self.most_bytes {
            self.write(begin)?;
        }
        self.part.push(parsed)?;
        // The header is a part of the first one.
        self.part.bytes = end - self.part.first_byte;
        if self.part.bytes >= COVERED || self.part.memory() >= MEMORY {
            self.write(end)?;
        }
        Ok(())
    }

    /// Ends the split here. A header without rows is a part, too.
    pub fn finish(mut self, end: u64) -> Result<(), Failure> {
        self.part.bytes = end - self.part.first_byte;
        if self.part.bytes > 0 { self.write(end) } else { Ok(()) }
    }

    /// Prints the part, and begins the next one.
    fn write(&mut self, next: u64) -> Result<(), Failure> {
        let Part { load_id, feed, piece, .. } = &self.part;
        let next = Part { piece: piece.clone(), ..Part::new(*load_id, next, feed) };
        let mut part = std::mem::replace(&mut self.part, next);
        part.close()?;
        let bytes = part.encode()?;
        self.out.write_all(&(bytes.len() as u64).to_be_bytes()).map_err(Failure::Write)?;
        self.out.write_all(&bytes).map_err(Failure::Write)
    }
}
