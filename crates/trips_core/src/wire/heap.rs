//! The pages of a table, as PostgreSQL's bulk insert fills them.
//!
//! ```text
//! page: header (24 bytes), line pointers (4 bytes each) | free | tuples, the last one first
//! tuple: xmin, xmax, cmin (4 bytes each), block and offset (6), columns, flags (2 each), offset of the values (1),
//!        the bits of the values that are not NULL if one is, then the values, each at its alignment
//! ```

mod usual;

use crate::wire::page::{
    HEADER, PAGE_BYTES, POINTER, Page, RowPosition, block_bytes, line_pointer, write_header,
};

/// Bytes of the header of a tuple.
const TUPLE_HEADER: usize = 23;
/// All tuples, and their values, begin at multiples of this many bytes.
const ALIGNED: usize = 8;
/// Where values begin at least in a tuple.
const LEAST_BEGIN: usize = TUPLE_HEADER.next_multiple_of(ALIGNED);
/// Flags of a tuple: it has NULLs, it has values of any length, and nobody has deleted it.
const HAS_NULL: u16 = 0x0001;
const HAS_VARIABLE: u16 = 0x0002;
const NOT_DELETED: u16 = 0x0800;
/// The longest value with a header of one byte.
const SHORT_VALUE: usize = 126;
/// PostgreSQL compresses, or stores elsewhere, values of longer tuples.
const LONGEST: usize = 2032;
/// The most columns.
const COLUMNS: usize = 64;

/// How a column's value lies in a row, by its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// text, or jsonb as PostgreSQL stores it: bytes of any number.
    Bytes,
    /// point: two float8.
    Point,
    /// int8 or timestamp: eight bytes.
    Int8,
    /// uuid: sixteen bytes.
    Uuid,
}

/// The transaction that stores tuples, and its command.
#[derive(Debug, Clone, Copy)]
pub struct Inserter {
    /// The number of the transaction.
    pub xid: u32,
    /// The number of the command.
    pub command: u32,
}

/// The columns of the rows of a table.
#[derive(Debug)]
pub struct RowFormat {
    columns: Vec<Format>,
    is_usual: bool,
}

impl RowFormat {
    /// Columns of these formats.
    ///
    /// # Panics
    /// When there are over 64.
    #[must_use]
    pub fn of(columns: Vec<Format>) -> Self {
        assert!(columns.len() <= COLUMNS, "a table has too many columns");
        Self { is_usual: columns == usual::FORMATS, columns }
    }

    /// The first column of this format.
    #[must_use]
    pub fn first(&self, format: Format) -> Option<usize> {
        self.columns.iter().position(|other| *other == format)
    }
}

/// The values of a row, as they lie in a tuple.
#[derive(Debug)]
pub struct RowValues {
    /// More bytes may follow.
    values: Vec<u8>,
    length: usize,
    /// Where the value of each column begins.
    begins: [u32; COLUMNS],
    columns: usize,
    nulls: u64,
    has_variable: bool,
}

impl Default for RowValues {
    fn default() -> Self {
        let (values, begins) = (Vec::new(), [0; COLUMNS]);
        Self { values, length: 0, begins, columns: 0, nulls: 0, has_variable: false }
    }
}

impl RowValues {
    /// Reads the values of a row of binary COPY, which has this format. Returns its length.
    ///
    /// # Panics
    /// When the bytes do not begin with such a row.
    #[inline]
    pub fn read(&mut self, row: &[u8], format: &RowFormat) -> usize {
        if format.is_usual
            && let Some(length) = self.read_usual(row)
        {
            return length;
        }
        self.read_any(row, &format.columns)
    }

    fn read_any(&mut self, row: &[u8], formats: &[Format]) -> usize {
        let (count, mut rest) = row.split_first_chunk().expect("a row has a number of columns");
        assert_eq!(usize::from(u16::from_be_bytes(*count)), formats.len(), "other columns");
        self.values.clear();
        (self.columns, self.nulls, self.has_variable) = (formats.len(), 0, false);
        for (column, format) in formats.iter().enumerate() {
            let (size, behind) = rest.split_first_chunk().expect("a value has a length");
            let Ok(size) = usize::try_from(i32::from_be_bytes(*size)) else {
                self.nulls |= 1 << column;
                rest = behind;
                continue;
            };
            let (value, behind) = behind.split_at(size);
            rest = behind;
            self.begins[column] = self.push(*format, value);
        }
        self.length = self.values.len();
        row.len() - rest.len()
    }

    #[inline]
    fn push(&mut self, format: Format, value: &[u8]) -> u32 {
        let begin = match format {
            Format::Bytes if value.len() <= SHORT_VALUE => self.values.len(),
            Format::Bytes => self.align(4),
            Format::Point | Format::Int8 => self.align(8),
            Format::Uuid => self.values.len(),
        };
        match format {
            Format::Bytes if value.len() <= SHORT_VALUE => {
                self.has_variable = true;
                self.values.push(u8::try_from((value.len() + 1) << 1).unwrap_or(u8::MAX) | 1);
                self.values.extend_from_slice(value);
            }
            Format::Bytes => {
                self.has_variable = true;
                let size = u32::try_from((value.len() + 4) << 2).expect("a value is under 1 GiB");
                self.values.extend_from_slice(&size.to_le_bytes());
                self.values.extend_from_slice(value);
            }
            Format::Point => {
                let (numbers, rest) = value.as_chunks::<8>();
                assert!(numbers.len() == 2 && rest.is_empty(), "a point has two numbers");
                for number in numbers {
                    self.values.extend_from_slice(&u64::from_be_bytes(*number).to_ne_bytes());
                }
            }
            Format::Int8 => {
                let number = value.try_into().expect("a number has 8 bytes");
                self.values.extend_from_slice(&u64::from_be_bytes(number).to_ne_bytes());
            }
            Format::Uuid => {
                assert_eq!(value.len(), 16, "a key has 16 bytes");
                self.values.extend_from_slice(value);
            }
        }
        u32::try_from(begin).unwrap_or(u32::MAX)
    }

    #[inline]
    fn align(&mut self, to: usize) -> usize {
        let length = self.values.len().next_multiple_of(to);
        self.values.resize(length, 0);
        length
    }

    /// The bytes of the value of a column that begin there.
    fn value<const N: usize>(&self, column: usize) -> Option<[u8; N]> {
        let begin = *self.begins.get(column).filter(|_| !self.is_null(column))?;
        self.values().get(begin as usize..)?.first_chunk().copied()
    }

    /// The number of a column of [`Format::Int8`], if it has one.
    #[must_use]
    pub fn number(&self, column: usize) -> Option<i64> {
        self.value(column).map(i64::from_ne_bytes)
    }

    /// The value of a column of [`Format::Uuid`], if it has one.
    #[must_use]
    pub fn uuid(&self, column: usize) -> Option<[u8; 16]> {
        self.value(column)
    }

    /// Whether a column has no value.
    #[must_use]
    pub fn is_null(&self, column: usize) -> bool {
        self.nulls >> column & 1 == 1
    }

    /// Whether the tuple is stored as it is.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.begin() + self.length <= LONGEST
    }

    fn values(&self) -> &[u8] {
        &self.values[..self.length]
    }

    /// Where the values begin in the tuple.
    fn begin(&self) -> usize {
        let bits = if self.nulls == 0 { 0 } else { self.columns.div_ceil(8) };
        (TUPLE_HEADER + bits).next_multiple_of(ALIGNED)
    }
}

/// A page that is being filled.
#[derive(Debug)]
pub struct HeapPage {
    page: Box<Page>,
    /// Its number.
    number: u32,
    tuples: u16,
    /// Begin of the tuples.
    upper: usize,
}

impl HeapPage {
    /// An empty page with this number.
    #[must_use]
    pub fn new(number: u32) -> Self {
        Self { page: Box::new([0; PAGE_BYTES]), number, tuples: 0, upper: PAGE_BYTES }
    }

    /// Whether it has no tuple.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tuples == 0
    }

    /// Its number.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Empties it, with the next number.
    pub fn restart(&mut self, number: u32) {
        self.page.fill(0);
        (self.number, self.tuples, self.upper) = (number, 0, PAGE_BYTES);
    }

    fn lower(&self) -> usize {
        HEADER + POINTER * usize::from(self.tuples)
    }

    /// Adds a tuple; None if it has no room. The row is plain.
    #[inline]
    pub fn add(&mut self, row: &RowValues, by: Inserter) -> Option<RowPosition> {
        let (begin, values) = (row.begin(), row.values());
        let length = begin + values.len();
        let upper = self.upper.checked_sub(length.next_multiple_of(ALIGNED))?;
        if upper < self.lower() + POINTER {
            return None;
        }
        let offset = self.tuples + 1;
        let columns = u16::try_from(row.columns).unwrap_or(u16::MAX);
        let nulls = if row.nulls == 0 { 0 } else { HAS_NULL };
        let flags = NOT_DELETED | nulls | if row.has_variable { HAS_VARIABLE } else { 0 };
        let mut header = [0; LEAST_BEGIN];
        header[..4].copy_from_slice(&by.xid.to_ne_bytes());
        header[8..12].copy_from_slice(&by.command.to_ne_bytes());
        header[12..16].copy_from_slice(&block_bytes(self.number));
        header[16..18].copy_from_slice(&offset.to_ne_bytes());
        header[18..20].copy_from_slice(&columns.to_ne_bytes());
        header[20..22].copy_from_slice(&flags.to_ne_bytes());
        header[22] = u8::try_from(begin).unwrap_or(u8::MAX);
        let tuple = &mut self.page[upper..][..length];
        tuple[..LEAST_BEGIN].copy_from_slice(&header);
        if row.nulls != 0 {
            let used = u64::MAX >> (COLUMNS - row.columns);
            let bits = (!row.nulls & used).to_le_bytes();
            let count = row.columns.div_ceil(8);
            tuple[TUPLE_HEADER..TUPLE_HEADER + count].copy_from_slice(&bits[..count]);
        }
        tuple[begin..].copy_from_slice(values);
        let pointer = self.lower();
        self.page[pointer..pointer + POINTER].copy_from_slice(&line_pointer(upper, length));
        (self.tuples, self.upper) = (offset, upper);
        Some(RowPosition { block: self.number, offset })
    }

    /// Its bytes, without its position in the WAL and its checksum.
    pub fn end(&mut self) -> &Page {
        let lower = self.lower();
        write_header(&mut self.page, lower, self.upper, PAGE_BYTES);
        &self.page
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::copy_binary::RowWriter;

    fn format() -> RowFormat {
        RowFormat::of(vec![Format::Bytes, Format::Point, Format::Uuid, Format::Int8])
    }

    fn row(text: Option<&[u8]>) -> Vec<u8> {
        let mut out = Vec::new();
        let point = [1.5_f64.to_be_bytes(), (-2.5_f64).to_be_bytes()].concat();
        RowWriter::row(&mut out, 4).optional(text).value(&point).value(&[7; 16]).int8(-3);
        out
    }

    #[test]
    fn values_lie_at_their_alignment() {
        let mut values = RowValues::default();
        let bytes = row(Some(b"Prague"));
        assert_eq!(values.read(&bytes, &format()), bytes.len());
        // The text with its header takes 7 bytes, the point begins at 8, the uuid behind it, the number at 40.
        assert_eq!(values.values().len(), 48);
        assert_eq!(values.values()[..8], *b"\x0fPrague\0");
        assert_eq!(values.values()[8..16], 1.5_f64.to_ne_bytes());
        assert_eq!(values.values()[24..40], [7; 16]);
        assert_eq!(values.values()[40..], (-3_i64).to_ne_bytes());
        assert_eq!((values.begin(), values.is_plain()), (24, true));
        assert_eq!((values.number(3), values.uuid(2)), (Some(-3), Some([7; 16])));
        let bytes = row(Some(&[b'x'; 127]));
        values.read(&bytes, &format());
        assert_eq!(values.values()[..4], (131_u32 << 2).to_le_bytes());
        values.read(&row(Some(&[b'x'; 3000])), &format());
        assert!(!values.is_plain());
    }

    #[test]
    fn a_page_is_filled() {
        let (mut values, mut page) = (RowValues::default(), HeapPage::new(0x0001_0002));
        let by = Inserter { xid: 700, command: 3 };
        values.read(&row(None), &format());
        assert!(values.is_null(0) && !values.is_null(1));
        let mut count = 0;
        while let Some(at) = page.add(&values, by) {
            count += 1;
            assert_eq!(at, RowPosition { block: 0x0001_0002, offset: count });
        }
        // 24 bytes of header and bits, 40 of values, and 4 of a line pointer.
        assert_eq!(usize::from(count), (PAGE_BYTES - 24) / 68);
        let bytes = page.end();
        let lower = u16::try_from(24 + 4 * usize::from(count)).unwrap();
        let upper = u16::try_from(PAGE_BYTES - 64 * usize::from(count)).unwrap();
        let header = [lower, upper, 8192, 8192 | 4].map(u16::to_ne_bytes).concat();
        assert_eq!(bytes[12..20], header);
        let first = &bytes[PAGE_BYTES - 64..];
        assert_eq!(first[..12], [700_u32.to_ne_bytes(), [0; 4], 3_u32.to_ne_bytes()].concat());
        assert_eq!(
            first[12..18],
            [1_u16.to_ne_bytes(), 2_u16.to_ne_bytes(), 1_u16.to_ne_bytes()].concat()
        );
        assert_eq!(first[18..24], [4, 0, 1, 8, 24, 0b1110]);
        page.restart(5);
        assert!(page.is_empty() && page.number() == 5);
    }
}
