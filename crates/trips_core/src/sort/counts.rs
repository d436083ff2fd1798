//! Counts of trips by day and group, for the roll-up.

use std::collections::{HashMap, TryReserveError};

use crate::sort::groups::{Groups, TEXT_OVERHEAD, boxed, names_of};

/// Approximate memory of a count in the map of the days before.
const BYTES_OF_A_COUNT: usize = 48;
/// A group of the batch without a number here.
const UNKNOWN: u32 = u32::MAX;

/// Counts of trips by day (days since 2000-01-01), region and datasource.
///
/// Trips arrive in the order of time: the counts of one day are in a list, those of the days before in a map.
#[derive(Debug, Default)]
pub struct DailyCounts {
    day: i32,
    of_day: Vec<u64>,
    /// The groups that have a count in `of_day`.
    touched: Vec<u32>,
    before: HashMap<(i32, u32), u64>,
    groups: HashMap<Box<[u8]>, u32>,
    bytes_of_groups: usize,
    /// The numbers of a batch's groups.
    of_batch: Vec<u32>,
}

/// Counts the trips of one batch.
#[derive(Debug)]
pub struct BatchCounts<'a> {
    counts: &'a mut DailyCounts,
    groups: &'a Groups,
}

impl BatchCounts<'_> {
    /// Counts one trip.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn add(&mut self, day: i32, group: u32) -> Result<(), TryReserveError> {
        let mut number = self.counts.of_batch[group as usize];
        if number == UNKNOWN {
            number = self.counts.number(self.groups.encoded(group))?;
            self.counts.of_batch[group as usize] = number;
        }
        self.counts.add(day, number)
    }
}

impl DailyCounts {
    /// Begins to count the trips of a batch with these groups.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn of_batch<'a>(
        &'a mut self,
        groups: &'a Groups,
    ) -> Result<BatchCounts<'a>, TryReserveError> {
        self.of_batch.clear();
        self.of_batch.try_reserve(groups.len())?;
        self.of_batch.resize(groups.len(), UNKNOWN);
        Ok(BatchCounts { counts: self, groups })
    }

    fn number(&mut self, encoded: &[u8]) -> Result<u32, TryReserveError> {
        if let Some(&number) = self.groups.get(encoded) {
            return Ok(number);
        }
        let number = u32::try_from(self.groups.len()).expect("they are taken long before");
        self.groups.try_reserve(1)?;
        self.groups.insert(boxed(encoded)?, number);
        self.bytes_of_groups += encoded.len() + TEXT_OVERHEAD;
        Ok(number)
    }

    fn add(&mut self, day: i32, group: u32) -> Result<(), TryReserveError> {
        if day != self.day {
            self.end_day()?;
            self.day = day;
        }
        let at = group as usize;
        if at >= self.of_day.len() {
            self.of_day.try_reserve(at + 1 - self.of_day.len())?;
            self.of_day.resize(at + 1, 0);
        }
        if self.of_day[at] == 0 {
            self.touched.try_reserve(1)?;
            self.touched.push(group);
        }
        self.of_day[at] += 1;
        Ok(())
    }

    fn end_day(&mut self) -> Result<(), TryReserveError> {
        self.before.try_reserve(self.touched.len())?;
        for group in self.touched.drain(..) {
            let count = std::mem::take(&mut self.of_day[group as usize]);
            *self.before.entry((self.day, group)).or_default() += count;
        }
        Ok(())
    }

    /// Approximate memory of the counts and their groups.
    #[must_use]
    pub fn bytes(&self) -> usize {
        (self.before.len() + self.touched.len()) * BYTES_OF_A_COUNT + self.bytes_of_groups
    }

    /// Returns the counts, ordered by day and group, and clears them.
    ///
    /// # Errors
    /// When there is no memory.
    ///
    /// # Panics
    /// Never: every counted group has a number.
    pub fn take(&mut self) -> Result<Counted, TryReserveError> {
        self.end_day()?;
        let taken = std::mem::take(self);
        let mut names: Vec<Box<[u8]>> = Vec::new();
        names.try_reserve_exact(taken.groups.len())?;
        names.resize_with(taken.groups.len(), Box::default);
        for (encoded, number) in taken.groups {
            names[number as usize] = encoded;
        }
        let mut counts = Vec::new();
        counts.try_reserve_exact(taken.before.len())?;
        counts.extend(taken.before.into_iter().map(|((day, group), count)| (day, group, count)));
        counts.sort_unstable();
        Ok(Counted { counts, names })
    }
}

/// Number of trips of a region and a datasource on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayCount<'a> {
    /// Days since 2000-01-01.
    pub day: i32,
    /// The region.
    pub region: &'a str,
    /// The datasource, if there is one.
    pub datasource: Option<&'a str>,
    /// Number of trips.
    pub trips: u64,
}

/// Counts that were taken.
#[derive(Debug)]
pub struct Counted {
    counts: Vec<(i32, u32, u64)>,
    names: Vec<Box<[u8]>>,
}

impl Counted {
    /// All of them, ordered by day and group, in slices of about this many bytes, with at least one count.
    pub fn slices(&self, bytes: usize) -> impl Iterator<Item = Vec<DayCount<'_>>> {
        let mut rest = self.counts.as_slice();
        std::iter::from_fn(move || {
            let (mut slice, mut taken) = (Vec::new(), 0);
            while let Some((&(day, group, trips), behind)) = rest.split_first()
                && taken < bytes
            {
                let encoded = &self.names[group as usize];
                let (region, datasource) = names_of(encoded);
                slice.push(DayCount { day, region, datasource, trips });
                taken += encoded.len() + size_of::<DayCount<'_>>();
                rest = behind;
            }
            (!slice.is_empty()).then_some(slice)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Identity;
    use crate::model::timestamp::{MICROS_PER_DAY, Timestamp};
    use crate::model::trip::Trip;
    use crate::sort::batch;
    use crate::sort::block::Block;
    use crate::sort::groups::GroupCache;

    /// A batch of trips, one in each of these regions, on its own day.
    fn batch_of(regions: &[&str]) -> batch::Batch {
        let mut block = Block::default();
        for (day, region) in (0..).zip(regions) {
            let date_time = Timestamp(day * MICROS_PER_DAY);
            let (origin, destination, datasource) = (None, None, Some("d"));
            block.push(&Trip { region, origin, destination, date_time, datasource }, &[]).unwrap();
        }
        let mut cache = GroupCache::default();
        batch::build(&[block], (None, None), 1, false, &mut cache).unwrap()
    }

    fn add(counts: &mut DailyCounts, batch: &batch::Batch) {
        let mut counting = counts.of_batch(&batch.groups).unwrap();
        for entry in &batch.entries {
            counting.add(entry.date_time.day(), entry.group).unwrap();
        }
    }

    fn taken(counts: &mut DailyCounts, bytes: usize) -> Vec<Vec<(i32, String, u64)>> {
        let counted = counts.take().unwrap();
        let of = |c: &DayCount<'_>| (c.day, c.region.to_owned(), c.trips);
        counted.slices(bytes).map(|slice| slice.iter().map(of).collect()).collect()
    }

    #[test]
    fn batches_with_other_numbers_are_counted_together() {
        let mut counts = DailyCounts::default();
        add(&mut counts, &batch_of(&["a", "b", "a"]));
        add(&mut counts, &batch_of(&["b", "b"]));
        let row = |day, region: &str, trips| (day, region.to_owned(), trips);
        let expected = [row(0, "a", 1), row(0, "b", 1), row(1, "b", 2), row(2, "a", 1)];
        assert_eq!(taken(&mut counts, usize::MAX), [expected.to_vec()]);
        assert_eq!((counts.bytes(), taken(&mut counts, usize::MAX).len()), (0, 0));
        add(&mut counts, &batch_of(&["a", "b", "a"]));
        assert_eq!(taken(&mut counts, 1).len(), 3, "a slice is never empty");
    }

    /// A batch has the groups of dropped duplicates, too: without trips, they are no counts.
    #[test]
    fn groups_of_dropped_duplicates_are_not_counted() {
        let (id, mut block) = (Identity::SourceId(b"id"), Block::default());
        for (line, region) in (1..).zip(["kept", "dropped"]) {
            let (origin, destination, datasource) = (None, None, None);
            let date_time = Timestamp(0);
            let trip = Trip { region, origin, destination, date_time, datasource };
            block.push_feed(&trip, &[], id, line).unwrap();
        }
        block.sort().unwrap();
        let mut cache = GroupCache::default();
        let batch = batch::build(&[block], (None, None), 1, false, &mut cache).unwrap();
        assert_eq!((batch.entries.len(), batch.duplicates, batch.groups.len()), (1, 1, 2));
        let mut counts = DailyCounts::default();
        add(&mut counts, &batch);
        assert_eq!(taken(&mut counts, usize::MAX), [vec![(0, "kept".to_owned(), 1)]]);
    }

    #[test]
    fn what_they_take_is_known() {
        let mut counts = DailyCounts::default();
        let regions: Vec<String> = (0..1000).map(|i| format!("{i:0900}")).collect();
        for region in &regions {
            add(&mut counts, &batch_of(&[region]));
        }
        assert!((900_000..1_200_000).contains(&counts.bytes()), "{}", counts.bytes());
    }
}
