//! One page of an index.

use super::Uuid;
use crate::model::timestamp::Timestamp;
use crate::wire::page::{
    HEADER, PAGE_BYTES, POINTER, Page, RowPosition, block_bytes, line_pointer, tuple_of,
    write_header,
};

/// Bytes of the links, the level and the flags at its end.
const SPECIAL: usize = 16;

/// The flags of a page.
pub(super) const LEAF: u16 = 1 << 0;
pub(super) const ROOT: u16 = 1 << 1;
pub(super) const META: u16 = 1 << 3;

/// Bytes before the values of a tuple: a position (6 bytes), its size and flags (2 bytes).
const TUPLE_HEADER: usize = 8;
/// A time and a uuid.
const ENTRY: usize = TUPLE_HEADER + 8 + 16;
/// A time alone.
const TIME_ALONE: usize = TUPLE_HEADER + 8;
/// The flag of a tuple whose position is not that of a row, but of a page, with the number of its values.
const PIVOT: u16 = 0x2000;

/// A tuple of an index.
#[derive(Debug, Clone)]
pub(super) struct Tuple {
    bytes: [u8; ENTRY],
    length: usize,
}

impl Tuple {
    /// The entry of a row.
    #[inline]
    pub(super) fn of_entry(time: Timestamp, key: &Uuid, row: RowPosition) -> Self {
        let mut tuple = Self { bytes: [0; ENTRY], length: ENTRY };
        tuple.set_page_below(row.block);
        tuple.bytes[4..6].copy_from_slice(&row.offset.to_ne_bytes());
        tuple.set_info(0);
        tuple.bytes[8..16].copy_from_slice(&time.0.to_ne_bytes());
        tuple.bytes[16..].copy_from_slice(key);
        tuple
    }

    /// The least key of all.
    fn least() -> Self {
        let mut tuple = Self { bytes: [0; ENTRY], length: TUPLE_HEADER };
        tuple.set_values(0);
        tuple
    }

    fn read(bytes: &[u8]) -> Self {
        let mut tuple = Self { bytes: [0; ENTRY], length: bytes.len() };
        tuple.bytes[..bytes.len()].copy_from_slice(bytes);
        tuple
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.length
    }

    /// Sets the number of its page: of the row, or below it.
    #[inline]
    pub(super) fn set_page_below(&mut self, number: u32) {
        self.bytes[..4].copy_from_slice(&block_bytes(number));
    }

    fn set_info(&mut self, flags: u16) {
        let size = u16::try_from(self.length).unwrap_or(u16::MAX);
        self.bytes[6..8].copy_from_slice(&(size | flags).to_ne_bytes());
    }

    /// Sets the number of values of a key that is not of a row.
    fn set_values(&mut self, values: u16) {
        self.bytes[4..6].copy_from_slice(&values.to_ne_bytes());
        self.set_info(PIVOT);
    }

    /// The shortest key that is above `before` and not above this one.
    fn separator(mut self, before: &Self) -> Self {
        if self.bytes[8..16] == before.bytes[8..16] {
            self.set_values(2);
            return self;
        }
        self.length = TIME_ALONE;
        self.set_values(1);
        self
    }

    /// The same without a key.
    fn without_key(&self) -> Self {
        let mut tuple = Self { length: TUPLE_HEADER, ..self.clone() };
        tuple.set_values(0);
        tuple
    }
}

/// A page that is being filled.
#[derive(Debug)]
pub(super) struct PageBuilder {
    pub(super) number: u32,
    pub(super) flags: u16,
    /// The key that the level above has of this page.
    pub(super) least_key: Tuple,
    level: u32,
    before: u32,
    behind: u32,
    tuples: usize,
    /// Begin of the tuples.
    upper: usize,
    page: Box<Page>,
}

impl PageBuilder {
    /// The first page of a level.
    pub(super) fn new(number: u32, level: usize) -> Self {
        Self {
            number,
            flags: if level == 0 { LEAF } else { 0 },
            least_key: Tuple::least(),
            level: u32::try_from(level).unwrap_or(u32::MAX),
            before: super::NONE,
            behind: super::NONE,
            tuples: 0,
            upper: PAGE_BYTES - SPECIAL,
            page: Box::new([0; PAGE_BYTES]),
        }
    }

    /// The page behind one that is full. It begins with the last tuple of that page, whose high key is known.
    pub(super) fn behind(full: &mut Self, number: u32, first: &Tuple) -> Self {
        full.behind = number;
        let mut next = Self::new(number, full.level as usize);
        next.before = full.number;
        next.least_key = full.high_key();
        next.push(first);
        next
    }

    /// Number of its tuples, without the high key.
    pub(super) fn tuples(&self) -> usize {
        self.tuples
    }

    /// The free bytes for a tuple and its line pointer, without the line pointer.
    pub(super) fn free(&self) -> usize {
        (self.upper - self.lower()).saturating_sub(POINTER)
    }

    /// End of the line pointers; the first is of the high key.
    fn lower(&self) -> usize {
        HEADER + POINTER * (1 + self.tuples)
    }

    /// Adds a tuple. The first one of an inner page has no key.
    #[inline]
    pub(super) fn push(&mut self, tuple: &Tuple) {
        let short;
        let tuple = if self.level > 0 && self.tuples == 0 {
            short = tuple.without_key();
            &short
        } else {
            tuple
        };
        self.upper -= tuple.length;
        self.page[self.upper..][..tuple.length].copy_from_slice(&tuple.bytes[..tuple.length]);
        self.tuples += 1;
        self.point(self.tuples, tuple.length);
    }

    /// Lets a line pointer, from 0, have the last tuple.
    fn point(&mut self, pointer: usize, length: usize) {
        self.page[HEADER + POINTER * pointer..][..POINTER]
            .copy_from_slice(&line_pointer(self.upper, length));
    }

    fn tuple(&self, pointer: usize) -> Tuple {
        let mut bytes = [0; POINTER];
        bytes.copy_from_slice(&self.page[HEADER + POINTER * pointer..][..POINTER]);
        let (begin, length) = tuple_of(bytes).unwrap_or_default();
        Tuple::read(&self.page[begin..][..length])
    }

    fn high_key(&self) -> Tuple {
        self.tuple(0)
    }

    /// The last tuple, or what distinguishes it from the one before, becomes the high key. Returns the tuple.
    pub(super) fn take_last_as_high_key(&mut self) -> Tuple {
        let last = self.tuple(self.tuples);
        let high = match self.level {
            0 => last.clone().separator(&self.tuple(self.tuples - 1)),
            _ => last.clone(),
        };
        let begin = HEADER + POINTER * self.tuples;
        self.page[begin..begin + POINTER].fill(0);
        self.page[self.upper..][..last.length].fill(0);
        self.tuples -= 1;
        self.upper += last.length - high.length;
        self.page[self.upper..][..high.length].copy_from_slice(&high.bytes[..high.length]);
        self.point(0, high.length);
        last
    }

    /// Its bytes, if it is not the last one of its level.
    pub(super) fn end(&mut self) -> &Page {
        self.finish(self.lower())
    }

    /// Its bytes as the last page of its level: without a high key.
    pub(super) fn end_as_last(&mut self) -> &Page {
        let first = HEADER + POINTER;
        let end = self.lower();
        self.page.copy_within(first..end, HEADER);
        self.page[end - POINTER..end].fill(0);
        self.finish(end - POINTER)
    }

    fn finish(&mut self, lower: usize) -> &Page {
        write_header(&mut self.page, lower, self.upper, PAGE_BYTES - SPECIAL);
        write_special(&mut self.page, [self.before, self.behind, self.level], self.flags);
        &self.page
    }
}

/// Writes the pages before and behind, the level, and the flags.
fn write_special(page: &mut Page, numbers: [u32; 3], flags: u16) {
    for (at, number) in (PAGE_BYTES - SPECIAL..).step_by(4).zip(numbers) {
        page[at..at + 4].copy_from_slice(&number.to_ne_bytes());
    }
    page[PAGE_BYTES - 4..PAGE_BYTES - 2].copy_from_slice(&flags.to_ne_bytes());
}

/// The page that names the root, and its level.
pub(super) fn meta(root: u32, level: u32) -> Page {
    /// What identifies the index, and the version of its layout.
    const MAGIC: [u32; 2] = [0x05_3162, 4];
    /// End of what the page has.
    const END: usize = HEADER + 48;
    let mut page = [0; PAGE_BYTES];
    let [magic, version] = MAGIC;
    // The root is also the page where searches begin. No page was deleted.
    let numbers = [magic, version, root, level, root, level, 0];
    for (at, number) in (HEADER..).step_by(4).zip(numbers) {
        page[at..at + 4].copy_from_slice(&number.to_ne_bytes());
    }
    // The number of rows at the last VACUUM, which there was not; and whether equal values have equal bytes.
    page[HEADER + 32..HEADER + 40].copy_from_slice(&(-1.0_f64).to_ne_bytes());
    page[HEADER + 40] = 1;
    write_header(&mut page, END, PAGE_BYTES - SPECIAL, PAGE_BYTES - SPECIAL);
    write_special(&mut page, [super::NONE, super::NONE, 0], META);
    page
}
