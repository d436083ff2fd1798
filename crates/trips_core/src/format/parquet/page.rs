//! Page headers, and the bytes of a column chunk.

use parquet::basic::Encoding;

use super::ReadAt;
use super::fault::{ParquetFault, Result};
use super::thrift::{Bad, Compact, is_true};

/// Bytes that are read at once.
const WINDOW: usize = 64 * 1024;
/// Limit of a page header: its statistics may have long values.
const MAX_HEADER: usize = 1024 * 1024;

/// What a page header says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct PageHeader {
    pub(super) kind: i64,
    pub(super) uncompressed: i64,
    pub(super) compressed: i64,
    pub(super) crc: Option<i64>,
    pub(super) values: i64,
    pub(super) encoding: i64,
    pub(super) levels: i64,
    pub(super) nulls: i64,
    pub(super) definition_bytes: i64,
    pub(super) repetition_bytes: i64,
    pub(super) is_compressed: bool,
}

/// The kinds of pages.
pub(super) const DATA: i64 = 0;
pub(super) const INDEX: i64 = 1;
pub(super) const DICTIONARY: i64 = 2;
pub(super) const DATA_V2: i64 = 3;

impl PageHeader {
    fn parse(from: &mut Compact<'_>) -> std::result::Result<Self, Bad> {
        let mut header = Self { is_compressed: true, levels: 3, kind: -1, ..Self::default() };
        let this = &mut header;
        from.structure(0, |id, from, kind| {
            let field = match id {
                1 => &mut this.kind,
                2 => &mut this.uncompressed,
                3 => &mut this.compressed,
                4 => {
                    this.crc = from.number_of(kind)?;
                    return Ok(());
                }
                5 | 7 | 8 if kind == 12 => return this.parse_kind(id, from),
                _ => return from.skip(kind, 1, false),
            };
            if let Some(number) = from.number_of(kind)? {
                *field = number;
            }
            Ok(())
        })?;
        Ok(header)
    }

    /// The header of a data page, a dictionary page or a data page of version 2.
    fn parse_kind(&mut self, of: i16, from: &mut Compact<'_>) -> std::result::Result<(), Bad> {
        from.structure(1, |id, from, kind| {
            let field = match (of, id) {
                (5 | 7 | 8, 1) => &mut self.values,
                (5 | 7, 2) | (8, 4) => &mut self.encoding,
                (5, 3) => &mut self.levels,
                (8, 2) => &mut self.nulls,
                (8, 5) => &mut self.definition_bytes,
                (8, 6) => &mut self.repetition_bytes,
                (8, 7) => {
                    self.is_compressed = is_true(kind);
                    return from.skip(kind, 2, false);
                }
                _ => return from.skip(kind, 2, false),
            };
            if let Some(number) = from.number_of(kind)? {
                *field = number;
            }
            Ok(())
        })
    }
}

/// The encoding with this number, if it is one that is read.
pub(super) fn encoding_of(number: i64) -> Option<Encoding> {
    Some(match number {
        0 => Encoding::PLAIN,
        2 | 8 => Encoding::RLE_DICTIONARY,
        3 => Encoding::RLE,
        5 => Encoding::DELTA_BINARY_PACKED,
        6 => Encoding::DELTA_LENGTH_BYTE_ARRAY,
        7 => Encoding::DELTA_BYTE_ARRAY,
        9 => Encoding::BYTE_STREAM_SPLIT,
        _ => return None,
    })
}

/// The bytes of a column chunk, read in their order.
pub(super) struct ChunkBytes {
    /// The next byte of the file.
    offset: u64,
    /// The end of the column chunk.
    end: u64,
    /// Bytes of the file before `offset + window.len()`, from `offset` on.
    window: Vec<u8>,
    /// The bytes of the window that were used.
    used: usize,
}

impl ChunkBytes {
    /// The bytes of the file from one to another.
    pub(super) fn new(offset: u64, end: u64) -> Self {
        Self { offset, end, window: Vec::new(), used: 0 }
    }

    /// The byte of the file that comes next.
    pub(super) fn position(&self) -> u64 {
        self.offset + self.used as u64
    }

    /// Number of bytes that are left.
    pub(super) fn left(&self) -> u64 {
        self.end.saturating_sub(self.position())
    }

    /// Whether there is no more.
    pub(super) fn is_at_end(&self) -> bool {
        self.left() == 0
    }

    /// Skips bytes that are there.
    pub(super) fn skip(&mut self, count: usize) {
        let here = (self.window.len() - self.used).min(count);
        self.used += here;
        if here < count {
            self.offset = self.position() + (count - here) as u64;
            self.used = 0;
            self.window.clear();
        }
    }

    /// Makes at least this many bytes available, or all that are left.
    fn fill(&mut self, source: &dyn ReadAt, count: usize) -> Result<()> {
        if self.window.len() - self.used >= count {
            return Ok(());
        }
        self.window.drain(..self.used);
        self.offset += self.used as u64;
        self.used = 0;
        let left = self.end.saturating_sub(self.offset);
        let wanted = usize::try_from(left).map_or(count, |left| count.min(left));
        let have = self.window.len().min(wanted);
        let more = wanted.saturating_sub(self.window.len());
        self.window.try_reserve(more).map_err(ParquetFault::no_memory)?;
        self.window.resize(wanted, 0);
        read_exact(source, self.offset + have as u64, &mut self.window[have..])
    }

    /// The next page header.
    pub(super) fn header(&mut self, source: &dyn ReadAt) -> Result<PageHeader> {
        let mut count = WINDOW;
        loop {
            self.fill(source, count)?;
            let available = &self.window[self.used..];
            let mut from = Compact::new(available);
            match PageHeader::parse(&mut from) {
                Ok(header) => {
                    self.used += from.position();
                    return Ok(header);
                }
                Err(Bad::Short) if available.len() >= count && count < MAX_HEADER => count *= 4,
                Err(bad) => return Err(bad.fault("a page header").at(self.position()).into()),
            }
        }
    }

    /// The next bytes.
    pub(super) fn take(&mut self, source: &dyn ReadAt, count: usize) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(count).map_err(ParquetFault::no_memory)?;
        let here = (self.window.len() - self.used).min(count);
        bytes.extend_from_slice(&self.window[self.used..self.used + here]);
        self.used += here;
        if here < count {
            bytes.resize(count, 0);
            read_exact(source, self.position(), &mut bytes[here..])?;
            self.skip(count - here);
        }
        Ok(bytes)
    }
}

/// Fills the buffer with the bytes at an offset.
pub(super) fn read_exact(source: &dyn ReadAt, offset: u64, mut buffer: &mut [u8]) -> Result<()> {
    let mut at = offset;
    while !buffer.is_empty() {
        let count = match source.read_at(at, buffer) {
            Ok(count) => count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if count == 0 {
            let reason = format!("the file ends at byte {at}");
            return Err(ParquetFault::damaged(reason).at(offset).into());
        }
        buffer = &mut buffer[count..];
        at += count as u64;
    }
    Ok(())
}
