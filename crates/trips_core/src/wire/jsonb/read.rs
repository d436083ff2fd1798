//! Details as JSON text: binary COPY wants it.

use std::collections::TryReserveError;

use super::container::{
    ARRAY, CONTAINER, COUNT, FALSE, HAS_OFFSET, KIND, LENGTH, NULL, NUMERIC, OBJECT, STRING, TRUE,
};
use super::numeric;

/// The version of the binary format of `jsonb`, which is before its text.
const COPY_VERSION: u8 = 1;
/// Bytes of the length of a value.
const LENGTH_LEN: usize = 4;
/// Deeper containers than a writer makes are refused.
const MAX_DEPTH: u32 = 66;

/// Appends the JSON text of details that a [`super::DetailsWriter`] wrote on this machine. Numbers keep their digits.
///
/// None if the bytes are not those of an object; then the text is incomplete.
pub fn text_of(details: &[u8], out: &mut Vec<u8>) -> Option<()> {
    container(details, 0, out)
}

/// Appends details as a value of binary COPY, with its length: the version of the format, and JSON text.
///
/// # Errors
/// When there is no memory.
///
/// # Panics
/// When the bytes are not details that a [`super::DetailsWriter`] wrote on this machine.
pub fn copy_value(details: &[u8], out: &mut Vec<u8>) -> Result<(), TryReserveError> {
    let begin = out.len();
    // A text repeats the bytes of the value; digits of numbers and escapes are longer.
    out.try_reserve(LENGTH_LEN + 1 + 8 * details.len())?;
    out.extend_from_slice(&[0; LENGTH_LEN]);
    out.push(COPY_VERSION);
    text_of(details, out).expect("details are an object");
    let length = i32::try_from(out.len() - begin - LENGTH_LEN).expect("details are short");
    out[begin..begin + LENGTH_LEN].copy_from_slice(&length.to_be_bytes());
    Ok(())
}

/// A container and the position of what is being read in it.
struct Cursor<'a> {
    bytes: &'a [u8],
    data: usize,
    entry: usize,
    end: usize,
}

impl<'a> Cursor<'a> {
    fn word(bytes: &[u8], at: usize) -> Option<u32> {
        bytes.get(at..)?.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes))
    }

    /// The next entry's kind and bytes, and how many bytes they are from a multiple of 4.
    fn next(&mut self) -> Option<(u32, &'a [u8], usize)> {
        let entry = Self::word(self.bytes, self.entry)?;
        self.entry += 4;
        let start = self.end;
        let bits = (entry & LENGTH) as usize;
        self.end = if entry & HAS_OFFSET == 0 { start.checked_add(bits)? } else { bits };
        let at = self.data + start;
        Some((entry & KIND, self.bytes.get(at..self.data + self.end)?, at % 4))
    }
}

fn container(bytes: &[u8], depth: u32, out: &mut Vec<u8>) -> Option<()> {
    let header = Cursor::word(bytes, 0)?;
    let count = (header & COUNT) as usize;
    let (is_object, entries) = match header & !COUNT {
        OBJECT => (true, count * 2),
        ARRAY => (false, count),
        _ => return None,
    };
    let data = 4 + entries * 4;
    if depth > MAX_DEPTH || bytes.len() < data {
        return None;
    }
    let mut values = Cursor { bytes, data, entry: 4, end: 0 };
    let mut keys = Cursor { bytes, data, entry: 4, end: 0 };
    if is_object {
        for _ in 0..count {
            values.next()?;
        }
    }
    out.push(if is_object { b'{' } else { b'[' });
    for i in 0..count {
        if i > 0 {
            out.extend_from_slice(b", ");
        }
        if is_object {
            quote(keys.next()?.1, out);
            out.extend_from_slice(b": ");
        }
        let (kind, bytes, past) = values.next()?;
        let aligned = || bytes.get((4 - past) % 4..);
        match kind {
            STRING => quote(bytes, out),
            NUMERIC => numeric::text_of(aligned()?.get(4..)?, out)?,
            FALSE => out.extend_from_slice(b"false"),
            TRUE => out.extend_from_slice(b"true"),
            NULL => out.extend_from_slice(b"null"),
            CONTAINER => container(aligned()?, depth + 1, out)?,
            _ => return None,
        }
    }
    out.push(if is_object { b'}' } else { b']' });
    Some(())
}

/// Appends a JSON string.
pub(super) fn quote(text: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    for &byte in text {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..b' ' => {
                let (high, low) = (usize::from(byte >> 4), usize::from(byte & 15));
                out.extend_from_slice(&[b'\\', b'u', b'0', b'0', HEX[high], HEX[low]]);
            }
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}
