//! Other versions of trips that are deleted on request: old values of corrected trips, and values that were kept apart.
//!
//! With a version go all versions before it. Otherwise a retract would undo a correction whose new values are not there.

use std::collections::BTreeSet;
use std::ffi::{CString, c_long};

use pgrx::Spi;
use pgrx::datum::{DatumWithOid, Timestamp as PgTimestamp};
use trips_core::check::conditions::Conditions;
use trips_core::model::timestamp::Timestamp;

use super::deletion::{arguments, meets};
use super::{Days, DeletedTrips, History};
use crate::error::LoadError;
use crate::pg::own_settings::OwnSettings;
use crate::pg::session;
use crate::pg::spi;

/// Versions that are in memory at a time, and that one statement deletes.
const VERSIONS_AT_ONCE: usize = 4096;

impl History {
    /// Deletes the versions that meet the conditions, those before them, and all versions of trips that meet them. The
    /// trips themselves are deleted later. Returned are the rows of `trips.corrections`, by the load of the values.
    pub fn delete_versions(&self, conditions: &Conditions) -> Result<DeletedTrips, LoadError> {
        // Each version is read after those that have replaced it.
        let (of_version, of_trip) = (meets("c"), meets("t"));
        let query = format!(
            "SELECT c.correction_id, c.corrected_load_id, c.trip_key::text, c.date_time, c.new_date_time,
                    {of_version}
                    OR EXISTS (SELECT FROM trips.hist_trip_data AS t
                                WHERE t.date_time = c.new_date_time AND t.trip_key = c.trip_key
                                  AND {of_trip} OFFSET 0)
               FROM trips.corrections AS c
              ORDER BY c.trip_key, c.correction_id DESC"
        );
        let query = CString::new(query).unwrap_or_default();
        let (mut gone, mut result) = (Gone::default(), Ok(()));
        session::with_new_snapshot(|| {
            let rows = VERSIONS_AT_ONCE as c_long;
            spi::query_in_batches(&query, &arguments(conditions), rows, |row| {
                if result.is_ok() {
                    result = gone.read(row);
                }
            });
        });
        result?;
        gone.delete()?;
        let (of_version, of_trip) = (meets("k"), meets("t"));
        Spi::run_with_args(
            &format!(
                "DELETE FROM trips_internal.kept_versions AS k
                  WHERE {of_version}
                     OR EXISTS (SELECT FROM trips.hist_trip_data AS t
                                 WHERE t.date_time = k.kept_date_time AND t.trip_key = k.trip_key
                                   AND {of_trip} OFFSET 0)"
            ),
            &arguments(conditions),
        )?;
        Ok(gone.deleted)
    }
}

/// Versions that are deleted.
#[derive(Debug, Default)]
struct Gone {
    /// The trip of the versions that are read now.
    trip_key: String,
    /// Times of its versions that are deleted: the correction that led to one of them is deleted, too.
    led_to: BTreeSet<i64>,
    /// Versions that are not deleted yet: the number of the correction, the time, the key.
    numbers: Vec<i64>,
    times: Vec<i64>,
    keys: Vec<String>,
    /// All so far.
    deleted: DeletedTrips,
}

impl Gone {
    /// Reads the next version.
    fn read(&mut self, row: &spi::Row<'_>) -> Result<(), LoadError> {
        let time = |column| row.get::<PgTimestamp>(column).map(i64::from);
        let (Some(number), Some(key), Some(old), Some(new)) =
            (row.get::<i64>(1), row.text(3), time(4), time(5))
        else {
            return Ok(());
        };
        if key != self.trip_key {
            self.led_to.clear();
            self.trip_key.clone_from(&key);
        }
        let is_before = self.led_to.remove(&new);
        if !is_before && row.get::<bool>(6) != Some(true) {
            return Ok(());
        }
        self.led_to.insert(old);
        self.deleted.add(row.get::<i64>(2), 1);
        self.numbers.push(number);
        self.times.push(old);
        self.keys.push(key);
        if self.numbers.len() < VERSIONS_AT_ONCE { Ok(()) } else { self.delete() }
    }

    /// Deletes the versions that were read, and the records that were kept apart from them only.
    fn delete(&mut self) -> Result<(), LoadError> {
        let (Some(&first), Some(&last)) = (self.times.iter().min(), self.times.iter().max()) else {
            return Ok(());
        };
        let day = |time| Some(Timestamp(time).day());
        self.deleted.days.push(Days { first: day(first), last: day(last) });
        let numbers = std::mem::take(&mut self.numbers);
        let query = "DELETE FROM trips.corrections WHERE correction_id = ANY ($1)";
        // Arguments are made inside the connection, because its memory is freed with it.
        Spi::connect_mut(|client| client.update(query, None, &[numbers.into()]).map(|_| ()))?;
        let times = std::mem::take(&mut self.times).into_iter();
        let times: Vec<Option<PgTimestamp>> =
            times.map(|t| PgTimestamp::try_from(t).ok()).collect();
        let keys = std::mem::take(&mut self.keys);
        let _settings = OwnSettings::for_lookups();
        let query =
            "DELETE FROM trips_internal.kept_versions AS k
              USING unnest($1::timestamp[], $2::text[]::uuid[]) AS g (date_time, trip_key)
              WHERE k.trip_key = g.trip_key AND k.kept_date_time = g.date_time
                AND NOT EXISTS (SELECT FROM trips.hist_trip_data AS t
                                 WHERE t.date_time = k.kept_date_time AND t.trip_key = k.trip_key OFFSET 0)
                AND NOT EXISTS (SELECT FROM trips.corrections AS c
                                 WHERE c.date_time = k.kept_date_time AND c.trip_key = k.trip_key OFFSET 0)";
        let arguments = || -> [DatumWithOid<'_>; 2] { [times.into(), keys.into()] };
        Ok(Spi::connect_mut(|client| client.update(query, None, &arguments()).map(|_| ()))?)
    }
}
