//! What a load has corrected gets its old values again, and records that were kept apart become trips.

use pgrx::Spi;
use pgrx::datum::{DatumWithOid, Timestamp as PgTimestamp};
use trips_core::model::timestamp::Timestamp;

use super::partitions::{Created, Partition};
use super::take_over::{Gain, Gains};
use crate::error::LoadError;
use crate::pg::own_settings::OwnSettings;

/// The columns of a trip in each table that has versions of it.
pub(super) const VALUES: &str = "region, origin_coord, destination_coord, date_time, datasource, trip_key, ended_at, trip_id, details";

/// Whether the load of a row of `kept_versions` has committed after another load: it was compared with what that one has
/// corrected.
pub(super) fn is_later(alias: &str, load_id: &str) -> String {
    format!(
        "(SELECT l.commit_no FROM trips.loads AS l WHERE l.load_id = {alias}.load_id)
         > (SELECT l.commit_no FROM trips.loads AS l WHERE l.load_id = {load_id})"
    )
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

/// A load may have corrected a trip several times, or have corrected what it inserted itself. Of these corrections, the
/// values before the load are left. Returns the number of those that are deleted.
pub fn join_corrections(load_id: i64) -> Result<i64, LoadError> {
    let query = "SELECT EXISTS (SELECT FROM trips.corrections AS c WHERE c.load_id = $1 AND c.corrected_load_id = $1)";
    if Spi::get_one_with_args::<bool>(query, &[load_id.into()])? != Some(true) {
        return Ok(0);
    }
    let _settings = OwnSettings::for_lookups();
    // UNION leaves each pair once, however many corrections have the same time.
    Spi::run_with_args(
        "WITH RECURSIVE chain (first, last, trip_key, new_date_time) AS (
           SELECT c.correction_id, c.correction_id, c.trip_key, c.new_date_time
             FROM trips.corrections AS c WHERE c.load_id = $1 AND c.corrected_load_id <> $1
            UNION
           SELECT b.first, n.correction_id, n.trip_key, n.new_date_time
             FROM chain AS b
            CROSS JOIN LATERAL (
                  SELECT c.correction_id, c.trip_key, c.new_date_time FROM trips.corrections AS c
                   WHERE c.trip_key = b.trip_key AND c.date_time = b.new_date_time AND c.correction_id + 0 > b.last
                     AND c.load_id + 0 = $1 AND c.corrected_load_id + 0 = $1 OFFSET 0) AS n
         ), ends AS (
           SELECT DISTINCT ON (b.first) b.first, b.new_date_time FROM chain AS b ORDER BY b.first, b.last DESC)
         UPDATE trips.corrections AS c SET new_date_time = e.new_date_time
           FROM ends AS e WHERE c.correction_id = e.first AND c.new_date_time <> e.new_date_time",
        &[load_id.into()],
    )?;
    let deleted = Spi::connect_mut(|client| {
        let query = "DELETE FROM trips.corrections WHERE load_id = $1 AND corrected_load_id = $1";
        Ok::<_, pgrx::spi::SpiError>(client.update(query, None, &[load_id.into()])?.len())
    })?;
    Ok(i64::try_from(deleted).unwrap_or(i64::MAX))
}

/// Corrections of a load whose trip has passed to another load become corrections of that one: it has the same new
/// values. Returns what the loads get.
pub fn pass_on_corrections(load_id: i64) -> Result<Gains, LoadError> {
    let _settings = OwnSettings::for_lookups();
    gains(
        "WITH passed AS MATERIALIZED (
           SELECT c.correction_id, h.load_id
             FROM trips.corrections AS c
            CROSS JOIN LATERAL (
                  SELECT t.load_id FROM trips.hist_trip_data AS t
                   WHERE t.date_time = c.new_date_time AND t.trip_key = c.trip_key OFFSET 0) AS h
            WHERE c.load_id = $1 AND h.load_id <> $1
         ), moved AS (
           UPDATE trips.corrections AS c SET load_id = p.load_id FROM passed AS p
            WHERE c.correction_id = p.correction_id
           RETURNING c.load_id)
         SELECT m.load_id, -count(*), count(*), NULL::int, NULL::int FROM moved AS m GROUP BY 1",
        &[load_id.into()],
    )
}

/// Gives the trips that a load has corrected their old values and their old load. Returns their number. Each trip has
/// one correction of the load.
pub fn undo_corrections(load_id: i64) -> Result<i64, LoadError> {
    open_partitions(
        "SELECT DISTINCT date_trunc('day', c.date_time) FROM trips.corrections AS c WHERE c.load_id = $1",
        load_id,
    )?;
    let _settings = OwnSettings::for_lookups();
    let args: [DatumWithOid<'_>; 1] = [load_id.into()];
    Spi::run_with_args(
        "DELETE FROM trips.hist_trip_data AS h USING trips.corrections AS c
          WHERE c.load_id = $1 AND h.date_time = c.new_date_time AND h.trip_key = c.trip_key",
        &args,
    )?;
    Spi::run_with_args(
        &format!(
            "INSERT INTO trips.hist_trip_data ({VALUES}, load_id)
             SELECT {VALUES}, corrected_load_id FROM trips.corrections WHERE load_id = $1"
        ),
        &args,
    )?;
    // Later records with other values were compared with the new values.
    Spi::run_with_args(
        &format!(
            "UPDATE trips_internal.kept_versions AS v SET kept_date_time = c.date_time
               FROM trips.corrections AS c
              WHERE c.load_id = $1 AND c.date_time <> c.new_date_time
                AND v.trip_key = c.trip_key AND v.kept_date_time = c.new_date_time AND {}",
            is_later("v", "$1")
        ),
        &args,
    )?;
    let undone = Spi::connect_mut(|client| {
        let query = "DELETE FROM trips.corrections WHERE load_id = $1";
        Ok::<_, pgrx::spi::SpiError>(client.update(query, None, &args)?.len())
    })?;
    Ok(i64::try_from(undone).unwrap_or(i64::MAX))
}

/// Trips of a load of which only records with other values are left: the first of these records becomes the trip. Returns
/// what the loads get.
pub fn raise_kept_versions(load_id: i64) -> Result<Gains, LoadError> {
    const RISEN: &str = "WITH risen AS MATERIALIZED (
           SELECT DISTINCT ON (v.trip_key, v.kept_date_time) v.*
             FROM trips_internal.kept_versions AS v
            CROSS JOIN LATERAL (
                  SELECT FROM trips.hist_trip_data AS t
                   WHERE t.date_time = v.kept_date_time AND t.trip_key = v.trip_key AND t.load_id = $1
                  OFFSET 0) AS h
            ORDER BY v.trip_key, v.kept_date_time, v.claim_no, v.version_no)";
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
             SELECT u.load_id, count(*), 0::bigint, min(u.date_time)::date - date '2000-01-01',
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

fn gains(query: &str, args: &[DatumWithOid<'_>]) -> Result<Gains, LoadError> {
    Spi::connect_mut(|client| {
        let rows = client.update(query, None, args)?;
        let gain = |row: pgrx::spi::SpiHeapTupleData<'_>| {
            let (inserted, corrected) = (row.get(2)?.unwrap_or(0), row.get(3)?.unwrap_or(0));
            let days = row.get::<i32>(4)?.zip(row.get::<i32>(5)?);
            Ok((row.get(1)?.unwrap_or(0), Gain { inserted, corrected, days }))
        };
        rows.map(gain).collect()
    })
}
