//! Checks the sizes that a page in a delta encoding declares, before it is decoded.
//!
//! The crate that decodes it allocates one number for each declared value.

use parquet::basic::Encoding;

use super::thrift::{Bad, Compact};

/// Limit of the values of a page in an encoding of lengths.
pub(super) const MAX_VALUES: u64 = 16 * 1024 * 1024;
/// Limit of the values of a block.
const MAX_BLOCK: u64 = 1 << 20;

/// The header of a stream of packed numbers.
struct Header {
    values_per_mini: u64,
    minis: u64,
    total: u64,
}

impl Header {
    fn read(from: &mut Compact<'_>, most: u64) -> Result<Self, Bad> {
        let (block, minis, total) = (from.varint()?, from.varint()?, from.varint()?);
        from.number()?;
        if block > MAX_BLOCK || minis == 0 || minis > block || !block.is_multiple_of(minis) {
            return Err(Bad::Damaged("the sizes of its blocks"));
        }
        if total > most {
            return Err(Bad::Damaged("it declares more values than its page has"));
        }
        Ok(Self { values_per_mini: block / minis, minis, total })
    }

    /// Skips the packed numbers.
    fn skip(&self, from: &mut Compact<'_>) -> Result<(), Bad> {
        let mut left = self.total.saturating_sub(1);
        while left > 0 {
            from.number()?;
            let widths = from.take(self.minis)?;
            for width in widths.iter().filter_map(|width| {
                let is_used = left > 0;
                left = left.saturating_sub(self.values_per_mini);
                is_used.then_some(u64::from(*width))
            }) {
                if width > 64 {
                    return Err(Bad::Damaged("the width of a number"));
                }
                from.take(width * self.values_per_mini / 8)?;
            }
        }
        Ok(())
    }
}

/// Checks the values of a page, which has at most this many.
pub(super) fn check(values: &[u8], encoding: Encoding, most: u64) -> Result<(), Bad> {
    let mut from = Compact::new(values);
    match encoding {
        Encoding::DELTA_BINARY_PACKED | Encoding::DELTA_LENGTH_BYTE_ARRAY => {
            Header::read(&mut from, most).map(|_| ())
        }
        Encoding::DELTA_BYTE_ARRAY => {
            Header::read(&mut from, most)?.skip(&mut from)?;
            Header::read(&mut from, most).map(|_| ())
        }
        _ => Ok(()),
    }
}

/// Bytes of memory that the crate needs for the lengths of such a page.
pub(super) fn memory(encoding: Encoding, values: u64) -> u64 {
    match encoding {
        Encoding::DELTA_LENGTH_BYTE_ARRAY => values * 4,
        Encoding::DELTA_BYTE_ARRAY => values * 8,
        _ => 0,
    }
}
