//! A file is compared with the history, which does not get its trips: what the earlier runs of the file would have
//! changed.

use std::cmp::Reverse;
use std::collections::TryReserveError;
use std::io::{self, Read, Seek, Write};

use crate::key::TripKey;
use crate::model::timestamp::Timestamp;
use crate::sort::block::Block;
use crate::sort::id_lists::{IdLists, Mark};
use crate::sort::ids::RunIds;

/// The last change of a trip counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Change {
    /// The run that has changed it.
    run: u64,
    /// Whether the history would have it.
    is_there: bool,
    /// The digest of its values.
    digest: u64,
}

impl Mark for Change {
    const BYTES: usize = 8 + 1 + 8;

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.run.to_be_bytes());
        out.push(self.is_there.into());
        out.extend_from_slice(&self.digest.to_be_bytes());
    }

    fn read(bytes: &[u8]) -> Self {
        let number = |bytes: Option<&[u8; 8]>| bytes.map_or(0, |bytes| u64::from_be_bytes(*bytes));
        let is_there = bytes.get(8) == Some(&1);
        Self { run: number(bytes.first_chunk()), is_there, digest: number(bytes.last_chunk()) }
    }
}

/// The trips that the earlier runs of a file would have changed; `make` makes a temporary file.
#[derive(Debug)]
pub struct Trial<F, M> {
    lists: IdLists<F, M, Change>,
    run: u64,
}

impl<F: Read + Write + Seek, M: FnMut() -> io::Result<F>> Trial<F, M> {
    /// Before the first run. So many bytes of memory are used; the rest is in the temporary files.
    pub fn new(make: M, bytes: usize) -> Self {
        Self { lists: IdLists::new(make, bytes), run: 0 }
    }

    /// The changes of trips whose ids a run has.
    ///
    /// # Errors
    /// Errors of a temporary file; `OutOfMemory` when there is no memory.
    pub fn changes(&mut self, ids: &mut RunIds) -> io::Result<Changes> {
        let (mut changes, mut most) = (Changes::default(), ids.len().max(1024) * 2);
        self.lists.each(ids, |ids, entry| {
            if !ids.may_have(&entry.0) {
                return Ok(());
            }
            if changes.0.len() >= most {
                changes.keep_last();
                most = most.max(changes.0.len() * 2);
            }
            changes.0.try_reserve(1)?;
            changes.0.push(*entry);
            Ok(())
        })?;
        changes.keep_last();
        Ok(changes)
    }

    /// Adds what a run would change: these trips leave the history, and it gets those of the blocks.
    ///
    /// # Errors
    /// As [`Trial::changes`].
    pub fn add(
        &mut self,
        replaced: &[(Timestamp, TripKey, Timestamp)],
        blocks: &[Block],
    ) -> io::Result<()> {
        self.run += 1;
        let run = self.run;
        for &(date_time, key, _) in replaced {
            self.lists.push((key, date_time, Change { run, is_there: false, digest: 0 }))?;
        }
        for block in blocks {
            for (row, range) in block.rows().zip(block.ranges()) {
                let change = Change { run, is_there: true, digest: row.digest() };
                self.lists.push((block.base_key(&row), range.date_time, change))?;
            }
        }
        Ok(())
    }
}

/// Trips that earlier runs would have changed, each once.
#[derive(Debug, Default)]
pub struct Changes(Vec<(TripKey, Timestamp, Change)>);

impl Changes {
    /// Keeps the last change of each trip.
    fn keep_last(&mut self) {
        self.0.sort_unstable_by_key(|&(key, time, change)| (key, time, Reverse(change)));
        self.0.dedup_by_key(|(key, time, _)| (*key, *time));
    }

    /// Whether a run would have changed this trip.
    #[must_use]
    pub fn have(&self, (time, key): &(Timestamp, TripKey)) -> bool {
        self.0.binary_search_by_key(&(key, time), |(key, time, _)| (key, time)).is_ok()
    }

    /// Notes the trips that the history would have.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn found(&self, ids: &mut RunIds, blocks: &[Block]) -> Result<(), TryReserveError> {
        for (key, time, change) in self.0.iter().filter(|(.., change)| change.is_there) {
            ids.found_before(blocks, *time, key, change.digest)?;
        }
        Ok(())
    }
}
