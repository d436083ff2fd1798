//! What a load has corrected gets its old values again, and records that were kept apart become trips.

use pgrx::datum::{DatumWithOid, Timestamp as PgTimestamp};
use pgrx::{Spi, check_for_interrupts};
use trips_core::model::timestamp::Timestamp;

use super::partitions::{Created, Partition};
use crate::error::LoadError;
use crate::pg::own_settings::OwnSettings;

/// The columns of a trip in each table that has versions of it.
const VALUES: &str = "region, origin_coord, destination_coord, date_time, datasource, trip_key, ended_at, trip_id, details";

/// What another load gets from a retracted one.
#[derive(Debug, Clone, Copy)]
pub struct Gain {
    /// The other load.
    pub load_id: i64,
    /// Number of trips.
    pub trips: i64,
    /// The first and the last day of the trips, if they may be other days than those of the retracted load.
    pub days: Option<(i32, i32)>,
}

/// The loads that have corrected trips of this load, the latest first.
pub fn corrected_by(load_id: i64) -> Result<Vec<i64>, LoadError> {
    Spi::connect(|client| {
        let query = "SELECT l.load_id FROM trips.loads AS l
                      WHERE l.load_id IN (SELECT c.load_id FROM trips.corrections AS c
                                           WHERE c.corrected_load_id = $1 AND c.load_id <> $1)
                      ORDER BY l.commit_no DESC NULLS FIRST, l.load_id DESC";
        let rows = client.select(query, None, &[load_id.into()])?;
        Ok(rows.filter_map(|row| row.get::<i64>(1).transpose()).collect::<Result<_, _>>()?)
    })
}

/// Corrections of a load whose trip has passed to another load become corrections of that one: it has the same new
/// values. Returns the loads with their numbers of corrections.
pub fn pass_on_corrections(load_id: i64) -> Result<Vec<Gain>, LoadError> {
    let _settings = OwnSettings::for_lookups();
    gains(
        "WITH ends AS (
           SELECT DISTINCT ON (c.trip_key) c.trip_key, c.new_date_time
             FROM trips.corrections AS c WHERE c.load_id = $1
            ORDER BY c.trip_key, c.correction_id DESC
         ), passed AS MATERIALIZED (
           SELECT e.trip_key, e.new_date_time, h.load_id
             FROM ends AS e
            CROSS JOIN LATERAL (
                  SELECT t.load_id FROM trips.hist_trip_data AS t
                   WHERE t.date_time = e.new_date_time AND t.trip_key = e.trip_key OFFSET 0) AS h
            WHERE h.load_id <> $1
         ), firsts AS MATERIALIZED (
           SELECT DISTINCT ON (c.trip_key) c.correction_id, p.load_id, p.new_date_time
             FROM passed AS p JOIN trips.corrections AS c ON c.trip_key = p.trip_key AND c.load_id = $1
            ORDER BY c.trip_key, c.correction_id
         ), others AS (
           DELETE FROM trips.corrections AS c USING passed AS p
            WHERE c.trip_key = p.trip_key AND c.load_id = $1
              AND c.correction_id NOT IN (SELECT f.correction_id FROM firsts AS f)
         ), moved AS (
           UPDATE trips.corrections AS c SET load_id = f.load_id, new_date_time = f.new_date_time
             FROM firsts AS f WHERE c.correction_id = f.correction_id
           RETURNING c.load_id)
         SELECT m.load_id, count(*), NULL::int, NULL::int FROM moved AS m GROUP BY 1",
        &[load_id.into()],
    )
}

/// Gives the trips that a load has corrected their old values and their old load. Returns their number.
///
/// A load may have corrected a trip several times: the last correction is undone first.
pub fn undo_corrections(load_id: i64) -> Result<i64, LoadError> {
    let corrected = "SELECT coalesce(max(n.count), 0), coalesce(sum(n.count), 0)::bigint
                       FROM (SELECT count(*) FROM trips.corrections AS c WHERE c.load_id = $1 GROUP BY c.trip_key) AS n";
    let (longest, all) = Spi::get_two_with_args::<i64, i64>(corrected, &[load_id.into()])?;
    open_partitions(
        "SELECT DISTINCT date_trunc('day', c.date_time) FROM trips.corrections AS c WHERE c.load_id = $1",
        load_id,
    )?;
    let _settings = OwnSettings::for_lookups();
    for place in 1..=longest.unwrap_or(0) {
        check_for_interrupts!();
        let args: [DatumWithOid<'_>; 2] = [load_id.into(), place.into()];
        let undone = "WITH undone AS MATERIALIZED (
                        SELECT c.* FROM (
                               SELECT c.*, row_number() OVER (PARTITION BY c.trip_key ORDER BY c.correction_id DESC) AS place
                                 FROM trips.corrections AS c WHERE c.load_id = $1) AS c
                         WHERE c.place = $2)";
        Spi::run_with_args(
            &format!(
                "{undone} DELETE FROM trips.hist_trip_data AS h USING undone AS u
                   WHERE h.date_time = u.new_date_time AND h.trip_key = u.trip_key"
            ),
            &args,
        )?;
        Spi::run_with_args(
            &format!(
                "{undone} INSERT INTO trips.hist_trip_data ({VALUES}, load_id)
                 SELECT {VALUES}, corrected_load_id FROM undone"
            ),
            &args,
        )?;
    }
    Spi::run_with_args("DELETE FROM trips.corrections WHERE load_id = $1", &[load_id.into()])?;
    Ok(all.unwrap_or(0))
}

/// Trips of a load of which only records with other values are left: the first of these records becomes the trip. Returns
/// the loads with their numbers of trips.
pub fn raise_kept_versions(load_id: i64) -> Result<Vec<Gain>, LoadError> {
    const RISEN: &str = "WITH risen AS MATERIALIZED (
           SELECT DISTINCT ON (v.trip_key, v.kept_date_time) v.*
             FROM trips_internal.kept_versions AS v
            CROSS JOIN LATERAL (
                  SELECT FROM trips.hist_trip_data AS t
                   WHERE t.date_time = v.kept_date_time AND t.trip_key = v.trip_key AND t.load_id = $1
                  OFFSET 0) AS h
            ORDER BY v.trip_key, v.kept_date_time, v.version_no)";
    open_partitions(
        &format!("{RISEN} SELECT DISTINCT date_trunc('day', date_time) FROM risen"),
        load_id,
    )?;
    let _settings = OwnSettings::for_lookups();
    gains(
        &format!(
            "{RISEN}, gone AS (
               DELETE FROM trips.hist_trip_data AS h USING risen AS r
                WHERE h.date_time = r.kept_date_time AND h.trip_key = r.trip_key AND h.load_id = $1
               RETURNING 1
             ), come AS (
               -- After the deletion: the key may be the same.
               INSERT INTO trips.hist_trip_data ({VALUES}, load_id)
               SELECT {VALUES}, load_id FROM risen WHERE (SELECT count(*) FROM gone) > 0
             ), others AS (
               UPDATE trips_internal.kept_versions AS v SET kept_date_time = r.date_time
                 FROM risen AS r
                WHERE v.trip_key = r.trip_key AND v.kept_date_time = r.kept_date_time AND v.version_no <> r.version_no
             ), used AS (
               DELETE FROM trips_internal.kept_versions AS v USING risen AS r WHERE v.version_no = r.version_no
               RETURNING v.load_id, v.date_time)
             SELECT u.load_id, count(*), min(u.date_time)::date - date '2000-01-01',
                    max(u.date_time)::date - date '2000-01-01'
               FROM used AS u GROUP BY 1"
        ),
        &[load_id.into()],
    )
}

/// Deletes the records of a load that are kept apart.
pub fn delete_kept_versions(load_id: i64) -> Result<(), LoadError> {
    let query = "DELETE FROM trips_internal.kept_versions WHERE load_id = $1";
    Ok(Spi::run_with_args(query, &[load_id.into()])?)
}

/// Creates the missing partitions of the times that the query returns.
fn open_partitions(query: &str, load_id: i64) -> Result<(), LoadError> {
    let times = Spi::connect_mut(|client| {
        let rows = client.update(query, None, &[load_id.into()])?;
        rows.map(|row| Ok(row.get::<PgTimestamp>(1)?)).collect::<Result<Vec<_>, LoadError>>()
    })?;
    let created = Created::default();
    for time in times.into_iter().flatten() {
        Partition::open(Timestamp(time.into()), &created)?;
    }
    Ok(())
}

fn gains(query: &str, args: &[DatumWithOid<'_>]) -> Result<Vec<Gain>, LoadError> {
    Spi::connect_mut(|client| {
        let rows = client.update(query, None, args)?;
        let gain = |row: pgrx::spi::SpiHeapTupleData<'_>| {
            let days = row.get::<i32>(3)?.zip(row.get::<i32>(4)?);
            let (load_id, trips) = (row.get(1)?.unwrap_or(0), row.get(2)?.unwrap_or(0));
            Ok(Gain { load_id, trips, days })
        };
        rows.map(gain).collect()
    })
}
