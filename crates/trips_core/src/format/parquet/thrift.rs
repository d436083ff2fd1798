//! Thrift's compact protocol, as far as page headers need it, and a check of the footer before it is decoded.
//!
//! The crate that decodes the footer allocates by declared sizes. Here nothing is allocated: the check walks through
//! all bytes and refuses sizes that the bytes cannot have.

use super::fault::ParquetFault;

/// Limit of the elements of a list of the footer: row groups, columns.
pub(super) const MAX_LIST: u64 = 65_536;
/// Limit of the nesting of structs and lists, and of groups of the schema.
pub(super) const MAX_DEPTH: u32 = 64;

pub(super) const BOOL_TRUE: u8 = 1;
pub(super) const BOOL_FALSE: u8 = 2;
pub(super) const BYTE: u8 = 3;
const I16: u8 = 4;
pub(super) const I32: u8 = 5;
pub(super) const I64: u8 = 6;
const DOUBLE: u8 = 7;
pub(super) const BINARY: u8 = 8;
pub(super) const LIST: u8 = 9;
const SET: u8 = 10;
const MAP: u8 = 11;
pub(super) const STRUCT: u8 = 12;
const UUID: u8 = 13;

/// Why bytes are not a struct.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Bad {
    /// They end in it.
    Short,
    /// They are damaged.
    Damaged(&'static str),
    /// A list is longer than [`MAX_LIST`].
    Long(u64),
    /// They say that columns are encrypted.
    Encrypted,
}

impl Bad {
    /// The fault of `what`.
    pub(super) fn fault(self, what: &str) -> ParquetFault {
        match self {
            Self::Short => ParquetFault::damaged(format!("{what} ends too early")),
            Self::Damaged(reason) => ParquetFault::damaged(format!("{what} is damaged: {reason}")),
            Self::Long(found) => ParquetFault::limit(format!(
                "{what} has a list of {found} elements; the limit is {MAX_LIST}"
            )),
            Self::Encrypted => ParquetFault::unsupported("columns of the file are encrypted"),
        }
    }
}

/// Reads values one after the other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Compact<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Compact<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The number of bytes that were read.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    fn byte(&mut self) -> Result<u8, Bad> {
        let byte = *self.bytes.get(self.at).ok_or(Bad::Short)?;
        self.at += 1;
        Ok(byte)
    }

    pub(super) fn varint(&mut self) -> Result<u64, Bad> {
        let mut value = 0_u64;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Bad::Damaged("a number is too long"))
    }

    /// A signed number.
    #[expect(clippy::cast_possible_wrap, reason = "the bits of a zigzag number")]
    pub(super) fn number(&mut self) -> Result<i64, Bad> {
        let value = self.varint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    pub(super) fn take(&mut self, count: u64) -> Result<&'a [u8], Bad> {
        let count = usize::try_from(count).ok().filter(|count| *count <= self.left());
        let count = count.ok_or(Bad::Short)?;
        let taken = &self.bytes[self.at..self.at + count];
        self.at += count;
        Ok(taken)
    }

    /// The id and the type of the next field of a struct; None at its end. `last` is the id before.
    pub(super) fn field(&mut self, last: &mut i16) -> Result<Option<(i16, u8)>, Bad> {
        let header = self.byte()?;
        if header == 0 {
            return Ok(None);
        }
        let delta = i16::from(header >> 4);
        let id = match delta {
            0 => self.number()?.try_into().map_err(|_| Bad::Damaged("the id of a field"))?,
            _ => last.checked_add(delta).ok_or(Bad::Damaged("the id of a field"))?,
        };
        *last = id;
        Ok(Some((id, header & 0xf)))
    }

    /// The number of elements of a list, and their type.
    pub(super) fn list(&mut self) -> Result<(u64, u8), Bad> {
        let header = self.byte()?;
        let size = match header >> 4 {
            15 => self.varint()?,
            size => u64::from(size),
        };
        if size > self.left() as u64 {
            return Err(Bad::Short);
        }
        if size > MAX_LIST {
            return Err(Bad::Long(size));
        }
        Ok((size, header & 0xf))
    }

    /// Skips a value. A boolean of a list takes a byte, that of a field none.
    pub(super) fn skip(&mut self, kind: u8, depth: u32, is_element: bool) -> Result<(), Bad> {
        if depth > MAX_DEPTH {
            return Err(Bad::Damaged("it is nested too deeply"));
        }
        match kind {
            BOOL_TRUE | BOOL_FALSE if is_element => self.byte().map(|_| ()),
            BOOL_TRUE | BOOL_FALSE => Ok(()),
            BYTE => self.byte().map(|_| ()),
            I16 | I32 | I64 => self.varint().map(|_| ()),
            DOUBLE => self.take(8).map(|_| ()),
            UUID => self.take(16).map(|_| ()),
            BINARY => {
                let size = self.varint()?;
                self.take(size).map(|_| ())
            }
            LIST | SET => {
                let (size, kind) = self.list()?;
                (0..size).try_for_each(|_| self.skip(kind, depth + 1, true))
            }
            MAP => {
                let size = self.varint()?;
                if size == 0 {
                    return Ok(());
                }
                let kinds = self.byte()?;
                if size > self.left() as u64 {
                    return Err(Bad::Short);
                }
                (0..size).try_for_each(|_| {
                    self.skip(kinds >> 4, depth + 1, true)?;
                    self.skip(kinds & 0xf, depth + 1, true)
                })
            }
            STRUCT => self.structure(depth, |_, this, kind| this.skip(kind, depth + 1, false)),
            _ => Err(Bad::Damaged("the type of a field")),
        }
    }

    /// Calls `each` for every field of a struct: it reads or skips the value.
    pub(super) fn structure(
        &mut self,
        depth: u32,
        mut each: impl FnMut(i16, &mut Self, u8) -> Result<(), Bad>,
    ) -> Result<(), Bad> {
        if depth > MAX_DEPTH {
            return Err(Bad::Damaged("it is nested too deeply"));
        }
        let mut last = 0;
        while let Some((id, kind)) = self.field(&mut last)? {
            each(id, self, kind)?;
        }
        Ok(())
    }

    /// A number of a field of this type, or nothing if it has another one, which is skipped.
    pub(super) fn number_of(&mut self, kind: u8) -> Result<Option<i64>, Bad> {
        match kind {
            I16 | I32 | I64 => self.number().map(Some),
            _ => self.skip(kind, 1, false).map(|()| None),
        }
    }
}

/// Whether a field of this type is a boolean that is true.
pub(super) fn is_true(kind: u8) -> bool {
    kind == BOOL_TRUE
}

/// Checks all sizes of a `FileMetaData`.
pub(super) fn check_footer(bytes: &[u8]) -> Result<(), Bad> {
    let mut footer = Compact::new(bytes);
    footer.structure(0, |id, footer, kind| match (id, kind) {
        (2, LIST) => check_schema(footer),
        // The algorithm of a footer that is not encrypted itself.
        (8, STRUCT) => Err(Bad::Encrypted),
        _ => footer.skip(kind, 1, false),
    })
}

/// Checks that the groups of a schema have all the columns that they declare, and are not nested too deeply.
fn check_schema(footer: &mut Compact<'_>) -> Result<(), Bad> {
    let (count, kind) = footer.list()?;
    if kind != STRUCT {
        return Err(Bad::Damaged("the schema"));
    }
    // The groups that the next element is in, and how many elements they lack.
    let mut open: Vec<u64> = Vec::new();
    for at in 0..count {
        if at > 0 && open.is_empty() {
            return Err(Bad::Damaged("the schema has two roots"));
        }
        let mut children = 0;
        footer.structure(1, |id, footer, kind| match id {
            5 => {
                children = footer.number_of(kind)?.unwrap_or(0);
                Ok(())
            }
            _ => footer.skip(kind, 2, false),
        })?;
        let children = u64::try_from(children).ok().filter(|children| *children < count);
        let children = children.ok_or(Bad::Damaged("the number of columns of a group"))?;
        if let Some(last) = open.last_mut() {
            *last -= 1;
        }
        if children > 0 {
            open.push(children);
        }
        while open.last() == Some(&0) {
            open.pop();
        }
        if open.len() > MAX_DEPTH as usize {
            return Err(Bad::Damaged("the schema is nested too deeply"));
        }
    }
    if open.is_empty() { Ok(()) } else { Err(Bad::Damaged("the schema lacks columns")) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sizes_that_the_bytes_cannot_have_are_refused() {
        // Field 4, a list of 2^31 structs.
        let list = [0x49, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x07];
        assert_eq!(check_footer(&list), Err(Bad::Short));
        // Field 2, a schema of one group with 7 columns.
        let schema = [0x29, 0x1c, 0x55, 14, 0, 0];
        assert!(matches!(check_footer(&schema), Err(Bad::Damaged(_))));
        let leaf = [0x29, 0x1c, 0, 0];
        assert_eq!(check_footer(&leaf), Ok(()));
        let mut long = vec![0x49, 0xf3];
        long.extend([0x81, 0x80, 0x04]);
        long.extend(vec![0; 70_000]);
        assert_eq!(check_footer(&long), Err(Bad::Long(65_537)));
    }

    #[test]
    fn deep_documents_are_refused() {
        assert!(matches!(check_footer(&[0x1c; 1000]), Err(Bad::Damaged(_))));
        let list_in_list = [0x19; 1000];
        assert!(check_footer(&list_in_list).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_checked(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = check_footer(&bytes);
        }
    }
}
