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

/// Bytes of a key and a time.
const KEY_AND_TIME: usize = 16 + 8;
/// Entries that are read and written together.
const PAGE: usize = 256;
/// So many lists of one size become one.
const MERGED: usize = 8;

/// What a list has of each trip besides its id and its time.
pub trait Mark: Copy + Ord {
    /// Number of its bytes.
    const BYTES: usize;
    /// Appends its bytes.
    fn write(&self, out: &mut Vec<u8>);
    /// That of such bytes.
    fn read(bytes: &[u8]) -> Self;
}

impl Mark for () {
    const BYTES: usize = 0;
    fn write(&self, _: &mut Vec<u8>) {}
    fn read(_: &[u8]) -> Self {}
}

/// A trip in a list.
pub type Entry<K> = (TripKey, Timestamp, K);

/// Trips by their ids; `make` makes a temporary file.
#[derive(Debug)]
pub struct IdLists<F, M, K = ()> {
    make: M,
    /// Trips that are in no list yet.
    buffer: Vec<Entry<K>>,
    /// The most of them.
    most: usize,
    lists: Vec<List<F>>,
}

/// A sorted list, whose entries all have the same size.
#[derive(Debug)]
struct List<F> {
    file: F,
    entries: u64,
    /// How often its entries were merged.
    level: u32,
    /// The first bytes of the first key of each page.
    pages: Vec<u64>,
}

impl<F: Read + Write + Seek, M: FnMut() -> io::Result<F>, K: Mark> IdLists<F, M, K> {
    /// None so far. So many bytes of memory are used for those that are in no list.
    pub fn new(make: M, bytes: usize) -> Self {
        let most = (bytes / size_of::<Entry<K>>()).max(1);
        Self { make, buffer: Vec::new(), most, lists: Vec::new() }
    }

    /// Adds a trip.
    ///
    /// # Errors
    /// Errors of the temporary file; `OutOfMemory` when there is no memory.
    #[inline]
    pub fn push(&mut self, entry: Entry<K>) -> io::Result<()> {
        if self.buffer.len() == self.most {
            self.write_buffer()?;
        }
        if self.buffer.capacity() == 0 {
            self.buffer.try_reserve_exact(self.most).map_err(of_memory)?;
        }
        self.buffer.push(entry);
        Ok(())
    }

    /// Shows at least those whose ids a run has.
    ///
    /// # Errors
    /// As [`IdLists::push`].
    pub fn each(
        &mut self,
        ids: &mut RunIds,
        mut show: impl FnMut(&mut RunIds, &Entry<K>) -> Result<(), TryReserveError>,
    ) -> io::Result<()> {
        for entry in &self.buffer {
            show(ids, entry).map_err(of_memory)?;
        }
        let mut bytes = Vec::new();
        for list in &mut self.lists {
            for page in 0..list.pages.len() {
                let (from, to) = (list.pages[page], list.pages.get(page + 1));
                if !ids.has_between(from, *to.unwrap_or(&u64::MAX)) {
                    continue;
                }
                list.read(page, size_of_entry::<K>(), &mut bytes)?;
                for entry in bytes.chunks_exact(size_of_entry::<K>()) {
                    show(ids, &decode(entry)).map_err(of_memory)?;
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
            let merged = merge::<F, K>(&mut self.lists[begin..], (self.make)()?, level + 1)?;
            self.lists.truncate(begin);
            self.lists.push(merged);
        }
        Ok(())
    }
}

impl<F: Read + Write + Seek, M: FnMut() -> io::Result<F>> IdLists<F, M> {
    /// Adds a trip.
    ///
    /// # Errors
    /// As [`IdLists::push`].
    #[inline]
    pub fn add(&mut self, date_time: Timestamp, key: &TripKey) -> io::Result<()> {
        self.push((*key, date_time, ()))
    }

    /// Adds the trips of sorted blocks.
    ///
    /// # Errors
    /// As [`IdLists::push`].
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
    /// As [`IdLists::push`].
    pub fn find(&mut self, ids: &mut RunIds) -> io::Result<()> {
        self.each(ids, |ids, (key, date_time, ())| ids.existing(*date_time, key))
    }
}

const fn size_of_entry<K: Mark>() -> usize {
    KEY_AND_TIME + K::BYTES
}

impl<F: Read + Seek> List<F> {
    /// Reads a page, whose entries have this size.
    fn read(&mut self, page: usize, entry: usize, bytes: &mut Vec<u8>) -> io::Result<()> {
        let before = (page * PAGE) as u64;
        let count = usize::try_from(self.entries - before).map_or(PAGE, |left| left.min(PAGE));
        bytes.clear();
        bytes.try_reserve_exact(count * entry).map_err(of_memory)?;
        bytes.resize(count * entry, 0);
        self.file.seek(SeekFrom::Start(before * entry as u64))?;
        self.file.read_exact(bytes)
    }
}

/// Writes a list.
struct ListWriter<F, K> {
    list: List<F>,
    bytes: Vec<u8>,
    last: Option<Entry<K>>,
}

impl<F: Write, K: Mark> ListWriter<F, K> {
    fn new(file: F, level: u32) -> Self {
        let list = List { file, entries: 0, level, pages: Vec::new() };
        Self { list, bytes: Vec::new(), last: None }
    }

    /// Adds the next entry, unless it is the same as the last one.
    fn push(&mut self, entry: &Entry<K>) -> io::Result<()> {
        if self.last.replace(*entry) == Some(*entry) {
            return Ok(());
        }
        let (key, date_time, mark) = entry;
        if self.list.entries.is_multiple_of(PAGE as u64) {
            self.flush()?;
            self.bytes.try_reserve_exact(PAGE * size_of_entry::<K>()).map_err(of_memory)?;
            self.list.pages.try_reserve(1).map_err(of_memory)?;
            self.list.pages.push(first_bytes(key));
        }
        self.list.entries += 1;
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(&date_time.0.to_be_bytes());
        mark.write(&mut self.bytes);
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
    fn peek<K: Mark>(&mut self) -> io::Result<Option<Entry<K>>> {
        if self.at == self.bytes.len() {
            if self.page == self.list.pages.len() {
                return Ok(None);
            }
            self.list.read(self.page, size_of_entry::<K>(), &mut self.bytes)?;
            (self.page, self.at) = (self.page + 1, 0);
        }
        Ok(self.bytes[self.at..].get(..size_of_entry::<K>()).map(decode))
    }
}

/// One list of several.
fn merge<F: Read + Write + Seek, K: Mark>(
    lists: &mut [List<F>],
    file: F,
    level: u32,
) -> io::Result<List<F>> {
    let mut writer = ListWriter::<F, K>::new(file, level);
    let begin = |list| Merged { list, page: 0, bytes: Vec::new(), at: 0 };
    let mut merged: Vec<Merged<'_, F>> = lists.iter_mut().map(begin).collect();
    let mut next = merged.iter_mut().map(Merged::peek::<K>).collect::<io::Result<Vec<_>>>()?;
    loop {
        let entries = next.iter().enumerate().filter_map(|(i, entry)| Some(((*entry)?, i)));
        let Some((entry, i)) = entries.min() else { return writer.finish() };
        writer.push(&entry)?;
        merged[i].at += size_of_entry::<K>();
        next[i] = merged[i].peek()?;
    }
}

fn decode<K: Mark>(entry: &[u8]) -> Entry<K> {
    let (key, rest) =
        entry.split_first_chunk().map_or(([0; 16], entry), |(key, rest)| (*key, rest));
    let (time, mark) = rest
        .split_first_chunk()
        .map_or((0, rest), |(time, mark)| (i64::from_be_bytes(*time), mark));
    (key, Timestamp(time), K::read(mark))
}

fn of_memory(_: TryReserveError) -> io::Error {
    io::ErrorKind::OutOfMemory.into()
}
