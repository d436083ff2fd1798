//! Parquet: row groups, of which only the columns that a feed needs are read.
//!
//! The crate `parquet` decodes values, but for texts in plain pages and of dictionaries. Pages are read, checked and
//! uncompressed here, because it allocates by the sizes that a file declares. A chunk has some rows of a row group; it has
//! its own copy of their values, so that no page stays in memory for it.

use std::fmt;
use std::io;
use std::sync::Arc;

use ::parquet::file::metadata::ParquetMetaData;

use self::budget::Budget;
use self::column::{Column, located};
use self::fault::{ParquetFault, Result};
use self::footer::{Field, fields, range, row_width};
use self::kind::Kind;
use crate::feed::plan::Plan;
use crate::text::escape::quoted;

mod budget;
mod bytes_page;
mod chunk;
mod codec;
mod column;
mod delta;
pub mod fault;
mod footer;
mod footer_copy;
mod hybrid;
mod kind;
mod page;
mod pages;
mod row;
mod step;
mod thrift;
mod value;

pub use self::chunk::ParquetChunk;
pub use self::row::ParquetRow;

/// Least limit of the memory of the pages that are in memory at a time.
pub const LEAST_MEMORY: usize = 64 * 1024 * 1024;
/// Memory that a thread needs for a chunk, in addition to its longest record: the chunk, its texts, its trips while they
/// are sorted, its rows for staging.
const JOB: usize = 7 * 1024 * 1024;

/// Bytes at offsets of a file that does not change.
pub trait ReadAt: Send + Sync {
    /// Number of bytes.
    fn size(&self) -> u64;

    /// Reads bytes at an offset; 0 at the end of the file.
    ///
    /// # Errors
    /// The file cannot be read.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;
}

impl ReadAt for Vec<u8> {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let behind = usize::try_from(offset).ok().and_then(|at| self.get(at..)).unwrap_or_default();
        let count = behind.len().min(buffer.len());
        buffer[..count].copy_from_slice(&behind[..count]);
        Ok(count)
    }
}

/// Reads the chunks of a file.
pub struct ParquetReader {
    source: Box<dyn ReadAt>,
    metadata: ParquetMetaData,
    fields: Vec<Field>,
    names: Arc<[String]>,
    /// The fields that are read, and what their values are.
    needed: Vec<(usize, usize, Kind)>,
    by_field: Arc<[Option<usize>]>,
    max_record: usize,
    budget: Arc<Budget>,
    /// The row groups to read.
    groups: std::ops::Range<usize>,
    /// The current row group: its number, its columns, the rows that were decoded.
    group: Option<Group>,
    rows_before: u64,
    covered: u64,
}

/// A row group that is read.
struct Group {
    number: usize,
    columns: Vec<Column>,
    rows: u64,
    /// Rows that are in chunks.
    done: u64,
    step: step::Step,
    /// About the bytes of a row, without values of variable length.
    width: usize,
}

impl fmt::Debug for ParquetReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParquetReader").field("names", &self.names).finish_non_exhaustive()
    }
}

impl ParquetReader {
    /// Reads the footer of a file. The pages of all columns that are in memory at a time have at most `memory` bytes, or
    /// [`LEAST_MEMORY`] if that is more.
    ///
    /// # Errors
    /// The file cannot be read; it is damaged, larger than a limit, or encrypted ([`ParquetFault::of`]).
    pub fn open(source: Box<dyn ReadAt>, memory: usize) -> Result<Self> {
        let metadata = footer::read(&*source)?;
        let fields = fields(&metadata);
        let names: Arc<[String]> = fields.iter().map(|field| field.name.clone()).collect();
        Ok(Self {
            source,
            groups: 0..metadata.num_row_groups(),
            metadata,
            fields,
            by_field: names.iter().map(|_| None).collect(),
            names,
            needed: Vec::new(),
            max_record: usize::MAX,
            budget: Arc::new(Budget::new(memory.max(LEAST_MEMORY))),
            group: None,
            rows_before: 0,
            covered: 0,
        })
    }

    /// The names of its columns, in their order. Those in a group have its name and a point before them. A group with
    /// lists is one column.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        self.names.iter().map(String::as_str).collect()
    }

    /// The number of rows of each row group.
    pub fn row_groups(&self) -> impl Iterator<Item = u64> + '_ {
        self.metadata.row_groups().iter().map(|group| u64::try_from(group.num_rows()).unwrap_or(0))
    }

    /// Reads only these row groups.
    pub fn set_row_groups(&mut self, groups: std::ops::Range<usize>) {
        let count = self.metadata.num_row_groups();
        self.groups = groups.start.min(count)..groups.end.min(count);
    }

    /// Reads only the columns that this plan needs, which is a plan of [`Self::names`]. A row with more than `max_record`
    /// bytes of texts has a fault.
    ///
    /// # Errors
    /// A column of the feed has lists, or values that are not read.
    pub fn set_plan(&mut self, plan: &Plan, max_record: usize) -> Result<()> {
        self.max_record = max_record;
        self.needed.clear();
        let mut by_field = vec![None; self.fields.len()];
        for (at, field) in self.fields.iter().enumerate() {
            if plan.columns().of_field.get(at).is_none_or(Option::is_none) {
                continue;
            }
            let refused = |reason: &str| {
                let column = Some(quoted(field.name.as_bytes()));
                Err(ParquetFault { column, ..ParquetFault::unsupported(reason) }.into())
            };
            match (field.leaf, field.kind) {
                (None, _) => return refused("it has lists of values: expected one value in a row"),
                (_, None) => return refused("values of its type are not read"),
                // It has nothing to read.
                (_, Some(Kind::Null)) => {}
                (Some(leaf), Some(kind)) => {
                    by_field[at] = Some(self.needed.len());
                    self.needed.push((at, leaf, kind));
                }
            }
        }
        self.by_field = by_field.into();
        Ok(())
    }

    /// Memory that a thread needs for a chunk, bytes.
    #[must_use]
    pub fn job_bytes(&self) -> usize {
        JOB.saturating_add(self.max_record)
    }

    /// The next rows, of about `size` bytes, with this number; None at the end of the file.
    ///
    /// # Errors
    /// The file cannot be read; it is damaged, or larger than a limit ([`ParquetFault::of`]).
    pub fn next_chunk(&mut self, size: usize, number: u64) -> Result<Option<ParquetChunk>> {
        while self.group.as_ref().is_none_or(|group| group.done == group.rows) {
            if let Some(group) = self.group.take() {
                self.rows_before += group.rows;
            }
            let Some(next) = self.groups.next() else { return Ok(None) };
            self.group = Some(self.open_group(next)?);
        }
        let Some(group) = &mut self.group else { return Ok(None) };
        let mut chunk = ParquetChunk {
            number,
            row_group: u32::try_from(group.number).unwrap_or(u32::MAX),
            first_row: group.done + 1,
            names: self.names.clone(),
            by_field: self.by_field.clone(),
            ..ParquetChunk::default()
        };
        group.fill(&*self.source, &self.names, size, self.max_record, &mut chunk)?;
        chunk.covers = self.cover();
        Ok(Some(chunk))
    }

    /// The bytes of the file that the rows since the last call take, as if all rows were equally long.
    fn cover(&mut self) -> u64 {
        let total: u64 = self.row_groups().sum();
        let done = self.rows_before + self.group.as_ref().map_or(0, |group| group.done);
        let size = u128::from(self.source.size());
        let covered = size * u128::from(done) / u128::from(total.max(1));
        let covered = u64::try_from(covered).unwrap_or(u64::MAX);
        let covers = covered.saturating_sub(self.covered);
        self.covered = covered;
        covers
    }

    fn open_group(&self, number: usize) -> Result<Group> {
        let metadata = self.metadata.row_group(number);
        let rows = u64::try_from(metadata.num_rows()).unwrap_or(0);
        let mut columns = Vec::with_capacity(self.needed.len());
        let mut width = 0;
        let needed = if rows == 0 { &[][..] } else { &self.needed };
        for &(field, leaf, kind) in needed {
            let chunk = metadata.column(leaf);
            let bytes = range(chunk, self.source.size())
                .map_err(|fault| located(fault.into(), number, &self.names[field]))?;
            width += row_width(metadata, leaf);
            columns.push(Column::new(chunk, (field, kind), bytes, self.budget.clone()));
        }
        let step = step::Step::default();
        Ok(Group { number, columns, rows, done: 0, step, width })
    }
}
