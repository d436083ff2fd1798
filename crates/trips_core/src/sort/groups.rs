//! Regions with their datasources, numbered batch by batch.
//!
//! A file may have as many of them as trips. So a batch has each text once, and nothing of it outlives the batch.

use std::collections::hash_map::RandomState;
use std::collections::{HashMap, TryReserveError};
use std::hash::BuildHasher;

use crate::text::hash::{hash, same};
use crate::wire::copy_binary::{copy, values_of};

/// A table with room for more groups is freed after its batch.
const KEPT_GROUPS: usize = 16 * 1024;
/// Approximate memory of a map entry, without its text.
pub(crate) const TEXT_OVERHEAD: usize = 80;

/// The regions and datasources of a batch, encoded, each once.
#[derive(Debug, Default)]
pub struct Groups {
    texts: Vec<u8>,
    ends: Vec<usize>,
}

impl Groups {
    /// Number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether it is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The encoded region and datasource of a number.
    pub(crate) fn encoded(&self, number: u32) -> &[u8] {
        let number = number as usize;
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.texts[start..self.ends[number]]
    }

    /// The region and the datasource of a number.
    ///
    /// # Panics
    /// When the number is unknown.
    #[must_use]
    pub fn names(&self, number: u32) -> (&str, Option<&str>) {
        names_of(self.encoded(number))
    }

    /// Whether a number is of this region and this datasource.
    #[inline]
    fn is(&self, number: u32, [region, datasource]: [&[u8]; 2]) -> bool {
        let known = self.encoded(number);
        known.len() == region.len() + datasource.len()
            && same_value(&known[..region.len()], region)
            && same_value(&known[region.len()..], datasource)
    }

    fn push(&mut self, encoded: &[u8]) -> Result<u32, TryReserveError> {
        self.texts.try_reserve(encoded.len())?;
        self.ends.try_reserve(1)?;
        self.texts.extend_from_slice(encoded);
        self.ends.push(self.texts.len());
        Ok(u32::try_from(self.ends.len() - 1).expect("a batch has under 4 billion trips"))
    }
}

/// The texts of an encoded region and datasource, which were valid when they were encoded.
pub(crate) fn names_of(encoded: &[u8]) -> (&str, Option<&str>) {
    let [region, datasource] = values_of(encoded);
    let text = |bytes| std::str::from_utf8(bytes).unwrap_or_default();
    (region.map(text).unwrap_or_default(), datasource.map(text))
}

/// Whether two encoded values are equal.
#[inline]
fn same_value(a: &[u8], b: &[u8]) -> bool {
    match (a.split_first_chunk::<4>(), b.split_first_chunk::<4>()) {
        (Some((length, a)), Some((other, b))) => length == other && same(a, b),
        _ => false,
    }
}

/// A copy whose allocation may fail.
pub(crate) fn boxed(bytes: &[u8]) -> Result<Box<[u8]>, TryReserveError> {
    copy(bytes).map(Vec::into_boxed_slice)
}

/// Finds the numbers of a batch's groups; a thread has one for all of its batches.
#[derive(Debug, Default)]
pub struct GroupCache {
    /// The numbers by a hash of the texts, which stay where they are. A hash that another text has is followed by the next.
    known: HashMap<u64, u32>,
    /// Its seed is random: nobody can write a file of texts with one hash.
    hashes: RandomState,
    batch: u64,
    wanted: Vec<u8>,
    /// The batches and numbers of groups that were wanted last, by a hash of their texts.
    recent: Vec<(u64, u32)>,
}

/// Groups that are found without the map.
const RECENT: usize = 256;
/// Places of a group among them.
const PLACES: usize = 4;

impl GroupCache {
    /// Restarts the numbers at 0.
    pub(crate) fn end_batch(&mut self) {
        self.batch += 1;
        self.known.clear();
        self.known.shrink_to(KEPT_GROUPS);
    }

    /// The number in this batch of a region and a datasource, each encoded with its length.
    #[inline]
    pub(crate) fn number(
        &mut self,
        group: [&[u8]; 2],
        groups: &mut Groups,
    ) -> Result<u32, TryReserveError> {
        let [region, datasource] = group.map(|value| hash(value.get(4..).unwrap_or_default()));
        let hash = region.rotate_left(8) ^ datasource;
        if self.recent.is_empty() {
            self.recent.try_reserve_exact(RECENT)?;
            self.recent.resize(RECENT, (u64::MAX, 0));
        }
        // Groups that share a place take the next ones: otherwise they would drive each other out, trip after trip.
        let first = (hash >> 56) as usize;
        let places = (first..first + PLACES).map(|place| place % RECENT);
        let mut free = first;
        for place in places {
            let (batch, number) = self.recent[place];
            if batch != self.batch {
                free = place;
                break;
            }
            if groups.is(number, group) {
                return Ok(number);
            }
        }
        let number = self.number_in_map(group, groups)?;
        self.recent[free] = (self.batch, number);
        Ok(number)
    }

    fn number_in_map(
        &mut self,
        group: [&[u8]; 2],
        groups: &mut Groups,
    ) -> Result<u32, TryReserveError> {
        self.wanted.clear();
        group.iter().for_each(|value| self.wanted.extend_from_slice(value));
        self.number_of_hash(self.hashes.hash_one(&self.wanted), groups)
    }

    /// The number of the wanted text, whose hash this is.
    fn number_of_hash(
        &mut self,
        mut hash: u64,
        groups: &mut Groups,
    ) -> Result<u32, TryReserveError> {
        while let Some(&number) = self.known.get(&hash) {
            if groups.encoded(number) == self.wanted {
                return Ok(number);
            }
            hash = hash.wrapping_add(1);
        }
        self.known.try_reserve(1)?;
        let number = groups.push(&self.wanted)?;
        self.known.insert(hash, number);
        Ok(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_one_hash_are_several_groups() {
        let (mut cache, mut groups) = (GroupCache::default(), Groups::default());
        let mut number = |text: &[u8]| {
            cache.wanted = text.to_vec();
            // The last hash is followed by the first.
            cache.number_of_hash(u64::MAX, &mut groups).expect("memory")
        };
        let texts: [&[u8]; 3] = [b"a", b"b", b"c"];
        assert_eq!(texts.map(&mut number), [0, 1, 2]);
        assert_eq!(texts.map(&mut number), [0, 1, 2]);
        assert_eq!(groups.len(), 3);
    }
}
