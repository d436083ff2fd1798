//! A block: trips of one chunk, encoded, with an index of their times.

use std::collections::{HashSet, TryReserveError};

use crate::columns;
use crate::key::{self, Identity, MAX_MESSAGE, MessageKeys, Scheme, TripKey};
use crate::model::timestamp::Timestamp;
use crate::model::trip::{MAX_TEXT, Trip};
use crate::sort::by_time;
use crate::sort::record_texts::{RecordText, RecordTexts};
use crate::sort::row::{EncodedRow, IDENTITY_END, KEY_BITS, RowIdentity, RowRange};

mod cost;

pub use crate::sort::row::{MAX_TAIL, RowBuffer};

/// The longest key part, without the bytes of its texts.
const FIXED_LEN: usize = columns::fixed_bytes(0, columns::KEY_COUNT);
/// Rows: the key part of each trip, as [`key::encode`] writes it, its tail, and its identity if it is not its key part.
#[derive(Debug, Default)]
pub struct Block {
    values: Vec<u8>,
    ranges: Vec<RowRange>,
    has_tails: bool,
    /// The scheme of all its trips.
    scheme: Scheme,
    /// Its rows have messages, not base keys: it leaves the process.
    has_messages: bool,
    /// What staging gets of its records, if they may still be staged.
    texts: RecordTexts,
    /// Hashes the messages of trips that were added, until the block is sorted.
    keys: Option<Box<MessageKeys>>,
}

impl Block {
    /// The longest encoded trip.
    pub(crate) const MAX_ENCODED_TRIP: usize = FIXED_LEN + columns::key_texts() * MAX_TEXT;

    /// An empty block, which is filled in this memory until it is sorted.
    #[must_use]
    pub fn filled_in(buffer: &mut RowBuffer) -> Self {
        let RowBuffer { values, ranges } = std::mem::take(buffer);
        Self { values, ranges, ..Self::default() }
    }

    /// Adds a trip, with the encoded values of the columns after `load_id`, if it has any. A block is made of a few
    /// megabytes of a file, far below its limit of 4 GiB.
    ///
    /// # Errors
    /// When there is no memory.
    ///
    /// # Panics
    /// When the block is over 4 GiB, or the tail over [`MAX_TAIL`] bytes.
    #[inline]
    pub fn push(&mut self, trip: &Trip<'_>, tail: &[u8]) -> Result<(), TryReserveError> {
        self.push_row(trip, tail, None)
    }

    /// Adds a trip of a feed. All trips of a block have the same scheme. `line` is the first line of the record, or its
    /// number: it orders the trips of the file. Its key is in the block when that is sorted.
    ///
    /// # Errors
    /// When there is no memory.
    ///
    /// # Panics
    /// When the block is over 4 GiB, the tail over [`MAX_TAIL`] bytes, or the block has trips of another scheme.
    pub fn push_feed(
        &mut self,
        trip: &Trip<'_>,
        tail: &[u8],
        identity: Identity<'_>,
        line: u64,
    ) -> Result<(), TryReserveError> {
        self.set_scheme(identity.scheme(), false);
        if identity == Identity::Content {
            return self.push_row(trip, tail, None);
        }
        let bytes = &TripKey::default()[..];
        self.push_row(trip, tail, Some(RowIdentity { bytes, line }))?;
        let at = self.values.len() - IDENTITY_END - size_of::<TripKey>();
        if self.keys.is_none() {
            self.keys = MessageKeys::of_scheme(identity).map(Box::new);
        }
        if let Some(keys) = &mut self.keys {
            keys.push(identity.message(), at, |at, key| put_key(&mut self.values, at, key));
        }
        Ok(())
    }

    /// Writes the keys that are not hashed yet.
    fn finish_keys(&mut self) {
        if let Some(mut keys) = self.keys.take() {
            keys.finish(|at, key| put_key(&mut self.values, at, key));
        }
    }

    /// Adds a trip as [`Block::push_feed`] does, with its message instead of its key: whoever gets the message need not
    /// trust the key.
    ///
    /// # Errors
    /// When there is no memory.
    ///
    /// # Panics
    /// As [`Block::push_feed`], or when the message is longer than [`MAX_MESSAGE`].
    pub fn push_message(
        &mut self,
        trip: &Trip<'_>,
        tail: &[u8],
        identity: Identity<'_>,
        line: u64,
    ) -> Result<(), TryReserveError> {
        let has_message = identity != Identity::Content;
        self.set_scheme(identity.scheme(), has_message);
        let row = RowIdentity { bytes: identity.message(), line };
        self.push_row(trip, tail, has_message.then_some(row))
    }

    /// Keeps the texts of a record, in the order of the file. `order` is the line or the number with which its trip was
    /// added.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn keep_text(&mut self, order: u64, text: &RecordText<'_>) -> Result<(), TryReserveError> {
        self.texts.push(order, text)
    }

    /// The kept texts of a record.
    #[must_use]
    pub fn text(&self, order: u64) -> Option<RecordText<'_>> {
        self.texts.get(order)
    }

    /// Drops the texts of the records: they are trips.
    pub fn drop_texts(&mut self) {
        self.texts = RecordTexts::default();
    }

    fn set_scheme(&mut self, scheme: Scheme, has_messages: bool) {
        if self.is_empty() {
            (self.scheme, self.has_messages) = (scheme, has_messages);
        }
        assert!(
            (self.scheme, self.has_messages) == (scheme, has_messages),
            "a block has trips of one scheme"
        );
    }

    #[inline]
    fn push_row(
        &mut self,
        trip: &Trip<'_>,
        tail: &[u8],
        identity: Option<RowIdentity<'_>>,
    ) -> Result<(), TryReserveError> {
        assert!(tail.len() <= MAX_TAIL, "a tail of {} bytes", tail.len());
        let more = identity.map_or(0, |identity| identity.bytes.len() + IDENTITY_END);
        self.values.try_reserve(FIXED_LEN + trip.text_bytes() + tail.len() + more)?;
        self.ranges.try_reserve(1)?;
        let offset = self.values.len();
        key::encode(trip, &mut self.values);
        let key_length = self.values.len() - offset;
        self.values.extend_from_slice(tail);
        if let Some(identity @ RowIdentity { bytes, line }) = identity {
            assert!(bytes.len() <= MAX_MESSAGE, "a message of {} bytes", bytes.len());
            self.values.extend_from_slice(bytes);
            self.values.extend_from_slice(&identity.length().to_be_bytes());
            self.values.extend_from_slice(&line.to_be_bytes());
        }
        self.has_tails |= !tail.is_empty();
        let lengths = key_length | (tail.len() + more) << KEY_BITS;
        self.ranges.push(RowRange {
            date_time: trip.date_time,
            offset: u32::try_from(offset).expect("a block is under 4 GiB"),
            lengths: u32::try_from(lengths).expect("both lengths have their bits"),
        });
        Ok(())
    }

    /// Sorts the trips by time, while they are in the processor's cache: a time range then reads them sequentially.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn sort(&mut self) -> Result<(), TryReserveError> {
        self.sort_out_of(&mut RowBuffer::default())
    }

    /// The same, and returns the memory in which it was filled.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn sort_out_of(&mut self, buffer: &mut RowBuffer) -> Result<(), TryReserveError> {
        self.finish_keys();
        let ranges = self.sort_ranges()?;
        let mut sorted = Vec::new();
        sorted.try_reserve_exact(self.values.len())?;
        let mut offset = 0;
        for range in &mut self.ranges {
            sorted.extend_from_slice(
                &self.values[range.offset as usize..][..range.length() as usize],
            );
            range.offset = offset;
            offset += range.length();
        }
        let values = std::mem::replace(&mut self.values, sorted);
        buffer.keep(values, ranges);
        Ok(())
    }

    /// Sorts the ranges by time, and those of one time as they are in the block. Returns the memory that they had.
    fn sort_ranges(&mut self) -> Result<Vec<RowRange>, TryReserveError> {
        let mut order = Vec::new();
        let times = self.ranges.iter().map(|range| range.date_time);
        let is_in_file_order = self.ranges.is_sorted_by_key(|range| range.offset);
        if !is_in_file_order || !by_time::order_of(times, &mut order)? {
            self.ranges.sort_unstable();
            return Ok(Vec::new());
        }
        let mut ranges = Vec::new();
        ranges.try_reserve_exact(order.len())?;
        ranges.extend(order.iter().map(|&number| self.ranges[number]));
        Ok(std::mem::replace(&mut self.ranges, ranges))
    }

    /// Keeps one of several equal trips of a sorted block, the first in the file; returns how many it has dropped.
    /// If equal records are different trips, or have the feed's own ids, it keeps all: a later record of an id may have
    /// other values, also of another time.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn dedup(&mut self) -> Result<usize, TryReserveError> {
        if self.counts_occurrences() || self.scheme == Scheme::SourceId {
            return Ok(0);
        }
        let mut kept = Vec::new();
        kept.try_reserve_exact(self.ranges.len())?;
        // Equal trips have equal times, so they are adjacent.
        for same_time in self.ranges.chunk_by(|a, b| a.date_time == b.date_time) {
            if let [one] = same_time {
                kept.push(*one);
                continue;
            }
            let mut seen = HashSet::new();
            seen.try_reserve(same_time.len())?;
            kept.extend(
                same_time.iter().filter(|&&range| seen.insert(self.row(range).identified_by())),
            );
        }
        let dropped = self.ranges.len() - kept.len();
        if dropped > 0 {
            self.ranges = kept;
            // Dropped trips also leave the bytes.
            self.sort()?;
        }
        Ok(dropped)
    }

    /// Appends the trips of another block, which is sorted or has messages; the result is not sorted.
    ///
    /// # Errors
    /// When there is no memory.
    ///
    /// # Panics
    /// When the result is over 4 GiB, or keys of the other block are not made.
    pub fn append(&mut self, other: &Self) -> Result<(), TryReserveError> {
        assert!(other.keys.is_none(), "a block whose keys are not made");
        self.values.try_reserve(other.values.len())?;
        self.ranges.try_reserve(other.ranges.len())?;
        let behind = u32::try_from(self.values.len()).expect("a block is under 4 GiB");
        if !other.is_empty() {
            self.set_scheme(other.scheme, other.has_messages);
        }
        self.values.extend_from_slice(&other.values);
        u32::try_from(self.values.len()).expect("a block is under 4 GiB");
        let moved = |range: &RowRange| RowRange { offset: behind + range.offset, ..*range };
        self.ranges.extend(other.ranges.iter().map(moved));
        self.has_tails |= other.has_tails;
        Ok(())
    }

    /// The rows of a sorted block.
    pub(crate) fn rows(&self) -> impl Iterator<Item = EncodedRow<'_>> {
        self.ranges.iter().map(|&range| self.row(range))
    }

    /// Bytes of the rows in a part, where each tail has its length before it.
    pub(crate) fn part_bytes(&self) -> usize {
        // The identity of a row has its line and its length in both.
        self.values.len() + self.ranges.len() * size_of::<u32>()
    }

    /// The scheme of its trips.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Whether equal records are different trips.
    #[must_use]
    pub fn counts_occurrences(&self) -> bool {
        self.scheme == Scheme::Columns { occurrence: true }
    }

    /// Removes trips by their numbers, which are sorted. Their bytes stay.
    pub(crate) fn remove(&mut self, numbers: &[usize]) {
        let (mut at, mut next) = (0, numbers.iter().peekable());
        self.ranges.retain(|_| {
            let stays = next.next_if_eq(&&at).is_none();
            at += 1;
            stays
        });
    }

    /// Whether a trip had a tail.
    #[must_use]
    pub fn has_tails(&self) -> bool {
        self.has_tails
    }

    /// Number of its trips.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ranges.len()
    }

    /// Whether it has no trips.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Bytes of memory of the trips.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.values.len() + self.ranges.len() * size_of::<RowRange>() + self.texts.bytes()
    }

    /// The ranges of a sorted block's trips.
    pub(crate) fn ranges(&self) -> &[RowRange] {
        &self.ranges
    }

    /// The trips of a sorted block from one time (None: the first) to before another (None: the last).
    pub(crate) fn between(&self, from: Option<Timestamp>, to: Option<Timestamp>) -> &[RowRange] {
        let before = |time: Timestamp| self.ranges.partition_point(|p| p.date_time < time);
        &self.ranges[from.map_or(0, before)..to.map_or(self.ranges.len(), before)]
    }

    /// A trip's row.
    #[inline]
    pub(crate) fn row(&self, range: RowRange) -> EncodedRow<'_> {
        let bytes = &self.values[range.offset as usize..][..range.length() as usize];
        let (key_length, identity) = (range.key_length(), None);
        if self.scheme == Scheme::Content {
            return EncodedRow { bytes, key_length, identity };
        }
        match RowIdentity::split_from(bytes) {
            Some((bytes, found)) => EncodedRow { bytes, key_length, identity: Some(found) },
            None => EncodedRow { bytes, key_length, identity },
        }
    }

    /// The key of a row of this block, without its occurrence number.
    pub(crate) fn base_key(&self, row: &EncodedRow<'_>) -> TripKey {
        self.identity_key(row).unwrap_or_else(|| key::of_encoded(row.key_part()))
    }

    /// The same, if it is not of the key part.
    #[inline]
    pub(crate) fn identity_key(&self, row: &EncodedRow<'_>) -> Option<TripKey> {
        debug_assert!(self.keys.is_none(), "a block is sorted before its keys are read");
        let message = row.identity?.bytes;
        if !self.has_messages {
            return message.try_into().ok();
        }
        match self.scheme {
            Scheme::Content => None,
            Scheme::Columns { occurrence } => {
                Identity::Columns { message, occurrence }.key_of_message()
            }
            Scheme::SourceId => Identity::SourceId(message).key_of_message(),
        }
    }
}

fn put_key(values: &mut [u8], at: usize, key: TripKey) {
    values[at..at + key.len()].copy_from_slice(&key);
}

// A key part and a text fit their bits.
const _: () = assert!(Block::MAX_ENCODED_TRIP < 1 << KEY_BITS);
