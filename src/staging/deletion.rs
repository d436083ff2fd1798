//! Staged rows of trips that are deleted on request.

use std::ffi::c_long;

use super::{RECORD, ROWS_AT_ONCE, StagedFile, StagedRow, delete, open};
use crate::error::LoadError;
use crate::pg::{interrupts, spi};

/// Columns after the record: whether its text has each of the texts.
const FIRST_TEXT: i32 = RECORD + 1;

/// Deletes the rows of a file that `is_meant` accepts, and returns their number. It gets each row, and whether the text of
/// a row without fields has each of these texts; a missing one is in each text. One row is in memory at a time.
///
/// # Errors
/// 55P03 when another transaction has locked a row: it would be left. Those of `is_meant`.
pub fn delete_where(
    file: &StagedFile,
    texts: [Option<&str>; 3],
    max_record: usize,
    mut is_meant: impl FnMut(&StagedRow, [bool; 3]) -> Result<bool, LoadError>,
) -> Result<u64, LoadError> {
    let has = |argument| format!(", coalesce(strpos(s.raw_line, ${argument}::text) > 0, true)");
    let more: String = [3, 4, 5].map(has).concat();
    let batches = open(file, "NOWAIT", &more, &texts)?;
    let (mut row, mut deleted) = (StagedRow::default(), 0);
    loop {
        let mut meant = Vec::new();
        let count = spi::fetch(&batches.cursor, ROWS_AT_ONCE as c_long, |found| {
            interrupts::check();
            row.read(found, max_record)?;
            let has_text = [0, 1, 2].map(|at| found.get::<bool>(FIRST_TEXT + at) != Some(false));
            if is_meant(&row, has_text)? {
                meant.push(row.ctid.clone());
            }
            Ok::<_, LoadError>(())
        })?;
        if count == 0 {
            return Ok(deleted);
        }
        delete(&meant)?;
        deleted += meant.len() as u64;
    }
}
