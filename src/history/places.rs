//! Coordinates of trips that are filled later: keys stay, because no key of such a feed has them.

use std::ffi::CString;

use pgrx::datum::{Date, DatumWithOid};

use crate::error::LoadError;
use crate::pg::relation::Table;
use crate::pg::session;
use crate::pg::spi::{self, Snapshot};

/// Where a coordinate of a feed's trips is: a set of zones, and the member of details with the id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZoneOf {
    /// The set of `trips.zones`.
    pub set: String,
    /// The member of details.
    pub id: String,
}

/// Fills the coordinates that are NULL in trips of a feed's loads, and returns the number of changed trips. The dates
/// are included; without one, the period has no limit there.
///
/// The triggers of the history do the rest, as for each manual change: they wait for loads, and recount the days and the
/// areas of the trips.
///
/// # Errors
/// When the statement is not valid for the tables.
pub fn fill(
    feed: &str,
    (origin, destination): (Option<&ZoneOf>, Option<&ZoneOf>),
    (since, until): (Option<Date>, Option<Date>),
) -> Result<i64, LoadError> {
    let history = Table::open_for_insert(c"hist_trip_data");
    let _owner = session::run_as_owner(&history);
    let set = |zone: Option<&ZoneOf>| zone.map(|zone| zone.set.clone());
    let id = |zone: Option<&ZoneOf>| zone.map(|zone| zone.id.clone());
    let arguments: [DatumWithOid<'_>; 7] = [
        feed.into(),
        set(origin).into(),
        id(origin).into(),
        set(destination).into(),
        id(destination).into(),
        since.into(),
        until.into(),
    ];
    let count = spi::first(&statement(), &arguments, Snapshot::Statement, |row| row.get::<i64>(1));
    Ok(count.flatten().unwrap_or(0))
}

/// The row of the zone is the one that a load takes: of the valid ones that from the latest year.
fn statement() -> CString {
    let point = |end: &str, set: &str, id: &str| {
        format!(
            "CASE WHEN h.{end} IS NULL THEN
               (SELECT z.point FROM trips.zones AS z
                 WHERE z.zone_set = {set} AND z.zone_id = h.details ->> {id}
                   AND COALESCE(z.valid_from <= h.year, true) AND COALESCE(z.valid_to >= h.year, true)
                 ORDER BY z.valid_from DESC NULLS LAST, z.valid_to DESC NULLS FIRST LIMIT 1) END"
        )
    };
    // The period limits both sides of the join, so that both scans prune partitions.
    let period = |table: &str| {
        format!(
            "{table}.date_time >= COALESCE($6::date, '-infinity')::timestamp
             AND {table}.date_time < COALESCE($7::date + 1, 'infinity')::timestamp"
        )
    };
    let sql = format!(
        "WITH found AS MATERIALIZED (
           SELECT h.date_time, h.trip_key, {} AS origin, {} AS destination
             FROM (SELECT t.date_time, t.trip_key, t.origin_coord, t.destination_coord, t.details,
                          EXTRACT(year FROM t.date_time)::int AS year
                     FROM trips.hist_trip_data AS t
                    WHERE t.load_id IN (SELECT l.load_id FROM trips.loads AS l WHERE l.feed = $1)
                      AND (t.origin_coord IS NULL OR t.destination_coord IS NULL) AND {}) AS h
         ), changed AS (
           UPDATE trips.hist_trip_data AS h
              SET origin_coord = COALESCE(h.origin_coord, f.origin),
                  destination_coord = COALESCE(h.destination_coord, f.destination)
             FROM found AS f
            WHERE h.date_time = f.date_time AND h.trip_key = f.trip_key AND {}
              AND (f.origin IS NOT NULL OR f.destination IS NOT NULL)
           RETURNING 1
         )
         SELECT count(*) FROM changed",
        point("origin_coord", "$2", "$3"),
        point("destination_coord", "$4", "$5"),
        period("t"),
        period("h"),
    );
    CString::new(sql).expect("no NUL in the statement")
}
