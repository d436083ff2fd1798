//! Misplaced trips: trips in a partition whose bounds do not contain them. They are found and moved to the right
//! partition.
//!
//! PostgreSQL's planner relies on the bounds, so no query here has a condition on the time of the whole history. Each
//! partition is read by itself, and the functions run with `constraint_exclusion = off`.

use pgrx::datum::{DatumWithOid, Timestamp as PgTimestamp};
use pgrx::{Spi, pg_sys};
use trips_core::model::partition_bounds::{Bound, PartitionBounds};
use trips_core::model::timestamp::Timestamp;

use super::bounds::{Route, route_of};
use super::partitions::{Created, Partition};
use super::{HISTORY, pending_counts};
use crate::error::LoadError;
use crate::pg::partitions::Detaching;
use crate::pg::relation::{Table, name_of};

/// Counts of the trips that were moved from one partition to another.
#[derive(Debug)]
pub struct Moved {
    /// The source.
    pub from: pg_sys::Oid,
    /// The right partition.
    pub to: pg_sys::Oid,
    /// Number of moved trips.
    pub trips: i64,
    /// Number of duplicates that were deleted, for each load, as the ledger counts them.
    pub duplicates: Vec<(i64, i64)>,
}

/// The partitions with misplaced trips.
pub fn damaged_partitions() -> Result<Vec<String>, LoadError> {
    let mut damaged = Vec::new();
    for partition in plain_partitions() {
        let name = name_of(partition);
        let mut next = first_time(&name, Bound::MinValue)?;
        while let Some(time) = next {
            let route = route_of(time, Detaching::Omitted);
            if route.partition() != Some(partition) {
                damaged.push(name);
                break;
            }
            next = first_time(&name, route.bounds().upper)?;
        }
    }
    Ok(damaged)
}

/// Moves all misplaced trips, and creates missing partitions. Derived data does not change.
pub fn move_misplaced() -> Result<Vec<Moved>, LoadError> {
    let created = Created::default();
    let mut moved: Vec<Moved> = Vec::new();
    for from in plain_partitions() {
        let name = name_of(from);
        let mut next = first_time(&name, Bound::MinValue)?;
        while let Some(time) = next {
            let mut route = route_of(time, Detaching::Omitted);
            if route.partition() != Some(from) {
                let target = Partition::open(time, &created)?;
                route = Route::Partition(target.table.oid(), target.bounds);
                // A table that is open cannot get triggers through SPI.
                drop(target);
                let to = route.partition().unwrap_or(from);
                let part = move_between(from, to, route.bounds())?;
                // A default partition may get trips of several of its gaps.
                match moved.iter_mut().find(|moved| (moved.from, moved.to) == (from, to)) {
                    Some(moved) => {
                        moved.trips += part.trips;
                        moved.duplicates.extend(part.duplicates);
                    }
                    None => moved.push(part),
                }
            }
            next = first_time(&name, route.bounds().upper)?;
        }
    }
    Ok(moved)
}

/// The partitions that loads write to.
fn plain_partitions() -> Vec<pg_sys::Oid> {
    let history = Table::open_for_insert(HISTORY);
    history.partitions(Detaching::Omitted).into_iter().map(|(oid, _)| oid).collect()
}

/// The first time in a partition that is at or after a bound.
fn first_time(partition: &str, from: Bound) -> Result<Option<Timestamp>, LoadError> {
    let (condition, args) = match from {
        Bound::MinValue => ("", vec![]),
        Bound::At(time) => ("WHERE p.date_time >= $1", vec![datum(time)]),
        Bound::MaxValue => return Ok(None),
    };
    let query = format!("SELECT min(p.date_time) FROM ONLY {partition} AS p {condition}");
    let found = Spi::get_one_with_args::<PgTimestamp>(&query, &args)?;
    Ok(found.map(|time| Timestamp(time.into())))
}

/// Moves the trips within these bounds from one partition to another, and deletes duplicates.
fn move_between(
    from: pg_sys::Oid,
    to: pg_sys::Oid,
    bounds: PartitionBounds,
) -> Result<Moved, LoadError> {
    let [source, target] = [from, to].map(name_of);
    let mut args = Vec::new();
    let mut within = String::from("true");
    for (bound, comparison) in [(bounds.lower, ">="), (bounds.upper, "<")] {
        if let Bound::At(time) = bound {
            args.push(datum(time));
            within += &format!(" AND m.date_time {comparison} ${}", args.len());
        }
    }
    let duplicates = Spi::connect_mut(|client| {
        let dropped = client.update(
            &format!(
                "WITH gone AS (
                   DELETE FROM ONLY {source} AS m
                    WHERE {within} AND EXISTS (
                          SELECT FROM ONLY {target} AS t
                           WHERE t.date_time = m.date_time AND t.trip_key = m.trip_key)
                   RETURNING m.load_id)
                 SELECT g.load_id, count(*) FROM gone AS g GROUP BY 1"
            ),
            None,
            &args,
        )?;
        let counts = dropped.map(|row| Ok((row.get(1)?, row.get(2)?)));
        counts.collect::<Result<Vec<(Option<i64>, Option<i64>)>, LoadError>>()
    })?;
    let duplicates = duplicates.into_iter().filter_map(|(load, count)| load.zip(count)).collect();

    let columns = columns()?;
    let counts = Spi::connect_mut(|client| {
        let query = format!(
            "WITH gone AS (DELETE FROM ONLY {source} AS m WHERE {within} RETURNING m.*),
                  come AS (INSERT INTO {target} ({columns}) OVERRIDING SYSTEM VALUE
                           SELECT {columns} FROM gone RETURNING 1)
             SELECT (SELECT count(*) FROM gone), (SELECT count(*) FROM come)"
        );
        client.update(&query, Some(1), &args)?.first().get_two::<i64, i64>()
    })?;
    let (gone, come) = (counts.0.unwrap_or(0), counts.1.unwrap_or(0));
    let left = format!("SELECT count(*) FROM ONLY {source} AS m WHERE {within}");
    let left = Spi::get_one_with_args::<i64>(&left, &args)?.unwrap_or(0);
    if gone != come || left > 0 {
        let count = |rows: i64| u64::try_from(rows).unwrap_or(0);
        let (offered, taken) = (count(gone + left), count(come));
        return Err(LoadError::RowsVanished { table: "trips.hist_trip_data", offered, taken });
    }
    Ok(Moved { from, to, trips: come, duplicates })
}

/// The columns of the history, including added ones, without generated ones.
fn columns() -> Result<String, LoadError> {
    let columns = Spi::get_one::<String>(
        "SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FROM pg_attribute AS a
          WHERE a.attrelid = 'trips.hist_trip_data'::regclass AND a.attnum > 0 AND NOT a.attisdropped
            AND a.attgenerated = ''",
    )?;
    Ok(columns.unwrap_or_default())
}

fn datum(time: Timestamp) -> DatumWithOid<'static> {
    PgTimestamp::try_from(time.0).ok().into()
}

/// Suspends the change triggers until this is dropped; then all derived data must be computed again.
pub fn with_counts_deferred<T>(
    work: impl FnOnce() -> Result<T, LoadError>,
) -> Result<T, LoadError> {
    let pending = pending_counts::PendingCounts::begin();
    let result = work()?;
    pending.end(Vec::new());
    Ok(result)
}
