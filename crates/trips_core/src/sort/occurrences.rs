//! Occurrence numbers over the runs of a file.
//!
//! A batch numbers the equal records of its run. The records of earlier runs count, too, whether they were inserted or
//! were duplicates. So each run but the last one leaves a list of its keys with their numbers of records, sorted by time
//! and key. The batches of a later run are compared with these lists, which are in a temporary file.
//!
//! A merge continues a file whose other records are trips already: their numbers are those before its own records.

use std::collections::TryReserveError;
use std::io::{self, Read, Seek, SeekFrom, Write};

use crate::key::{TripKey, occurrence_key};
use crate::model::timestamp::Timestamp;
use crate::sort::batch::Batch;

/// Bytes of an entry of a list: time, base key, number of records.
const ENTRY: usize = 8 + 16 + 8;
/// Entries that are read together.
const PAGE: usize = 256;
/// Bytes that are written together.
const WRITE: usize = 64 * 1024;

/// The lists of the earlier runs of one file; `make` makes the temporary file when it is needed.
#[derive(Debug)]
pub struct Occurrences<F, M> {
    make: M,
    file: Option<F>,
    runs: Vec<List>,
    current: List,
    buffer: Vec<u8>,
    /// The end of the file, without the buffer.
    end: u64,
    wanted: Vec<Wanted>,
}

/// The position of a list, and the first time of each page.
#[derive(Debug, Default)]
struct List {
    begin: u64,
    entries: u64,
    pages: Vec<Timestamp>,
    last: Option<Timestamp>,
}

/// Equal records: their time, the key of the first one, and their number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct EqualRecords {
    /// Their time.
    pub date_time: Timestamp,
    /// The key of the first one.
    pub base: TripKey,
    /// Their number.
    pub records: u64,
}

/// A key of a batch, and the number of its records in earlier runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Wanted {
    date_time: Timestamp,
    base: TripKey,
    /// Number of records in this run.
    records: u64,
    before: u64,
}

impl<F: Read + Write + Seek, M: FnMut() -> io::Result<F>> Occurrences<F, M> {
    /// Begins a file, or a member of a container.
    pub fn new(make: M) -> Self {
        let (file, runs, current) = (None, Vec::new(), List::default());
        Self { make, file, runs, current, buffer: Vec::new(), end: 0, wanted: Vec::new() }
    }

    /// Numbers the trips of the next batch of a run. Batches arrive in the order of their times. `continued` has the
    /// records of the file that are trips already, sorted. The last run leaves no list.
    ///
    /// # Errors
    /// Errors of the temporary file; `OutOfMemory` when there is no memory.
    pub fn number(
        &mut self,
        batch: &mut Batch,
        is_last_run: bool,
        continued: &[EqualRecords],
    ) -> io::Result<()> {
        let is_first = self.runs.is_empty() && continued.is_empty();
        if batch.occurrences.is_empty() || (is_first && is_last_run) {
            return Ok(());
        }
        self.want(batch)?;
        let runs = std::mem::take(&mut self.runs);
        let read = runs.iter().try_for_each(|list| self.count(list));
        self.runs = runs;
        read?;
        // The lists of earlier runs have counted them.
        for wanted in self.wanted.iter_mut().filter(|wanted| wanted.before == 0) {
            let key = (wanted.date_time, wanted.base);
            if let Ok(at) = continued.binary_search_by_key(&key, |c| (c.date_time, c.base)) {
                wanted.before = continued[at].records;
                wanted.records = wanted.records.saturating_add(wanted.before);
            }
        }
        if !is_last_run {
            self.append()?;
        }
        let wanted = &self.wanted;
        if wanted.iter().all(|wanted| wanted.before == 0) {
            return Ok(());
        }
        let before = |date_time: Timestamp, base: &TripKey| {
            let at = wanted
                .binary_search_by(|other| (other.date_time, &other.base).cmp(&(date_time, base)));
            at.map_or(0, |at| wanted[at].before)
        };
        batch.renumber(before).map_err(|_| io::ErrorKind::OutOfMemory.into())
    }

    /// Adds keys to the list of this run, each once. They are sorted, and after those that the run has added before.
    ///
    /// # Errors
    /// Errors of the temporary file; `OutOfMemory` when there is no memory.
    pub fn add(&mut self, keys: &[EqualRecords]) -> io::Result<()> {
        self.wanted.clear();
        self.wanted.try_reserve(keys.len()).map_err(|_| io::ErrorKind::OutOfMemory)?;
        let wanted = |key: &EqualRecords| {
            let EqualRecords { date_time, base, records } = *key;
            Wanted { date_time, base, records, before: 0 }
        };
        self.wanted.extend(keys.iter().map(wanted));
        self.append()
    }

    /// Ends a run that is not the last one.
    ///
    /// # Errors
    /// Errors of the temporary file.
    pub fn end_run(&mut self) -> io::Result<()> {
        self.flush()?;
        let list = std::mem::take(&mut self.current);
        if list.entries > 0 {
            self.runs.try_reserve(1).map_err(|_| io::ErrorKind::OutOfMemory)?;
            self.runs.push(list);
        }
        self.current.begin = self.end;
        Ok(())
    }

    /// Whether a run has left a list.
    pub fn has_lists(&self) -> bool {
        !self.runs.is_empty()
    }

    /// Counts the records of all runs that left a list. The keys are sorted.
    ///
    /// # Errors
    /// Errors of the temporary file; `OutOfMemory` when there is no memory.
    pub fn count_all(&mut self, keys: &mut [EqualRecords]) -> io::Result<()> {
        self.wanted.clear();
        self.wanted.try_reserve(keys.len()).map_err(|_| io::ErrorKind::OutOfMemory)?;
        let wanted = |key: &EqualRecords| {
            let EqualRecords { date_time, base, .. } = *key;
            Wanted { date_time, base, records: 0, before: 0 }
        };
        self.wanted.extend(keys.iter().map(wanted));
        self.wanted.dedup();
        let runs = std::mem::take(&mut self.runs);
        let read = runs.iter().try_for_each(|list| self.count(list));
        self.runs = runs;
        read?;
        for key in keys {
            let found = self.wanted.binary_search_by_key(&(key.date_time, key.base), |wanted| {
                (wanted.date_time, wanted.base)
            });
            key.records = found.map_or(0, |at| self.wanted[at].before);
        }
        Ok(())
    }

    /// The keys of a batch, each once.
    fn want(&mut self, batch: &Batch) -> io::Result<()> {
        self.wanted.clear();
        self.wanted.try_reserve(batch.entries.len()).map_err(|_| io::ErrorKind::OutOfMemory)?;
        for (entry, occurrence) in batch.entries.iter().zip(&batch.occurrences) {
            let (date_time, base) = (entry.date_time, occurrence.base);
            self.wanted.push(Wanted { date_time, base, records: occurrence.number, before: 0 });
        }
        self.wanted.sort_unstable();
        self.wanted.dedup_by(|later, first| {
            let is_same = (later.date_time, later.base) == (first.date_time, first.base);
            if is_same {
                first.records = first.records.max(later.records);
            }
            is_same
        });
        Ok(())
    }

    /// Adds the numbers of an earlier run.
    fn count(&mut self, list: &List) -> io::Result<()> {
        let (Some(from), Some(to)) = (self.wanted.first(), self.wanted.last()) else {
            return Ok(());
        };
        let (from, to) = (from.date_time, to.date_time);
        if list.last.is_none_or(|last| last < from) {
            return Ok(());
        }
        let mut page = list.pages.partition_point(|&first| first < from).saturating_sub(1);
        let mut bytes = [0; PAGE * ENTRY];
        let mut at = 0;
        while list.pages.get(page).is_some_and(|&first| first <= to) {
            let before = (page * PAGE) as u64;
            let count = usize::try_from(list.entries - before).map_or(PAGE, |left| left.min(PAGE));
            let Some(file) = &mut self.file else { return Ok(()) };
            file.seek(SeekFrom::Start(list.begin + before * ENTRY as u64))?;
            let bytes = &mut bytes[..count * ENTRY];
            file.read_exact(bytes)?;
            for entry in bytes.as_chunks::<ENTRY>().0 {
                let (date_time, base, records) = decode(entry);
                let rest = &self.wanted[at..];
                at += rest.partition_point(|w| (w.date_time, w.base) < (date_time, base));
                if let Some(wanted) = self.wanted.get_mut(at)
                    && (wanted.date_time, wanted.base) == (date_time, base)
                {
                    wanted.before = wanted.before.saturating_add(records);
                }
            }
            page += 1;
        }
        Ok(())
    }

    /// Appends the keys of the batch to the list of this run.
    fn append(&mut self) -> io::Result<()> {
        for i in 0..self.wanted.len() {
            let Wanted { date_time, base, records, .. } = self.wanted[i];
            if self.current.entries.is_multiple_of(PAGE as u64) {
                self.current.pages.try_reserve(1).map_err(|_| io::ErrorKind::OutOfMemory)?;
                self.current.pages.push(date_time);
            }
            self.current.entries += 1;
            self.current.last = Some(date_time);
            self.buffer.try_reserve(ENTRY).map_err(|_| io::ErrorKind::OutOfMemory)?;
            self.buffer.extend_from_slice(&date_time.0.to_be_bytes());
            self.buffer.extend_from_slice(&base);
            self.buffer.extend_from_slice(&records.to_be_bytes());
            if self.buffer.len() >= WRITE {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert((self.make)()?),
        };
        file.seek(SeekFrom::Start(self.end))?;
        file.write_all(&self.buffer)?;
        self.end += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}

fn decode(entry: &[u8; ENTRY]) -> (Timestamp, TripKey, u64) {
    let mut base = [0; 16];
    base.copy_from_slice(&entry[8..24]);
    let number = |bytes: Option<&[u8; 8]>| bytes.map_or(0, |bytes| u64::from_be_bytes(*bytes));
    let time = number(entry.first_chunk()).cast_signed();
    (Timestamp(time), base, number(entry.last_chunk()))
}

impl Batch {
    /// The times and the keys of its trips without their numbers, sorted, each once; none if equal records are one trip.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn equal_records(&self) -> Result<Vec<EqualRecords>, TryReserveError> {
        let mut keys = Vec::new();
        keys.try_reserve_exact(self.occurrences.len())?;
        keys.extend(self.entries.iter().zip(&self.occurrences).map(|(entry, occurrence)| {
            EqualRecords { date_time: entry.date_time, base: occurrence.base, records: 0 }
        }));
        keys.sort_unstable();
        keys.dedup();
        Ok(keys)
    }

    /// Adds to the number of each trip how many equal records came before the run, and orders the trips by their new
    /// keys.
    fn renumber(
        &mut self,
        before: impl Fn(Timestamp, &TripKey) -> u64,
    ) -> Result<(), TryReserveError> {
        let mut order: Vec<(Timestamp, TripKey, usize)> = Vec::new();
        order.try_reserve_exact(self.entries.len())?;
        for i in 0..self.entries.len() {
            let (entry, occurrence) = (&mut self.entries[i], &mut self.occurrences[i]);
            let more = before(entry.date_time, &occurrence.base);
            if more > 0 {
                occurrence.number = occurrence.number.saturating_add(more);
                entry.key = occurrence_key(&occurrence.base, occurrence.number);
            }
            order.push((entry.date_time, entry.key, i));
        }
        order.sort_unstable();
        self.reorder(order.iter().map(|&(_, _, i)| i))
    }
}

#[cfg(test)]
mod tests;
