//! Objects and arrays: their header and entries.

use super::Stop;

/// Bits of an entry: the kind of its value.
pub(super) const KIND: u32 = 0x7000_0000;
pub(super) const STRING: u32 = 0x0000_0000;
pub(super) const NUMERIC: u32 = 0x1000_0000;
pub(super) const FALSE: u32 = 0x2000_0000;
pub(super) const TRUE: u32 = 0x3000_0000;
pub(super) const NULL: u32 = 0x4000_0000;
pub(super) const CONTAINER: u32 = 0x5000_0000;
/// The entry has the end of its bytes, not their length.
pub(super) const HAS_OFFSET: u32 = 0x8000_0000;
/// Bits of an entry: a length or an offset.
pub(super) const LENGTH: u32 = 0x0FFF_FFFF;
/// Bits of a header: the kind of the container, and its number of elements or pairs.
pub(super) const OBJECT: u32 = 0x2000_0000;
pub(super) const ARRAY: u32 = 0x4000_0000;
pub(super) const COUNT: u32 = 0x0FFF_FFFF;
/// One of this many entries has an offset.
const STRIDE: u32 = 32;

/// Appends zeros up to a multiple of 4 bytes.
pub(super) fn pad(base: usize, out: &mut Vec<u8>) {
    let length = out.len() - base;
    out.resize(base + length.next_multiple_of(4), 0);
}

/// A container whose entries are written one after the other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Container {
    /// Position of the next entry.
    at: usize,
    entries: u32,
    /// Bytes of all entries so far.
    total: usize,
}

impl Container {
    pub(super) fn object(out: &mut Vec<u8>, pairs: usize) -> Result<Self, Stop> {
        Self::begin(out, OBJECT, pairs, pairs * 2)
    }

    pub(super) fn array(out: &mut Vec<u8>, elements: usize) -> Result<Self, Stop> {
        Self::begin(out, ARRAY, elements, elements)
    }

    fn begin(out: &mut Vec<u8>, kind: u32, count: usize, entries: usize) -> Result<Self, Stop> {
        let count = u32::try_from(count).ok().filter(|&count| count <= COUNT);
        let header = kind | count.ok_or(Stop::TooLong)?;
        out.extend_from_slice(&header.to_ne_bytes());
        let at = out.len();
        out.resize(at + entries * 4, 0);
        Ok(Self { at, entries: 0, total: 0 })
    }

    /// The same container, this many bytes further in its vector.
    pub(super) fn moved(self, bytes: usize) -> Self {
        Self { at: self.at + bytes, ..self }
    }

    /// Writes the next entry: this many bytes have been appended for it.
    pub(super) fn entry(&mut self, out: &mut [u8], kind: u32, length: usize) -> Result<(), Stop> {
        self.total += length;
        let total = u32::try_from(self.total).ok().filter(|&total| total <= LENGTH);
        let total = total.ok_or(Stop::TooLong)?;
        let bits = if self.entries.is_multiple_of(STRIDE) {
            HAS_OFFSET | total
        } else {
            // It is at most the total.
            u32::try_from(length).map_err(|_| Stop::TooLong)?
        };
        if let Some(entry) = out.get_mut(self.at..self.at + 4) {
            entry.copy_from_slice(&(kind | bits).to_ne_bytes());
        }
        self.at += 4;
        self.entries += 1;
        Ok(())
    }
}
