//! A batch: all trips of a stretch of time, as rows in the order of the history's unique index.
//!
//! Blocks come in the order of the file; batches go out in the order of the index. In between, the
//! time of all blocks is cut into stretches, and each stretch is keyed, sorted and deduplicated by
//! itself. Equal trips have equal times, so they meet in the same stretch. Where the history's partitions begin and
//! end is not known here: who writes a batch cuts it at their bounds.

use std::cmp::Ordering;
use std::collections::{HashMap, TryReserveError};
use std::sync::Mutex;

use crate::areas;
use crate::block::{Block, Place};
use crate::key::{self, TripKey};
use crate::partition_bounds::{Bound, PartitionBounds};
use crate::point::Point;
use crate::timestamp::Timestamp;

/// Of so many trips of a block, one is looked at to cut the time.
const SAMPLED: usize = 64;
/// What a row has beside its five values: the number of its columns, trip_key and load_id, each of
/// these behind its length.
const BESIDE_VALUES: usize = 2 + (4 + 16) + (4 + 8);

/// A trip's place in the order of the history, and its row in the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// When the trip began.
    pub date_time: Timestamp,
    /// What it is.
    pub key: TripKey,
    /// Its region and datasource, as [`Groups`] numbers them.
    pub group: u32,
    /// Where its row ends; it begins where the one before ends.
    pub end: u32,
}

impl Entry {
    /// The order of the unique index `(date_time, trip_key)`.
    #[must_use]
    pub fn cmp_key(&self, date_time: Timestamp, key: &TripKey) -> Ordering {
        self.date_time.cmp(&date_time).then_with(|| self.key.cmp(key))
    }
}

/// Rows of PostgreSQL's binary COPY: region, origin, destination, date_time, datasource, trip_key,
/// load_id.
#[derive(Debug, Default)]
pub struct Batch {
    /// The rows, one behind the other.
    pub rows: Vec<u8>,
    /// The trips, in the order of the index, each once.
    pub entries: Vec<Entry>,
    /// Where they begin and end, in the same order; none when nobody keeps them.
    pub places: Vec<areas::Place>,
    /// How many trips were there more than once and were dropped.
    pub duplicates: usize,
}

/// A stretch of time: from, and to before; none is the beginning, or the end, of all time.
pub type Stretch = (Option<Timestamp>, Option<Timestamp>);

/// Cuts the time of sorted blocks into stretches of about so many trips each.
#[must_use]
pub fn stretches(blocks: &[Block], trips: usize) -> Vec<Stretch> {
    let mut times = Vec::new();
    // Every so many trips, whatever block they are in, and the first from the middle of its step: the first trips of
    // the blocks alone would make the first stretch a short one.
    let mut skip = SAMPLED / 2;
    for block in blocks {
        let places = block.places();
        times.extend(places.iter().skip(skip).step_by(SAMPLED).map(|place| place.date_time));
        let seen = places.len().saturating_sub(skip).next_multiple_of(SAMPLED);
        skip = (skip + seen) - places.len();
    }
    times.sort_unstable();
    let mut cuts: Vec<Timestamp> =
        times.into_iter().step_by((trips / SAMPLED).max(1)).skip(1).collect();
    cuts.dedup();
    let from = std::iter::once(None).chain(cuts.iter().copied().map(Some));
    let to = cuts.iter().copied().map(Some).chain(std::iter::once(None));
    from.zip(to).collect()
}

/// How many trips of sorted blocks lie within the bounds, those that are there twice counted twice.
#[must_use]
pub fn count_within(blocks: &[Block], bounds: PartitionBounds) -> usize {
    let before = |block: &Block, bound| match bound {
        Bound::MinValue => 0,
        Bound::At(time) => block.places().partition_point(|place| place.date_time < time),
        Bound::MaxValue => block.len(),
    };
    let within = |block| before(block, bounds.upper).saturating_sub(before(block, bounds.lower));
    blocks.iter().map(within).sum()
}

/// The time of the first trip of sorted blocks that is at or behind a bound.
#[must_use]
pub fn first_from(blocks: &[Block], bound: Bound) -> Option<Timestamp> {
    let first = |block: &Block| {
        let places = block.places();
        let at = places.partition_point(|place| Bound::At(place.date_time) < bound);
        places.get(at).map(|place| place.date_time)
    };
    blocks.iter().filter_map(first).min()
}

/// Makes the batch of a stretch of time of sorted blocks, for this load; with the places of its trips
/// or without.
///
/// # Errors
/// When there is no memory.
///
/// # Panics
/// When the batch is over 4 GiB: all trips of a run at one moment, and a run of that size.
pub fn build(
    blocks: &[Block],
    stretch: Stretch,
    load_id: i64,
    keeps_places: bool,
    groups: &mut GroupCache<'_>,
) -> Result<Batch, TryReserveError> {
    let slices: Vec<(&Block, &[Place])> =
        blocks.iter().map(|block| (block, block.between(stretch.0, stretch.1))).collect();
    let mut found: Vec<(Timestamp, TripKey, &[u8])> = Vec::new();
    found.try_reserve_exact(slices.iter().map(|(_, places)| places.len()).sum())?;
    let mut bytes = 0;
    for (block, places) in slices {
        for &place in places {
            let values = block.values(place);
            bytes += values.len() + BESIDE_VALUES;
            found.push((place.date_time, key::of_encoded(values), values));
        }
    }
    found.sort_unstable_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    let before = found.len();
    found.dedup_by(|later, first| (later.0, &later.1) == (first.0, &first.1));

    let mut batch = Batch { duplicates: before - found.len(), ..Batch::default() };
    batch.rows.try_reserve_exact(bytes)?;
    batch.entries.try_reserve_exact(found.len())?;
    batch.places.try_reserve_exact(if keeps_places { found.len() } else { 0 })?;
    for (date_time, key, values) in found {
        let rows = &mut batch.rows;
        rows.extend_from_slice(&7_i16.to_be_bytes());
        rows.extend_from_slice(values);
        key::encode_value(&key, rows);
        key::encode_value(&load_id.to_be_bytes(), rows);
        let end = u32::try_from(rows.len()).expect("a batch is under 4 GiB");
        batch.entries.push(Entry { date_time, key, group: groups.number(values), end });
        if keeps_places {
            let [origin, destination] = points(values);
            batch.places.push(areas::Place::of(date_time, origin, destination));
        }
    }
    Ok(batch)
}

/// Regions and datasources, numbered as they come, shared by all who build batches.
#[derive(Debug, Default)]
pub struct Groups {
    numbers: Mutex<HashMap<Box<[u8]>, u32>>,
}

impl Groups {
    /// The region and the datasource of every number.
    ///
    /// # Panics
    /// When a thread that numbered has panicked.
    #[must_use]
    pub fn names(&self) -> Vec<(String, Option<String>)> {
        let numbers = self.numbers.lock().expect("nobody panics while numbering");
        let mut names = vec![(String::new(), None); numbers.len()];
        for (values, number) in numbers.iter() {
            let (region, rest) = split_value(values);
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            names[*number as usize] =
                (region.map(text).unwrap_or_default(), split_value(rest).0.map(text));
        }
        names
    }
}

/// A thread's memory of the numbers that it has asked for.
#[derive(Debug)]
pub struct GroupCache<'a> {
    groups: &'a Groups,
    known: HashMap<Box<[u8]>, u32>,
    wanted: Vec<u8>,
}

impl<'a> GroupCache<'a> {
    /// A memory that knows nothing yet.
    #[must_use]
    pub fn new(groups: &'a Groups) -> Self {
        Self { groups, known: HashMap::new(), wanted: Vec::new() }
    }

    /// The number of the group of a trip's encoded values.
    fn number(&mut self, values: &[u8]) -> u32 {
        // Region is the first value; origin, destination and date_time stand before the last.
        let region = value_length(values);
        let datasource = (0..3).fold(region, |at, _| at + value_length(&values[at..]));
        self.wanted.clear();
        self.wanted.extend_from_slice(&values[..region]);
        self.wanted.extend_from_slice(&values[datasource..]);
        if let Some(number) = self.known.get(self.wanted.as_slice()) {
            return *number;
        }
        let mut numbers = self.groups.numbers.lock().expect("nobody panics while numbering");
        let next = u32::try_from(numbers.len()).expect("under 4 billion groups");
        let number = *numbers.entry(self.wanted.as_slice().into()).or_insert(next);
        self.known.insert(self.wanted.as_slice().into(), number);
        number
    }
}

/// Bytes of the first encoded value, its length included.
fn value_length(values: &[u8]) -> usize {
    let length = i32::from_be_bytes(values[..4].try_into().expect("four bytes"));
    4 + usize::try_from(length).unwrap_or(0)
}

/// The origin and the destination of a trip's encoded values.
fn points(values: &[u8]) -> [Option<Point>; 2] {
    let (origin, rest) = split_value(&values[value_length(values)..]);
    let degrees = |bytes: &[u8]| bytes.try_into().map_or(f64::NAN, f64::from_be_bytes);
    let point =
        |bytes: &[u8]| Point { longitude: degrees(&bytes[..8]), latitude: degrees(&bytes[8..]) };
    [origin.map(point), split_value(rest).0.map(point)]
}

/// The first value of encoded ones, and the rest.
fn split_value(values: &[u8]) -> (Option<&[u8]>, &[u8]) {
    let (value, rest) = values.split_at(value_length(values));
    let is_missing = value[..4] == (-1_i32).to_be_bytes();
    ((!is_missing).then_some(&value[4..]), rest)
}
