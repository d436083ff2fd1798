//! A copy of the footer that has the fields that are read, and no others.
//!
//! The crate that decodes the footer reads a known field whatever its type is, and takes a boolean of a list for no byte.
//! So it could find other sizes in the bytes than the check does, up to 2^31 elements that take no bytes.
//! In the copy, each field has its type, and no list has booleans.

use super::thrift::{
    BINARY, BOOL_FALSE, BOOL_TRUE, BYTE, Bad, Compact, I32, I64, LIST, MAX_DEPTH, STRUCT,
};

/// What a value must be.
#[derive(Debug)]
enum Shape {
    Bool,
    /// A number or text of this type of the protocol.
    Plain(u8),
    List(&'static Shape),
    /// A struct: its fields that are copied.
    Struct(&'static [(i16, Shape)]),
    /// A struct of one field. A field that is not here is copied without its own fields.
    Union(&'static [(i16, Shape)]),
}

const NUMBER: Shape = Shape::Plain(I32);
const LONG: Shape = Shape::Plain(I64);
const TEXT: Shape = Shape::Plain(BINARY);
/// Whether times are in UTC, and their unit.
const TIME: Shape = Shape::Struct(&[(1, Shape::Bool), (2, Shape::Union(&[]))]);
const LOGICAL_TYPE: Shape = Shape::Union(&[
    // A decimal: its scale and its precision.
    (5, Shape::Struct(&[(1, NUMBER), (2, NUMBER)])),
    (7, TIME),
    (8, TIME),
    // An integer: its bits, and whether it has a sign.
    (10, Shape::Struct(&[(1, Shape::Plain(BYTE)), (2, Shape::Bool)])),
]);
/// Type, length, repetition, name, number of children, converted type, scale, precision, id, logical type.
const SCHEMA_ELEMENT: Shape = Shape::Struct(&[
    (1, NUMBER),
    (2, NUMBER),
    (3, NUMBER),
    (4, TEXT),
    (5, NUMBER),
    (6, NUMBER),
    (7, NUMBER),
    (8, NUMBER),
    (9, NUMBER),
    (10, LOGICAL_TYPE),
]);
/// Type, encodings, path, codec, numbers of values and bytes, offsets of the first data page and of the dictionary.
const COLUMN: Shape = Shape::Struct(&[
    (1, NUMBER),
    (2, Shape::List(&NUMBER)),
    (3, Shape::List(&TEXT)),
    (4, NUMBER),
    (5, LONG),
    (6, LONG),
    (7, LONG),
    (9, LONG),
    (11, LONG),
]);
const COLUMN_CHUNK: Shape = Shape::Struct(&[(1, TEXT), (2, LONG), (3, COLUMN)]);
/// Column chunks, bytes, rows.
const ROW_GROUP: Shape = Shape::Struct(&[(1, Shape::List(&COLUMN_CHUNK)), (2, LONG), (3, LONG)]);
/// Version, schema, rows, row groups.
const FOOTER: &[(i16, Shape)] =
    &[(1, NUMBER), (2, Shape::List(&SCHEMA_ELEMENT)), (3, LONG), (4, Shape::List(&ROW_GROUP))];

/// Copies a `FileMetaData`.
pub(super) fn copy(footer: &[u8]) -> Result<Vec<u8>, Bad> {
    let mut copy = Vec::new();
    Copy { footer, from: Compact::new(footer), copy: &mut copy }.fields((FOOTER, false), 0)?;
    Ok(copy)
}

struct Copy<'a> {
    footer: &'a [u8],
    from: Compact<'a>,
    copy: &'a mut Vec<u8>,
}

impl Copy<'_> {
    /// Copies the fields of a struct, and its end.
    fn fields(
        &mut self,
        (shapes, is_union): (&'static [(i16, Shape)], bool),
        depth: u32,
    ) -> Result<(), Bad> {
        let (mut last, mut last_copied) = (0, 0);
        while let Some((id, kind)) = self.from.field(&mut last)? {
            let shape = shapes.iter().find(|(of, _)| *of == id).map(|(_, shape)| shape);
            if shape.is_none() && !(is_union && kind == STRUCT) {
                self.from.skip(kind, depth + 1, false)?;
                continue;
            }
            match id.checked_sub(last_copied) {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "1 to 15"
                )]
                Some(delta @ 1..=15) => self.copy.push((delta as u8) << 4 | kind),
                _ => {
                    self.copy.push(kind);
                    self.varint(((i64::from(id) << 1) ^ (i64::from(id) >> 63)).unsigned_abs());
                }
            }
            last_copied = id;
            match shape {
                Some(shape) => self.value(shape, kind, depth + 1)?,
                None => {
                    self.from.skip(kind, depth + 1, false)?;
                    self.copy.push(0);
                }
            }
        }
        self.copy.push(0);
        Ok(())
    }

    /// Copies a value of this type of the protocol.
    fn value(&mut self, shape: &'static Shape, kind: u8, depth: u32) -> Result<(), Bad> {
        if depth > MAX_DEPTH {
            return Err(Bad::Damaged("it is nested too deeply"));
        }
        match (shape, kind) {
            // The type of a field has the value.
            (Shape::Bool, BOOL_TRUE | BOOL_FALSE) => Ok(()),
            (Shape::Plain(of), _) if *of == kind => {
                let begin = self.from.position();
                self.from.skip(kind, depth, false)?;
                self.copy.extend_from_slice(&self.footer[begin..self.from.position()]);
                Ok(())
            }
            (Shape::List(of), LIST) => self.list(of, depth),
            (Shape::Struct(fields), STRUCT) => self.fields((fields, false), depth),
            (Shape::Union(fields), STRUCT) => self.fields((fields, true), depth),
            _ => Err(Bad::Damaged("the type of a field")),
        }
    }

    fn list(&mut self, of: &'static Shape, depth: u32) -> Result<(), Bad> {
        let (size, mut kind) = self.from.list()?;
        // Some writers give the elements of an empty list no type.
        if size == 0 {
            kind = of.kind();
        }
        match u8::try_from(size) {
            Ok(size @ 0..=14) => self.copy.push(size << 4 | kind),
            _ => {
                self.copy.push(0xf0 | kind);
                self.varint(size);
            }
        }
        (0..size).try_for_each(|_| self.value(of, kind, depth + 1))
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.copy.push(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        self.copy.push(value.to_le_bytes()[0]);
    }
}

impl Shape {
    /// Its type of the protocol.
    fn kind(&self) -> u8 {
        match self {
            Self::Bool => BOOL_TRUE,
            Self::Plain(kind) => *kind,
            Self::List(_) => LIST,
            Self::Struct(_) | Self::Union(_) => STRUCT,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::thrift::check_footer;
    use super::*;

    #[test]
    fn fields_that_are_not_read_are_not_copied() {
        // Version 2; field 5, a list of two booleans; field 6, a text; field 3, a number.
        let footer = [0x15, 4, 0x49, 0x21, 1, 2, 0x18, 1, b'x', 0x06, 6, 14, 0];
        assert_eq!(copy(&footer), Ok(vec![0x15, 4, 0x26, 14, 0]));
    }

    #[test]
    fn a_field_of_another_type_is_refused() {
        // Field 4 as a number: the row groups.
        assert_eq!(copy(&[0x46, 2, 0]), Err(Bad::Damaged("the type of a field")));
        // Field 2, a list of numbers.
        assert_eq!(copy(&[0x29, 0x15, 2, 0]), Err(Bad::Damaged("the type of a field")));
    }

    #[test]
    fn a_logical_type_that_is_not_known_stays_one() {
        // An element with field 10, a union of field 77 with a number in it.
        let footer = [0x29, 0x1c, 0xac, 0x0c, 0x9a, 1, 0x15, 2, 0, 0, 0, 0];
        assert_eq!(copy(&footer), Ok(vec![0x29, 0x1c, 0xac, 0x0c, 0x9a, 1, 0, 0, 0, 0]));
    }

    proptest! {
        #[test]
        fn any_bytes_are_copied_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(copied) = copy(&bytes) {
                prop_assert!(copied.len() <= 3 * bytes.len());
                prop_assert_eq!(copy(&copied), Ok(copied.clone()));
                prop_assert!(check_footer(&bytes).is_err() || check_footer(&copied).is_ok());
            }
        }
    }
}
