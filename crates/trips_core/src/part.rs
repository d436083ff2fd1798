//! A part of a file that was read far from the server: its trips, its bad lines, and what they are of,
//! as bytes that travel.
//!
//! ```text
//! "trips" 0 0 1 | load_id | first_byte | bytes | rows | duplicates | zero_coordinates   8 bytes each,
//!                                                                                     big-endian
//! length, trips (see crate::key)  | length, rejected lines (see crate::staged)
//! ```

use std::collections::TryReserveError;

use crate::block::Block;
use crate::decode::{Cursor, DecodeError};
use crate::parse::Parsed;
use crate::rules::Rules;
use crate::staged::StagedRows;

const MAGIC: [u8; 8] = *b"trips\0\0\x01";

/// The longest part that is taken from others. A reader of ours ends one at 64 MiB of memory; what may come on
/// top is one chunk of lines that are all rejected, or one record of 16 MiB whose bytes no text can hold.
pub const MAX_BYTES: usize = 256 * 1024 * 1024;

/// Some consecutive records of a file.
#[derive(Debug, Default)]
pub struct Part {
    /// The load that brings the file.
    pub load_id: i64,
    /// Where in the file it begins; the first part has the header, too, and begins at 0.
    pub first_byte: u64,
    /// How many bytes of the file it covers.
    pub bytes: u64,
    /// How many records it has: always trips + duplicates + rejected lines.
    pub rows: u64,
    /// How many trips were there more than once in it and were dropped.
    pub duplicates: u64,
    /// How many records have the coordinate `(0, 0)`, if somebody wants to be told.
    pub zero_coordinates: u64,
    /// Its trips, sorted by time, each once.
    pub block: Block,
    /// Its rejected lines.
    pub staged: StagedRows,
}

impl Part {
    /// A part that begins here and has nothing yet.
    #[must_use]
    pub fn new(load_id: i64, first_byte: u64) -> Self {
        Self { load_id, first_byte, ..Self::default() }
    }

    /// Takes the next chunk of the file, which has been parsed.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn push(&mut self, parsed: &Parsed) -> Result<(), TryReserveError> {
        self.bytes += parsed.covers;
        self.rows += parsed.rows;
        self.zero_coordinates += parsed.zero_coordinates;
        self.staged.append(&parsed.staged)?;
        self.block.append(&parsed.block)
    }

    /// Nothing comes any more: sorts the trips, and drops what is there twice.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn close(&mut self) -> Result<(), TryReserveError> {
        self.block.sort()?;
        self.duplicates += self.block.drop_doubles()? as u64;
        Ok(())
    }

    /// How many bytes of memory it takes, about.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.block.bytes() + self.staged.bytes()
    }

    /// The bytes that travel.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn encode(&self) -> Result<Vec<u8>, TryReserveError> {
        let (trips, lines) = (self.block.encoded(), self.staged.rows());
        let mut out = Vec::new();
        out.try_reserve_exact(MAGIC.len() + 8 * 8 + trips.len() + lines.len())?;
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&self.load_id.to_be_bytes());
        let (first, bytes) = (self.first_byte, self.bytes);
        for number in [first, bytes, self.rows, self.duplicates, self.zero_coordinates] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        for bytes in [trips, lines] {
            out.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
            out.extend_from_slice(bytes);
        }
        Ok(out)
    }

    /// Reads a part back, and checks everything that a reader of ours checks.
    ///
    /// # Errors
    /// What about the bytes is not as [`Part::encode`] writes it, under these rules.
    ///
    /// # Panics
    /// Never: who takes parts from others takes none over [`MAX_BYTES`], and a block holds 4 GiB.
    pub fn decode(bytes: &[u8], rules: &Rules) -> Result<Self, DecodeError> {
        let mut from = Cursor(bytes);
        if from.array() != Some(MAGIC) {
            return Err(DecodeError::Magic);
        }
        let mut next = || from.number().ok_or(DecodeError::Length);
        let load_id = i64::from_be_bytes(next()?.to_be_bytes());
        let (first_byte, bytes, rows) = (next()?, next()?, next()?);
        let (duplicates, zero_coordinates) = (next()?, next()?);
        let mut section = || {
            let length = usize::try_from(from.number()?).ok()?;
            from.bytes(length)
        };
        let trips = section().ok_or(DecodeError::Length)?;
        let lines = section().ok_or(DecodeError::Length)?;
        if !from.0.is_empty() {
            return Err(DecodeError::Length);
        }
        let block = Block::decode(trips, rules)?;
        let staged = StagedRows::decode(lines, load_id)?;
        let found = (block.len() + staged.len()) as u64;
        // A record has a byte at least. So what is summed over the parts of a file stays under its size.
        let fits = found.checked_add(duplicates) == Some(rows)
            && zero_coordinates <= rows
            && rows <= bytes
            && bytes > 0
            && first_byte.checked_add(bytes).is_some();
        if !fits {
            return Err(DecodeError::Counts { counted: rows.saturating_sub(duplicates), found });
        }
        Ok(Self { load_id, first_byte, bytes, rows, duplicates, zero_coordinates, block, staged })
    }
}

#[cfg(test)]
#[path = "part_tests.rs"]
mod tests;
