//! The numbers of the equal records that a load has brought into the history.

use std::ffi::CStr;

use pgrx::datum::Timestamp as PgTimestamp;
use pgrx::{Spi, Uuid};
use trips_core::key::{TripKey, occurrence_key};
use trips_core::model::timestamp::Timestamp;
use trips_core::sort::occurrences::EqualRecords;

use super::History;
use crate::error::LoadError;
use crate::pg::interrupts;
use crate::pg::own_settings::OwnSettings;
use crate::pg::spi::{self, Snapshot};

/// Keys that one statement looks up.
const KEYS_AT_ONCE: usize = 4096;
/// Numbers of equal records that are looked up at first, and at most at a time.
const FIRST_NUMBERS: u64 = 2;
const MOST_NUMBERS: u64 = 512;

/// Each key by the unique index of its partition, whatever the number of the others.
const FIND: &CStr = c"SELECT w.number, h.load_id
   FROM unnest($1::timestamp[], $2::uuid[]) WITH ORDINALITY AS w (date_time, trip_key, number)
  CROSS JOIN LATERAL (
        SELECT t.load_id FROM trips.hist_trip_data AS t
         WHERE t.date_time = w.date_time AND t.trip_key = w.trip_key OFFSET 0) AS h";
/// The same for old versions of corrected trips.
const FIND_OLD: &CStr = c"SELECT w.number, NULL::bigint
   FROM unnest($1::timestamp[], $2::uuid[]) WITH ORDINALITY AS w (date_time, trip_key, number)
  WHERE EXISTS (SELECT FROM trips.corrections AS c
                 WHERE c.trip_key = w.trip_key AND c.date_time = w.date_time OFFSET 0)";

impl History {
    /// Raises the number of each record to that of its last equal record in the history that this load has inserted.
    pub fn count_records_of(
        &self,
        load_id: i64,
        keys: &mut [EqualRecords],
    ) -> Result<(), LoadError> {
        let (mut open, mut begin, mut numbers): (Vec<usize>, _, _) =
            ((0..keys.len()).collect(), 1, FIRST_NUMBERS);
        while !open.is_empty() {
            let mut longer = Vec::new();
            let at_once = (KEYS_AT_ONCE / usize::try_from(numbers).unwrap_or(1)).max(1);
            for some in open.chunks(at_once) {
                interrupts::check();
                let wanted: Vec<(Timestamp, TripKey)> = some
                    .iter()
                    .flat_map(|&at| {
                        let EqualRecords { date_time, base, .. } = keys[at];
                        (begin..begin + numbers).map(move |n| (date_time, occurrence_key(&base, n)))
                    })
                    .collect();
                let found = loads_of(&wanted);
                let of_keys = found.chunks(usize::try_from(numbers).unwrap_or(1));
                for (&at, loads) in some.iter().zip(of_keys) {
                    for (load, number) in loads.iter().zip(begin..) {
                        if *load == Some(load_id) {
                            keys[at].records = keys[at].records.max(number);
                        }
                    }
                    if loads.iter().all(Option::is_some) {
                        longer.push(at);
                    }
                }
            }
            (open, begin) = (longer, begin + numbers);
            numbers = (numbers * 4).min(MOST_NUMBERS);
        }
        Ok(())
    }
}

/// Whether the history has each trip, or `trips.corrections` has an old version of it at this time.
pub(super) fn have_versions(wanted: &[(Timestamp, TripKey)]) -> Vec<bool> {
    let mut have: Vec<bool> = loads_of(wanted).iter().map(Option::is_some).collect();
    for (number, _) in find(FIND_OLD, wanted) {
        if let Some(has) = have.get_mut(number) {
            *has = true;
        }
    }
    have
}

/// The load of each trip that the history has.
fn loads_of(wanted: &[(Timestamp, TripKey)]) -> Vec<Option<i64>> {
    let mut loads = vec![None; wanted.len()];
    for (number, load) in find(FIND, wanted) {
        if let Some(found) = loads.get_mut(number) {
            *found = load;
        }
    }
    loads
}

/// The positions of the trips that are found, and their loads.
fn find(query: &CStr, wanted: &[(Timestamp, TripKey)]) -> Vec<(usize, Option<i64>)> {
    let time = |time: Timestamp| PgTimestamp::try_from(time.0).ok();
    let times: Vec<Option<PgTimestamp>> = wanted.iter().map(|trip| time(trip.0)).collect();
    let keys: Vec<Uuid> = wanted.iter().map(|trip| Uuid::from_bytes(trip.1)).collect();
    let mut found = Vec::new();
    let _settings = OwnSettings::for_lookups();
    // Arguments are made inside the connection, because its memory is freed with it.
    Spi::connect_mut(|_| {
        spi::query(query, &[times.into(), keys.into()], Snapshot::Latest, |row| {
            let number = row.get::<i64>(1).and_then(|number| usize::try_from(number - 1).ok());
            found.extend(number.map(|number| (number, row.get::<i64>(2))));
        });
    });
    found
}
