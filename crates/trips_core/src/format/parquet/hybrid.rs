//! Numbers in runs and packed bits: the levels of a page, and the numbers of values of a dictionary.

use super::thrift::{Bad, Compact};

/// The greatest width of a number, bits.
const MAX_WIDTH: u8 = 32;

/// Numbers of a page, one after the other.
#[derive(Debug)]
pub(super) struct Hybrid {
    /// The byte of the page at which the next run begins.
    at: usize,
    /// The end of the numbers.
    end: usize,
    width: u8,
    run: Run,
}

/// The numbers that are left of a run.
#[derive(Debug)]
enum Run {
    /// One number, several times.
    Same { value: u32, left: u64 },
    /// Packed numbers. The next one begins at this bit of the page.
    Packed { bit: usize, left: u64 },
}

impl Hybrid {
    /// Numbers of this width in bits, which are from one to another byte of a page.
    pub(super) fn new(range: std::ops::Range<usize>, width: u8) -> Result<Self, Bad> {
        if width > MAX_WIDTH {
            return Err(Bad::Damaged("the width of a number"));
        }
        Ok(Self { at: range.start, end: range.end, width, run: Run::Same { value: 0, left: 0 } })
    }

    /// Fills `out` with the next numbers of the page.
    pub(super) fn read(&mut self, page: &[u8], out: &mut [u32]) -> Result<(), Bad> {
        let mut done = 0;
        while done < out.len() {
            let rest = &mut out[done..];
            let most = |left: u64| usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
            done += match &mut self.run {
                Run::Same { left: 0, .. } | Run::Packed { left: 0, .. } => {
                    self.next_run(page)?;
                    0
                }
                Run::Same { value, left } => {
                    let count = most(*left);
                    rest[..count].fill(*value);
                    *left -= count as u64;
                    count
                }
                Run::Packed { bit, left } => {
                    let count = most(*left);
                    unpack(page, *bit, self.width, &mut rest[..count]);
                    *bit += count * usize::from(self.width);
                    *left -= count as u64;
                    count
                }
            };
        }
        Ok(())
    }

    fn next_run(&mut self, page: &[u8]) -> Result<(), Bad> {
        let mut from = Compact::new(page.get(self.at..self.end).unwrap_or_default());
        let header = from.varint()?;
        let count = header >> 1;
        // Some writers fill the end of a page with zeros.
        if header == 0 {
            return Err(Bad::Short);
        }
        let width = u64::from(self.width);
        if header & 1 == 0 {
            let bytes = from.take(width.div_ceil(8))?;
            let value = bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte));
            let value = u32::try_from(value).ok().filter(|value| u64::from(*value) >> width == 0);
            let value = value.ok_or(Bad::Damaged("a number is wider than its width"))?;
            self.at += from.position();
            self.run = Run::Same { value, left: count };
            return Ok(());
        }
        // A run has groups of eight numbers. Some writers cut the last run.
        self.at += from.position();
        let bytes = count.saturating_mul(width).min((self.end - self.at) as u64);
        let numbers = count.saturating_mul(8);
        let left = (bytes * 8).checked_div(width).map_or(numbers, |left| left.min(numbers));
        self.run = Run::Packed { bit: self.at * 8, left };
        self.at += usize::try_from(bytes).map_err(|_| Bad::Short)?;
        Ok(())
    }
}

/// Reads packed numbers that begin at a bit of the page.
fn unpack(page: &[u8], mut bit: usize, width: u8, out: &mut [u32]) {
    let mask = u32::MAX.checked_shr(u32::from(MAX_WIDTH - width)).unwrap_or(0);
    for number in out {
        let rest = page.get(bit / 8..).unwrap_or_default();
        let word = match rest.first_chunk::<8>() {
            Some(word) => u64::from_le_bytes(*word),
            None => rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
        };
        let low = word >> (bit % 8) & u64::from(mask);
        *number = u32::try_from(low).unwrap_or(mask);
        bit += usize::from(width);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(page: &[u8], width: u8, steps: &[usize]) -> Result<Vec<u32>, Bad> {
        let mut numbers = Hybrid::new(0..page.len(), width)?;
        let mut all = Vec::new();
        for step in steps {
            let mut out = vec![u32::MAX; *step];
            numbers.read(page, &mut out)?;
            all.extend(out);
        }
        Ok(all)
    }

    #[test]
    fn runs_and_packed_numbers_follow_each_other() {
        // Three times 5; then eight numbers of three bits, 0 to 7.
        let page = [6, 5, 3, 0b1000_1000, 0b1100_0110, 0b1111_1010];
        let expected = vec![5, 5, 5, 0, 1, 2, 3, 4, 5, 6, 7];
        assert_eq!(read(&page, 3, &[11]), Ok(expected.clone()));
        assert_eq!(read(&page, 3, &[1, 4, 6]), Ok(expected));
        assert_eq!(read(&page, 3, &[12]), Err(Bad::Short));
        // The last run is cut after five numbers.
        assert_eq!(read(&page[..5], 3, &[8]), Ok(vec![5, 5, 5, 0, 1, 2, 3, 4]));
        assert_eq!(read(&page[..5], 3, &[9]), Err(Bad::Short));
    }

    #[test]
    fn widths_are_0_to_32() {
        assert_eq!(read(&[9, 5], 0, &[32]), Ok(vec![0; 32]));
        assert_eq!(read(&[4, 1, 2, 3, 4], 32, &[2]), Ok(vec![0x0403_0201; 2]));
        let packed = [&[3][..], &[0xff; 32]].concat();
        assert_eq!(read(&packed, 32, &[8]), Ok(vec![u32::MAX; 8]));
        assert!(matches!(read(&[], 33, &[]), Err(Bad::Damaged(_))));
        assert!(matches!(read(&[4, 8], 3, &[1]), Err(Bad::Damaged(_))));
    }

    #[test]
    fn empty_runs_and_zeros_end() {
        assert_eq!(read(&[1, 1, 1, 4, 1], 1, &[2]), Ok(vec![1, 1]));
        assert_eq!(read(&[4, 1, 0, 0], 1, &[3]), Err(Bad::Short));
        assert_eq!(read(&[0xff; 12], 1, &[3]).map_err(|bad| bad != Bad::Short), Err(true));
    }
}
