//! The bytes of a file at offsets, compared with digests each time that they are read from the file.
//!
//! A packed file cannot be held in memory as a split can. So `split` prints which blocks of the file a piece needs, and a
//! digest of them. `read` compares them before it prints the first part, and again whenever it reads one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use trips_containers::Ranges;

/// Bytes of a block.
const BLOCK: usize = 256 * 1024;
/// Blocks in memory.
const SLOTS: usize = 64;
/// Ranges of blocks that a piece names. With more of them, it needs all blocks between.
const MAX_RANGES: usize = 2000;

/// The numbers of blocks of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Blocks(BTreeSet<u64>);

/// The bytes of a file.
pub struct Checked {
    file: File,
    size: u64,
    digests: BTreeMap<u64, blake3::Hash>,
    memory: Mutex<Memory>,
    has_changed: AtomicBool,
}

#[derive(Default)]
struct Memory {
    slots: BTreeMap<u64, (u64, Vec<u8>)>,
    read: Blocks,
}

impl Checked {
    /// Hashes a file of this size. Returns its digest, too.
    pub fn of_file(file: File, size: u64) -> io::Result<(Self, blake3::Hash)> {
        let mut whole = blake3::Hasher::new();
        let all = Blocks((0..size.div_ceil(BLOCK as u64)).collect());
        let checked = Self::hash(file, size, &all, |bytes| {
            whole.update(bytes);
        })?;
        Ok((checked, whole.finalize()))
    }

    /// Hashes these blocks of a file of this size. Others cannot be read.
    pub fn of_blocks(file: File, size: u64, blocks: &Blocks) -> io::Result<Self> {
        Self::hash(file, size, blocks, |_| ())
    }

    fn hash(
        file: File,
        size: u64,
        blocks: &Blocks,
        mut each: impl FnMut(&[u8]),
    ) -> io::Result<Self> {
        let mut digests = BTreeMap::new();
        let mut bytes = Vec::new();
        for &number in &blocks.0 {
            read_block(&file, size, number, &mut bytes)?;
            each(&bytes);
            digests.insert(number, blake3::hash(&bytes));
        }
        let (memory, has_changed) = (Mutex::default(), AtomicBool::new(false));
        Ok(Self { file, size, digests, memory, has_changed })
    }

    /// The digest of these blocks: of their numbers and their digests.
    pub fn digest(&self, blocks: &Blocks) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new();
        for number in &blocks.0 {
            hasher.update(&number.to_be_bytes());
            hasher.update(self.digests.get(number).map_or(&[], |digest| digest.as_bytes()));
        }
        hasher.finalize()
    }

    /// Whether a block was not as it was hashed, or is none of those that may be read.
    pub fn has_changed(&self) -> bool {
        self.has_changed.load(Ordering::Relaxed)
    }

    /// Number of its bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The blocks that were read since the last call.
    pub fn take_read(&self) -> Blocks {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        memory.slots.clear();
        std::mem::take(&mut memory.read)
    }

    /// Reads from one block.
    fn read_from(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        if offset >= self.size || buffer.is_empty() {
            return Ok(0);
        }
        let number = offset / BLOCK as u64;
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let Memory { slots, read } = &mut *memory;
        let (in_slot, bytes) = slots.entry(number % SLOTS as u64).or_insert((u64::MAX, Vec::new()));
        if *in_slot != number {
            *in_slot = u64::MAX;
            let found = read_block(&self.file, self.size, number, bytes);
            let is_known = found.is_ok() && self.digests.get(&number) == Some(&blake3::hash(bytes));
            if !is_known {
                self.has_changed.store(true, Ordering::Relaxed);
                return Err(io::Error::other("the file changed since it was split"));
            }
            *in_slot = number;
            read.0.insert(number);
        }
        let at = usize::try_from(offset % BLOCK as u64).unwrap_or(0);
        let rest = bytes.get(at..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }
}

/// Reads a block; the last one may be shorter.
fn read_block(file: &File, size: u64, number: u64, bytes: &mut Vec<u8>) -> io::Result<()> {
    let first = number * BLOCK as u64;
    let length = usize::try_from(size.saturating_sub(first)).unwrap_or(BLOCK).min(BLOCK);
    bytes.resize(length, 0);
    file.read_exact_at(bytes, first)
}

impl Ranges for Checked {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.read_from(offset, buffer)
    }
}

impl Blocks {
    /// Adds other blocks.
    pub fn add(&mut self, other: &Self) {
        self.0.extend(&other.0);
    }

    /// All blocks between the first and the last one, if they are too many ranges for a command line.
    pub fn bounded(self) -> Self {
        match (self.ranges().len() > MAX_RANGES, self.0.first(), self.0.last()) {
            (true, Some(&first), Some(&last)) => Self((first..=last).collect()),
            _ => self,
        }
    }

    fn ranges(&self) -> Vec<(u64, u64)> {
        let mut ranges: Vec<(u64, u64)> = Vec::new();
        for &number in &self.0 {
            match ranges.last_mut() {
                Some((_, last)) if *last + 1 == number => *last = number,
                _ => ranges.push((number, number)),
            }
        }
        ranges
    }

    /// Parses the text of [`Self::to_string`], for a file of this size.
    pub fn parse(text: &str, size: u64) -> Option<Self> {
        let mut blocks = BTreeSet::new();
        for range in text.split_terminator(',') {
            let (first, last) = range.split_once('-')?;
            let (first, last) = (first.parse::<u64>().ok()?, last.parse::<u64>().ok()?);
            (last < size.div_ceil(BLOCK as u64)).then_some(())?;
            blocks.extend(first..=last);
        }
        Some(Self(blocks))
    }
}

impl std::fmt::Display for Blocks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.ranges().iter().try_for_each(|(first, last)| write!(f, "{first}-{last},"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_ranges() {
        let blocks = Blocks([0, 1, 2, 7].into());
        assert_eq!(blocks.to_string(), "0-2,7-7,");
        let size = 8 * BLOCK as u64;
        assert_eq!(Blocks::parse("0-2,7-7,", size), Some(blocks.clone()));
        assert_eq!(Blocks::parse("0-2,7-8,", size), None);
        assert_eq!(Blocks::parse("", size), Some(Blocks::default()));
        assert_eq!(blocks.clone().bounded(), blocks);
        let many = Blocks((0..=2 * MAX_RANGES as u64).map(|number| number * 2).collect());
        assert_eq!(many.bounded().ranges(), [(0, 4 * MAX_RANGES as u64)]);
    }
}
