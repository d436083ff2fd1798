//! Zones and stations: the table `trips.zones`.

use std::ffi::c_long;
use std::sync::{Arc, OnceLock};

use pgrx::datum::DatumWithOid;
use pgrx::{Spi, check_for_interrupts, pg_sys};
use trips_core::feed::zones::{
    NYC_TAXI_ZONES, TooManyZones, ZoneRow, Zones, ZonesBuilder, nyc_taxi_zones,
};
use trips_core::model::point::Point;

use super::stations::MemberStations;
use crate::error::{FeedError, LoadError};
use crate::pg::relation::Table;
use crate::pg::session;
use crate::pg::spi;

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
    static BUILTIN: OnceLock<Arc<Zones>> = OnceLock::new();
    let table = Table::open_for_read(c"zones");
    let _owner = session::run_as_owner(&table);
    let mut builder = None;
    let mut result = Ok(());
    spi::query_in_batches(
        c"SELECT z.zone_set, z.zone_id, z.valid_from, z.valid_to, z.region, z.point
            FROM trips.zones AS z WHERE z.zone_set <> 'nyc_taxi_zones'",
        &[],
        ROWS_AT_ONCE,
        |row| {
            if let (Some(set), Some(id), Ok(())) = (row.text(1), row.text(2), &result) {
                let (longitude, latitude) = row.point(6).unzip();
                let zone = ZoneRow {
                    id,
                    valid_from: row.get(3),
                    valid_to: row.get(4),
                    name: None,
                    region: row.text(5),
                    point: longitude.zip(latitude).and_then(|(x, y)| Point::new(x, y).ok()),
                };
                let builder = builder.get_or_insert_with(|| with_builtin(&mut result));
                if result.is_ok() {
                    result = builder.add(&set, zone);
                }
            }
        },
    );
    for MemberStations { set, rows } in stations {
        for row in rows {
            let builder = builder.get_or_insert_with(|| with_builtin(&mut result));
            if result.is_ok() {
                result = builder.add(set, row.clone());
            }
        }
    }
    result.map_err(FeedError::TooManyZones)?;
    Ok(builder
        .map_or_else(|| BUILTIN.get_or_init(Zones::builtin).clone(), |builder| builder.build()))
}

/// A builder with the built-in zones.
fn with_builtin(result: &mut Result<(), TooManyZones>) -> ZonesBuilder {
    let mut builder = Zones::builder();
    let mut builtin = nyc_taxi_zones().into_iter();
    *result = builtin.try_for_each(|zone| builder.add(NYC_TAXI_ZONES, zone));
    builder
}

/// Stores stations in a set, in place of rows with the same ids and years.
///
/// # Errors
/// When a query fails.
pub fn store(set: &str, stations: &[ZoneRow]) -> Result<(), LoadError> {
    let table = Table::open_for_insert(c"zones");
    let _owner = session::run_as_owner(&table);
    for stations in stations.chunks(usize::try_from(ROWS_AT_ONCE).unwrap_or(1)) {
        check_for_interrupts!();
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
        Spi::run_with_args(
            "INSERT INTO trips.zones (zone_set, zone_id, valid_from, valid_to, name, point)
             SELECT $1, s.zone_id, s.valid_from, s.valid_to, s.name, point(s.longitude, s.latitude)
               FROM unnest($2::text[], $3::int[], $4::int[], $5::text[], $6::float8[], $7::float8[])
                    AS s (zone_id, valid_from, valid_to, name, longitude, latitude)
                 ON CONFLICT (zone_set, zone_id, valid_from, valid_to)
                 DO UPDATE SET name = EXCLUDED.name, point = EXCLUDED.point",
            &arguments,
        )?;
    }
    Ok(())
}

/// The point of a row, as PostgreSQL has it.
pub fn pg_point(point: Point) -> pg_sys::Point {
    pg_sys::Point { x: point.longitude, y: point.latitude }
}
