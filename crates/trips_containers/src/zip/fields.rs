//! Numbers in records of zip.

use std::io;

use crate::error::ContainerError;
use crate::input::Input;
use crate::stream::cut;

/// What errors call the format.
pub(super) const ZIP: &str = "zip";

/// The fields of a record, one after another. A record that is too short has zeros: its size is checked before.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl Fields<'_> {
    fn next<const N: usize>(&mut self) -> [u8; N] {
        match self.0.split_first_chunk::<N>() {
            Some((field, rest)) => {
                self.0 = rest;
                *field
            }
            None => [0; N],
        }
    }

    pub(super) fn u16(&mut self) -> u16 {
        u16::from_le_bytes(self.next())
    }

    pub(super) fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.next())
    }

    pub(super) fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.next())
    }
}

/// The next record; an archive that ends within it is cut off.
pub(super) fn record<const N: usize>(input: &mut Input, what: &str) -> io::Result<[u8; N]> {
    match input.take::<N>()? {
        Some(bytes) => Ok(bytes),
        None => Err(cut(ZIP, input, what).into()),
    }
}

/// The next `size` bytes of a record.
pub(super) fn bytes_of(input: &mut Input, size: u16, what: &str) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(size.into());
    while bytes.len() < usize::from(size) {
        let next = input.fill()?;
        if next.is_empty() {
            return Err(cut(ZIP, input, what).into());
        }
        let count = next.len().min(usize::from(size) - bytes.len());
        bytes.extend_from_slice(&next[..count]);
        input.consume(count);
    }
    Ok(bytes)
}

/// The extra field with this number, if it is there.
pub(super) fn extra_field(mut extra: &[u8], wanted: u16) -> Option<&[u8]> {
    while let Some((&[a, b, c, d], rest)) = extra.split_first_chunk::<4>() {
        let (id, size) = (u16::from_le_bytes([a, b]), usize::from(u16::from_le_bytes([c, d])));
        let (field, next) = rest.split_at_checked(size)?;
        if id == wanted {
            return Some(field);
        }
        extra = next;
    }
    None
}

/// An error that says in which member it is.
pub(super) fn named(
    error: io::Error,
    name: impl FnOnce(ContainerError) -> ContainerError,
) -> io::Error {
    match error.downcast::<ContainerError>() {
        Ok(fault) => name(fault).into(),
        Err(error) => error,
    }
}
