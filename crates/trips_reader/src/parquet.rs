//! Parquet: its footer, and some of its row groups.

use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;

use trips_containers::{Packing, Ranges, Spool, SpoolFile};
use trips_core::feed::choice::FeedChoice;
use trips_core::format::delimited::header::{HeaderError, plan_of_names};
use trips_core::format::parquet::{ParquetReader, ReadAt};

use crate::contents::{Begun, Contents, Stream};
use crate::spool::TemporaryFiles;

/// Limit of the memory of the pages that are in memory at a time.
const MEMORY: usize = 256 * 1024 * 1024;
/// Bytes that are written to a temporary file at once.
const BLOCK: usize = 256 * 1024;

impl Contents {
    /// Reads the footer. Unpacked bytes are written to a temporary file before.
    pub(crate) fn begin_parquet(
        &self,
        stream: Stream,
        row_groups: Option<Range<usize>>,
        choice: &FeedChoice,
        max_record: usize,
    ) -> Result<Begun, HeaderError> {
        let ranges: Arc<dyn Ranges> = match self.packing {
            Packing::Plain => self.checked.clone(),
            _ => Arc::new(Spooled::of(stream)?),
        };
        let mut reader = ParquetReader::open(Box::new(AtOffsets(ranges)), MEMORY)?;
        let plan = plan_of_names(choice, &reader.names())?;
        reader.set_plan(&plan, max_record)?;
        let rows = reader.row_groups().collect();
        let is_first = row_groups.as_ref().is_none_or(|groups| groups.start == 0);
        if let Some(groups) = row_groups {
            reader.set_row_groups(groups);
        }
        let position = u64::from(is_first);
        Ok(Begun { plan, reader: reader.into(), position, row_groups: Some(rows) })
    }
}

/// Bytes at offsets, as the reader of the format takes them.
struct AtOffsets(Arc<dyn Ranges>);

impl ReadAt for AtOffsets {
    fn size(&self) -> u64 {
        self.0.size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read_at(offset, buffer)
    }
}

/// Unpacked bytes in a temporary file.
struct Spooled {
    file: Box<dyn SpoolFile>,
    size: u64,
}

impl Spooled {
    fn of(mut stream: Stream) -> io::Result<Self> {
        let mut file = TemporaryFiles.create()?;
        let (mut block, mut size) = (vec![0; BLOCK], 0);
        loop {
            match stream.read(&mut block) {
                Ok(0) => return Ok(Self { file, size }),
                Ok(count) => {
                    file.append(&block[..count])?;
                    size += count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl Ranges for Spooled {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(offset, buffer)
    }
}
