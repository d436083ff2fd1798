//! Claims `trips_internal.claims`: the trips of a load that the history had already. They pass to it when the load that
//! inserted them is retracted.

use std::collections::BTreeMap;
use std::ffi::CStr;

use pgrx::datum::{DatumWithOid, Timestamp as PgTimestamp};
use pgrx::spi::SpiHeapTupleData;
use pgrx::{Spi, Uuid, check_for_interrupts};
use trips_core::model::partition_bounds::{Bound, PartitionBounds};
use trips_core::model::timestamp::Timestamp;
use trips_core::sort::claims::{self, Claim, ClaimBlock, NewClaims};
use trips_core::sort::day_ranges::DayRanges;
use trips_core::wire::copy_binary::RowWriter;

use super::bounds::partition_bounds;
use super::{Days, pending_counts};
use crate::error::{HistoryError, LoadError};
use crate::pg::copy::{OwnedRows, copy_rows};
use crate::pg::own_settings::OwnSettings;
use crate::pg::relation::{Table, name_of};
use crate::pg::table_locks::{self, Mode};
use crate::progress::Progress;

const TABLE: &CStr = c"trips_internal.claims";
const COLUMNS: [&CStr; 5] = [c"load_id", c"first_time", c"last_time", c"trips", c"keys"];
/// Claims are written before the end of a run when they take this memory.
const MOST_BYTES: usize = 8 * 1024 * 1024;

/// What a load leaves for its retract.
#[derive(Debug)]
pub struct Traces {
    load_id: i64,
    /// Trips that the history had already.
    pub claims: NewClaims,
    /// Days on which the load has inserted trips.
    pub days: DayRanges,
}

impl Traces {
    /// Those of a load that has begun.
    pub fn of(load_id: i64) -> Self {
        Self { load_id, claims: NewClaims::default(), days: DayRanges::default() }
    }

    /// Whether claims must be written before more trips are compared.
    pub fn is_full(&self) -> bool {
        self.claims.bytes() >= MOST_BYTES
    }

    /// Adds days on which the load may have inserted trips.
    pub fn add_days(&mut self, days: Days) -> Result<(), LoadError> {
        let (first, last) = (days.first.unwrap_or(i32::MIN), days.last.unwrap_or(i32::MAX));
        Ok(self.days.add_range(first, last)?)
    }

    /// Reserves memory for the claims of a partition.
    pub fn make_room(&mut self, progress: &Progress) -> Result<(), LoadError> {
        if self.claims.bytes() < MOST_BYTES / 2 { Ok(()) } else { self.write_claims(progress) }
    }

    /// Writes the claims. A load without duplicates writes nothing.
    pub fn write_claims(&mut self, progress: &Progress) -> Result<(), LoadError> {
        if self.claims.is_empty() {
            return Ok(());
        }
        let blocks = self.claims.take();
        let offered = blocks.len() as u64;
        let load_id = self.load_id;
        let encoded = move |block: ClaimBlock| {
            let mut row = Vec::with_capacity(64 + block.bytes.len());
            RowWriter::row(&mut row, COLUMNS.len())
                .int8(load_id)
                .int8(block.first.0)
                .int8(block.last.0)
                .value(&block.trips.to_be_bytes())
                .value(&block.bytes);
            row
        };
        let mut rows = OwnedRows::of(blocks.into_iter().map(encoded));
        let publish = &mut || progress.publish();
        let taken = copy_rows(&Table::open_for_insert(TABLE), &COLUMNS, &mut rows, publish);
        LoadError::require_all("trips_internal.claims", offered, taken)
    }
}

/// A block of the table.
struct StoredBlock {
    number: i64,
    load_id: i64,
    /// Its load has committed after the other one: it may claim what that one has corrected.
    is_later: bool,
    claims: Vec<Claim>,
}

/// Number of trips that passed to each load.
pub type TakenOver = BTreeMap<i64, i64>;

/// Deletes the claims of a load.
pub fn delete_of(load_id: i64) -> Result<(), LoadError> {
    let query = "DELETE FROM trips_internal.claims WHERE load_id = $1";
    Ok(Spi::run_with_args(query, &[load_id.into()])?)
}

/// Passes the trips of a load to the other loads that claim them: each to the one that claimed it first. Its claim is
/// deleted. Blocks are compared only if they have one of the days of the load, unless all of them are wanted.
pub fn take_over(from: i64, all: bool) -> Result<TakenOver, LoadError> {
    let partitions: Vec<(String, PartitionBounds)> = {
        let of = |(oid, bounds, _)| (oid, bounds);
        let all: Vec<_> = partition_bounds().into_iter().map(of).collect();
        all.into_iter().map(|(oid, bounds)| (name_of(oid), bounds)).collect()
    };
    let (mut taken, mut after) = (TakenOver::new(), i64::MIN);
    while let Some(mut block) = next_block(from, after, all)? {
        check_for_interrupts!();
        after = block.number;
        let mut used = vec![false; block.claims.len()];
        let mut count = 0;
        for (name, bounds) in &partitions {
            let before = |bound| match bound {
                Bound::MinValue => 0,
                Bound::At(time) => block.claims.partition_point(|claim| claim.0 < time),
                Bound::MaxValue => block.claims.len(),
            };
            let (first, end) = (before(bounds.lower), before(bounds.upper));
            if first < end {
                let some = &block.claims[first..end];
                for number in take_some(name, some, (from, block.load_id, block.is_later))? {
                    used[first + number] = true;
                    count += 1;
                }
            }
        }
        if count > 0 {
            *taken.entry(block.load_id).or_default() += count;
            let mut is_used = used.iter();
            block.claims.retain(|_| is_used.next() == Some(&false));
            write_rest(&block)?;
        }
    }
    Ok(taken)
}

/// The next block of another load.
fn next_block(from: i64, after: i64, all: bool) -> Result<Option<StoredBlock>, LoadError> {
    Spi::connect_mut(|client| {
        let query = "SELECT c.claim_no, c.load_id, c.first_time, c.trips, c.keys,
                            (SELECT l.commit_no FROM trips.loads AS l WHERE l.load_id = c.load_id)
                            > (SELECT l.commit_no FROM trips.loads AS l WHERE l.load_id = $2)
                       FROM trips_internal.claims AS c
                      WHERE c.claim_no > $1 AND c.load_id <> $2
                        AND ($3 OR daterange(c.first_time::date, c.last_time::date, '[]')
                                   && (SELECT l.days FROM trips.loads AS l WHERE l.load_id = $2))
                      ORDER BY c.claim_no LIMIT 1";
        let mut found = client.update(query, Some(1), &[after.into(), from.into(), all.into()])?;
        let Some(row) = found.next() else { return Ok(None) };
        Ok(Some(StoredBlock { is_later: row.get(6)? == Some(true), ..stored_block(&row)? }))
    })
}

/// A block, by its number, its load, its first time, its number of trips, and its bytes.
fn stored_block(row: &SpiHeapTupleData<'_>) -> Result<StoredBlock, LoadError> {
    let (number, load_id) = (row.get::<i64>(1)?, row.get::<i64>(2)?);
    let (first, trips) = (row.get::<PgTimestamp>(3)?, row.get::<i32>(4)?);
    let keys = row.get::<Vec<u8>>(5)?.unwrap_or_default();
    let damaged = || HistoryError::DamagedClaims { number: number.unwrap_or_default() };
    let first = Timestamp(first.ok_or_else(damaged)?.into());
    let trips = trips.and_then(|trips| u32::try_from(trips).ok()).unwrap_or_default();
    let claims = claims::decode(first, trips, &keys).map_err(|_| damaged())?;
    let (number, load_id) = (number.unwrap_or_default(), load_id.unwrap_or_default());
    Ok(StoredBlock { number, load_id, is_later: false, claims })
}

/// Deletes the claims of trips that were deleted on request: those of these days that neither the history nor
/// `trips.corrections` has. One block is in memory at a time.
pub fn forget_deleted(days: &[Days]) -> Result<(), LoadError> {
    let first = days.iter().map(|days| days.first.unwrap_or(i32::MIN)).min();
    let last = days.iter().map(|days| days.last.unwrap_or(i32::MAX)).max();
    let (Some(first), Some(last)) = (first, last) else { return Ok(()) };
    let mut after = i64::MIN;
    loop {
        check_for_interrupts!();
        let block = Spi::connect_mut(|client| {
            let query = "SELECT c.claim_no, c.load_id, c.first_time, c.trips, c.keys
                           FROM trips_internal.claims AS c
                          WHERE c.claim_no > $1
                            AND c.last_time::date - date '2000-01-01' >= $2
                            AND c.first_time::date - date '2000-01-01' <= $3
                          ORDER BY c.claim_no LIMIT 1";
            let arguments = [after.into(), first.into(), last.into()];
            let mut found = client.update(query, Some(1), &arguments)?;
            found.next().map(|row| stored_block(&row)).transpose()
        })?;
        let Some(mut block) = block else { return Ok(()) };
        after = block.number;
        let known = super::occurrences::have_versions(&block.claims);
        let before = block.claims.len();
        let mut known = known.iter();
        block.claims.retain(|_| known.next() == Some(&true));
        if block.claims.len() < before {
            write_rest(&block)?;
        }
    }
}

/// Passes those of these trips that the one load has to the other. Returns their positions.
fn take_some(
    table: &str,
    claims: &[Claim],
    (from, to, is_later): (i64, i64, bool),
) -> Result<Vec<usize>, LoadError> {
    let Some(oid) = Spi::get_one_with_args::<pgrx::pg_sys::Oid>(
        "SELECT to_regclass($1)::oid",
        &[table.into()],
    )?
    else {
        return Ok(Vec::new());
    };
    table_locks::lock_with_indexes(oid, Mode::RowExclusive)?;
    let times: Vec<Option<PgTimestamp>> =
        claims.iter().map(|(time, _)| PgTimestamp::try_from(time.0).ok()).collect();
    let keys: Vec<Uuid> = claims.iter().map(|(_, key)| Uuid::from_bytes(*key)).collect();
    let _settings = OwnSettings::for_lookups();
    pending_counts::while_filling(oid, || {
        Spi::connect_mut(|client| {
            let args: [DatumWithOid<'_>; 5] =
                [times.into(), keys.into(), to.into(), from.into(), is_later.into()];
            // Each trip by the primary key. OFFSET 0 keeps the planner from reading the whole partition for each block.
            let query = format!(
                "WITH found AS MATERIALIZED (
                   SELECT c.number, h.tid
                     FROM unnest($1::timestamp[], $2::uuid[]) WITH ORDINALITY AS c (date_time, trip_key, number)
                    CROSS JOIN LATERAL (
                          SELECT t.ctid AS tid FROM ONLY {table} AS t
                           WHERE t.date_time = c.date_time AND t.trip_key = c.trip_key AND t.load_id = $4
                             AND ($5 OR NOT EXISTS (SELECT FROM trips.corrections AS k
                                                     WHERE k.load_id = $4 AND k.trip_key = t.trip_key))
                          OFFSET 0) AS h)
                 UPDATE ONLY {table} AS h SET load_id = $3 FROM found AS f WHERE h.ctid = f.tid
                 RETURNING f.number"
            );
            let rows = client.update(&query, None, &args)?;
            let number = |number: i64| usize::try_from(number - 1).ok();
            rows.filter_map(|row| row.get::<i64>(1).transpose())
                .filter_map(|found| found.map(number).transpose())
                .collect::<Result<Vec<_>, _>>()
                .map_err(Into::into)
        })
    })
}

/// Writes what is left of a block.
fn write_rest(block: &StoredBlock) -> Result<(), LoadError> {
    let Some(rest) = ClaimBlock::of(&block.claims)? else {
        let query = "DELETE FROM trips_internal.claims WHERE claim_no = $1";
        return Ok(Spi::run_with_args(query, &[block.number.into()])?);
    };
    let time = |time: Timestamp| PgTimestamp::try_from(time.0).ok();
    let args: [DatumWithOid<'_>; 5] = [
        block.number.into(),
        time(rest.first).into(),
        time(rest.last).into(),
        i32::try_from(rest.trips).unwrap_or(i32::MAX).into(),
        rest.bytes.into(),
    ];
    Ok(Spi::run_with_args(
        "UPDATE trips_internal.claims SET first_time = $2, last_time = $3, trips = $4, keys = $5
          WHERE claim_no = $1",
        &args,
    )?)
}
