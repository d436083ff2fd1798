//! Rows of a batch as COPY reads them: `details` is JSON text there, and not as PostgreSQL stores it.

use std::collections::TryReserveError;

use trips_core::columns::{COUNT, DETAILS};
use trips_core::wire::jsonb;

/// The version of the binary format of `jsonb`, which is before its text.
const JSONB_VERSION: u8 = 1;
/// Bytes of the number of columns of a row, and of the length of a value.
const COLUMNS_LEN: usize = 2;
const LENGTH_LEN: usize = 4;

/// Replaces `out` by the same rows, which have all columns of the history.
///
/// # Errors
/// When there is no memory.
///
/// # Panics
/// When the bytes are not rows of a batch.
pub fn write(mut rows: &[u8], out: &mut Vec<u8>) -> Result<(), TryReserveError> {
    out.clear();
    while !rows.is_empty() {
        assert_eq!(usize::from(u16::from_be_bytes([rows[0], rows[1]])), COUNT, "other columns");
        let mut at = COLUMNS_LEN;
        for _ in 0..DETAILS {
            at += LENGTH_LEN + length(rows, at).unwrap_or(0);
        }
        let (before, details) = rows.split_at(at);
        out.try_reserve(before.len() + LENGTH_LEN)?;
        out.extend_from_slice(before);
        rows = match length(details, 0) {
            None => {
                out.extend_from_slice(&details[..LENGTH_LEN]);
                &details[LENGTH_LEN..]
            }
            Some(length) => {
                let (value, behind) = details[LENGTH_LEN..].split_at(length);
                write_details(value, out)?;
                behind
            }
        };
    }
    Ok(())
}

/// Length of the value that begins here; None for NULL.
fn length(row: &[u8], at: usize) -> Option<usize> {
    let length = row[at..].first_chunk().copied().map_or(0, i32::from_be_bytes);
    usize::try_from(length).ok()
}

fn write_details(value: &[u8], out: &mut Vec<u8>) -> Result<(), TryReserveError> {
    let begin = out.len();
    // A text repeats the bytes of the value; digits of numbers and escapes are longer.
    out.try_reserve(LENGTH_LEN + 1 + 8 * value.len())?;
    out.extend_from_slice(&[0; LENGTH_LEN]);
    out.push(JSONB_VERSION);
    jsonb::text_of(value, out).expect("details are an object");
    let length = i32::try_from(out.len() - begin - LENGTH_LEN).expect("details are short");
    out[begin..begin + LENGTH_LEN].copy_from_slice(&length.to_be_bytes());
    Ok(())
}
