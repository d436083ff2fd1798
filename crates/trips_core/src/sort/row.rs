//! A row of a block: the encoded values of a trip, and where they are.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::columns;
use crate::key::MAX_MESSAGE;
use crate::model::timestamp::Timestamp;

/// A tail of NULLs, each with the length -1.
pub(crate) const NULL_TAIL: [u8; columns::TAIL_COUNT * 4] = [0xff; columns::TAIL_COUNT * 4];
/// Number of bits for the length of the key part in a row's lengths; the others are for the tail.
pub(super) const KEY_BITS: u32 = 12;
/// What a row may have after its key part.
const MAX_REST: usize = (1 << (u32::BITS - KEY_BITS)) - 1;
/// After the identity of a row: its length (4 bytes) and the number of the record's line (8 bytes).
pub(super) const IDENTITY_END: usize = 4 + 8;
/// The longest tail of a row.
pub const MAX_TAIL: usize = MAX_REST - MAX_MESSAGE - IDENTITY_END;

/// Memory in which blocks are filled, one after the other: a thread need not ask the system for it again.
#[derive(Debug, Default)]
pub struct RowBuffer {
    pub(super) values: Vec<u8>,
    pub(super) ranges: Vec<RowRange>,
}

/// A larger buffer is freed.
const MOST_KEPT: usize = 8 * 1024 * 1024;

impl RowBuffer {
    /// Keeps the memory of a block, unless it is large.
    pub(super) fn keep(&mut self, mut values: Vec<u8>, mut ranges: Vec<RowRange>) {
        if values.capacity() + ranges.capacity() * size_of::<RowRange>() <= MOST_KEPT {
            values.clear();
            ranges.clear();
            *self = Self { values, ranges };
        }
    }
}

/// The encoded values of a trip.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EncodedRow<'a> {
    /// All of them.
    pub(crate) bytes: &'a [u8],
    pub(super) key_length: u32,
    /// What identifies the trip, if it is not its key part.
    pub(super) identity: Option<RowIdentity<'a>>,
}

/// What identifies a trip of another scheme than `content`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RowIdentity<'a> {
    /// The base key, or the message of which it is made.
    pub(crate) bytes: &'a [u8],
    /// The first line of its record.
    pub(crate) line: u64,
}

impl<'a> RowIdentity<'a> {
    /// Number of its bytes, at most [`MAX_MESSAGE`].
    pub(crate) fn length(&self) -> u32 {
        u32::try_from(self.bytes.len()).unwrap_or(u32::MAX)
    }

    /// The identity at the end of these bytes, and the bytes before it.
    pub(super) fn split_from(bytes: &'a [u8]) -> Option<(&'a [u8], Self)> {
        let (rest, line) = bytes.split_last_chunk()?;
        let (rest, length) = rest.split_last_chunk()?;
        let length = u32::from_be_bytes(*length) as usize;
        let (rest, bytes) = rest.split_at_checked(rest.len().checked_sub(length)?)?;
        Some((rest, Self { bytes, line: u64::from_be_bytes(*line) }))
    }
}

impl<'a> EncodedRow<'a> {
    /// What a content key hashes.
    pub(crate) fn key_part(&self) -> &'a [u8] {
        &self.bytes[..self.key_length as usize]
    }

    /// Number of bytes of the tail, at most [`MAX_TAIL`].
    pub(crate) fn tail_length(&self) -> u32 {
        u32::try_from(self.tail().len()).unwrap_or(u32::MAX)
    }

    /// The columns after the key part; empty if all of them are NULL.
    pub(crate) fn tail(&self) -> &'a [u8] {
        &self.bytes[self.key_length as usize..]
    }

    /// Whether it has these values, which are encoded in the same way, with a tail.
    pub(crate) fn is_equal(&self, values: &[u8]) -> bool {
        let tail = values.strip_prefix(self.key_part());
        tail.is_some_and(|tail| tail == self.whole_tail())
    }

    /// Whether two rows have the same values.
    pub(crate) fn has_values_of(&self, other: &EncodedRow<'_>) -> bool {
        self.key_part() == other.key_part() && self.whole_tail() == other.whole_tail()
    }

    /// A digest of the values: rows with the same values have the same one.
    pub(crate) fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.key_part(), self.whole_tail()).hash(&mut hasher);
        hasher.finish()
    }

    /// The columns after the key part, also if all of them are NULL.
    pub(crate) fn whole_tail(&self) -> &'a [u8] {
        if self.tail().is_empty() { &NULL_TAIL } else { self.tail() }
    }

    /// The bytes of which its key is made, or the key.
    pub(crate) fn identified_by(&self) -> &'a [u8] {
        self.identity.map_or_else(|| self.key_part(), |identity| identity.bytes)
    }

    /// What identifies the trip, if it is not its key part.
    pub(crate) fn identity(&self) -> Option<RowIdentity<'a>> {
        self.identity
    }
}

/// Position of the row of a trip in its block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RowRange {
    pub(crate) date_time: Timestamp,
    pub(super) offset: u32,
    /// Length of the key part, in the lowest bits, and of the tail and the identity.
    pub(super) lengths: u32,
}

impl RowRange {
    pub(super) fn key_length(self) -> u32 {
        self.lengths & ((1 << KEY_BITS) - 1)
    }

    pub(super) fn length(self) -> u32 {
        self.key_length() + (self.lengths >> KEY_BITS)
    }
}
