//! Staged rows with their reasons, read without a lock.

use std::ffi::{CString, c_long};

use trips_core::columns::KEY_COUNT;
use trips_core::explain::StagedText;

use super::{StagedFile, columns};
use crate::error::LoadError;
use crate::pg::spi::{self, Row};

/// Rows in memory at a time.
const ROWS_AT_ONCE: c_long = 100;
/// The columns of the query: line, row group, column, code, reason; then the texts of a trip, the record, the raw bytes
/// and the raw line.
const FIRST_TEXT: i32 = 6;
#[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "a few columns")]
const RECORD: i32 = FIRST_TEXT + KEY_COUNT as i32;

/// Calls `each` with the rows of a file, in its order, as of the calling statement. Values of more than 64 kB are not
/// read: they are left out, or cut if they are raw.
///
/// # Errors
/// When there is not enough memory.
pub fn each_waiting(
    file: &StagedFile,
    mut each: impl FnMut(&StagedText<'_>),
) -> Result<(), LoadError> {
    let order = match file.has_row_groups {
        true => "s.row_group, s.line_no, s.ctid",
        false => "s.load_id, s.member, s.line_no, s.ctid",
    };
    let query = format!(
        "SELECT s.line_no, s.row_group, s.column_name, s.error_code, left(s.error, 2000), {},
                CASE WHEN pg_column_size(s.record) <= 65536 THEN s.record END,
                substr(s.raw_bytes, 1, 65537),
                CASE WHEN s.raw_bytes IS NULL THEN left(s.raw_line, 65537) END
           FROM trips.stg_trip_data AS s
          WHERE s.load_id = $1 AND ($2::text IS NULL AND s.member IS NULL OR s.member = $2::text)
          ORDER BY {order}",
        columns(|name| { format!("CASE WHEN octet_length(s.{name}) <= 65536 THEN s.{name} END") }),
    );
    let query = CString::new(query).unwrap_or_default();
    let (mut row, mut result) = (WaitingRow::default(), Ok(()));
    let arguments = [file.load.into(), file.member.as_deref().into()];
    spi::query_in_batches(&query, &arguments, ROWS_AT_ONCE, |found| {
        if result.is_ok() {
            result = row.read(found);
            if result.is_ok() {
                each(&row.text());
            }
        }
    });
    result
}

/// The values of a row.
#[derive(Debug, Default)]
struct WaitingRow {
    line: Option<u64>,
    row_group: Option<u64>,
    /// The column, the code and the reason.
    reason: [Option<String>; 3],
    has_texts: bool,
    texts: [Vec<u8>; KEY_COUNT],
    record: Option<String>,
    raw: Option<Vec<u8>>,
}

impl WaitingRow {
    fn read(&mut self, row: &Row<'_>) -> Result<(), LoadError> {
        let number = |column| row.get::<i64>(column).and_then(|number| u64::try_from(number).ok());
        (self.line, self.row_group) = (number(1), number(2));
        self.reason = [3, 4, 5].map(|column| row.text(column));
        self.has_texts = false;
        for (text, column) in self.texts.iter_mut().zip(FIRST_TEXT..) {
            self.has_texts |= row.copy_bytes(column, text)?;
        }
        self.record = if self.has_texts { None } else { row.json(RECORD) };
        let mut raw = self.raw.take().unwrap_or_default();
        let has_raw =
            row.copy_bytes(RECORD + 1, &mut raw)? || row.copy_bytes(RECORD + 2, &mut raw)?;
        self.raw = has_raw.then_some(raw);
        Ok(())
    }

    fn text(&self) -> StagedText<'_> {
        let [column, code, reason] = self.reason.each_ref().map(Option::as_deref);
        StagedText {
            line: self.line,
            row_group: self.row_group,
            column,
            code,
            reason,
            texts: self.has_texts.then(|| self.texts.each_ref().map(Vec::as_slice)),
            record: self.record.as_deref(),
            raw: self.raw.as_deref(),
        }
    }
}
