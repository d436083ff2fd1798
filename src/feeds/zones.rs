//! Zones and stations: the tables `trips.zones` and `trips_internal.load_stations`.

use std::ffi::c_long;
use std::sync::{Arc, OnceLock};

use pgrx::datum::DatumWithOid;
use pgrx::{Spi, pg_sys};
use trips_core::feed::zones::{
    NYC_TAXI_ZONES, TooManyZones, ZoneRow, Zones, ZonesBuilder, nyc_taxi_zones,
};
use trips_core::model::point::Point;

use super::stations::MemberStations;
use crate::error::{FeedError, LoadError};
use crate::pg::plans::Sql;
use crate::pg::relation::Table;
use crate::pg::spi::{self, Snapshot};
use crate::pg::{interrupts, session};

/// Rows that are in memory at a time.
const ROWS_AT_ONCE: c_long = 1000;

/// A snapshot of all zones. The built-in ones are those of the library, not of the table.
///
/// # Errors
/// 54000 if there are too many.
pub fn snapshot() -> Result<Arc<Zones>, LoadError> {
    snapshot_with(&[])
}

/// The same with stations of one load, which count before the zones of the table.
///
/// # Errors
/// 54000 if there are too many.
pub fn snapshot_with(stations: &[MemberStations]) -> Result<Arc<Zones>, LoadError> {
    let mut zones = SnapshotRows::default();
    zones.add_table();
    for MemberStations { set, rows } in stations {
        rows.iter().for_each(|row| zones.add(set, row.clone()));
    }
    zones.build()
}

/// The same with the stations that were kept for a load. For the owner of the tables.
///
/// # Errors
/// 54000 if there are too many.
pub fn snapshot_of_load(load_id: i64) -> Result<Arc<Zones>, LoadError> {
    let mut zones = SnapshotRows::default();
    zones.add_table();
    // A merge may have waited for the load.
    spi::query(
        c"SELECT s.zone_set, s.zone_id, s.valid_from, s.valid_to, NULL::text, s.point
            FROM trips_internal.load_stations AS s WHERE s.load_id = $1",
        &[load_id.into()],
        Snapshot::Latest,
        |row| zones.add_row(row),
    );
    zones.build()
}

/// The rows of a snapshot so far. Without any, it is that of the library.
#[derive(Default)]
struct SnapshotRows {
    builder: Option<ZonesBuilder>,
    error: Option<TooManyZones>,
}

impl SnapshotRows {
    fn add(&mut self, set: &str, row: ZoneRow) {
        let builder = self.builder.get_or_insert_with(|| with_builtin(&mut self.error));
        if self.error.is_none() {
            self.error = builder.add(set, row).err();
        }
    }

    fn add_table(&mut self) {
        let table = Table::open_for_read(c"zones");
        let _owner = session::run_as_owner(&table);
        spi::query_in_batches(
            Sql::Kept(
                c"SELECT z.zone_set, z.zone_id, z.valid_from, z.valid_to, z.region, z.point
                    FROM trips.zones AS z WHERE z.zone_set <> 'nyc_taxi_zones'",
            ),
            &[],
            ROWS_AT_ONCE,
            |row| self.add_row(row),
        );
    }

    fn add_row(&mut self, row: &spi::Row<'_>) {
        let (Some(set), Some(id), None) = (row.text(1), row.text(2), self.error) else { return };
        let (longitude, latitude) = row.point(6).unzip();
        let zone = ZoneRow {
            id,
            valid_from: row.get(3),
            valid_to: row.get(4),
            name: None,
            region: row.text(5),
            point: longitude.zip(latitude).and_then(|(x, y)| Point::new(x, y).ok()),
        };
        self.add(&set, zone);
    }

    fn build(self) -> Result<Arc<Zones>, LoadError> {
        static BUILTIN: OnceLock<Arc<Zones>> = OnceLock::new();
        match (self.error, self.builder) {
            (Some(error), _) => Err(FeedError::TooManyZones(error).into()),
            (None, Some(builder)) => Ok(builder.build()),
            (None, None) => Ok(BUILTIN.get_or_init(Zones::builtin).clone()),
        }
    }
}

/// A builder with the built-in zones.
fn with_builtin(error: &mut Option<TooManyZones>) -> ZonesBuilder {
    let mut builder = Zones::builder();
    let mut builtin = nyc_taxi_zones().into_iter();
    *error = builtin.try_for_each(|zone| builder.add(NYC_TAXI_ZONES, zone)).err();
    builder
}

/// Stores stations in a set, in place of rows with the same ids and years.
///
/// # Errors
/// When a query fails.
pub fn store(set: &str, stations: &[ZoneRow]) -> Result<(), LoadError> {
    let table = Table::open_for_insert(c"zones");
    let _owner = session::run_as_owner(&table);
    insert(
        "INSERT INTO trips.zones (zone_set, zone_id, valid_from, valid_to, name, point)
         SELECT $1, s.zone_id, s.valid_from, s.valid_to, s.name, point(s.longitude, s.latitude)
           FROM unnest($2::text[], $3::int[], $4::int[], $5::text[], $6::float8[], $7::float8[])
                AS s (zone_id, valid_from, valid_to, name, longitude, latitude)
             ON CONFLICT (zone_set, zone_id, valid_from, valid_to)
             DO UPDATE SET name = EXCLUDED.name, point = EXCLUDED.point",
        (set, stations),
        None,
    )
}

/// Keeps stations for later merges of a load, in place of those with the same ids and years. For the owner of the tables.
///
/// # Errors
/// When a query fails.
pub fn keep(load_id: i64, set: &str, stations: &[ZoneRow]) -> Result<(), LoadError> {
    insert(
        "INSERT INTO trips_internal.load_stations (load_id, zone_set, zone_id, valid_from, valid_to, point)
         SELECT $8, $1, s.zone_id, s.valid_from, s.valid_to, point(s.longitude, s.latitude)
           FROM unnest($2::text[], $3::int[], $4::int[], $5::text[], $6::float8[], $7::float8[])
                AS s (zone_id, valid_from, valid_to, name, longitude, latitude)
             ON CONFLICT (load_id, zone_set, zone_id, valid_from, valid_to)
             DO UPDATE SET point = EXCLUDED.point",
        (set, stations),
        Some(load_id),
    )
}

/// Deletes the stations of loads that have no staged rows. For the owner of the tables.
///
/// # Errors
/// When a query fails.
pub fn forget_merged() -> Result<(), LoadError> {
    Ok(Spi::run(
        "DELETE FROM trips_internal.load_stations AS s
          WHERE NOT EXISTS (SELECT FROM trips.stg_trip_data AS g WHERE g.load_id = s.load_id)",
    )?)
}

/// Runs a statement for stations of a set: $1 is the set, $2 to $7 are arrays, $8 is the number of the load.
fn insert(
    statement: &str,
    (set, stations): (&str, &[ZoneRow]),
    load_id: Option<i64>,
) -> Result<(), LoadError> {
    for stations in stations.chunks(usize::try_from(ROWS_AT_ONCE).unwrap_or(1)) {
        interrupts::check();
        let texts =
            |of: fn(&ZoneRow) -> Option<String>| stations.iter().map(of).collect::<Vec<_>>();
        let years = |of: fn(&ZoneRow) -> Option<i32>| stations.iter().map(of).collect::<Vec<_>>();
        let points = |of: fn(&Point) -> f64| {
            let values = stations.iter().map(|row| row.point.as_ref().map(of));
            values.collect::<Vec<Option<f64>>>()
        };
        let arguments: [DatumWithOid<'_>; 7] = [
            set.into(),
            texts(|row| Some(row.id.clone())).into(),
            years(|row| row.valid_from).into(),
            years(|row| row.valid_to).into(),
            texts(|row| row.name.clone()).into(),
            points(|point| point.longitude).into(),
            points(|point| point.latitude).into(),
        ];
        let arguments: Vec<DatumWithOid<'_>> =
            arguments.into_iter().chain(load_id.map(DatumWithOid::from)).collect();
        Spi::run_with_args(statement, &arguments)?;
    }
    Ok(())
}

/// The point of a row, as PostgreSQL has it.
pub fn pg_point(point: Point) -> pg_sys::Point {
    pg_sys::Point { x: point.longitude, y: point.latitude }
}
