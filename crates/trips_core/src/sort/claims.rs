//! Claims: the trips of a load that the history already had.
//!
//! They are kept in blocks, so that a trip can pass to another load that has the same record. A block is a version, and
//! then for each trip, in the order of the history's primary key, the time since the trip before and the 16 bytes of the
//! key. The time is in seconds, or in microseconds if it is not in whole seconds. Its first byte has the unit (bit 0, set
//! for microseconds), six bits of the number, and whether more follow (bit 7); the others have seven bits each.

use std::collections::TryReserveError;

use crate::key::TripKey;
use crate::model::timestamp::Timestamp;

/// What identifies a trip of the history.
pub type Claim = (Timestamp, TripKey);

/// The first byte of a block.
const VERSION: u8 = 2;
/// Bytes of a full block. Its row fills a page of the table: PostgreSQL need not cut it into pieces.
const BYTES_OF_BLOCK: usize = 8000;
/// The most trips of a block.
pub const TRIPS_OF_BLOCK: usize = BYTES_OF_BLOCK / (1 + KEY);
/// The longest difference of two times, encoded.
const LONGEST_STEP: usize = 10;
const KEY: usize = size_of::<TripKey>();
/// Microseconds of a second.
const SECOND: u64 = 1_000_000;

/// Encoded claims, sorted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimBlock {
    /// The time of the first trip.
    pub first: Timestamp,
    /// The time of the last trip.
    pub last: Timestamp,
    /// Number of trips, at least one.
    pub trips: u32,
    /// The encoded trips.
    pub bytes: Vec<u8>,
}

/// A block is not as [`ClaimBlock::of`] makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DamagedClaims;

impl ClaimBlock {
    /// Begins a block with its first trip.
    ///
    /// # Errors
    /// When there is no memory.
    fn begin((time, key): &Claim, trips: usize) -> Result<Self, TryReserveError> {
        let mut bytes = Vec::new();
        bytes.try_reserve((1 + trips * (KEY + 4)).min(BYTES_OF_BLOCK))?;
        bytes.extend([VERSION, 0]);
        bytes.extend_from_slice(key);
        Ok(Self { first: *time, last: *time, trips: 1, bytes })
    }

    /// Adds a trip that is not before the last one.
    fn push(&mut self, (time, key): &Claim) -> Result<(), TryReserveError> {
        self.bytes.try_reserve(LONGEST_STEP + KEY)?;
        push_step(time.0.abs_diff(self.last.0), &mut self.bytes);
        self.bytes.extend_from_slice(key);
        self.last = *time;
        self.trips += 1;
        Ok(())
    }

    /// The block of sorted claims; None without any.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn of(claims: &[Claim]) -> Result<Option<Self>, TryReserveError> {
        let Some((first, rest)) = claims.split_first() else { return Ok(None) };
        let mut block = Self::begin(first, claims.len())?;
        rest.iter().try_for_each(|claim| block.push(claim))?;
        Ok(Some(block))
    }

    /// Its claims.
    ///
    /// # Errors
    /// When the bytes are not those of a block with this first time and this number of trips.
    pub fn claims(&self) -> Result<Vec<Claim>, DamagedClaims> {
        decode(self.first, self.trips, &self.bytes)
    }
}

/// Decodes a block. The memory is that of its bytes at most, whatever the number of trips says.
///
/// # Errors
/// When the bytes are not those of a block with this first time and this number of trips; also when there is no memory.
pub fn decode(first: Timestamp, trips: u32, bytes: &[u8]) -> Result<Vec<Claim>, DamagedClaims> {
    let (&version, mut rest) = bytes.split_first().ok_or(DamagedClaims)?;
    let trips = usize::try_from(trips).map_err(|_| DamagedClaims)?;
    if version != VERSION || trips == 0 || rest.len() / (1 + KEY) < trips {
        return Err(DamagedClaims);
    }
    let mut claims = Vec::new();
    claims.try_reserve_exact(trips).map_err(|_| DamagedClaims)?;
    let mut time = first.0;
    for _ in 0..trips {
        let step = take_step(&mut rest)?;
        time = time.checked_add_unsigned(step).ok_or(DamagedClaims)?;
        let (key, after) = rest.split_first_chunk::<KEY>().ok_or(DamagedClaims)?;
        rest = after;
        claims.push((Timestamp(time), *key));
    }
    let is_sorted = claims.is_sorted() && claims.first().is_some_and(|claim| claim.0 == first);
    if rest.is_empty() && is_sorted { Ok(claims) } else { Err(DamagedClaims) }
}

/// Appends the microseconds between two times.
#[inline]
fn push_step(micros: u64, out: &mut Vec<u8>) {
    let is_whole = micros.is_multiple_of(SECOND);
    let number = if is_whole { micros / SECOND } else { micros };
    let more = |rest: u64| u8::from(rest > 0) << 7;
    let mut rest = number >> 6;
    out.push(u8::from(!is_whole) | (number & 0x3f).to_le_bytes()[0] << 1 | more(rest));
    while rest > 0 {
        let bits = (rest & 0x7f).to_le_bytes()[0];
        rest >>= 7;
        out.push(bits | more(rest));
    }
}

/// Takes the microseconds between two times from the beginning of the bytes. Each number has one form, so that a changed bit
/// is another number, or an error.
fn take_step(rest: &mut &[u8]) -> Result<u64, DamagedClaims> {
    let (&first, after) = rest.split_first().ok_or(DamagedClaims)?;
    *rest = after;
    let (mut number, mut has_more) = (u64::from(first >> 1 & 0x3f), first & 0x80 != 0);
    let mut shift = 6;
    while has_more {
        let (&byte, after) = rest.split_first().ok_or(DamagedClaims)?;
        *rest = after;
        let bits = u64::from(byte & 0x7f);
        if shift >= u64::BITS || bits.leading_zeros() < shift {
            return Err(DamagedClaims);
        }
        number |= bits << shift;
        has_more = byte & 0x80 != 0;
        if byte == 0 {
            return Err(DamagedClaims);
        }
        shift += 7;
    }
    match first & 1 {
        0 => number.checked_mul(SECOND).ok_or(DamagedClaims),
        _ if number.is_multiple_of(SECOND) => Err(DamagedClaims),
        _ => Ok(number),
    }
}

/// Claims of a load that are not written yet.
#[derive(Debug, Default)]
pub struct NewClaims {
    blocks: Vec<ClaimBlock>,
    bytes: usize,
}

impl NewClaims {
    /// Adds a trip of the history that the load has, too. The trips of a partition arrive sorted, and rarely between
    /// earlier ones: then a block begins.
    ///
    /// # Errors
    /// When there is no memory.
    #[inline]
    pub fn add(&mut self, time: Timestamp, key: &TripKey) -> Result<(), TryReserveError> {
        if let Some(block) = self.blocks.last_mut()
            && block.bytes.len() + LONGEST_STEP + KEY <= BYTES_OF_BLOCK
            && Self::is_after(block, time, key)
        {
            return block.push(&(time, *key));
        }
        self.blocks.try_reserve(1)?;
        self.blocks.push(ClaimBlock::begin(&(time, *key), TRIPS_OF_BLOCK)?);
        self.bytes += size_of::<ClaimBlock>() + BYTES_OF_BLOCK;
        Ok(())
    }

    fn is_after(block: &ClaimBlock, time: Timestamp, key: &TripKey) -> bool {
        block.last < time
            || block.last == time && block.bytes.last_chunk::<KEY>().is_some_and(|last| last <= key)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// Their approximate memory, bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes all of them.
    #[must_use]
    pub fn take(&mut self) -> Vec<ClaimBlock> {
        self.bytes = 0;
        std::mem::take(&mut self.blocks)
    }
}

#[cfg(test)]
mod tests;
