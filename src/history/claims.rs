//! Claims `trips_internal.claims`: the trips of a load that the history had already. They pass to it when the load that
//! inserted them is retracted.

use std::ffi::CStr;

use pgrx::Spi;
use pgrx::datum::{DatumWithOid, Timestamp as PgTimestamp};
use pgrx::spi::SpiHeapTupleData;
use trips_core::model::timestamp::Timestamp;
use trips_core::sort::claims::{self, Claim, ClaimBlock, NewClaims};
use trips_core::sort::day_ranges::DayRanges;
use trips_core::wire::copy_binary::RowWriter;

use super::Days;
use crate::error::{HistoryError, LoadError};
use crate::pg::copy::{OwnedRows, copy_rows};
use crate::pg::interrupts;
use crate::pg::relation::Table;
use crate::progress::Progress;

const TABLE: &CStr = c"trips_internal.claims";
const COLUMNS: [&CStr; 6] =
    [c"load_id", c"first_time", c"last_time", c"trips", c"corrects", c"keys"];
/// Claims are written before the end of a run when they take this memory.
const MOST_BYTES: usize = 8 * 1024 * 1024;

/// What a load leaves for its retract.
#[derive(Debug)]
pub struct Traces {
    load_id: i64,
    /// Whether the load corrects trips with other values.
    corrects: bool,
    /// Trips that the history had already.
    pub claims: NewClaims,
    /// Days on which the load has inserted trips.
    pub days: DayRanges,
}

impl Traces {
    /// Those of a load that has begun.
    pub fn of(load_id: i64) -> Self {
        Self { load_id, corrects: false, claims: NewClaims::default(), days: DayRanges::default() }
    }

    /// Whether the load corrects trips with other values, from now on. Each run has written its claims.
    pub fn set_corrects(&mut self, corrects: bool) {
        self.corrects = corrects;
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
        let (load_id, corrects) = (self.load_id, self.corrects);
        let encoded = move |block: ClaimBlock| {
            let mut row = Vec::with_capacity(64 + block.bytes.len());
            RowWriter::row(&mut row, COLUMNS.len())
                .int8(load_id)
                .int8(block.first.0)
                .int8(block.last.0)
                .value(&block.trips.to_be_bytes())
                .value(&[u8::from(corrects)])
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
pub(super) struct StoredBlock {
    /// Its number. Loads have found the trips in this order.
    pub number: i64,
    /// The load that has found the trips.
    pub load_id: i64,
    /// The trips.
    pub claims: Vec<Claim>,
}

/// Deletes the claims of a load.
pub fn delete_of(load_id: i64) -> Result<(), LoadError> {
    let query = "DELETE FROM trips_internal.claims WHERE load_id = $1";
    Ok(Spi::run_with_args(query, &[load_id.into()])?)
}

/// A block, by its number, its load, its first time, its number of trips, and its bytes.
pub(super) fn stored_block(row: &SpiHeapTupleData<'_>) -> Result<StoredBlock, LoadError> {
    let (number, load_id) = (row.get::<i64>(1)?, row.get::<i64>(2)?);
    let (first, trips) = (row.get::<PgTimestamp>(3)?, row.get::<i32>(4)?);
    let keys = row.get::<Vec<u8>>(5)?.unwrap_or_default();
    let damaged = || HistoryError::DamagedClaims { number: number.unwrap_or_default() };
    let first = Timestamp(first.ok_or_else(damaged)?.into());
    let trips = trips.and_then(|trips| u32::try_from(trips).ok()).unwrap_or_default();
    let claims = claims::decode(first, trips, &keys).map_err(|_| damaged())?;
    let (number, load_id) = (number.unwrap_or_default(), load_id.unwrap_or_default());
    Ok(StoredBlock { number, load_id, claims })
}

/// Deletes the claims of trips that were deleted on request: those of these days that neither the history nor
/// `trips.corrections` has. One block is in memory at a time.
pub fn forget_deleted(days: &[Days]) -> Result<(), LoadError> {
    let first = days.iter().map(|days| days.first.unwrap_or(i32::MIN)).min();
    let last = days.iter().map(|days| days.last.unwrap_or(i32::MAX)).max();
    let (Some(first), Some(last)) = (first, last) else { return Ok(()) };
    let mut after = i64::MIN;
    loop {
        interrupts::check();
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

/// Writes what is left of a block.
pub(super) fn write_rest(block: &StoredBlock) -> Result<(), LoadError> {
    let Some(rest) = ClaimBlock::of(&block.claims)? else {
        let query = "DELETE FROM trips_internal.claims WHERE claim_no = $1";
        return Ok(Spi::run_with_args(query, &[block.number.into()])?);
    };
    let time = |time: Timestamp| PgTimestamp::try_from(time.0).ok();
    let query =
        "UPDATE trips_internal.claims SET first_time = $2, last_time = $3, trips = $4, keys = $5
          WHERE claim_no = $1";
    // Arguments are made inside the connection, because its memory is freed with it.
    Spi::connect_mut(|client| {
        let args: [DatumWithOid<'_>; 5] = [
            block.number.into(),
            time(rest.first).into(),
            time(rest.last).into(),
            i32::try_from(rest.trips).unwrap_or(i32::MAX).into(),
            rest.bytes.into(),
        ];
        client.update(query, None, &args)?;
        Ok(())
    })
}
