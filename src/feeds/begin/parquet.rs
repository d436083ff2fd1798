//! The beginning of a Parquet file: its footer.

use std::io;

use trips_containers::Ranges;
use trips_core::feed::choice::FeedChoice;
use trips_core::format::delimited::header::{HeaderError, first_names};
use trips_core::format::parquet::{ParquetReader, ReadAt};

use super::{Begun, Sizes};
use crate::source::Content;

/// Reads the footer. Unpacked bytes are written to a temporary file before.
pub fn begin(content: Content, choice: &FeedChoice, sizes: Sizes) -> Result<Begun, HeaderError> {
    let source = AtOffsets(content.into_ranges()?);
    let mut reader = ParquetReader::open(Box::new(source), sizes.work_mem)?;
    let first = first_names(choice, &reader.names());
    if let Ok(plan) = &first.plan {
        reader.set_plan(plan, sizes.max_record)?;
    }
    Ok(Begun { first, reader: reader.into(), position: None })
}

/// The bytes of a file, as the reader of the format takes them.
struct AtOffsets(Box<dyn Ranges>);

impl ReadAt for AtOffsets {
    fn size(&self) -> u64 {
        self.0.size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read_at(offset, buffer)
    }
}
