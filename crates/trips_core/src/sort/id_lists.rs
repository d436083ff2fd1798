//! The trips near those of a load, by their ids, for loads of many small runs.
//!
//! Each run would otherwise read all keys of the history within the window of its ids. Here each of them is read once. Lists
//! of trips, sorted by key, are in temporary files. Several lists of one size become one, so that there are few. A run
//! reads only the pages in which one of its ids may be.

use std::collections::TryReserveError;
use std::io::{self, Read, Seek, SeekFrom, Write};

use crate::key::TripKey;
use crate::model::timestamp::Timestamp;
use crate::sort::block::Block;
use crate::sort::ids::{RunIds, first_bytes};

/// Bytes of an entry of a list: key, time.
const ENTRY: usize = 16 + 8;
/// Entries that are read and written together.
const PAGE: usize = 256;
/// So many lists of one size become one.
const MERGED: usize = 8;

type Entry = (TripKey, Timestamp);

/// Trips by their ids; `make` makes a temporary file.
#[derive(Debug)]
pub struct IdLists<F, M> {
    make: M,
    /// Trips that are in no list yet.
    buffer: Vec<Entry>,
    /// The most of them.
    most: usize,
    lists: Vec<List<F>>,
}

/// A sorted list.
#[derive(Debug)]
struct List<F> {
    file: F,
    entries: u64,
    /// How often its entries were merged.
    level: u32,
    /// The first bytes of the first key of each page.
    pages: Vec<u64>,
}

impl<F: Read + Write + Seek, M: FnMut() -> io::Result<F>> IdLists<F, M> {
    /// None so far. So many bytes of memory are used for those that are in no list.
    pub fn new(make: M, bytes: usize) -> Self {
        let most = (bytes / size_of::<Entry>()).max(1);
        Self { make, buffer: Vec::new(), most, lists: Vec::new() }
    }

    /// Adds a trip.
    ///
    /// # Errors
    /// Errors of the temporary file; `OutOfMemory` when there is no memory.
    #[inline]
    pub fn add(&mut self, date_time: Timestamp, key: &TripKey) -> io::Result<()> {
        if self.buffer.len() == self.most {
            self.write_buffer()?;
        }
        if self.buffer.capacity() == 0 {
            self.buffer.try_reserve_exact(self.most).map_err(of_memory)?;
        }
        self.buffer.push((*key, date_time));
        Ok(())
    }

    /// Adds the trips of sorted blocks.
    ///
    /// # Errors
    /// As [`IdLists::add`].
    pub fn add_blocks(&mut self, blocks: &[Block]) -> io::Result<()> {
        for block in blocks {
            for (row, range) in block.rows().zip(block.ranges()) {
                self.add(range.date_time, &block.base_key(&row))?;
            }
        }
        Ok(())
    }

    /// Notes those whose ids a run has.
    ///
    /// # Errors
    /// As [`IdLists::add`].
    pub fn find(&mut self, ids: &mut RunIds) -> io::Result<()> {
        for (key, date_time) in &self.buffer {
            ids.existing(*date_time, key).map_err(of_memory)?;
        }
        let mut bytes = Vec::new();
        for list in &mut self.lists {
            for page in 0..list.pages.len() {
                let (from, to) = (list.pages[page], list.pages.get(page + 1));
                if !ids.has_between(from, *to.unwrap_or(&u64::MAX)) {
                    continue;
                }
                list.read(page, &mut bytes)?;
                for entry in bytes.as_chunks::<ENTRY>().0 {
                    let (key, date_time) = decode(entry);
                    ids.existing(date_time, &key).map_err(of_memory)?;
                }
            }
        }
        Ok(())
    }

    /// Makes a list of the buffer, and fewer lists if there are many.
    fn write_buffer(&mut self) -> io::Result<()> {
        self.buffer.sort_unstable();
        let mut writer = ListWriter::new((self.make)()?, 0);
        for entry in &self.buffer {
            writer.push(entry)?;
        }
        self.buffer.clear();
        self.lists.push(writer.finish()?);
        while let [.., before, last] = self.lists.as_slice()
            && before.level == last.level
        {
            let level = last.level;
            let begin = self.lists.iter().position(|list| list.level == level).unwrap_or(0);
            if self.lists.len() - begin < MERGED {
                return Ok(());
            }
            let merged = merge(&mut self.lists[begin..], (self.make)()?, level + 1)?;
            self.lists.truncate(begin);
            self.lists.push(merged);
        }
        Ok(())
    }
}

impl<F: Read + Seek> List<F> {
    /// Reads a page.
    fn read(&mut self, page: usize, bytes: &mut Vec<u8>) -> io::Result<()> {
        let before = (page * PAGE) as u64;
        let count = usize::try_from(self.entries - before).map_or(PAGE, |left| left.min(PAGE));
        bytes.clear();
        bytes.try_reserve_exact(count * ENTRY).map_err(of_memory)?;
        bytes.resize(count * ENTRY, 0);
        self.file.seek(SeekFrom::Start(before * ENTRY as u64))?;
        self.file.read_exact(bytes)
    }
}

/// Writes a list.
struct ListWriter<F> {
    list: List<F>,
    bytes: Vec<u8>,
    last: Option<Entry>,
}

impl<F: Write> ListWriter<F> {
    fn new(file: F, level: u32) -> Self {
        let list = List { file, entries: 0, level, pages: Vec::new() };
        Self { list, bytes: Vec::new(), last: None }
    }

    /// Adds the next entry, unless it is the same as the last one.
    fn push(&mut self, entry: &Entry) -> io::Result<()> {
        if self.last.replace(*entry) == Some(*entry) {
            return Ok(());
        }
        let (key, date_time) = entry;
        if self.list.entries.is_multiple_of(PAGE as u64) {
            self.flush()?;
            self.bytes.try_reserve_exact(PAGE * ENTRY).map_err(of_memory)?;
            self.list.pages.try_reserve(1).map_err(of_memory)?;
            self.list.pages.push(first_bytes(key));
        }
        self.list.entries += 1;
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(&date_time.0.to_be_bytes());
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.list.file.write_all(&self.bytes)?;
        self.bytes.clear();
        Ok(())
    }

    fn finish(mut self) -> io::Result<List<F>> {
        self.flush()?;
        Ok(self.list)
    }
}

/// A list while it is merged, and its next page and entry.
struct Merged<'l, F> {
    list: &'l mut List<F>,
    page: usize,
    bytes: Vec<u8>,
    at: usize,
}

impl<F: Read + Seek> Merged<'_, F> {
    /// The next entry.
    fn peek(&mut self) -> io::Result<Option<Entry>> {
        if self.at == self.bytes.len() {
            if self.page == self.list.pages.len() {
                return Ok(None);
            }
            self.list.read(self.page, &mut self.bytes)?;
            (self.page, self.at) = (self.page + 1, 0);
        }
        Ok(self.bytes[self.at..].first_chunk().map(decode))
    }
}

/// One list of several.
fn merge<F: Read + Write + Seek>(
    lists: &mut [List<F>],
    file: F,
    level: u32,
) -> io::Result<List<F>> {
    let mut writer = ListWriter::new(file, level);
    let begin = |list| Merged { list, page: 0, bytes: Vec::new(), at: 0 };
    let mut merged: Vec<Merged<'_, F>> = lists.iter_mut().map(begin).collect();
    let mut next = merged.iter_mut().map(Merged::peek).collect::<io::Result<Vec<_>>>()?;
    loop {
        let entries = next.iter().enumerate().filter_map(|(i, entry)| Some(((*entry)?, i)));
        let Some((entry, i)) = entries.min() else { return writer.finish() };
        writer.push(&entry)?;
        merged[i].at += ENTRY;
        next[i] = merged[i].peek()?;
    }
}

fn decode(entry: &[u8; ENTRY]) -> Entry {
    let mut key = [0; 16];
    key.copy_from_slice(&entry[..16]);
    let time = entry.last_chunk().map_or(0, |time| i64::from_be_bytes(*time));
    (key, Timestamp(time))
}

fn of_memory(_: TryReserveError) -> io::Error {
    io::ErrorKind::OutOfMemory.into()
}
