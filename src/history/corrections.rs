//! Corrected trips leave the history: their old values go to `trips.corrections`. Values of records that the history does
//! not take go to `trips_internal.kept_versions`.

use std::ffi::CStr;

use pgrx::datum::{DatumWithOid, Timestamp as PgTimestamp};
use pgrx::{Spi, Uuid};
use trips_core::key::TripKey;
use trips_core::model::timestamp::Timestamp;
use trips_core::sort::block::Block;
use trips_core::sort::ids::Place;
use trips_core::sort::versions;

use super::partitions::Partition;
use super::{History, pending_counts};
use crate::error::LoadError;
use crate::pg::copy::copy_rows;
use crate::pg::own_settings::OwnSettings;
use crate::pg::relation::Table;
use crate::pg::session;
use crate::progress::Progress;

/// Trips that one statement removes.
const TRIPS_AT_ONCE: usize = 4096;
/// Rows are written when they have this many bytes.
const BYTES_AT_ONCE: usize = 1024 * 1024;

/// A trip that leaves the history: its time and key, and its new time.
pub type Replaced = (Timestamp, TripKey, Timestamp);

/// The columns of a correction. Those after the first three are of each table of versions.
const CORRECTION: [&CStr; 12] = [
    c"load_id",
    c"corrected_load_id",
    c"new_date_time",
    c"region",
    c"origin_coord",
    c"destination_coord",
    c"date_time",
    c"datasource",
    c"trip_key",
    c"ended_at",
    c"trip_id",
    c"details",
];
const VERSION: [&CStr; 11] = [
    c"load_id",
    c"kept_date_time",
    c"region",
    c"origin_coord",
    c"destination_coord",
    c"date_time",
    c"datasource",
    c"trip_key",
    c"ended_at",
    c"trip_id",
    c"details",
];

impl History {
    /// Moves trips that a load corrects to `trips.corrections`. Derived data still counts them. The trips are in the order
    /// of their times.
    pub fn remove_corrected(&self, load_id: i64, trips: &[Replaced]) -> Result<(), LoadError> {
        let mut rest = trips;
        while let Some(&(time, ..)) = rest.first() {
            let partition = Partition::open(time, &self.created)?;
            let is_within = |trip: &Replaced| partition.bounds.contains(trip.0);
            let end = rest.iter().take_while(|trip| is_within(trip)).count().max(1);
            let (of_partition, others) = rest.split_at(end);
            rest = others;
            for some in of_partition.chunks(TRIPS_AT_ONCE) {
                let remove = || remove(&partition.table.name(), load_id, some);
                pending_counts::while_filling(partition.table.oid(), remove)?;
            }
        }
        Ok(())
    }

    /// Writes records of a run that later ones of it have corrected, and the new times of their trips.
    pub fn write_passed(
        &self,
        load_id: i64,
        blocks: &[Block],
        records: &[(Place, Timestamp)],
        progress: &Progress,
    ) -> Result<(), LoadError> {
        let numbers = |time: Timestamp| [load_id, load_id, time.0];
        write(c"corrections", &CORRECTION, (blocks, records), numbers, progress)
    }

    /// Writes records of a run with other values than their trips in the history, and the times of these trips.
    pub fn write_versions(
        &self,
        load_id: i64,
        blocks: &[Block],
        records: &[(Place, Timestamp)],
        progress: &Progress,
    ) -> Result<(), LoadError> {
        let numbers = |time: Timestamp| [load_id, time.0];
        let table = c"trips_internal.kept_versions";
        write(table, &VERSION, (blocks, records), numbers, progress)
    }
}

/// Moves some trips of a partition.
fn remove(partition: &str, load_id: i64, trips: &[Replaced]) -> Result<(), LoadError> {
    let time = |time: Timestamp| PgTimestamp::try_from(time.0).ok();
    let old: Vec<Option<PgTimestamp>> = trips.iter().map(|trip| time(trip.0)).collect();
    let keys: Vec<Uuid> = trips.iter().map(|trip| Uuid::from_bytes(trip.1)).collect();
    let new: Vec<Option<PgTimestamp>> = trips.iter().map(|trip| time(trip.2)).collect();
    let query = format!(
        "WITH gone AS (
           DELETE FROM ONLY {partition} AS h
            USING unnest($2::timestamp[], $3::uuid[], $4::timestamp[])
                  AS w (date_time, trip_key, new_date_time)
            WHERE h.date_time = w.date_time AND h.trip_key = w.trip_key
           RETURNING w.new_date_time, h.load_id, h.region, h.origin_coord, h.destination_coord, h.date_time,
                     h.datasource, h.trip_key, h.ended_at, h.trip_id, h.details
         )
         INSERT INTO trips.corrections (load_id, corrected_load_id, new_date_time, region, origin_coord,
                destination_coord, date_time, datasource, trip_key, ended_at, trip_id, details)
         SELECT $1, g.load_id, g.new_date_time, g.region, g.origin_coord, g.destination_coord, g.date_time,
                g.datasource, g.trip_key, g.ended_at, g.trip_id, g.details
           FROM gone AS g"
    );
    let _settings = OwnSettings::for_lookups();
    let taken = Spi::connect_mut(|client| {
        let args: [DatumWithOid<'_>; 4] = [load_id.into(), old.into(), keys.into(), new.into()];
        Ok::<_, pgrx::spi::SpiError>(client.update(&query, None, &args)?.len())
    })?;
    // The snapshot of the transaction may be older than the trips.
    if taken < trips.len() && session::has_one_snapshot() {
        return Err(LoadError::Serialization);
    }
    LoadError::require_all("trips.corrections", trips.len() as u64, taken as u64)
}

/// Writes records of a run to a table, some at a time.
fn write<const N: usize>(
    table: &CStr,
    columns: &[&CStr],
    (blocks, records): (&[Block], &[(Place, Timestamp)]),
    numbers: impl Fn(Timestamp) -> [i64; N],
    progress: &Progress,
) -> Result<(), LoadError> {
    let mut rows = Vec::new();
    let mut count = 0;
    for (at, &(place, time)) in records.iter().enumerate() {
        versions::push_row(&mut rows, &numbers(time), blocks, place)?;
        count += 1;
        if rows.len() < BYTES_AT_ONCE && at + 1 < records.len() {
            continue;
        }
        let target = Table::open_for_insert(table);
        let publish = &mut || progress.publish();
        let taken = copy_rows(&target, columns, &mut Some(&rows[..]), publish);
        LoadError::require_all("trips.corrections", count, taken)?;
        (count, rows) = (0, Vec::new());
    }
    Ok(())
}
