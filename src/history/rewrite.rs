//! Partitions that have trips of a retracted load only, most of which pass to other loads: they are written again.
//!
//! An UPDATE stores a trip again, inserts an entry into the index and writes WAL for each. So these trips go to a temporary
//! file with their new load, and from there into the emptied partition, as a load fills it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, Read, Seek, SeekFrom, Write};

use pgrx::datum::{DatumWithOid, Timestamp as PgTimestamp};
use pgrx::{Spi, pg_sys};
use trips_core::columns::{COUNT, DATE_TIME, LOAD_ID, TAIL};
use trips_core::model::partition_bounds::{Bound, PartitionBounds};
use trips_core::model::timestamp::Timestamp;
use trips_core::sort::claims::{Claim, TRIPS_OF_BLOCK};

use super::append::build_index;
use super::bounds::partition_bounds;
use super::claims::{StoredBlock, stored_block, write_rest};
use super::retract::count_if_alone;
use super::take_over::{Gain, Gains};
use super::{COLUMNS, KEY, pending_counts};
use crate::error::LoadError;
use crate::pg::heap_append::HeapAppend;
use crate::pg::index_scan::KeyScan;
use crate::pg::interrupts;
use crate::pg::relation::{Table, name_of};
use crate::pg::stored_row::StoredColumns;
use crate::pg::table_locks::{self, Mode};
use crate::pg::temp_file::{self, TempFile};
use crate::settings;

/// The fewest claims for which it is worth it.
const LEAST_CLAIMS: i64 = 4_000;
/// Bytes of the index for each claim, at most: about a quarter of its trips have one then.
const BYTES_OF_CLAIM: i64 = 160;
/// Rows go into the temporary file, and out of it, when they have this many bytes.
const BYTES_AT_ONCE: usize = 1024 * 1024;
/// Trips between two checks for interrupts.
const TRIPS_AT_ONCE: u64 = 4096;
/// Memory of a block of claims, and whether each is used.
const BYTES_OF_BLOCK: usize = TRIPS_OF_BLOCK * (size_of::<Claim>() + 1);

/// What became of partitions that were written again.
#[derive(Debug, Default)]
pub struct Rewritten {
    /// The partitions. No trip of the load is in them.
    pub partitions: Vec<pg_sys::Oid>,
    /// What the other loads get.
    pub gains: Gains,
    /// Number of trips that only this load had: they are deleted.
    pub deleted: i64,
}

/// Writes the partitions again for which this is worth it. No other load may have other values of trips of this load.
pub fn rewrite_partitions(load_id: i64) -> Result<Rewritten, LoadError> {
    let mut rewritten = Rewritten::default();
    for (partition, bounds, is_default) in partition_bounds() {
        interrupts::check();
        if is_default {
            continue;
        }
        let Some(ranges) = claims_within(load_id, partition, bounds)? else { continue };
        let Some(count) = lock_if_fitting(load_id, partition)? else { continue };
        let mut claims = Claims { ranges, open: Vec::new() };
        let rows = copy_passing(partition, count, &mut claims, &mut rewritten.gains)?;
        claims.close_all()?;
        let is_complete = rows.trips == count;
        rewritten.deleted += count - rows.trips;
        fill_again(partition, is_complete, rows)?;
        rewritten.partitions.push(partition);
    }
    Ok(rewritten)
}

/// A block of claims of another load.
#[derive(Debug, Clone, Copy)]
struct ClaimRange {
    number: i64,
    first: Timestamp,
    last: Timestamp,
}

/// The blocks with trips of a partition, the first one last; `None` if there are few claims, or too many blocks of the
/// same time, or if the temporary file might be too large.
fn claims_within(
    load_id: i64,
    partition: pg_sys::Oid,
    bounds: PartitionBounds,
) -> Result<Option<Vec<ClaimRange>>, LoadError> {
    let time = |bound| match bound {
        Bound::At(Timestamp(time)) => PgTimestamp::try_from(time).ok(),
        Bound::MinValue | Bound::MaxValue => None,
    };
    let arguments: [DatumWithOid<'_>; 3] =
        [load_id.into(), time(bounds.lower).into(), time(bounds.upper).into()];
    let (mut ranges, mut trips) = (Vec::new(), 0_i64);
    Spi::connect(|client| {
        let query =
            "SELECT c.claim_no, c.first_time, c.last_time, c.trips FROM trips_internal.claims AS c
                      WHERE c.load_id <> $1 AND ($2::timestamp IS NULL OR c.last_time >= $2)
                        AND ($3::timestamp IS NULL OR c.first_time < $3)
                      ORDER BY c.first_time DESC, c.claim_no DESC";
        for row in client.select(query, None, &arguments)? {
            let time = |time: Option<PgTimestamp>| time.map(|time| Timestamp(time.into()));
            let (number, first, last) = (row.get::<i64>(1)?, time(row.get(2)?), time(row.get(3)?));
            let (Some(number), Some(first), Some(last)) = (number, first, last) else { continue };
            ranges.try_reserve(1)?;
            ranges.push(ClaimRange { number, first, last });
            trips += i64::from(row.get::<i32>(4)?.unwrap_or(0));
        }
        Ok::<_, LoadError>(())
    })?;
    if trips < LEAST_CLAIMS || most_open(&ranges) > settings::work_mem() / 2 / BYTES_OF_BLOCK {
        return Ok(None);
    }
    let sizes = "SELECT pg_table_size($1), pg_indexes_size($1)";
    let (size, index) = Spi::get_two_with_args::<i64, i64>(sizes, &[partition.into()])?;
    let limit = temp_file::limit().and_then(|limit| i64::try_from(limit).ok());
    let is_small = limit.is_none_or(|limit| size.unwrap_or(0) <= limit / 2);
    Ok((is_small && index.unwrap_or(0) / BYTES_OF_CLAIM <= trips).then_some(ranges))
}

/// The most blocks that have claims of one time. The first block is the last one.
fn most_open(ranges: &[ClaimRange]) -> usize {
    let (mut open, mut most) = (BinaryHeap::new(), 0);
    for range in ranges.iter().rev() {
        while open.peek().is_some_and(|&Reverse(last)| last < range.first) {
            open.pop();
        }
        open.push(Reverse(range.last));
        most = most.max(open.len());
    }
    most
}

/// Locks a partition, and returns the number of its trips, if all of them are of the load, no other session uses it, and a
/// load would fill it without COPY. Subscribers would get each trip again: then the trips are updated.
fn lock_if_fitting(load_id: i64, partition: pg_sys::Oid) -> Result<Option<i64>, LoadError> {
    table_locks::lock_with_indexes(partition, Mode::RowExclusive)?;
    let fits = {
        let table = Table::open_oid_for_reading(partition);
        table.has_primary_key(&KEY) && HeapAppend::fits(&table, &COLUMNS)
    };
    let published = "SELECT EXISTS (SELECT FROM pg_publication)";
    if !fits || Spi::get_one::<bool>(published)? != Some(false) {
        return Ok(None);
    }
    let Some(count) = count_if_alone(&name_of(partition), partition, load_id)? else {
        return Ok(None);
    };
    // Before the lock, another session may have changed the table.
    let table = Table::open_oid_for_reading(partition);
    let still_fits = table.has_primary_key(&KEY) && HeapAppend::fits(&table, &COLUMNS);
    Ok((still_fits && table.try_lock_indexes()).then_some(count))
}

/// Rows in the format of binary COPY, in a temporary file.
struct Rows {
    file: TempFile,
    /// The bytes of each part, which has whole rows.
    parts: Vec<usize>,
    /// Number of trips.
    trips: i64,
}

impl Rows {
    /// Adds rows, and empties them.
    fn add(&mut self, rows: &mut Vec<u8>) -> Result<(), LoadError> {
        if !rows.is_empty() {
            self.file.write_all(rows).map_err(LoadError::TemporaryFile)?;
            self.parts.try_reserve(1)?;
            self.parts.push(rows.len());
            rows.clear();
        }
        Ok(())
    }
}

/// Writes the trips of a partition that other loads claim to a temporary file, in the order of its index.
fn copy_passing(
    partition: pg_sys::Oid,
    count: i64,
    claims: &mut Claims,
    gains: &mut Gains,
) -> Result<Rows, LoadError> {
    let mut rows = Rows { file: TempFile::create(), parts: Vec::new(), trips: 0 };
    let table = Table::open_oid_for_reading(partition);
    let columns = (
        StoredColumns::of(&table, &COLUMNS[..LOAD_ID]),
        StoredColumns::of(&table, &COLUMNS[TAIL..]),
    );
    let (Some(head), Some(tail)) = columns else { return Err(LoadError::Serialization) };
    let (mut some, mut values, mut seen) = (Vec::new(), Vec::new(), 0_u64);
    let mut keys = KeyScan::open(&table, false);
    keys.seek(i64::MIN, &[0; 16]);
    while let Some((time, key)) = keys.advance() {
        if seen.is_multiple_of(TRIPS_AT_ONCE) {
            interrupts::check();
        }
        seen += 1;
        let Some(to) = claims.take(&(Timestamp(time), key))? else { continue };
        let mut has_row = keys.read_row(&head, &mut values)?;
        some.try_reserve(2 + values.len() + 12)?;
        some.extend_from_slice(&u16::try_from(COUNT).unwrap_or(u16::MAX).to_be_bytes());
        some.extend_from_slice(&values);
        some.extend_from_slice(&8_i32.to_be_bytes());
        some.extend_from_slice(&to.to_be_bytes());
        has_row &= keys.read_row(&tail, &mut values)?;
        some.try_reserve(values.len())?;
        some.extend_from_slice(&values);
        LoadError::require_all("trips.hist_trip_data", 1, has_row.into())?;
        rows.trips += 1;
        gains.entry(to).or_default().add(Gain { inserted: 1, ..Gain::default() });
        if some.len() >= BYTES_AT_ONCE {
            rows.add(&mut some)?;
        }
    }
    rows.add(&mut some)?;
    // The index has each trip once.
    LoadError::require_all("trips.hist_trip_data", count.unsigned_abs(), seen)?;
    Ok(rows)
}

/// Replaces the trips of a partition, which this session alone uses, by these rows. Days whose trips are all there again
/// keep their counts.
fn fill_again(partition: pg_sys::Oid, is_complete: bool, mut rows: Rows) -> Result<(), LoadError> {
    let name = name_of(partition);
    let empty = || Spi::run(&format!("TRUNCATE ONLY {name}"));
    if is_complete { pending_counts::while_filling(partition, empty) } else { empty() }?;
    if rows.trips == 0 {
        return Ok(());
    }
    let stored = {
        let table = Table::open_oid_for_insert(partition);
        // They were in this partition before.
        let check = |_| ();
        let mut append = HeapAppend::begin(&table, &COLUMNS, COUNT, DATE_TIME, &check);
        let stored = append_all(&mut append, &mut rows);
        append.finish();
        stored.map_err(LoadError::TemporaryFile)?
    };
    LoadError::require_all("trips.hist_trip_data", rows.trips.unsigned_abs(), stored)?;
    build_index(&name, 0)
}

fn append_all(append: &mut HeapAppend<'_>, rows: &mut Rows) -> io::Result<u64> {
    rows.file.seek(SeekFrom::Start(0))?;
    let (mut some, mut stored) = (Vec::new(), 0);
    for &bytes in &rows.parts {
        some.resize(bytes, 0);
        rows.file.read_exact(&mut some)?;
        stored += append.append(&mut some);
    }
    Ok(stored)
}

/// The claims of the trips of a partition, which are taken in the order of its index.
struct Claims {
    /// The blocks that are not read yet, the first one last.
    ranges: Vec<ClaimRange>,
    open: Vec<OpenBlock>,
}

/// A block whose claims are compared.
struct OpenBlock {
    block: StoredBlock,
    /// Whether each claim is used.
    used: Vec<bool>,
    /// The next claim.
    at: usize,
}

impl Claims {
    /// The load that has claimed a trip first. Its claim is used.
    fn take(&mut self, trip: &Claim) -> Result<Option<i64>, LoadError> {
        while let Some(range) = self.ranges.pop_if(|range| range.first <= trip.0) {
            if range.last >= trip.0 {
                self.open.try_reserve(1)?;
                self.open.extend(OpenBlock::read(range.number, trip)?);
            }
        }
        let (mut first, mut at) = (None::<(i64, usize)>, 0);
        while let Some(block) = self.open.get_mut(at) {
            match block.next(trip) {
                None => {
                    self.open.swap_remove(at).close()?;
                    continue;
                }
                Some(false) => {}
                Some(true) => {
                    let number = block.block.number;
                    first = Some(first.map_or((number, at), |first| first.min((number, at))));
                }
            }
            at += 1;
        }
        Ok(first.map(|(_, at)| self.open[at].take()))
    }

    /// Deletes what is used of the blocks that are open.
    fn close_all(self) -> Result<(), LoadError> {
        self.open.into_iter().try_for_each(OpenBlock::close)
    }
}

impl OpenBlock {
    /// Reads a block for trips from this one on.
    fn read(number: i64, trip: &Claim) -> Result<Option<Self>, LoadError> {
        let query = "SELECT c.claim_no, c.load_id, c.first_time, c.trips, c.keys
                       FROM trips_internal.claims AS c WHERE c.claim_no = $1";
        let block = Spi::connect_mut(|client| {
            client
                .update(query, Some(1), &[number.into()])?
                .next()
                .map(|row| stored_block(&row))
                .transpose()
        })?;
        let Some(block) = block else { return Ok(None) };
        let at = block.claims.partition_point(|claim| claim < trip);
        let mut used = Vec::new();
        used.try_reserve_exact(block.claims.len())?;
        used.resize(block.claims.len(), false);
        Ok(Some(Self { block, used, at }))
    }

    /// Whether the next claim from this trip on is one of it; `None` if there is no other.
    fn next(&mut self, trip: &Claim) -> Option<bool> {
        let rest = &self.block.claims[self.at..];
        self.at += rest.iter().take_while(|claim| *claim < trip).count();
        self.block.claims.get(self.at).map(|claim| claim == trip)
    }

    /// Uses the next claim, and returns its load.
    fn take(&mut self) -> i64 {
        self.used[self.at] = true;
        self.block.load_id
    }

    fn close(mut self) -> Result<(), LoadError> {
        if self.used.contains(&true) {
            let mut is_used = self.used.iter();
            self.block.claims.retain(|_| is_used.next() == Some(&false));
            write_rest(&self.block)?;
        }
        Ok(())
    }
}
