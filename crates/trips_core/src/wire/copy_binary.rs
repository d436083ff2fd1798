//! PostgreSQL's binary format of COPY: rows written, and values read back.
//!
//! A row is the number of its columns (2 bytes), then each value behind its length (4 bytes; -1 for
//! NULL). All numbers are big-endian.

use std::collections::TryReserveError;

/// Appends rows to a vector.
#[derive(Debug)]
pub struct RowWriter<'a>(&'a mut Vec<u8>);

impl<'a> RowWriter<'a> {
    /// A writer of values alone: the number of columns is already written.
    pub fn values(out: &'a mut Vec<u8>) -> Self {
        Self(out)
    }

    /// Begins a row with this many columns.
    ///
    /// # Panics
    /// When there are over 32,767 columns.
    #[inline]
    pub fn row(out: &'a mut Vec<u8>, columns: usize) -> Self {
        let columns = i16::try_from(columns).expect("a table has at most 1,600 columns");
        out.extend_from_slice(&columns.to_be_bytes());
        Self(out)
    }

    /// Writes a value.
    ///
    /// # Panics
    /// When it is over 2 GiB.
    #[inline]
    pub fn value(&mut self, bytes: &[u8]) -> &mut Self {
        let length = i32::try_from(bytes.len()).expect("a value is under 2 GiB");
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(bytes);
        self
    }

    /// Writes a value that has several parts.
    ///
    /// # Panics
    /// When it is over 2 GiB.
    pub fn joined(&mut self, parts: &[&[u8]]) -> &mut Self {
        let length = parts.iter().map(|part| part.len()).sum::<usize>();
        let length = i32::try_from(length).expect("a value is under 2 GiB");
        self.0.extend_from_slice(&length.to_be_bytes());
        parts.iter().for_each(|part| self.0.extend_from_slice(part));
        self
    }

    /// Writes NULL.
    #[inline]
    pub fn null(&mut self) -> &mut Self {
        self.0.extend_from_slice(&(-1_i32).to_be_bytes());
        self
    }

    /// Writes a value, or NULL.
    #[inline]
    pub fn optional(&mut self, bytes: Option<&[u8]>) -> &mut Self {
        match bytes {
            Some(bytes) => self.value(bytes),
            None => self.null(),
        }
    }

    /// Writes a `bigint`.
    #[inline]
    pub fn int8(&mut self, number: i64) -> &mut Self {
        self.value(&number.to_be_bytes())
    }

    /// Writes values that are already encoded, each with its length.
    #[inline]
    pub fn encoded(&mut self, values: &[u8]) -> &mut Self {
        self.0.extend_from_slice(values);
        self
    }
}

/// Reads values from the beginning of some bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cursor<'a>(pub(crate) &'a [u8]);

impl<'a> Cursor<'a> {
    pub(crate) fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bytes(N)?.try_into().ok()
    }

    pub(crate) fn number(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    /// A value with its length; the inner `None` is NULL.
    #[inline]
    pub(crate) fn value(&mut self) -> Option<Option<&'a [u8]>> {
        match i32::from_be_bytes(self.array()?) {
            -1 => Some(None),
            length => self.bytes(usize::try_from(length).ok()?).map(Some),
        }
    }
}

/// Adjacent columns, encoded by this process.
///
/// # Panics
/// When the bytes have fewer values.
#[inline]
pub(crate) fn values_of<const N: usize>(encoded: &[u8]) -> [Option<&[u8]>; N] {
    let mut cursor = Cursor(encoded);
    std::array::from_fn(|_| cursor.value().expect("a row has all its values"))
}

/// A copy whose allocation may fail.
pub(crate) fn copy(bytes: &[u8]) -> Result<Vec<u8>, TryReserveError> {
    let mut copy = Vec::new();
    copy.try_reserve_exact(bytes.len())?;
    copy.extend_from_slice(bytes);
    Ok(copy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut out = Vec::new();
        RowWriter::row(&mut out, 3).value(b"ab").null().int8(-2);
        let mut cursor = Cursor(&out);
        assert_eq!(cursor.array(), Some(3_i16.to_be_bytes()));
        let last = (-2_i64).to_be_bytes();
        assert_eq!(values_of::<3>(cursor.0), [Some(&b"ab"[..]), None, Some(&last[..])]);
        assert_eq!(Cursor(&out[2..7]).value(), None, "cut short");
        assert_eq!(Cursor(&(-2_i32).to_be_bytes()).value(), None, "no length");
    }
}
