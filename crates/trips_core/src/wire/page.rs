//! What pages of tables and of indexes have in common.
//!
//! ```text
//! header (24 bytes), line pointers (4 bytes each) | free | tuples, the last one first | special space of an index
//! ```

/// Bytes of a page.
pub const PAGE_BYTES: usize = 8192;
/// A page.
pub type Page = [u8; PAGE_BYTES];

/// Bytes of the header.
pub const HEADER: usize = 24;
/// Where the header has the end of the line pointers: a number of 2 bytes.
pub const LOWER: usize = 12;
/// Bytes of a line pointer.
pub const POINTER: usize = 4;
/// The version of the layout of pages, in the size of the page.
const LAYOUT: u16 = 4;
/// The state of a line pointer that has a tuple.
const NORMAL: u32 = 1;

/// The position of a row in its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowPosition {
    /// The number of its page.
    pub block: u32,
    /// The number of its line pointer, from 1.
    pub offset: u16,
}

/// The line pointer of a tuple that begins there, with this length; both are less than a page.
#[inline]
#[must_use]
pub(super) fn line_pointer(begin: usize, length: usize) -> [u8; POINTER] {
    let [begin, length] = [begin, length].map(|n| u32::try_from(n).unwrap_or(u32::MAX));
    (begin | NORMAL << 15 | length << 17).to_ne_bytes()
}

/// Where the tuple of a line pointer begins, and its length; None if it has no tuple.
///
/// ```
/// use trips_core::wire::page::tuple_of;
/// assert_eq!(tuple_of((8160 | 1 << 15 | 32_u32 << 17).to_ne_bytes()), Some((8160, 32)));
/// assert_eq!(tuple_of([0; 4]), None);
/// ```
#[inline]
#[must_use]
pub fn tuple_of(pointer: [u8; POINTER]) -> Option<(usize, usize)> {
    let bits = u32::from_ne_bytes(pointer);
    (bits >> 15 & 3 == NORMAL).then_some(((bits & 0x7fff) as usize, (bits >> 17) as usize))
}

/// The number of a page, as tuples have it: the upper half comes first, on every processor.
#[inline]
#[must_use]
pub(super) fn block_bytes(number: u32) -> [u8; 4] {
    let [a, b, c, d] = number.to_be_bytes();
    let [upper, lower] = [[a, b], [c, d]].map(|half| u16::from_be_bytes(half).to_ne_bytes());
    [upper[0], upper[1], lower[0], lower[1]]
}

/// Writes the header of a page, without its position in the WAL and its checksum: the end of the line pointers, the begin of
/// the tuples, and the begin of the special space.
pub(super) fn write_header(page: &mut Page, lower: usize, upper: usize, special: usize) {
    let [lower, upper, special, size] =
        [lower, upper, special, PAGE_BYTES].map(|n| u16::try_from(n).unwrap_or(u16::MAX));
    for (at, value) in (LOWER..).step_by(2).zip([lower, upper, special, size | LAYOUT]) {
        page[at..at + 2].copy_from_slice(&value.to_ne_bytes());
    }
}
