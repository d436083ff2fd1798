//! A part of a file that a client has read: its trips, its rejected lines, and their position, as bytes.
//!
//! ```text
//! "trips" 0 0 5 | load_id | first_byte | bytes | rows | duplicates | zero_coordinates   8 bytes each, big-endian
//! content | number of the member | kind of positions                                   8 bytes each, big-endian
//! name of the feed (64 bytes, zeros at its end)
//! length, trips | length, rejected lines (see crate::wire::staged_row) | length, name of the member
//! length, stations (see crate::upload::stations)
//! a trip: its key part (see crate::key) | length of its tail (4 bytes) | its tail; without bytes, it is NULL
//!   of a feed with another scheme than content: | line (8 bytes) | length of its message (4 bytes) | its message
//! ```
//!
//! Offsets are those of the bytes of the file if `content` is 0. Otherwise they count its content: see [`Piece`].
//!
//! In a tail, `details` is JSON text: its bytes on disk depend on the machine. A message and not a key identifies a trip:
//! the server computes the key.

use std::collections::TryReserveError;

use crate::check::constraints::Constraints;
use crate::feed::definition::IdentityRule;
use crate::format::parser::Parsed;
use crate::model::position::PositionKind;
use crate::sort::block::Block;
use crate::upload::decode::DecodeError;
use crate::upload::part_reader::{
    Content, FEED_NAME, HEADER, KINDS, MAGIC, PartHeader, PartReader,
};
use crate::upload::stations;
use crate::wire::staged_row::StagedRows;

/// The longest part, unless a record needs more: see [`most_bytes`].
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// Which content of a file a part is of, if the offsets of the part are not those of the file's bytes.
///
/// The content of a packed file is what it unpacks to; that of an archive, what its members with trips unpack to, one
/// after the other; that of Parquet, its rows, after one unit for the footer. So each record has a unit at least.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Piece {
    /// Units of the whole content: the parts cover them. 0 if the offsets are those of the file's bytes.
    pub content: u64,
    /// Number of the member of an archive, from 1, among those with trips; 0 for a file that is no archive.
    pub member_no: u64,
    /// Its name.
    pub member: String,
    /// What the positions of its records count.
    pub kind: PositionKind,
}

/// Some consecutive records of a file.
#[derive(Debug, Default)]
pub struct Part {
    /// The number of the load.
    pub load_id: i64,
    /// Its offset in the file, or in its content; the first part includes the header, and begins at 0.
    pub first_byte: u64,
    /// Number of bytes of the file, or units of its content, that it covers.
    pub bytes: u64,
    /// Number of its records: always trips + duplicates + rejected lines.
    pub rows: u64,
    /// Number of its dropped duplicates.
    pub duplicates: u64,
    /// Number of records with the coordinate `(0, 0)`, if it is to be reported.
    pub zero_coordinates: u64,
    /// Its trips, sorted by time, each once.
    pub block: Block,
    /// Its rejected lines.
    pub staged: StagedRows,
    /// The name of the file's feed.
    pub feed: String,
    /// The content that it is of.
    pub piece: Piece,
    /// The stations of its archive, encoded (see [`crate::upload::stations`]): of the first part.
    pub stations: Vec<u8>,
}

impl Part {
    /// An empty part that begins here.
    #[must_use]
    pub fn new(load_id: i64, first_byte: u64, feed: &str) -> Self {
        Self { load_id, first_byte, feed: feed.to_owned(), ..Self::default() }
    }

    /// Adds the next chunk of the file, which has been parsed.
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

    /// No more chunks follow: sorts the trips, and drops duplicates.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn close(&mut self) -> Result<(), TryReserveError> {
        self.block.sort()?;
        self.duplicates += self.block.dedup()? as u64;
        Ok(())
    }

    /// Approximate bytes of memory.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.block.bytes() + self.staged.bytes() + self.stations.len()
    }

    /// The encoded bytes.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn encode(&self) -> Result<Vec<u8>, TryReserveError> {
        let lines = self.staged.rows();
        let mut out = Vec::new();
        let member = self.piece.member.as_bytes();
        let stations = self.stations.as_slice();
        let sections = [self.block.part_bytes(), lines.len(), member.len(), stations.len()];
        out.try_reserve_exact(HEADER + 24 + sections.iter().sum::<usize>())?;
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&self.load_id.to_be_bytes());
        let (first, bytes) = (self.first_byte, self.bytes);
        let kind = KINDS.iter().position(|kind| *kind == self.piece.kind).unwrap_or(0) as u64;
        let counts = [first, bytes, self.rows, self.duplicates, self.zero_coordinates];
        for number in counts.into_iter().chain([self.piece.content, self.piece.member_no, kind]) {
            out.extend_from_slice(&number.to_be_bytes());
        }
        let mut name = [0; FEED_NAME];
        for (to, byte) in name.iter_mut().zip(self.feed.bytes()) {
            *to = byte;
        }
        out.extend_from_slice(&name);
        out.extend_from_slice(&(self.block.part_bytes() as u64).to_be_bytes());
        for row in self.block.rows() {
            out.extend_from_slice(row.key_part());
            out.extend_from_slice(&row.tail_length().to_be_bytes());
            out.extend_from_slice(row.tail());
            if let Some(identity) = row.identity() {
                out.extend_from_slice(&identity.line.to_be_bytes());
                out.extend_from_slice(&identity.length().to_be_bytes());
                out.extend_from_slice(identity.bytes);
            }
        }
        for section in [lines, member, stations] {
            out.extend_from_slice(&(section.len() as u64).to_be_bytes());
            out.extend_from_slice(section);
        }
        Ok(out)
    }

    /// Decodes a part as a whole, of a feed with this identity. Its trips then have `details` as they are on disk.
    ///
    /// # Errors
    /// When the bytes are not as [`Part::encode`] writes them, with these constraints.
    pub fn decode(
        bytes: &[u8],
        constraints: &Constraints,
        rule: &IdentityRule,
    ) -> Result<Self, DecodeError> {
        let mut reader = PartReader::new(bytes)?;
        let feed = reader.header.feed_name().to_owned();
        let stations = stations::encode(&reader.stations()?)?;
        let piece = reader.piece();
        let PartHeader { load_id, first_byte, bytes: covered, rows, .. } = reader.header;
        let PartHeader { duplicates, zero_coordinates, .. } = reader.header;
        let (mut block, mut staged) = (Block::default(), StagedRows::default());
        reader.read(constraints, rule, bytes.len(), |content| {
            match content {
                Content::Trip(trip, tail, identity, line) => {
                    block.push_message(trip, tail, identity, line)?;
                }
                Content::Rejected(rows, count) => staged.append(&StagedRows::copy(rows, count)?)?,
            }
            Ok(())
        })?;
        block.sort()?;
        let bytes = covered;
        let part = Self { load_id, first_byte, bytes, rows, feed, piece, ..Self::default() };
        Ok(Self { stations, duplicates, zero_coordinates, block, staged, ..part })
    }
}

/// Limit of the bytes of a part, for records with this many bytes: 64 MiB, or what the longest record needs if no text
/// can hold its bytes, with the rest of its chunk.
#[must_use]
pub fn most_bytes(max_record: usize) -> usize {
    MAX_BYTES.max(StagedRows::most_bytes(max_record) + MAX_BYTES / 2)
}

#[cfg(test)]
#[path = "part_tests.rs"]
mod tests;
