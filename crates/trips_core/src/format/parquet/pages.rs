//! The pages of a column chunk, checked before they are decoded, within a limit of memory.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use parquet::basic::{Compression, Encoding, Type};
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::Result as DecodeResult;
use parquet::file::metadata::ColumnChunkMetaData;

use super::ReadAt;
use super::budget::Budget;
use super::bytes_page::{BytesPage, Dictionary, is_read};
use super::codec::uncompress;
use super::delta;
use super::fault::{ParquetFault, Result};
use super::page::{ChunkBytes, DATA, DATA_V2, DICTIONARY, INDEX, PageHeader, encoding_of};
use super::thrift::Bad;

/// Bytes of memory of a value of bytes in a dictionary, beside the bytes.
const DICTIONARY_VALUE: usize = 40;
/// Bytes of values that a growing page may make at a time.
const GROWTH: usize = 16 * 1024 * 1024;

/// Pages that are checked and wait for the decoder.
pub(super) type Ready = Arc<Mutex<VecDeque<Page>>>;

/// Gives the decoder the pages that are ready.
pub(super) struct ReadyPages(pub(super) Ready);

impl Iterator for ReadyPages {
    type Item = DecodeResult<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for ReadyPages {
    fn get_next_page(&mut self) -> DecodeResult<Option<Page>> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front())
    }

    fn peek_next_page(&mut self) -> DecodeResult<Option<PageMetadata>> {
        Ok(None)
    }

    fn skip_next_page(&mut self) -> DecodeResult<()> {
        Ok(())
    }
}

/// A data page that is ready.
#[derive(Debug)]
pub(super) struct DataPage {
    /// Number of its values, NULLs included.
    pub(super) values: u64,
    /// Limit of the values to decode at a time.
    pub(super) most: usize,
    /// The page, if its values are not decoded by the crate.
    pub(super) bytes: Option<BytesPage>,
}

/// Reads the pages of a column chunk.
pub(super) struct Pages {
    bytes: ChunkBytes,
    codec: Compression,
    physical: Type,
    width: usize,
    max_level: i16,
    has_dictionary: bool,
    /// The values of the dictionary, if the column has bytes.
    pub(super) dictionary: Dictionary,
    budget: Arc<Budget>,
    ready: Ready,
    /// The memory of the dictionary, of the page before, and of the current page.
    held: [usize; 3],
    /// The byte of the file at which the current page begins.
    at: u64,
}

impl Drop for Pages {
    fn drop(&mut self) {
        self.budget.give(self.held.iter().sum());
    }
}

impl Pages {
    pub(super) fn new(
        chunk: &ColumnChunkMetaData,
        (start, end): (u64, u64),
        budget: Arc<Budget>,
        ready: Ready,
    ) -> Self {
        let column = chunk.column_descr();
        let physical = chunk.column_type();
        let width = match physical {
            Type::BOOLEAN => 0,
            Type::INT32 | Type::FLOAT | Type::BYTE_ARRAY => 4,
            Type::INT64 | Type::DOUBLE => 8,
            Type::INT96 => 12,
            Type::FIXED_LEN_BYTE_ARRAY => usize::try_from(column.type_length()).unwrap_or(0),
        };
        Self {
            bytes: ChunkBytes::new(start, end),
            codec: chunk.compression(),
            physical,
            width,
            max_level: column.max_def_level(),
            has_dictionary: false,
            dictionary: Dictionary::default(),
            budget,
            ready,
            held: [0; 3],
            at: start,
        }
    }

    /// The byte of the file at which the current page begins.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// Makes the next data page ready, and the dictionary before it; None at the end of the column chunk.
    pub(super) fn next(&mut self, source: &dyn ReadAt) -> Result<Option<DataPage>> {
        loop {
            self.at = self.bytes.position();
            if self.bytes.is_at_end() {
                return Ok(None);
            }
            let header = self.bytes.header(source)?;
            let sizes = self.sizes(&header).map_err(|fault| fault.at(self.at))?;
            match header.kind {
                DICTIONARY => self.dictionary(source, &header, sizes)?,
                DATA | DATA_V2 => {
                    if let Some(page) = self.data(source, &header, sizes)? {
                        return Ok(Some(page));
                    }
                }
                INDEX => self.bytes.skip(sizes.0),
                kind => {
                    let reason = format!("a page has the unknown type {kind}");
                    return Err(ParquetFault::damaged(reason).at(self.at).into());
                }
            }
        }
    }

    /// The compressed and the uncompressed size of a page, and its number of values.
    fn sizes(&self, header: &PageHeader) -> std::result::Result<(usize, usize, u32), ParquetFault> {
        let size = |size: i64| usize::try_from(size).ok().filter(|_| size <= i64::from(i32::MAX));
        let sizes = size(header.compressed).zip(size(header.uncompressed));
        let sizes = sizes.zip(u32::try_from(header.values).ok());
        let Some(((compressed, uncompressed), values)) = sizes else {
            return Err(ParquetFault::damaged("a page header has a size that is out of range"));
        };
        if compressed as u64 > self.bytes.left() {
            let (page, left) = (compressed, self.bytes.left());
            let reason =
                format!("a page of {page} bytes is in a column chunk of {left} more bytes");
            return Err(ParquetFault::damaged(reason));
        }
        Ok((compressed, uncompressed, values))
    }

    /// Charges the memory of the next page. The decoder may have the one before.
    fn charge(&mut self, bytes: usize) -> Result<()> {
        self.forget_before();
        self.held[1] = std::mem::replace(&mut self.held[2], bytes);
        self.budget.take(bytes)
    }

    /// The decoder has no page but the current one.
    pub(super) fn forget_before(&mut self) {
        self.budget.give(std::mem::take(&mut self.held[1]));
    }

    /// The compressed bytes of the current page are not needed any more.
    fn forget_compressed(&mut self, part: usize, bytes: usize) {
        if self.codec != Compression::UNCOMPRESSED {
            self.held[part] -= bytes;
            self.budget.give(bytes);
        }
    }

    /// Bytes of memory of compressed bytes, beside those that they become.
    fn packed(&self, compressed: usize) -> usize {
        if self.codec == Compression::UNCOMPRESSED { 0 } else { compressed }
    }

    /// The bytes of the page, checked.
    fn body(&mut self, source: &dyn ReadAt, header: &PageHeader, size: usize) -> Result<Vec<u8>> {
        let body = self.bytes.take(source, size)?;
        let crc = header.crc.and_then(|crc| u32::try_from(crc & i64::from(u32::MAX)).ok());
        if let Some(crc) = crc.filter(|crc| *crc != crc32fast::hash(&body)) {
            let found = crc32fast::hash(&body);
            let reason = format!("a page has the checksum {found:08x}; its header says {crc:08x}");
            return Err(ParquetFault::damaged(reason).at(self.at).into());
        }
        Ok(body)
    }

    fn dictionary(
        &mut self,
        source: &dyn ReadAt,
        header: &PageHeader,
        (compressed, uncompressed, values): (usize, usize, u32),
    ) -> Result<()> {
        let fault = |reason: &str| ParquetFault::damaged(reason).at(self.at);
        if self.has_dictionary {
            return Err(fault("the column chunk has a second dictionary").into());
        }
        // Each value takes its width in the page, or the bytes of its length.
        let count = values as usize;
        let least = count.checked_mul(self.width);
        if self.physical == Type::BOOLEAN || least.is_none_or(|least| least > uncompressed) {
            return Err(fault("the dictionary is smaller than its values").into());
        }
        let memory =
            self.packed(compressed) + uncompressed + count * (self.width + DICTIONARY_VALUE);
        self.budget.take(memory)?;
        self.held[0] += memory;
        let body = self.body(source, header, compressed)?;
        let body = self.unpack(body, uncompressed)?;
        self.forget_compressed(0, compressed);
        self.has_dictionary = true;
        if is_read(self.physical, Encoding::PLAIN) {
            self.dictionary = Dictionary::new(body, count).map_err(|bad| self.undecoded(bad))?;
            return Ok(());
        }
        self.push(Page::DictionaryPage {
            buf: body.into(),
            num_values: values,
            encoding: Encoding::PLAIN,
            is_sorted: false,
        });
        Ok(())
    }

    fn push(&self, page: Page) {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner).push_back(page);
    }

    /// Why values of the current page cannot be decoded.
    pub(super) fn undecoded(&self, bad: Bad) -> ParquetFault {
        bad.fault("a page of values").at(self.at)
    }

    fn unpack(&self, body: Vec<u8>, size: usize) -> Result<Vec<u8>> {
        if self.codec == Compression::UNCOMPRESSED && body.len() == size {
            return Ok(body);
        }
        uncompress(self.codec, &body, size).map_err(|fault| fault.at(self.at).into())
    }

    /// Makes a data page ready; None if it has no values.
    fn data(
        &mut self,
        source: &dyn ReadAt,
        header: &PageHeader,
        (compressed, uncompressed, values): (usize, usize, u32),
    ) -> Result<Option<DataPage>> {
        let encoding = encoding_of(header.encoding).ok_or_else(|| {
            let reason = format!("pages in encoding {} are not read", header.encoding);
            ParquetFault::unsupported(reason).at(self.at)
        })?;
        if encoding == Encoding::RLE_DICTIONARY && !self.has_dictionary && values > 0 {
            let reason = "a page refers to a dictionary that the column chunk does not have";
            return Err(ParquetFault::damaged(reason).at(self.at).into());
        }
        let lengths = delta::memory(encoding, u64::from(values));
        if lengths > delta::MAX_VALUES * 8 {
            let most = delta::MAX_VALUES;
            let reason = format!("a page of texts has {values} values; the limit is {most}");
            return Err(ParquetFault::limit(reason).at(self.at).into());
        }
        let lengths = usize::try_from(lengths).unwrap_or(usize::MAX);
        self.charge(self.packed(compressed).saturating_add(uncompressed).saturating_add(lengths))?;
        let body = self.body(source, header, compressed)?;
        let page = match header.kind {
            DATA => self.page_v1(header, encoding, body, (uncompressed, values))?,
            _ => self.page_v2(header, encoding, body, (uncompressed, values))?,
        };
        self.forget_compressed(2, compressed);
        if values == 0 {
            return Ok(None);
        }
        let mut bytes = None;
        if is_read(self.physical, page.encoding()) {
            let page = BytesPage::new(page, self.max_level).map_err(|bad| self.undecoded(bad))?;
            bytes = Some(page);
        } else {
            self.push(page);
        }
        let is_growing = encoding == Encoding::DELTA_BYTE_ARRAY;
        let most = if is_growing { (GROWTH / uncompressed.max(1)).max(1) } else { usize::MAX };
        Ok(Some(DataPage { values: u64::from(values), most, bytes }))
    }

    fn page_v1(
        &self,
        header: &PageHeader,
        encoding: Encoding,
        body: Vec<u8>,
        (size, num_values): (usize, u32),
    ) -> Result<Page> {
        // Levels of other encodings are of the first writers.
        if self.max_level > 0 && header.levels != 3 {
            let reason = format!("levels in encoding {} are not read", header.levels);
            return Err(ParquetFault::unsupported(reason).at(self.at).into());
        }
        let body = self.unpack(body, size)?;
        let levels = match body.first_chunk::<4>().filter(|_| self.max_level > 0) {
            Some(length) => 4 + u64::from(u32::from_le_bytes(*length)),
            None => 0,
        };
        let levels = usize::try_from(levels).unwrap_or(usize::MAX);
        let encoding = self.check(body.get(levels..), encoding, num_values)?;
        Ok(Page::DataPage {
            buf: body.into(),
            num_values,
            encoding,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        })
    }

    fn page_v2(
        &self,
        header: &PageHeader,
        encoding: Encoding,
        mut body: Vec<u8>,
        (size, num_values): (usize, u32),
    ) -> Result<Page> {
        let damaged = |reason: &str| ParquetFault::damaged(reason).at(self.at);
        let length = |bytes: i64| u32::try_from(bytes).ok();
        let lengths = length(header.definition_bytes).zip(length(header.repetition_bytes));
        let levels = lengths.and_then(|(a, b)| usize::try_from(u64::from(a) + u64::from(b)).ok());
        let levels = levels.filter(|levels| *levels <= body.len() && *levels <= size);
        let nulls = u32::try_from(header.nulls).ok().filter(|nulls| *nulls <= num_values);
        let (Some((definition, repetition)), Some(levels), Some(num_nulls)) =
            (lengths, levels, nulls)
        else {
            return Err(damaged("a page header has a size that is out of range").into());
        };
        if header.is_compressed && self.codec != Compression::UNCOMPRESSED && size > levels {
            let values = uncompress(self.codec, &body[levels..], size - levels);
            let values = values.map_err(|fault| fault.at(self.at))?;
            body.truncate(levels);
            body.extend_from_slice(&values);
        }
        let encoding = self.check(body.get(levels..), encoding, num_values)?;
        Ok(Page::DataPageV2 {
            buf: body.into(),
            num_values,
            encoding,
            num_nulls,
            num_rows: num_values,
            def_levels_byte_len: definition,
            rep_levels_byte_len: repetition,
            is_compressed: false,
            statistics: None,
        })
    }

    /// Checks the values of a page that declares sizes in them, and returns their encoding.
    fn check(&self, values: Option<&[u8]>, encoding: Encoding, most: u32) -> Result<Encoding> {
        let Some(values) = values else {
            let reason = "the levels of a page are longer than the page";
            return Err(ParquetFault::damaged(reason).at(self.at).into());
        };
        // A page of NULLs may have no values at all.
        if values.is_empty() {
            return Ok(Encoding::PLAIN);
        }
        delta::check(values, encoding, u64::from(most))
            .map_err(|bad| bad.fault("a page of packed values").at(self.at))?;
        Ok(encoding)
    }
}
