//! A page: points of one kind, bit by bit.
//!
//! ```text
//! kind  1 byte
//! count 2 bytes
//! for each coordinate that the kind has, and for the minute:
//!   least number 4 bytes, width in bits 1 byte
//! for each of them: the numbers less the least one, in so many bits each
//! 8 bytes of nothing, so that 8 can be read from any point before them
//! ```
//!
//! Numbers of several bytes have their lowest byte first.

use super::grid::{GridPoint, PointKind};

const OVERHEAD: usize = 3 + 8;
const COLUMN_HEADER: usize = 5;

/// Bytes that are not a page or not a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("area index is damaged")]
pub struct Corrupt;

/// The least number and the width of each column: four coordinates and the minute.
pub(super) type Columns = [Option<(u32, u32)>; 5];

fn value(point: &GridPoint, column: usize) -> u32 {
    point.at.get(column).copied().unwrap_or(u32::from(point.minute))
}

fn columns(kind: PointKind, bounds: impl Fn(usize) -> (u32, u32)) -> Columns {
    let [a, b, c, d] = kind.columns();
    let mut columns = [None; 5];
    for (i, is_there) in [a, b, c, d, true].into_iter().enumerate() {
        if is_there {
            let (least, greatest) = bounds(i);
            columns[i] = Some((least, u32::BITS - (greatest - least).leading_zeros()));
        }
    }
    columns
}

/// The least and the greatest number of a column.
pub(super) fn bounds(points: &[GridPoint], column: usize) -> (u32, u32) {
    points
        .iter()
        .map(|point| value(point, column))
        .fold((u32::MAX, 0), |(least, greatest), v| (least.min(v), greatest.max(v)))
}

/// The columns of points of one kind.
pub(super) fn columns_of(points: &[GridPoint]) -> Columns {
    columns(points[0].kind, |column| bounds(points, column))
}

/// Bytes of a page with this many points.
pub(super) fn size(columns: &Columns, count: usize) -> usize {
    let of_column = |(_, width): &(u32, u32)| COLUMN_HEADER + (count * *width as usize).div_ceil(8);
    OVERHEAD + columns.iter().flatten().map(of_column).sum::<usize>()
}

/// The most points with these columns that fit this many bytes.
pub(super) fn fitting(columns: &Columns, bytes: usize) -> usize {
    let columns = columns.iter().flatten();
    // Each column may end with a partial byte.
    let (overhead, width) = columns.fold((OVERHEAD, 0), |(overhead, width), (_, bits)| {
        (overhead + COLUMN_HEADER + 1, width + *bits as usize)
    });
    ((bytes - overhead) * 8).checked_div(width).unwrap_or(usize::MAX)
}

/// Writes points of one kind, of which there is at least one.
pub(super) fn encode(points: &[GridPoint], columns: &Columns) -> Vec<u8> {
    let mut out = Vec::with_capacity(size(columns, points.len()));
    out.push(points[0].kind.number());
    out.extend_from_slice(&u16::try_from(points.len()).expect("a page is small").to_le_bytes());
    for &(least, width) in columns.iter().flatten() {
        out.extend_from_slice(&least.to_le_bytes());
        out.push(u8::try_from(width).expect("32 at most"));
    }
    for (i, column) in columns.iter().enumerate() {
        let &Some((least, width)) = column else { continue };
        let (mut bits, mut filled) = (0_u64, 0);
        for point in points {
            bits |= u64::from(value(point, i) - least) << filled;
            filled += width;
            if filled >= 32 {
                out.extend_from_slice(&bits.to_le_bytes()[..4]);
                bits >>= 32;
                filled -= 32;
            }
        }
        out.extend_from_slice(&bits.to_le_bytes()[..filled.div_ceil(8) as usize]);
    }
    out.extend_from_slice(&[0; 8]);
    out
}

/// The numbers of a page, column by column, in reused memory.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    pub(super) count: usize,
    /// Longitude and latitude of origin and destination, and the minute. Columns that the kind lacks are empty.
    pub(super) columns: [Vec<u32>; 5],
}

impl Numbers {
    /// Decodes the requested columns of a page; returns its kind. The others are empty.
    pub(super) fn read(&mut self, page: &[u8], wanted: [bool; 5]) -> Result<PointKind, Corrupt> {
        let (&[kind, low, high], mut rest) = page.split_first_chunk::<3>().ok_or(Corrupt)?;
        let kind = PointKind::of_number(kind).ok_or(Corrupt)?;
        self.count = usize::from(u16::from_le_bytes([low, high]));
        let [a, b, c, d] = kind.columns();
        let mut heads = [None; 5];
        for (head, is_there) in heads.iter_mut().zip([a, b, c, d, true]) {
            if is_there {
                let (&[a, b, c, d, width], behind) =
                    rest.split_first_chunk::<5>().ok_or(Corrupt)?;
                if width > 32 {
                    return Err(Corrupt);
                }
                *head = Some((u32::from_le_bytes([a, b, c, d]), usize::from(width)));
                rest = behind;
            }
        }
        for ((column, head), is_wanted) in self.columns.iter_mut().zip(heads).zip(wanted) {
            column.clear();
            let Some((least, width)) = head else { continue };
            let bytes = (self.count * width).div_ceil(8);
            if rest.len() < bytes + 8 {
                return Err(Corrupt);
            }
            if is_wanted {
                unpack(&rest[..bytes + 8], least, width, self.count, column);
            }
            rest = &rest[bytes..];
        }
        if rest.len() == 8 { Ok(kind) } else { Err(Corrupt) }
    }
}

fn unpack(bytes: &[u8], least: u32, width: usize, count: usize, out: &mut Vec<u32>) {
    let mask = (1_u64 << width) - 1;
    out.extend((0..count).map(|i| {
        let bit = i * width;
        let at = bit / 8;
        let word = bytes[at..at + 8].try_into().map_or(0, u64::from_le_bytes);
        let number = (word >> (bit % 8)) & mask;
        least.wrapping_add(u32::try_from(number).unwrap_or(0))
    }));
}

/// Appends the points of a page.
///
/// # Errors
/// When the bytes are not a page.
pub fn decode(page: &[u8], points: &mut Vec<GridPoint>) -> Result<(), Corrupt> {
    let mut numbers = Numbers::default();
    let kind = numbers.read(page, [true; 5])?;
    points.extend((0..numbers.count).map(|i| {
        let number = |column: usize| numbers.columns[column].get(i).copied().unwrap_or(0);
        GridPoint {
            kind,
            minute: u16::try_from(number(4)).unwrap_or(u16::MAX),
            at: [0, 1, 2, 3].map(number),
        }
    }));
    Ok(())
}
