//! Rows of a batch as COPY reads them: `details` is JSON text there, and not as PostgreSQL stores it.

use std::collections::TryReserveError;

use trips_core::columns::{COUNT, DETAILS};
use trips_core::wire::jsonb;

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
                jsonb::copy_value(value, out)?;
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
