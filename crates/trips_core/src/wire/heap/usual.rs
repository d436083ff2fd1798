//! The row of a trip of five columns with all values and short texts: most rows. Without a loop over its columns.

use super::{ALIGNED, Format, RowValues, SHORT_VALUE};

/// The columns of such a row: region, origin, destination, time, datasource, key, load.
pub(super) const FORMATS: [Format; 7] = [
    Format::Bytes,
    Format::Point,
    Format::Point,
    Format::Int8,
    Format::Bytes,
    Format::Uuid,
    Format::Int8,
];
/// Bytes of a length.
const LENGTH: usize = 4;
const POINT: u32 = 16;
const UUID: u32 = 16;
const INT8: u32 = 8;
/// Bytes of the points and the time, with and without their lengths.
const FIXED: usize = 3 * LENGTH + FIXED_VALUES;
const FIXED_VALUES: usize = 16 + 16 + 8;
/// Bytes of the key and the load with their lengths.
const END: usize = 2 * LENGTH + 16 + 8;
/// Texts of at most so many bytes are copied with the bytes behind them, which are written afterwards: so many are no call.
const BLOCK: usize = 16;
/// Bytes of the values at most, and a block.
const MOST: usize = 2 * (1 + SHORT_VALUE + ALIGNED) + FIXED_VALUES + 16 + ALIGNED + 8 + BLOCK;

impl RowValues {
    /// Reads a row with [`FORMATS`]; None if it is no usual one.
    #[inline]
    pub(super) fn read_usual(&mut self, row: &[u8]) -> Option<usize> {
        let (count, rest) = row.split_first_chunk::<2>()?;
        let (region_length, rest) = text(rest)?;
        let (fixed, rest) = rest.get(region_length..)?.split_first_chunk::<FIXED>()?;
        let (datasource_length, rest) = text(rest)?;
        let (end, rest) = rest.get(datasource_length..)?.split_first_chunk::<END>()?;
        let has_lengths = has_length(fixed, 0, POINT)
            & has_length(fixed, LENGTH + 16, POINT)
            & has_length(fixed, 2 * (LENGTH + 16), INT8)
            & has_length(end, 0, UUID)
            & has_length(end, LENGTH + 16, INT8);
        if !has_lengths || usize::from(u16::from_be_bytes(*count)) != FORMATS.len() {
            return None;
        }
        if self.values.len() < MOST {
            self.values.resize(MOST, 0);
        }
        let out = self.values.first_chunk_mut::<MOST>()?;
        let region = &row[2..];
        let points = put_text(out, 0, region, region_length)?.next_multiple_of(ALIGNED);
        let numbers = out.get_mut(points..)?.first_chunk_mut::<FIXED_VALUES>()?;
        for (to, from) in [(0, 4), (8, 12), (16, 24), (24, 32), (32, 44)] {
            numbers[to..to + 8].copy_from_slice(&swapped(fixed, from));
        }
        let datasource = points + FIXED_VALUES;
        let text = &row[2 + LENGTH + region_length + FIXED..];
        let key = put_text(out, datasource, text, datasource_length)?;
        let behind = out.get_mut(key..)?.first_chunk_mut::<{ 16 + ALIGNED }>()?;
        behind[..16].copy_from_slice(&end[LENGTH..LENGTH + 16]);
        behind[16..].fill(0);
        let load = (key + 16).next_multiple_of(ALIGNED);
        *out.get_mut(load..)?.first_chunk_mut()? = swapped(end, 2 * LENGTH + 16);
        self.length = load + 8;
        let begins = [0, points, points + 16, points + 32, datasource, key, load];
        for (to, begin) in self.begins.iter_mut().zip(begins) {
            *to = u32::try_from(begin).unwrap_or(u32::MAX);
        }
        (self.columns, self.nulls, self.has_variable) = (FORMATS.len(), 0, true);
        Some(row.len() - rest.len())
    }
}

/// The length of a text of one byte of header, and the bytes behind its length.
#[inline]
fn text(row: &[u8]) -> Option<(usize, &[u8])> {
    let (length, rest) = row.split_first_chunk()?;
    let length = u32::from_be_bytes(*length) as usize;
    (length <= SHORT_VALUE).then_some((length, rest))
}

#[inline]
fn has_length<const N: usize>(values: &[u8; N], at: usize, length: u32) -> bool {
    values[at..at + LENGTH] == length.to_be_bytes()
}

/// The eight bytes of a number, in the order of this processor.
#[inline]
fn swapped<const N: usize>(values: &[u8; N], at: usize) -> [u8; 8] {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&values[at..at + 8]);
    u64::from_be_bytes(bytes).to_ne_bytes()
}

/// Puts a text, which begins behind its length, behind a header of one byte, and zeros behind it up to the next value.
/// Returns the place behind the text.
#[inline]
fn put_text(out: &mut [u8; MOST], at: usize, text: &[u8], length: usize) -> Option<usize> {
    let text = text.get(LENGTH..)?;
    out[at] = u8::try_from((length + 1) << 1).unwrap_or(u8::MAX) | 1;
    let end = at + 1 + length;
    if length <= BLOCK {
        *out.get_mut(at + 1..)?.first_chunk_mut::<BLOCK>()? = *text.first_chunk()?;
    } else {
        out.get_mut(at + 1..end)?.copy_from_slice(text.get(..length)?);
    }
    *out.get_mut(end..)?.first_chunk_mut()? = [0; ALIGNED];
    Some(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::copy_binary::RowWriter;
    use crate::wire::heap::{HeapPage, Inserter, RowFormat};

    fn row(region: &[u8], datasource: Option<&[u8]>) -> Vec<u8> {
        let mut out = Vec::new();
        let point = |n: f64| [n.to_be_bytes(), (-n).to_be_bytes()].concat();
        RowWriter::row(&mut out, 7)
            .value(region)
            .value(&point(14.5))
            .value(&point(1.25))
            .int8(-7)
            .optional(datasource)
            .value(&[9; 16])
            .int8(1 << 40);
        out
    }

    /// Both ways of reading a row give the same bytes, whatever was read before.
    #[test]
    fn a_usual_row_is_read_as_any_other() {
        let format = RowFormat::of(FORMATS.to_vec());
        let (mut values, mut expected) = (RowValues::default(), RowValues::default());
        let text = [b'x'; 2 * SHORT_VALUE];
        let by = Inserter { xid: 700, command: 3 };
        for region in (0..=SHORT_VALUE + 1).rev() {
            for datasource in [0, 1, 7, 8, 15, 16, 17, 33, SHORT_VALUE, SHORT_VALUE + 1] {
                let mut bytes = row(&text[..region], Some(&text[..datasource]));
                let length = bytes.len();
                bytes.extend_from_slice(b"\0\x07 the next row");
                let is_usual = region.max(datasource) <= SHORT_VALUE;
                assert_eq!(values.read_usual(&bytes).is_some(), is_usual);
                assert_eq!(values.read(&bytes, &format), length);
                assert_eq!(expected.read_any(&bytes, &FORMATS), length);
                assert_eq!(values.values(), expected.values(), "{region} {datasource}");
                assert_eq!((values.number(3), values.number(6)), (Some(-7), Some(1 << 40)));
                assert_eq!(values.uuid(5), Some([9; 16]));
                let mut pages = [HeapPage::new(0), HeapPage::new(0)];
                let [a, b] = &mut pages;
                assert_eq!(a.add(&values, by), b.add(&expected, by));
                assert_eq!(a.end(), b.end());
            }
        }
    }

    #[test]
    fn other_rows_are_left_to_the_loop() {
        let mut values = RowValues::default();
        let good = row(b"Praha", Some(b"app"));
        assert_eq!(values.read_usual(&good), Some(good.len()));
        assert_eq!(values.read_usual(&row(b"Praha", None)), None);
        for cut in 0..good.len() {
            assert_eq!(values.read_usual(&good[..cut]), None, "{cut}");
        }
        // The number of columns, and the lengths of the fixed values.
        for at in [1, 14, 34, 54, 72, 92] {
            let mut other = good.clone();
            other[at] ^= 1;
            assert_eq!(values.read_usual(&other), None, "{at}");
        }
    }
}
