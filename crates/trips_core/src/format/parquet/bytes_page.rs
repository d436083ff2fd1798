//! Values of bytes, decoded where they are: in their page, or in that of the dictionary.
//!
//! The crate makes a counted reference to the page for each value. Here a value is two numbers.

use parquet::basic::{Encoding, Type};
use parquet::column::page::Page;

use super::hybrid::Hybrid;
use super::thrift::Bad;

/// Where a value is in a page, which has less than 2 GiB.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: u32,
    pub(super) end: u32,
}

impl Span {
    pub(super) fn len(self) -> usize {
        (self.end - self.start) as usize
    }

    /// The bytes of the value.
    #[inline]
    pub(super) fn of(self, page: &[u8]) -> Option<&[u8]> {
        page.get(self.start as usize..self.end as usize)
    }

    /// The same value, where the page begins so many bytes later. The number may have wrapped.
    #[inline]
    pub(super) fn moved(self, by: u32) -> Self {
        Self { start: self.start.wrapping_add(by), end: self.end.wrapping_add(by) }
    }
}

/// The values of a dictionary.
#[derive(Debug, Default)]
pub(super) struct Dictionary {
    pub(super) page: Vec<u8>,
    spans: Vec<Span>,
}

impl Dictionary {
    pub(super) fn new(page: Vec<u8>, values: usize) -> Result<Self, Bad> {
        let mut spans = Vec::with_capacity(values);
        plain(&page, &mut 0, values, &mut spans)?;
        Ok(Self { page, spans })
    }
}

/// A data page whose values are decoded here.
#[derive(Debug)]
pub(super) struct BytesPage {
    page: Page,
    /// The levels, and that of a value that is not NULL.
    levels: Option<(Hybrid, u32)>,
    values: Encoded,
    /// Limit of the values that are not NULL.
    left: usize,
}

#[derive(Debug)]
enum Encoded {
    /// Each has its length before it. The next one begins at this byte.
    Plain(usize),
    /// The numbers of values of the dictionary.
    Numbers(Hybrid),
}

/// Some decoded rows.
#[derive(Debug, Default)]
pub(super) struct Spans {
    /// The values that are not NULL.
    pub(super) values: Vec<Span>,
    numbers: Vec<u32>,
}

/// Whether the values of such pages are decoded here.
pub(super) fn is_read(physical: Type, encoding: Encoding) -> bool {
    physical == Type::BYTE_ARRAY && matches!(encoding, Encoding::PLAIN | Encoding::RLE_DICTIONARY)
}

impl BytesPage {
    /// A page of a column whose greatest level is this one.
    pub(super) fn new(page: Page, max_level: i16) -> Result<Self, Bad> {
        let bytes = page.buffer();
        let (levels, left) = match &page {
            Page::DataPageV2 { def_levels_byte_len, rep_levels_byte_len, num_nulls, .. } => {
                let start = *rep_levels_byte_len as usize;
                let left = page.num_values().saturating_sub(*num_nulls);
                (start..start.saturating_add(*def_levels_byte_len as usize), left)
            }
            _ if max_level > 0 => {
                let length = bytes.first_chunk::<4>().ok_or(Bad::Short)?;
                let length = u32::from_le_bytes(*length) as usize;
                (4..length.saturating_add(4), page.num_values())
            }
            _ => (0..0, page.num_values()),
        };
        let values = levels.end;
        if values > bytes.len() {
            return Err(Bad::Short);
        }
        let max = u16::try_from(max_level).unwrap_or(0);
        let width = u8::try_from(u16::BITS - max.leading_zeros()).unwrap_or(u8::MAX);
        let levels = if max > 0 { Some((Hybrid::new(levels, width)?, max.into())) } else { None };
        let values = match page.encoding() {
            Encoding::PLAIN => Encoded::Plain(values),
            _ => {
                let width = *bytes.get(values).ok_or(Bad::Short)?;
                Encoded::Numbers(Hybrid::new(values + 1..bytes.len(), width)?)
            }
        };
        Ok(Self { page, levels, values, left: left as usize })
    }

    /// The bytes in which its values are.
    pub(super) fn source<'p>(&'p self, dictionary: &'p Dictionary) -> &'p [u8] {
        match &self.values {
            Encoded::Plain(_) => self.page.buffer(),
            Encoded::Numbers(_) => &dictionary.page,
        }
    }

    /// Whether its values are those of the dictionary.
    pub(super) fn has_numbers(&self) -> bool {
        matches!(self.values, Encoded::Numbers(_))
    }

    /// Decodes the next rows. `levels` gets their levels if a value is NULL.
    pub(super) fn read(
        &mut self,
        rows: usize,
        dictionary: &Dictionary,
        levels: &mut Vec<i16>,
        out: &mut Spans,
    ) -> Result<(), Bad> {
        let page = self.page.buffer();
        out.values.clear();
        out.numbers.clear();
        out.numbers.resize(rows, 0);
        let mut count = rows;
        if let Some((numbers, max)) = &mut self.levels {
            numbers.read(page, &mut out.numbers)?;
            count = out.numbers.iter().filter(|level| *level == max).count();
            if count < rows {
                let level = |level: &u32| i16::try_from(*level).unwrap_or(i16::MAX);
                levels.extend(out.numbers.iter().map(level));
            }
        }
        self.left = self.left.checked_sub(count).ok_or(Bad::Damaged("the number of its NULLs"))?;
        match &mut self.values {
            Encoded::Plain(at) => plain(page, at, count, &mut out.values),
            Encoded::Numbers(numbers) => {
                out.numbers.truncate(count);
                numbers.read(page, &mut out.numbers)?;
                out.values.reserve(count);
                for number in &out.numbers {
                    let span = dictionary.spans.get(*number as usize);
                    let span =
                        span.ok_or(Bad::Damaged("the number of a value of the dictionary"))?;
                    out.values.push(*span);
                }
                Ok(())
            }
        }
    }
}

/// Finds values that have their length before them, from a byte on.
fn plain(page: &[u8], at: &mut usize, count: usize, out: &mut Vec<Span>) -> Result<(), Bad> {
    out.reserve(count);
    let size = u32::try_from(page.len()).unwrap_or(u32::MAX);
    let mut next = u32::try_from(*at).map_err(|_| Bad::Short)?;
    for _ in 0..count {
        let rest = page.get(next as usize..).unwrap_or_default();
        let length = u32::from_le_bytes(*rest.first_chunk::<4>().ok_or(Bad::Short)?);
        let start = next.saturating_add(4);
        next = start.checked_add(length).filter(|end| *end <= size).ok_or(Bad::Short)?;
        out.push(Span { start, end: next });
    }
    *at = next as usize;
    Ok(())
}
