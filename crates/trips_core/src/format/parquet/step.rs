//! Some rows of all columns, decoded together; chunks take them.

use super::chunk::{ParquetChunk, Slice};
use super::column::located;
use super::fault::{ParquetFault, Result};
use super::{Group, ReadAt};

/// Rows that are decoded at once.
const STEP: usize = 2048;
/// Rows of a chunk at most.
const CHUNK_ROWS: usize = 16 * 1024;

/// Rows that are decoded, of which some are in a chunk.
#[derive(Debug, Default)]
pub(super) struct Step {
    rows: usize,
    taken: usize,
    /// For each row the bytes of its texts.
    bytes: Vec<usize>,
}

impl Group {
    /// Fills a chunk with the next rows: about `size` bytes of them, at least one row.
    pub(super) fn fill(
        &mut self,
        source: &dyn ReadAt,
        names: &[String],
        size: usize,
        max_record: usize,
        chunk: &mut ParquetChunk,
    ) -> Result<()> {
        chunk.columns = self.columns.iter().map(Slice::new).collect();
        let mut bytes = 0;
        while self.done < self.rows && chunk.rows < CHUNK_ROWS && bytes < size {
            if self.step.taken == self.step.rows {
                self.decode(source, names)?;
            }
            let rest = &self.step.bytes[self.step.taken..self.step.rows];
            let mut is_long = Vec::with_capacity(rest.len());
            for row in rest.iter().take(CHUNK_ROWS - chunk.rows) {
                // A long row is truncated.
                let row_bytes = (*row).min(max_record) + self.width;
                if bytes > 0 && bytes + row_bytes > size {
                    break;
                }
                bytes += row_bytes;
                chunk.longest = chunk.longest.max(*row);
                is_long.push(*row > max_record);
            }
            if is_long.is_empty() {
                break;
            }
            let from = self.step.taken;
            for (slice, column) in chunk.columns.iter_mut().zip(&mut self.columns) {
                slice.append(column, from, &is_long).map_err(ParquetFault::no_memory)?;
            }
            let long = is_long.iter().enumerate().filter(|(_, is_long)| **is_long);
            chunk.long.extend(long.map(|(at, _)| chunk.rows + at));
            chunk.rows += is_long.len();
            self.step.taken += is_long.len();
            self.done += is_long.len() as u64;
        }
        Ok(())
    }

    /// Decodes the next rows of all columns.
    fn decode(&mut self, source: &dyn ReadAt, names: &[String]) -> Result<()> {
        let number = self.number;
        let left = self.rows - self.done;
        let mut rows = usize::try_from(left).unwrap_or(STEP).min(STEP);
        for column in &mut self.columns {
            let name = &names[column.field];
            let available =
                column.available(source).map_err(|error| located(error, number, name))?;
            if available == 0 {
                let (has, all) = (self.done, self.rows);
                let fault = ParquetFault::damaged(format!("it has {has} of {all} rows"));
                return Err(located(fault.into(), number, name));
            }
            rows = rows.min(available);
        }
        for column in &mut self.columns {
            let name = &names[column.field];
            column.decode(rows).map_err(|error| located(error, number, name))?;
        }
        self.step.bytes.clear();
        self.step.bytes.resize(rows, 0);
        for column in &self.columns {
            column.add_lengths(&mut self.step.bytes);
        }
        (self.step.rows, self.step.taken) = (rows, 0);
        Ok(())
    }
}
